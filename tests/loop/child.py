"""A run in a process of its own, to be killed: `python -m tests.loop.child JSON` prints figures.

Each call key is on the disk before the answer exists; answers take a few milliseconds, so that some
are always under way.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from verbalrl import Budget, ChatAgent, Learner, Limits, Team, load_task
from verbalrl.agents import AgentLike
from verbalrl.methods import method
from verbalrl.models import CountingModel, DelayedModel, Model, Reply, Request, load_model
from verbalrl.result import RunResult


class Silent(Model):
    """Another model that answers the first `most` calls, and then nobody any more."""

    def __init__(self, inner: Model, most: int) -> None:
        self.name, self.simulated = inner.name, inner.simulated
        self._inner, self._left = inner, most

    async def complete(self, request: Request, /) -> Reply:
        self._left -= 1
        if self._left < 0:
            await asyncio.Event().wait()
        return await self._inner.complete(request)


def session(
    case: dict[str, Any],
    store: Path,
    calls: Path,
    *,
    resume: str = "",
    turn: int = 0,
    most: int | None = None,
) -> RunResult:
    """The run of `case`, or the rest of the run `resume`; with `most` it may never come to an end.

    Who is to be killed does not end before, however late its killer is.
    """
    slow: Model = DelayedModel(
        load_model("offline:apprentice"), turn, 0.0, case.get("longest", 0.02)
    )
    if most is not None:
        slow = Silent(slow, most)
    agent: AgentLike = ChatAgent(CountingModel(slow, calls))
    if team := case.get("team"):
        # Whether analysts run ahead changes from session to session, and nothing else.
        analysts = {role: ChatAgent(CountingModel(slow, calls)) for role in team}
        agent = Team(agent, analysts, ahead=turn % 2 == 0)
    learner = Learner(
        agent,
        method=method(case["method"], case["settings"]),
        store=store,
        limits=Limits(concurrency=case["concurrency"], budget=Budget(**case.get("budget", {}))),
    )
    task = load_task(case["task"])
    if resume:
        return learner.resume_sync(resume, task)
    return learner.run_sync(task, **case["run"])


def main() -> None:
    """Run what the argument says."""
    given = json.loads(sys.argv[1])
    result = session(
        given["case"],
        Path(given["store"]),
        Path(given["calls"]),
        resume=given["resume"],
        turn=given["turn"],
        most=given["most"],
    )
    sys.stdout.write(json.dumps(result.figures))


if __name__ == "__main__":
    main()
