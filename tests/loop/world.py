"""A tiny task for these tests, agents that remember what they saw, and plans written in stages.

A safe has a code of colours. Whoever presses them in order, with no other colour between, opens it.
The lamp on it shows the world seed and nothing else.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from verbalrl.learner import Learner
from verbalrl.methods import Learns, MethodSettings, plans
from verbalrl.records import (
    Action,
    Batch,
    CurateLessons,
    Done,
    Episode,
    EpisodeSpec,
    Instance,
    InstanceView,
    Observation,
    OpenRound,
    Origin,
    RunEpisode,
    SelectCandidate,
    SharedView,
    Situation,
    StepResult,
    Work,
    WriteCritique,
)
from verbalrl.result import RunResult
from verbalrl.store import Store
from verbalrl.tasks.base import Card, Environment, Problem, WorldTask

COLOURS = ("red", "green", "blue")
UNKNOWN = "?"
"""The code of a safe that never says whether it opened."""

Policy = Callable[[Situation], Any]


class Safe:
    """One safe, for one episode."""

    def __init__(self, code: str) -> None:
        self.code = code.split()
        self.pressed: list[str] = []
        self.lamp = ""

    def reset(self, seed: int, /) -> Observation:
        self.pressed = []
        self.lamp = f"{seed % 1_000_003:06d}"
        return self._seen()

    def step(self, action: Action, /) -> StepResult:
        self.pressed.append(action.text)
        if self.code == [UNKNOWN]:
            return StepResult(observation=self._seen(), terminated=True)
        opened = self.pressed[-len(self.code) :] == self.code
        return StepResult(
            observation=self._seen(),
            feedback="It opens." if opened else "A click, nothing else.",
            reward=float(opened),
            terminated=opened,
            success=opened,
        )

    def execute(self, action: Action, /) -> str:
        return f"{action.text} would click"

    def _seen(self) -> Observation:
        pressed = " ".join(self.pressed) or "nothing"
        return Observation(text=f"Lamp {self.lamp}. Pressed: {pressed}.", actions=COLOURS)


class Safes:
    """All safes of a task, by split."""

    def __init__(
        self, train: Sequence[str], test: Sequence[str], make: Callable[[str], Any] = Safe
    ) -> None:
        self.codes = {"train": tuple(train), "test": tuple(test)}
        self.make = make

    def size(self, split: str, /) -> int | None:
        return len(self.codes[split])

    def problem(self, split: str, index: int, /) -> Problem:
        return Problem("Open the safe.", {"code": self.codes[split][index]})

    def environment(self, instance: Instance, /) -> Environment:
        made: Environment = self.make(str(instance.data["code"]))
        return made


def safes(
    *train: str,
    test: Sequence[str] = (),
    make: Callable[[str], Any] = Safe,
    max_steps: int = 2,
    inline: bool = True,
) -> WorldTask:
    """The task whose instances have these codes."""
    card = Card(
        id="safes-v1",
        summary="Open safes.",
        learns="both",
        observations=Origin.TASK,
        max_steps=max_steps,
        inline=inline,
        default_train=len(train),
        default_instances=len(test) or len(train),
    )
    return WorldTask(card, Safes(train, test, make))


class Player:
    """An agent made of a policy; remembers what it saw."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.seen: list[Situation] = []

    async def __call__(self, situation: Situation, /) -> Any:
        self.seen.append(situation)
        return self.policy(situation)

    def texts(self) -> list[str]:
        """The guidance that it got, situation by situation."""
        return [s.guidance.text for s in self.seen]


def pressing(*colours: str) -> Player:
    """Presses these in turn; the last one for ever."""
    return Player(lambda s: colours[min(len(s.history), len(colours) - 1)])


class Staged(MethodSettings):
    """A plan written as a generator of batches: each is asked for until its results are there.

    What follows a `yield` reads them in the view, so a plan is still a function of the view alone.
    """

    name: str = "staged"
    learns: Learns = "instance"
    trials: int = 1

    def stages(self, view: InstanceView) -> Iterator[Batch]:
        """What one lane does."""
        raise NotImplementedError

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """The first batch whose results are not all there."""
        for batch in self.stages(view):
            if not all(_done(work, view) for work in batch.work):
                return batch
        return Done(reason="staged")

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        """One round over everything."""
        return plans.one_round(view, "train")


def _done(work: Work, view: InstanceView) -> bool:
    match work:
        case RunEpisode(spec=spec):
            return any(e.spec == spec for e in view.episodes)
        case WriteCritique(episodes=episodes, sample=sample):
            return any(c.episodes == episodes and c.sample == sample for c in view.critiques)
        case CurateLessons(critiques=critiques):
            return set(critiques) <= set(view.curated)
        case SelectCandidate(candidates=candidates, selector=selector):
            return any(
                d.chosen in candidates and d.detail["selector"] == selector for d in view.decisions
            )
    return False


def spec(view: InstanceView, **fields: Any) -> EpisodeSpec:
    """A spec for the instance of `view`."""
    own = {"instance": view.instance.id, "split": view.round.split, "round": view.number}
    return EpisodeSpec.model_validate(own | fields)


def episode(view: InstanceView, **fields: Any) -> RunEpisode:
    """An episode on the instance of `view`."""
    return RunEpisode(spec=spec(view, **fields))


def batch(*work: Work) -> Batch:
    """The work as one batch."""
    return Batch(work=work)


def run(
    store: Store,
    agent: Any,
    method: Any,
    task: WorldTask,
    *,
    critic: Any = lambda _: "Press another colour next time.",
    curator: Any = None,
    limits: Any = None,
    **settings: Any,
) -> RunResult:
    """One run of one arm."""
    learner = Learner(
        agent, method=method, critic=critic, curator=curator, store=store, limits=limits
    )
    return learner.run_sync(task, **({"arms": ("learned",)} | settings))


def episodes(store: Store, result: RunResult, **asked: Any) -> tuple[Episode, ...]:
    """The stored episodes of a run."""
    return store.episodes(run=result.run, **asked)


def pressed(found: Episode) -> list[str]:
    """The actions of an episode."""
    return [step.action.text for step in found.trajectory.steps]


def rows(folder: Path, *tables: str, where: str = "") -> dict[str, list[tuple[Any, ...]]]:
    """Whole tables as they lie in the file, read past the store."""
    with closing(sqlite3.connect(folder / "verbalrl.db")) as connection:
        return {
            table: connection.execute(f"SELECT * FROM {table} {where} ORDER BY 1, 2, 3").fetchall()
            for table in tables
        }


def prompts(folder: Path, run_id: str = "", role: str = "") -> list[str]:
    """The texts of all journaled requests of a run, without their sampling seeds."""
    asked = "SELECT owner, role, request FROM calls ORDER BY seq"
    with closing(sqlite3.connect(folder / "verbalrl.db")) as connection:
        calls = connection.execute(asked).fetchall()
        owners = _owners(connection, run_id) if run_id else None
    return [
        _without_seed(request)
        for owner, by, request in calls
        if (owners is None or owner in owners) and (not role or by == role)
    ]


def _owners(connection: sqlite3.Connection, run_id: str) -> set[str]:
    like = f"{run_id}/%"
    asked = (
        ("SELECT id FROM episodes WHERE run = ?", run_id),
        ("SELECT id FROM critiques WHERE branch LIKE ?", like),
        ("SELECT id FROM commits WHERE branch LIKE ?", like),
    )
    return {name for sql, value in asked for (name,) in connection.execute(sql, (value,))}


def _without_seed(request: str) -> str:
    content = json.loads(request)
    del content["sample_seed"]
    return json.dumps(content, ensure_ascii=False)
