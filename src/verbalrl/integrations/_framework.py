"""What the adapters of agent frameworks share: the package, and the calls of its models."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from ..errors import ConfigurationError, first_line


def framework(module: str, extra: str) -> Any:
    """The module of a framework, imported on use.

    Raises:
        ConfigurationError: It is missing; the message says how to install it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        why = first_line(str(error))
        raise ConfigurationError(f'{extra} ({why}): pip install "verbalrl[{extra}]"') from error


def completion(message: Mapping[str, Any], read: int, written: int, cached: int) -> dict[str, Any]:
    """A reply as a chat completion tells it, with its tokens."""
    details = {"cached_tokens": cached}
    usage = {"prompt_tokens": read, "completion_tokens": written, "prompt_tokens_details": details}
    return {"choices": [{"message": message}], "usage": usage}
