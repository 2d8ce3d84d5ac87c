"""Records for the tests of the store, as small as they may be."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from verbalrl.records import (
    Action,
    BranchRecord,
    CallRecord,
    Commit,
    Critique,
    Episode,
    EpisodeSpec,
    Evidence,
    Guidance,
    GuidanceLine,
    GuidanceSpec,
    LaneKey,
    Lesson,
    LessonBody,
    LessonKind,
    LessonProposal,
    MemoryUpdate,
    Observation,
    Operation,
    Origin,
    Reward,
    RunRecord,
    Status,
    Step,
    StopReason,
    Trajectory,
    Usage,
    Use,
)
from verbalrl.store import Store, open_store

T = TypeVar("T")


def wait(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


def a_run(identity: str = "r1", **changes: Any) -> RunRecord:
    known: dict[str, Any] = {
        "id": identity,
        "task": "gridnav-v1",
        "method": "reflexion",
        "model": "scripted",
        "simulated": True,
        "config": {"trials": 3, "seeds": [0]},
    }
    return RunRecord(**known | changes)


def lane(run: str = "r1", arm: str = "learned", seed: int = 0) -> LaneKey:
    return LaneKey(run=run, arm=arm, seed=seed)


def open_lane(store: Store, key: LaneKey | None = None, **changes: Any) -> str:
    """A run and its branch in `store`; gives the branch."""
    key = key or lane()
    store.create_run(a_run(key.run))
    made = BranchRecord(id=key.branch, run=key.run, arm=key.arm, seed=key.seed, **changes)
    return store.create_branch(made).id


def new_store(folder: Path) -> Store:
    return open_store(folder, create=True)


def an_episode(
    key: LaneKey | None = None,
    instance: str = "i1",
    trial: int = 1,
    *,
    steps: int = 3,
    lesson: str = "le_x",
    **changes: Any,
) -> Episode:
    key = key or lane()
    spec = EpisodeSpec(
        instance=instance,
        trial=trial,
        guidance={"actor": GuidanceSpec(source="recall", scopes=("s",), force_in=(lesson,))},
    )
    use = Use(
        lesson=lesson,
        version=2,
        content="c0ffee",
        rank=1,
        outcome="injected",
        block="volatile",
        probability=0.8,
        tokens=12,
        parts={"bm25": 0.1 + 0.2},
    )
    left = use.replace(outcome="budget", block=None, rank=2, lesson="le_y")
    guidance = Guidance(
        volatile=(GuidanceLine(alias=1, lesson=lesson, when="ü", instruction="go"),),
        uses=(use, left),
        left_out=1,
        tokens=12,
    )
    known: dict[str, Any] = {
        "id": spec.id(key),
        "run": key.run,
        "arm": key.arm,
        "seed": key.seed,
        "spec": spec,
        "trajectory": Trajectory(
            steps=tuple(
                Step(
                    n=n,
                    observation=Observation(text=f"cell {n} " + "x" * 80, actions=("up", "down")),
                    action=Action(text="up", lessons_used=(1,)),
                    feedback="a wall",
                    reward=-0.1 * n,
                )
                for n in range(1, steps + 1)
            ),
            final=Observation(text="the end"),
        ),
        "success": False,
        "reward": Reward(value=-0.3, components={"step": -0.3}),
        "stop_reason": StopReason.MAX_STEPS,
        "guidance": {"actor": guidance, "critic": Guidance(texts=("word for word",))},
        "revision": {"s": 4},
        "usage": {"actor": Usage(input=10, output=3, calls=3, cost_usd=0.0125)},
    }
    return Episode(**known | changes)


def a_critique(episode: Episode, identity: str = "", **changes: Any) -> Critique:
    known: dict[str, Any] = {
        "id": identity or f"cr_{episode.id}",
        "episodes": (episode.id,),
        "instance": episode.instance,
        "trial": episode.trial,
        "template": "critic/critique",
        "status": "accepted",
        "verdict": "failure",
        "proposals": (LessonProposal(when="a wall", instruction="go down"),),
        "raw": "{}",
    }
    return Critique(**known | changes)


def a_call(key: str, owner: str = "ep_1", **changes: Any) -> CallRecord:
    known: dict[str, Any] = {
        "key": key,
        "owner": owner,
        "role": "actor",
        "request_sha": f"sha of {key}",
        "request": '{"messages":[]}',
        "reply": '{"text":"up"}',
        "usage": Usage(input=5, output=1, calls=1),
    }
    return CallRecord(**known | changes)


def body(text: str, kind: LessonKind = LessonKind.BEHAVIOR, **changes: Any) -> LessonBody:
    return LessonBody(kind=kind, when=f"{text} is near", instruction=f"do {text}", **changes)


def seen(instance: str = "i1", trial: int = 1, step: int = 2, run: str = "r1") -> Evidence:
    return Evidence(
        critique=f"cr_{run}_{instance}",
        episode=f"ep_{run}_{instance}",
        instance=instance,
        trial=trial,
        step=step,
    )


def add(lesson: str, text: str = "", **changes: Any) -> MemoryUpdate:
    known: dict[str, Any] = {
        "op": Operation.ADD,
        "lesson": lesson,
        "body": body(text or lesson),
        "trust": Origin.TASK,
        "status": Status.ACTIVE,
        "evidence": (seen(),),
    }
    return MemoryUpdate(**known | changes)


def change(op: Operation, lesson: str, **changes: Any) -> MemoryUpdate:
    return MemoryUpdate(**{"op": op, "lesson": lesson, "trust": Origin.TASK} | changes)


def a_commit(
    branch: str, base: int, *updates: MemoryUpdate, scope: str = "s", identity: str = ""
) -> Commit:
    name = identity or f"cu_{branch}_{scope}_{base}"
    return Commit(id=name, branch=branch, scope=scope, base=base, updates=updates)


def texts(lessons: tuple[Lesson, ...]) -> list[str]:
    return [lesson.instruction.removeprefix("do ") for lesson in lessons]
