"""`verbalrl demo`: the whole loop on the offline model, with no key and no network."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import click

from ...integrations import load_task
from ...methods import ARMS, method
from ...records import Evidence, Lesson, LessonKind
from ...store import Store
from ..building import Setup, learner_of, say_notes
from ..drive import Ended, drive, report
from ..options import Folder, Span, command, verbose_option
from ..output import heading, note, one_line, say
from ..reading import find_run, learned_branch, opened
from ..telling import rule

MODEL = "offline:apprentice"
BANNER = "offline apprentice: tests the loop, says nothing about LLMs"


class Part(NamedTuple):
    """One of the runs."""

    task: str
    method: str
    kind: LessonKind
    lessons: int
    """How many of its lessons are printed."""
    says: str


PARTS = (
    Part(
        "gridnav-v1",
        "reflexion",
        LessonKind.REFLECTION,
        1,
        "Reflections: after a failed trial the next one, on the same instance, reads what was "
        "learned.",
    ),
    Part(
        "triage-v1",
        "handbook",
        LessonKind.BEHAVIOR,
        2,
        "Behaviors: learned on train instances, frozen, then read on test instances.",
    ),
)


@click.command()
@click.option(
    "--store",
    type=Folder(),
    metavar="DIR",
    help="Keep what the demo learns here. [a temporary folder]",
)
@click.option("--instances", type=Span(), help="Instances per task: a number or a range.")
@click.option(
    "--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="How many seeds."
)
@verbose_option
@click.pass_context
def demo(context: click.Context, /, store: Path | None, **options: Any) -> None:
    """Watch two small runs learn, offline, with no key.

    The model is simulated: it reads prompts and obeys the lessons in them, and nothing else tells
    it what was learned. That shows that the loop works, not how well a language model would do.
    """
    folder = store or Path(tempfile.mkdtemp(prefix="verbalrl-demo-"))
    click.echo(f"store: {folder}")
    click.echo(f"model: {MODEL} — {BANNER}")
    runs = []
    for part in PARTS:
        ended, code = _run(part, folder, options)
        if ended.result is None or code:
            context.exit(code)
        runs.append(ended.result.run)
    with opened(folder) as kept:
        _lessons(kept, runs)
    click.echo()
    click.echo(BANNER)
    ways = (
        ("reflections", "--run", runs[0]),
        ("behaviors", "--run", runs[1]),
        ("report", runs[1], "-o", "report.html"),
        ("view",),
    )
    for way in ways:
        note(f"  {command(*way, store=folder)}")


def _run(part: Part, folder: Path, options: dict[str, Any]) -> tuple[Ended, int]:
    click.echo()
    heading(part.says)
    task = load_task(part.task)
    learner = learner_of(Setup(model=MODEL, store=folder, method=method(part.method)))
    say_notes(task)
    seeds = tuple(range(options["seeds"]))
    work = learner.run(task, instances=options["instances"], seeds=seeds, arms=ARMS)
    ended = drive(learner, work, folder)
    return ended, report(ended, learner, folder, as_json=False, hints=False)


def _lessons(store: Store, runs: list[str]) -> None:
    """Three stored lessons and where each came from."""
    click.echo()
    heading("Three of the lessons, and where they came from")
    for part, run in zip(PARTS, runs, strict=True):
        branch = learned_branch(store, find_run(store, run)).id
        found = store.current_lessons(branch, kind=part.kind)
        for lesson in _best(found)[: part.lessons]:
            say(f"{lesson.id}  ({part.task}, {lesson.status})", indent=2)
            say(rule(lesson.body), indent=4)
            for evidence in lesson.evidence[:1]:
                _origin(store, evidence)
        if not found:
            say(f"{part.task}: none was kept", indent=2)


def _best(lessons: Iterable[Lesson]) -> list[Lesson]:
    """Usable lessons, the most supported first."""
    usable = [lesson for lesson in lessons if lesson.usable]
    return sorted(usable, key=lambda lesson: -lesson.votes.get("support", len(lesson.evidence)))


def _origin(store: Store, evidence: Evidence) -> None:
    say(
        f"critique {evidence.critique} of episode {evidence.episode}: {evidence.instance}, "
        f"trial {evidence.trial}, step {evidence.step or '–'}",
        indent=6,
    )
    critique = store.critique(evidence.critique)
    for cause in critique.causes if critique else ():
        if cause.quote and evidence.step in (None, cause.step):
            say(f"it read there: “{one_line(cause.quote, 200)}”", indent=6)
            return
