"""When a run that nobody watches should stop: decisions from how its calls and critiques end.

An alarm only ever stops a run; it changes nothing that a run which goes on learns. So it may depend
on the order in which things end, which memory must not.
"""

from __future__ import annotations

from collections import Counter, deque

from ..errors import CallRefused, CallTimedOut, ModelError, ProviderDown, QuotaSpent

IN_A_ROW = 5
"""Failures of one model that say the same, with no answer between them."""
WINDOW = 20
MOST_FAILED = 4
"""Of the last `WINDOW` critiques or curations: a fifth."""

_UNAUTHORISED = ("authentication_error", "invalid_api_key")


class CallAlarm:
    """Told how every call ends; says when there is no use in making another one."""

    def __init__(self) -> None:
        self._streaks: dict[str, tuple[tuple[str, str], int]] = {}

    def failed(self, model: str, error: ModelError, /) -> str:
        """Why the run must stop now that a call of `model` failed; empty while it need not."""
        if isinstance(error, QuotaSpent) or _unauthorised(error):
            return str(error)
        said = _said(error)
        before, count = self._streaks.get(model, (said, 0))
        count = count + 1 if before == said else 1
        self._streaks[model] = said, count
        return f"{count} calls in a row failed alike: {error}" if count >= IN_A_ROW else ""

    def answered(self, model: str, /) -> None:
        """A call of `model` was answered."""
        if self._streaks:
            self._streaks.pop(model, None)


class LearningAlarm:
    """Told how critiques and curations end; says when too few of them are of use."""

    def __init__(self) -> None:
        self._recent: dict[str, deque[bool]] = {}

    def ended(self, role: str, why: str) -> str:
        """Why the run must stop now that one of `role` ended, failed if there is a `why`."""
        recent = self._recent.setdefault(role, deque(maxlen=WINDOW))
        recent.append(bool(why))
        failed = Counter(recent)[True]
        # That many failures are more than a fifth of the first twenty, whatever the rest will be.
        if not why or failed <= MOST_FAILED:
            return ""
        return f"the {role} failed {failed} times of its last {len(recent)}; the last time: {why}"


def _unauthorised(error: ModelError) -> bool:
    if not isinstance(error, CallRefused):
        return False
    return error.status == 401 or any(code in str(error) for code in _UNAUTHORISED)


def _said(error: ModelError) -> tuple[str, str]:
    """What makes two failures alike. An outage says now this, now that."""
    if isinstance(error, ProviderDown | CallTimedOut):
        return "outage", ""
    return error.kind, str(error)
