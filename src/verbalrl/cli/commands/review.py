"""`verbalrl approve` and `verbalrl retire`: a person's word on single lessons."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ...memory.review import Reviewed, Verdict, review
from ...store import MAIN
from ..options import json_option, store_option, verbose_option
from ..output import emit_json, note
from ..reading import find_lesson, opened
from ..telling import rule

F = TypeVar("F", bound=Callable[..., Any])


def _of_lessons(command: F) -> F:
    command = click.argument("lessons", nargs=-1, required=True, metavar="LESSON...")(command)
    branch = click.option(
        "--branch", metavar="BRANCH", help="On this branch. [the one that lists name]"
    )
    return branch(store_option(json_option(verbose_option(command))))


@click.command()
@_of_lessons
def approve(lessons: tuple[str, ...], branch: str | None, store: Path, as_json: bool) -> None:
    """Make lessons active that wait for a person.

    LESSON is an id as `behaviors` prints it, or the start of one. Read it first: what you approve
    has your trust, so that no run changes or retires it. Give one that is active already to
    keep it so, as after an `edit`.
    """
    _review("approve", lessons, branch, store, as_json)


@click.command()
@_of_lessons
def retire(lessons: tuple[str, ...], branch: str | None, store: Path, as_json: bool) -> None:
    """Take lessons out of use.

    LESSON is an id as `behaviors` and `reflections` print it, or the start of one. It stays in the
    store with its history.
    """
    _review("retire", lessons, branch, store, as_json)


def _review(
    verdict: Verdict, lessons: tuple[str, ...], branch: str | None, folder: Path, as_json: bool
) -> None:
    with opened(folder) as store:
        names = [find_lesson(store, name) for name in lessons]
        found = asyncio.run(review(store, names, verdict, branch=branch))
    if as_json:
        emit_json({"lessons": [_summary(one) for one in found]})
        return
    for one in found:
        lesson = one.lesson
        what = f"{lesson.status} already"
        if one.before is not lesson.status:
            what = f"{one.before} → {lesson.status}"
        elif one.held is not lesson.trust:
            what = f"{lesson.status}, trust {one.held} → {lesson.trust},"
        click.echo(f"{lesson.id}  {what} on branch {one.branch}")
        click.echo(f"  {rule(lesson.body)}")
    if verdict == "approve" and any(one.branch != MAIN for one in found):
        note(
            "other runs read the branch main: `verbalrl publish RUN --approve` copies lessons there"
        )


def _summary(one: Reviewed) -> dict[str, Any]:
    return {"branch": one.branch, "before": one.before, **one.lesson.model_dump(mode="json")}
