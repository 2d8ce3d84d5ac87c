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
    was, is_now = stored.get("task_sha"), now["task_sha"]
    if was != is_now:
        # First: with fewer rows other settings differ as well, which would name no cause.
        raise ConfigurationError(f"cannot resume: {_changed(stored, now)}")
    for key in sorted(now.keys() - _MAY_DIFFER):
        if key in _LATER and key not in stored:
            continue
        if stored.get(key) != now[key]:
            said = _difference(stored.get(key), now[key])
            raise ConfigurationError(f"cannot resume: {key!r} {said}; start a new run instead")


def _changed(stored: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Why the task is not the one of the run, and what to do."""
    was, is_now = str(stored.get("task")), str(now["task"])
    seeds = [str(config.get("task_seed") or 0) for config in (stored, now)]
    if was != is_now or seeds[0] != seeds[1]:
        return (
            f"the run was on {was}, task seed {seeds[0]}, and this is {is_now}, task seed "
            f"{seeds[1]}; give the same task, or start a new run"
        )
    _, colon, place = was.partition(":")
    if colon or "/" in was:
        place = (place or was).partition("?")[0]
        return f"{place} has changed since the run began; put back what it was, or start a new run"
    return (
        f"the code or the data of {was} changed since the run began, such as by another version of "
        "verbalrl; put back what it was, or start a new run"
    )


def _difference(was: Any, now: Any) -> str:
    """What differs; of a table, such as that of prompts, which entries."""
    if not (isinstance(was, Mapping) and isinstance(now, Mapping)):
        return f"was {was!r} and is {now!r}"
    names = sorted(n for n in was.keys() | now.keys() if was.get(n) != now.get(n))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"differs in {', '.join(names[:_NAMED])}{more}"
