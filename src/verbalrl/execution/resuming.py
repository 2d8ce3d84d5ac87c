"""What must be the same for a run to be resumed to the memory that it would have reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ConfigurationError

_MAY_DIFFER = frozenset({"limits", "prompts", "servers", "versions", "task", "index"})
# Runs of before there were embedders do not say which; lessons that all fit need none.
_LATER = frozenset({"embedder", "embedder_sha", "embedder_url"})

_NAMED = 5
"""Entries of a table that are named where it differs."""


def check_same(stored: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to resume what would not lead to the same memory."""
    for key in sorted(now.keys() - _MAY_DIFFER):
        if key in _LATER and key not in stored:
            continue
        if stored.get(key) != now[key]:
            said = _difference(stored.get(key), now[key])
            raise ConfigurationError(f"cannot resume: {key!r} {said}; start a new run instead")


def _difference(was: Any, now: Any) -> str:
    """What differs; of a table, such as that of prompts, which entries."""
    if not (isinstance(was, Mapping) and isinstance(now, Mapping)):
        return f"was {was!r} and is {now!r}"
    names = sorted(n for n in was.keys() | now.keys() if was.get(n) != now.get(n))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"differs in {', '.join(names[:_NAMED])}{more}"
