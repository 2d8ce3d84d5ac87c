"""Group evaluation: executable candidates, scores of all side by side, the best mean is submitted.

PaVeRL-SQL's verbal pipeline (2025, its `verbal_rl/main_gensql.py`): candidates that run and return
something, up to a cap of tries; one prompt scores all of them in [0, 1], several times; the largest
mean wins. No outcome is seen on the way. The released code returns the first candidate where the
best is unique, and scores again without end after a malformed answer; here neither happens.
"""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from ..ids import coin
from ..records import (
    Batch,
    Critique,
    Done,
    Episode,
    InstanceView,
    Shows,
    StopReason,
    WriteCritique,
)
from . import plans
from .base import Requirement
from .instance import InstanceMethod

GROUP = "critic/group"
BESIDE = Shows(reward=False, outcome=False, earlier=False)
"""What scores are given on: the candidates and what executing them showed."""


class GroupEval(InstanceMethod):
    """Candidates, group scores over rounds, the attempt that submits the best."""

    name: Literal["group_eval"] = "group_eval"
    candidates: int = Field(default=4, ge=1, le=32)
    """Candidates that are wanted, each of which runs and returns something."""
    rounds: int = Field(default=3, ge=1, le=16)
    """How often they are scored; times `candidates`, how often one is tried at most."""

    @property
    def requires(self) -> frozenset[Requirement]:
        """Environments that execute candidates without scoring them."""
        return frozenset({"execute"})

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """More candidates, the rounds of scores, or the attempt."""
        trial = self.next_trial(view)
        if isinstance(trial, Done):
            return trial
        tried = plans.searched(view, trial, "candidate")
        kept = [e for e in tried if e.stop_reason is StopReason.EXECUTED][: self.candidates]
        left = self.candidates * self.rounds - len(tried)
        if more := min(self.candidates - len(kept), left):
            numbers = range(len(tried) + 1, len(tried) + more + 1)
            new = (plans.search(view, trial, n, "candidate", max_steps=1) for n in numbers)
            return Batch(work=tuple(new))
        if not kept:
            return plans.attempt(view, trial, max_steps=self.max_steps)
        if len(kept) == 1:
            return plans.submit(view, kept[0], tuple(kept))
        ids = tuple(e.id for e in kept)
        scored = WriteCritique(episodes=ids, template=GROUP, shows=BESIDE)
        if due := plans.unwritten(view, (scored.replace(sample=n) for n in range(self.rounds))):
            return due
        said = [c for c in view.critiques if c.template == GROUP and c.episodes == ids]
        return plans.submit(view, best(kept, said), tuple(kept))


def best(kept: list[Episode], said: list[Critique]) -> Episode:
    """The candidate with the largest mean score; of several one is drawn, as the seed decides.

    Rounds whose answer could not be used are left out; without any all are level.
    """
    rounds = [c.scores for c in said if c.status == "accepted" and c.scores]
    means = [math.fsum(r[e.id] for r in rounds) / max(1, len(rounds)) for e in kept]
    # Means of equal scores may differ in their last bit by their order.
    level = [n for n, mean in enumerate(means) if math.isclose(mean, max(means), abs_tol=1e-9)]
    draw = coin("group_eval", kept[0].spec.instance, kept[0].trial, kept[0].seed)
    return kept[level[int(draw * len(level))]]


def group_eval(*, candidates: int = 4, rounds: int = 3, trials: int = 1) -> GroupEval:
    """`candidates` executable candidates, scored side by side `rounds` times; the best counts."""
    return GroupEval(candidates=candidates, rounds=rounds, trials=trials)
