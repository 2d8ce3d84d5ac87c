"""What must be the same for a run to be resumed to the memory that it would have reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ConfigurationError

_MAY_DIFFER = frozenset({"limits", "prompts", "servers", "versions", "task", "index"})
# Runs of before there were embedders do not say which; lessons that all fit need none.
_LATER = frozenset({"embedder", "embedder_sha", "embedder_url"})


def check_same(stored: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to resume what would not lead to the same memory."""
    for key in sorted(now.keys() - _MAY_DIFFER):
        if key in _LATER and key not in stored:
            continue
        if stored.get(key) != now[key]:
            raise ConfigurationError(
                f"cannot resume: {key!r} was {stored.get(key)!r} and is {now[key]!r}; "
                "start a new run instead"
            )
