"""Proving a lesson: the same instances and draws without it and with it, and what that shows."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any, NamedTuple

from .errors import ConfigurationError
from .learner import Learner
from .memory import applies
from .memory.pool import BARRED
from .methods.prove import OFF, ON, Prove
from .models.threads import Workers
from .records import Episode, EpisodeSpec, Lesson, LessonKind, Proof, RewardSupplier
from .result import RunResult
from .rollout.environments import EnvironmentDoor
from .stats import paired_chance, paired_difference, shown_by, smallest_effect
from .store import Store
from .tasks import Task
from .text import plural

SCANNED = 50
"""Instances looked at for each one wanted, to find those in which the condition holds."""
COVERAGE = 0.6
"""Below this share of pairs judged nothing is decided, as in the gate."""
_FINDINGS = {"gain": "helps", "loss": "harms", "neither": "undecided"}


class Planned(NamedTuple):
    """What a proof would take, known before the first call."""

    lesson: Lesson
    branch: str
    instances: tuple[str, ...]
    span: tuple[int, int]
    passes: int
    against: str = ""
    """The lesson that stands in its place while it is off."""

    @property
    def episodes(self) -> int:
        """Without and with, over all passes."""
        return 2 * self.passes * len(self.instances)

    @property
    def smallest(self) -> float:
        """The smallest difference of success that so many show (80 % power, two-sided 5 %)."""
        return smallest_effect(len(self.instances), self.passes)

    def __str__(self) -> str:
        instances, passes = plural(len(self.instances), "instance"), plural(self.passes, "time")
        return (
            f"planned: {instances}, off/on {passes}, {plural(self.episodes, 'episode')}; "
            f"can show a difference of {self.smallest:.2f} or more"
        )


async def planned(
    store: Store,
    task: Task,
    lesson: str,
    *,
    branch: str,
    instances: int,
    passes: int,
    against: str = "",
) -> Planned:
    """The instances of the train split in which the lesson's condition holds.

    Those that it stems from are left out: that it fits them is no news. `against`, a lesson that
    says otherwise, must hold there too and takes its place while it is off.

    Raises:
        ConfigurationError: It is a reflection, it may not be shown, it is of another scope than
            the task's, it stands against itself, or it fits no instance.
    """
    if against == lesson:
        raise ConfigurationError(f"{lesson} cannot stand against itself; name another lesson")
    found = _tried(store, lesson, branch)
    both = (found, _tried(store, against, branch)) if against else (found,)
    for one in both:
        if one.scope != task.id:
            raise ConfigurationError(
                f"{one.id} is of scope {one.scope}, which no prompt of task {task.id} reads; "
                f"try it on a task named {one.scope}"
            )
    behind = {e.instance for x in both for e in x.evidence}
    chosen: list[str] = []
    size, at = task.size("train"), 0
    last = SCANNED * instances if size is None else min(size, SCANNED * instances)
    while at < last and len(chosen) < instances:
        for instance in task.instances("train", at, min(at + 64, last)):
            at += 1
            if instance.id in behind:
                continue
            if all([await _fits(task, x, instance) for x in both]):
                chosen.append(instance.id)
            if len(chosen) == instances:
                break
        await asyncio.sleep(0)
    if not chosen:
        raise ConfigurationError(
            f"the condition of {lesson} ({found.when or 'always'}) holds in none of {at} train "
            f"instances of {task.id}; give more --instances or another --task-seed"
        )
    return Planned(found, branch, tuple(chosen), (0, at), passes, against)


def _tried(store: Store, lesson: str, branch: str) -> Lesson:
    found = store.lesson(lesson, branch=branch)
    if found is None:
        raise ConfigurationError(f"there is no lesson {lesson!r} on branch {branch}")
    if found.kind is LessonKind.REFLECTION:
        raise ConfigurationError(
            f"{lesson} is a reflection and serves one instance; what it is worth the next trial "
            "of that instance shows (`show` its episode)"
        )
    if found.status in BARRED:
        raise ConfigurationError(f"{lesson} is {found.status}; approve it before it is tried")
    return found


async def _fits(task: Task, lesson: Lesson, instance: Any) -> bool:
    if not applies.is_conditional(lesson):
        return True
    door = EnvironmentDoor(task, instance, Workers(), None)
    try:
        seen = await door.open(EpisodeSpec(instance=instance.id).world_seed())
    finally:
        await door.close()
    return applies.fits(lesson, f"{instance.goal}\n{seen.text}", {})


async def probed(learner: Learner, task: Task, plan: Planned, seed: int = 0) -> RunResult:
    """Run the probes of `plan`; `kept` tells what all of them show."""
    return await learner.run(
        task, instances=plan.span, seeds=(seed,), arms=("learned",), start=plan.branch
    )


def kept(store: Store, plan: Planned, run: str) -> Proof:
    """What the probes of `run` show, kept with the lesson once the run is done."""
    probes = store.episodes(run=run, arm="learned")
    proof = shown(plan, run, [e for e in probes if e.spec.purpose == "probe"])
    return store.put_proof(proof) if done(store, run) else proof


def done(store: Store, run: str) -> bool:
    """Whether all probes of `run` were made; else a resume makes the rest."""
    return store.run(run).status == "done"


def plan_of(store: Store, run: str) -> Planned:
    """What the run of a proof set out to show, with the lesson as it found it."""
    config: Any = store.run(run).config
    method = Prove.model_validate(config["settings"])
    (branch,) = store.branches(run)
    lesson = store.lesson(method.lesson, branch=branch.id)
    if lesson is None:
        raise ConfigurationError(f"there is no lesson {method.lesson!r} on branch {branch.id}")
    first, last = config["instances"]
    return Planned(
        lesson,
        str(config["start"]),
        method.instances,
        (first, last),
        method.trials,
        method.against,
    )


def method_of(plan: Planned) -> Prove:
    """The method that runs the probes of `plan`."""
    return Prove(
        lesson=plan.lesson.id,
        instances=plan.instances,
        trials=plan.passes,
        against=plan.against,
    )


def loser(proof: Proof) -> str:
    """Of two lessons that were tried against each other, the one that lost; empty for neither."""
    if not proof.against or proof.finding == "undecided":
        return ""
    return proof.against if proof.finding == "helps" else proof.lesson


def shown(plan: Planned, run: str, probes: list[Episode]) -> Proof:
    """What `probes` show: by instance the mean difference over its passes, with an exact test.

    A pass of which one side broke or was judged by nobody counts on neither. Pure.
    """
    sides: dict[tuple[str, int], dict[int, float]] = {}
    for episode in probes:
        value = _outcome(episode)
        if value is not None:
            spec = episode.spec
            sides.setdefault((spec.instance, spec.trial), {})[spec.candidate] = value
    whole = {place: both for place, both in sides.items() if len(both) == 2}
    on, off = ({place: both[side] for place, both in whole.items()} for side in (ON, OFF))
    spread = paired_difference(on, off)
    chance = paired_chance(on, off)
    p = 1.0 if chance is None else chance
    covered = len(whole) / (plan.passes * len(plan.instances))
    return Proof(
        lesson=plan.lesson.id,
        version=plan.lesson.version,
        content=plan.lesson.body.content,
        run=run,
        instances=len(plan.instances),
        passes=plan.passes,
        smallest=plan.smallest,
        off=_mean(off.values()),
        on=_mean(on.values()),
        difference=spread.mean if spread else None,
        low=spread.low if spread else None,
        high=spread.high if spread else None,
        p=p,
        covered=covered,
        finding=_finding(spread.mean if spread else 0.0, p, covered),
        against=plan.against,
    )


def _finding(difference: float, p: float, covered: float) -> Any:
    return "undecided" if covered < COVERAGE else _FINDINGS[shown_by(difference, p)]


def _outcome(episode: Episode) -> float | None:
    """None where an error or the clock ended it, or only the agent says how it went."""
    if episode.broke or episode.reward.supplier is RewardSupplier.AGENT:
        return None
    return float(episode.success) if episode.success is not None else episode.reward.value


def _mean(values: Collection[float]) -> float | None:
    return sum(values) / len(values) if values else None
