"""Renders the real prompt files with the settings of the framework, and nothing else of it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

PROMPTS = Path(__file__).resolve().parents[2] / "prompts"


@cache
def environment() -> ImmutableSandboxedEnvironment:
    """The environment of the contract: sandboxed, strict, trimmed."""
    return ImmutableSandboxedEnvironment(
        loader=jinja2.FileSystemLoader(PROMPTS),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )


@cache
def _template(name: str) -> jinja2.Template:
    return environment().get_template(name)


def render(name: str, **variables: Any) -> str:
    """One prompt file as text."""
    return _template(name).render(**variables)
