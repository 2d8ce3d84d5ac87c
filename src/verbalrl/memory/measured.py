"""What is known of the lessons of a branch from withholding them, read from a store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..effects import Effect, Ledger, judge
from ..effects.trials import Trial
from ..records import Lesson
from ..store import MAIN, Store
from . import gate

ByRole = Mapping[str, Effect]


def effects_on(store: Store, branch: str, scopes: frozenset[str]) -> Mapping[str, ByRole]:
    """By content and role, what the episodes of `branch` show of lessons of `scopes`.

    On `main` those are the episodes served there, else those of the run's arm and seed; a branch
    that nobody acted on shows nothing.
    """
    return store.unchanged(("effects", branch, scopes), lambda: _effects_on(store, branch, scopes))


def _effects_on(store: Store, branch: str, scopes: frozenset[str]) -> dict[str, ByRole]:
    found: dict[str, ByRole] = {}
    known = store.branch(branch)
    if branch == MAIN:
        for scope in sorted(scopes):
            found |= _judged(store.served_trials(scope))
    elif known.run is not None and known.arm is not None and known.seed is not None:
        found = _judged(store.trials(known.run, known.arm, known.seed))
    return found


def _judged(trials: list[Trial]) -> dict[str, ByRole]:
    # Lists of stores without a coin must not wait for numpy.
    return {**gate.by_content(judge(Ledger.of(trials)))} if trials else {}


def order_of(lesson: Lesson, effects: Mapping[str, ByRole]) -> tuple[float, float]:
    """Sorts lessons by effect: the largest lower end first, the untested last."""
    return order_of_content(lesson.body.content, effects)


def order_of_content(content: str, effects: Mapping[str, ByRole]) -> tuple[float, float]:
    """The same for the lesson of that content."""
    ends = [e.low for e in effects.get(content, {}).values() if e.low is not None]
    return (0.0, -max(ends)) if ends else (1.0, 0.0)


def caveat(store: Store, run: str | None) -> str:
    """What follows a figure that a run with a simulated model has shown: `; simulated`."""
    return "; simulated" if run is not None and store.run(run).simulated else ""


def plain(effect: Effect) -> dict[str, Any]:
    """An effect as JSON."""
    names = ("n_in", "n_out", "missing", "rate_in", "rate_out", "difference", "low", "high")
    known = {name: getattr(effect, name) for name in names}
    return {**known, "tokens": effect.tokens, "rent": effect.rent, "finding": effect.finding}
