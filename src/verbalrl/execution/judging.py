"""A look of the gate `measured` between two rounds."""

from __future__ import annotations

from ..effects import Ledger, Rules, judge
from ..memory import gate
from ..records import Commit, JudgeLessons, LaneKey
from ..store import Store


def judged(store: Store, work: JudgeLessons, lane: LaneKey, base: int) -> Commit:
    """The commit that the rounds up to `work.through` ask for; the updates are few or none.

    The rows of finished rounds decide alone, so that a resumed run decides alike.
    """
    trials = store.trials(lane.run, lane.arm, lane.seed, work.through)
    effects = judge(Ledger.of(trials), Rules(idle_after=work.idle_after))
    lessons = store.lessons(lane.branch, work.scope, revision=base)
    return Commit(
        id=work.id(lane),
        branch=lane.branch,
        scope=work.scope,
        base=base,
        updates=gate.decisions(lessons, effects),
    )
