"""Critiques, episodes and lessons for curation, in the fewest words."""

from __future__ import annotations

import asyncio
from typing import Any

from verbalrl.curators import CurationCase, adapt_curator, curate_shared
from verbalrl.models import CallContext, MemoryJournal, Slots
from verbalrl.prompts import PromptLibrary
from verbalrl.records import (
    Action,
    Cause,
    Commit,
    Critique,
    CurateLessons,
    Episode,
    EpisodeSpec,
    Evidence,
    Guidance,
    GuidanceLine,
    Lesson,
    LessonBody,
    LessonKind,
    LessonProposal,
    Observation,
    Origin,
    Reward,
    Status,
    Step,
    StopReason,
    Trajectory,
)

PROMPTS = PromptLibrary()
SCOPE = "tickets-v1"
ACTIONS = ("amber", "cobalt", "violet")


def episode(
    name: str,
    seen: str = "A ticket.",
    done: str = "amber",
    *,
    success: bool | None = False,
    trial: int = 1,
    given: tuple[Lesson, ...] = (),
    feedback: str = "",
) -> Episode:
    lines = tuple(
        GuidanceLine(alias=n, lesson=x.id, when=x.when, instruction=x.instruction)
        for n, x in enumerate(given, start=1)
    )
    said = feedback or ("Correct." if success else "Wrong.")
    taken = Step(
        n=1,
        observation=Observation(text=seen, actions=ACTIONS),
        action=Action(text=done),
        feedback=said,
        reward=float(bool(success)),
    )
    return Episode(
        id=f"ep_{name}_{trial}",
        run="r",
        arm="learned",
        seed=0,
        spec=EpisodeSpec(instance=name, trial=trial),
        trajectory=Trajectory(steps=(taken,)),
        success=success,
        reward=Reward(value=float(bool(success))),
        stop_reason=StopReason.TERMINATED,
        guidance={"actor": Guidance(stable=lines)} if lines else {},
    )


def critique(
    of: Episode,
    *proposals: LessonProposal,
    trust: Origin = Origin.TASK,
    confidence: float | None = 0.5,
    status: Any = "accepted",
    causes: tuple[Cause, ...] = (),
) -> Critique:
    return Critique(
        id=f"cr_{of.id}",
        episodes=(of.id,),
        instance=of.instance,
        trial=of.trial,
        template="critic/critique",
        status=status,
        verdict="success" if of.success else "failure",
        proposals=proposals,
        causes=causes,
        trust=trust,
        confidence=confidence,
    )


def says(instruction: str, when: str = "", **more: Any) -> LessonProposal:
    return LessonProposal(instruction=instruction, when=when, step=1, trial=1, **more)


def lesson(
    name: str,
    instruction: str = "",
    when: str = "a ticket",
    *,
    trust: Origin = Origin.TASK,
    status: Status = Status.ACTIVE,
    evidence: tuple[Evidence, ...] = (),
    **more: Any,
) -> Lesson:
    body = LessonBody(
        kind=LessonKind.BEHAVIOR, name=name, when=when, instruction=instruction or f"choose {name}"
    )
    return Lesson(
        id=name, scope=SCOPE, body=body, status=status, trust=trust, evidence=evidence, **more
    )


def rests_on(of: Episode) -> Evidence:
    return Evidence(
        critique=f"cr_{of.id}", episode=of.id, instance=of.instance, trial=of.trial, step=1
    )


def op(name: str, /, **fields: Any) -> dict[str, Any]:
    return {"op": name, **fields}


def add(
    instruction: str, when: str = "it says so", /, *evidence: int, **more: Any
) -> dict[str, Any]:
    return op("add", instruction=instruction, when=when, evidence=evidence or (1,), **more)


def reply(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"operations": list(operations)}


def curation(
    new: list[tuple[Episode, Critique]],
    *,
    earlier: list[tuple[Episode, Critique]] | None = None,
    lessons: tuple[Lesson, ...] = (),
    check: Any = None,
    **work: Any,
) -> CurationCase:
    old = earlier or []
    asked = {"scope": SCOPE, "kind": LessonKind.BEHAVIOR, **work}
    return CurationCase(
        id="cu_1",
        work=CurateLessons(
            critiques=tuple(c.id for _, c in new), evidence=tuple(c.id for _, c in old), **asked
        ),
        branch="r/learned/0",
        base=4,
        critiques=tuple(c for _, c in new),
        earlier=tuple(c for _, c in old),
        episodes={e.id: e for e, _ in (*new, *old)},
        lessons=lessons,
        goal="Choose the queue.",
        check=check,
    )


def some(count: int, prefix: str = "t", **more: Any) -> list[tuple[Episode, Critique]]:
    """`count` failed tickets, each with its critique."""
    made = []
    for n in range(1, count + 1):
        ep = episode(f"{prefix}{n:02}", f"Ticket {prefix}{n}: it says so.")
        made.append((ep, critique(ep, says("do not choose amber", f"ticket {n}"), **more)))
    return made


def curate(case: CurationCase, curator: Any, journal: MemoryJournal | None = None) -> Commit:
    context = CallContext(journal or MemoryJournal(), Slots(), case.id, role="curator")

    async def run() -> Commit:
        return await curate_shared(case, adapt_curator(curator, PROMPTS), context)

    return asyncio.run(run())
