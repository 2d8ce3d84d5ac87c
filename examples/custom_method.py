"""A method of your own in one file: several answers, the commonest one is handed in.

    python examples/custom_method.py

It needs no key: the offline model plays. A method runs nothing itself. Its plans are pure functions
of what is known, and the learner does what they ask for, so that it can be interrupted, resumed and
run at any concurrency without a word about that here.
"""

from __future__ import annotations

import sys
import tempfile
from typing import Literal

from pydantic import Field

import verbalrl as vrl
from verbalrl.methods import Learns, MethodSettings, plans
from verbalrl.records import Batch, Done, InstanceView, OpenRound, SharedView


class Vote(MethodSettings):
    """Independent searches, a selection by majority, the attempt that submits it."""

    name: Literal["vote"] = "vote"
    learns: Learns = "instance"
    trials: int = 1
    searches: int = Field(default=3, ge=2)
    """Fields are settings: they are stored with the run, and a resumed run has them again."""

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """What to do next on one instance; each batch that is done leads to the next question."""
        if view.attempts:
            return Done(reason="handed in")
        found = plans.searched(view, 1)
        if not found:
            numbers = range(1, self.searches + 1)
            return Batch(work=tuple(plans.search(view, 1, n) for n in numbers))
        # A selector that is not told rewards; one that is must say supervision="oracle".
        return plans.select(view, found, "majority")

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        """What to do next for all instances together: one round, since none learns from another."""
        return plans.one_round(view, "train")


def main(store: str) -> None:
    """Check the contract of its plans, then run it beside the controls."""
    method = Vote(searches=3)
    vrl.check_method(method)
    learner = vrl.Learner(vrl.ChatAgent("offline:apprentice"), method=method, store=store)
    result = learner.run_sync(vrl.load_task("triage-v1"), instances=6, arms=("none", "learned"))
    print(result.table())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(sys.argv[1] if len(sys.argv) > 1 else folder)
