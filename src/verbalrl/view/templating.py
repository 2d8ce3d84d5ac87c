"""HTML from the templates of this package: everything put into them is escaped."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


def render(template: str, **values: Any) -> str:
    """The page that `template` makes of `values`."""
    return _environment().get_template(template).render(**values)


@cache
def stylesheet() -> str:
    """The one style sheet."""
    return (files(__package__) / "templates" / "style.css").read_text(encoding="utf-8")


def style_hash() -> str:
    """What a content policy names the style sheet by."""
    digest = hashlib.sha256(stylesheet().encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader(__package__, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["thousands"] = lambda number: f"{number:,}"
    made.globals["number"] = lambda cell: isinstance(cell, int | float)
    made.globals["style"] = lambda: Markup(stylesheet())
    made.globals["style_hash"] = style_hash
    return made
