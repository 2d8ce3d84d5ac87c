"""Rows of made-up runs, as the store's own doors take them: for benchmarks and tests of views."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

from pydantic import JsonValue

from verbalrl.execution.tally import ArmTally
from verbalrl.ids import key_id
from verbalrl.records import (
    Action,
    BranchRecord,
    Cause,
    Commit,
    Critique,
    Episode,
    EpisodeSpec,
    Evidence,
    Guidance,
    GuidanceLine,
    LaneKey,
    LessonBody,
    LessonKind,
    LessonProposal,
    MemoryUpdate,
    Observation,
    Operation,
    Origin,
    Refusal,
    Reward,
    RunRecord,
    Status,
    Step,
    StopReason,
    Trajectory,
    Usage,
    Use,
)
from verbalrl.result import ArmFacts, RunFacts, summarise
from verbalrl.store import Store, lesson_id, open_store

T = TypeVar("T")

TASK = "made-v1"
ARMS = ("none", "retry", "raw_failures", "shuffled", "learned")
_INSIDE = 0.8
"""Where coins are tossed."""
_SKILL = {"none": 0.2, "retry": 0.2, "raw_failures": 0.3, "shuffled": 0.22, "learned": 0.45}


class Sizes(NamedTuple):
    """How much is made."""

    instances: int = 50
    trials: int = 5
    arms: tuple[str, ...] = ARMS
    seeds: tuple[int, ...] = (0,)
    steps: int = 3
    lessons: int = 60
    critiques: int = 100
    """Of the arm `learned`, of its first failures."""
    coins: bool = False
    """Whether one is tossed for each lesson that an attempt may carry, with four of five inside."""


async def fill(folder: Path, run: str = "run_made000001", sizes: Sizes | None = None) -> RunRecord:
    """A store in `folder` with a run of that size, done, with the figures of `run --json`."""
    with open_store(folder, create=True) as store:
        return await add_run(store, run, sizes or Sizes())


async def add_run(store: Store, run: str, sizes: Sizes) -> RunRecord:
    """Add a run to a store; gives its record."""
    record = RunRecord(
        id=run,
        task=TASK,
        method="reflexion",
        model="offline:apprentice",
        simulated=True,
        config={
            "agent": "ChatAgent(offline:apprentice)",
            "arms": list(sizes.arms),
            "instances": [0, sizes.instances],
            "learns": "instance",
            "seeds": list(sizes.seeds),
            "settings": {"trials": sizes.trials, "window": 3},
            "trials": sizes.trials,
        },
    )
    branches = [
        BranchRecord(id=f"{run}/{arm}/{seed}", run=run, arm=arm, seed=seed)
        for arm in sizes.arms
        for seed in sizes.seeds
    ]
    store.create_run(record, branches)
    names = [_lesson(run, n, sizes)[:2] for n in range(sizes.lessons)]
    tallies = {
        arm: ArmTally(expected=0, instances=sizes.instances, reported="train") for arm in sizes.arms
    }
    failed: list[Episode] = []
    for group in batched(episodes(run, sizes, [(i, body.content) for i, body in names]), 500):
        await asyncio.gather(*map(store.put_episode, group))
        for episode in group:
            tallies[episode.arm].episode(episode)
            if episode.arm == "learned" and episode.success is False:
                failed.append(episode)
    written = [critique(n, of) for n, of in enumerate(failed[: sizes.critiques])]
    home = f"{run}/learned/{sizes.seeds[0]}"
    for some in batched(iter(written), 500):
        await asyncio.gather(*(store.put_critique(made, home) for made in some))
    for made in written:
        tallies["learned"].critique(made)
    await _commit(store, run, sizes, written)
    return store.update_run(run, status="done", result=figures(record, sizes, tallies))


def batched(rows: Iterator[T], size: int) -> Iterator[tuple[T, ...]]:
    """`rows` in groups, which one transaction of the store takes together."""
    while group := tuple(islice(rows, size)):
        yield group


def figures(record: RunRecord, sizes: Sizes, tallies: dict[str, ArmTally]) -> dict[str, JsonValue]:
    """What `run --json` prints of such a run."""
    facts = RunFacts(
        run=record.id,
        task=TASK,
        method=record.method,
        model=record.model,
        simulated=True,
        learns="instance",
        trials=sizes.trials,
        seeds=sizes.seeds,
        train=sizes.instances,
        test=0,
        reported="train",
        wall_s=1.0,
    )
    outcomes = [o for tally in tallies.values() for o in tally.outcomes]
    arms = {arm: ArmFacts(usage=t.usage, critiques=t.critiques()) for arm, t in tallies.items()}
    return dict(summarise(facts, outcomes, arms).figures)


def episodes(run: str, sizes: Sizes, lessons: list[tuple[str, str]]) -> Iterator[Episode]:
    """The attempts of a run in the order of its lanes; an instance ends with its first success.

    `lessons` are (id, content).
    """
    draw, coin = random.Random(run), random.Random(f"{run} coin") if sizes.coins else None
    for arm in sizes.arms:
        trials = 1 if arm == "none" else sizes.trials
        for seed in sizes.seeds:
            lane = LaneKey(run=run, arm=arm, seed=seed)
            for number in range(sizes.instances):
                for trial in range(1, trials + 1):
                    solved = draw.random() < _SKILL.get(arm, 0.3)
                    carried = draw.sample(lessons, 2) if arm == "learned" and lessons else []
                    uses = tuple(_use(n, *of, coin) for n, of in enumerate(carried, start=1))
                    yield _episode(lane, number, trial, solved, uses, sizes.steps)
                    if solved:
                        break


def _use(rank: int, lesson: str, content: str, coin: random.Random | None) -> Use:
    if coin is None or coin.random() < _INSIDE:
        chance = 1.0 if coin is None else _INSIDE
        return Use(lesson=lesson, version=1, content=content, rank=rank, outcome="injected",
                   block="volatile", probability=chance, tokens=10)  # fmt: skip
    return Use(lesson=lesson, version=1, content=content, rank=rank, outcome="withheld",
               probability=_INSIDE)  # fmt: skip


def _episode(
    lane: LaneKey, number: int, trial: int, solved: bool, uses: tuple[Use, ...], steps: int
) -> Episode:
    spec = EpisodeSpec(instance=f"{TASK}/train/{number}", trial=trial)
    inside = [use for use in uses if use.outcome == "injected"]
    lines = tuple(
        GuidanceLine(alias=n, lesson=use.lesson, when=f"at door {n}", instruction="knock first")
        for n, use in enumerate(inside, start=1)
    )
    made = tuple(
        Step(
            n=n,
            observation=Observation(text=f"You stand at door {number + n}. It is shut."),
            action=Action(text="push the door"),
            feedback="it opens" if solved and n == steps else "it stays shut",
            reward=float(solved) if n == steps else 0.0,
        )
        for n in range(1, steps + 1)
    )
    return Episode(
        id=spec.id(lane),
        run=lane.run,
        arm=lane.arm,
        seed=lane.seed,
        spec=spec,
        trajectory=Trajectory(steps=made),
        success=solved,
        reward=Reward(value=float(solved)),
        terminated=True,
        stop_reason=StopReason.TERMINATED,
        guidance={"actor": Guidance(volatile=lines, uses=uses, tokens=20)} if uses else {},
        usage={"actor": Usage(input=300 * steps, output=12 * steps, calls=steps)},
    )


def critique(number: int, of: Episode) -> Critique:
    """A critique of an attempt; every tenth is refused."""
    made = Critique(
        id=key_id("cr", of.id, "critic/critique", 0, number),
        episodes=(of.id,),
        instance=of.instance,
        trial=of.trial,
        template="critic/critique",
        status="accepted",
        verdict="failure",
        causes=(Cause(step=2, trial=of.trial, quote="push the door", why="nobody had knocked"),),
        proposals=(LessonProposal(when=f"at door {number}", instruction="knock first", step=2),),
        model="offline:apprentice",
        usage=Usage(input=500, output=60, calls=1),
    )
    if number % 10 == 9:
        return made.replace(status="refused", refusal=Refusal.ABSENT_QUOTE, detail="“push it”")
    return made


def _lesson(run: str, number: int, sizes: Sizes) -> tuple[str, LessonBody, str]:
    """The id, the text and the scope of lesson `number`."""
    body = LessonBody(
        kind=LessonKind.BEHAVIOR,
        name=f"knock {number}",
        when=f"at door {number} of the {_COLOURS[number % len(_COLOURS)]} house",
        instruction="knock first and wait for an answer",
    )
    branch = f"{run}/learned/{sizes.seeds[0]}"
    return lesson_id(branch, TASK, body, f"cu_{run}"), body, TASK


_COLOURS = ("red", "green", "blue", "white")


async def _commit(store: Store, run: str, sizes: Sizes, written: list[Critique]) -> None:
    if not sizes.lessons:
        return
    used = [c for c in written if c.status == "accepted"]
    updates = []
    for number in range(sizes.lessons):
        identity, body, _ = _lesson(run, number, sizes)
        of = used[number % len(used)]
        evidence = Evidence(
            critique=of.id, episode=of.episodes[0], instance=of.instance, trial=of.trial, step=2
        )
        updates.append(
            MemoryUpdate(
                op=Operation.ADD,
                lesson=identity,
                body=body,
                status=Status.PROVISIONAL if number % 3 else Status.ACTIVE,
                trust=Origin.TASK,
                evidence=(evidence,),
                critiques=(of.id,),
                votes={"support": 1 + number % 7},
                reason="it was seen to help",
            )
        )
    branch = f"{run}/learned/{sizes.seeds[0]}"
    made = Commit(
        id=f"cu_{run}",
        branch=branch,
        scope=TASK,
        base=0,
        updates=tuple(updates),
        critiques=tuple(c.id for c in used),
    )
    await store.put_commit(made)
