"""`verbalrl advise`: what a person wants, and where it holds, as lessons."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, TextIO

import click

from ...errors import ConfigurationError
from ...memory.feedback import Given, give_feedback, read_feedback
from ...records import ScopedFeedback, Status
from ..options import json_option, store_option, verbose_option
from ..output import emit_json, say
from ..reading import opened
from ..telling import tell_lesson

_FLAGS = ("domain", "effect", "check", "text", "not_in")


@click.command("advise")
@click.option("--scope", metavar="SCOPE", help="Whose lessons: a task, such as triage-v1.")
@click.option("--domain", metavar="TEXT", help="Where it holds: the condition of the lesson.")
@click.option("--effect", metavar="TEXT", help="What to do there.")
@click.option(
    "--check",
    metavar="CHECK",
    help="How an output shows it: contains TEXT, lacks TEXT, starts with TEXT, ends with TEXT, at "
    "most N words.",
)
@click.option(
    "--not-in", multiple=True, metavar="TEXT", help="A situation that only looks like the domain."
)
@click.option("--text", metavar="TEXT", help="What you said, in your words.")
@click.option(
    "--file",
    type=click.File("r", encoding="utf-8"),
    metavar="FILE",
    help="One JSON object a line: domain, effect, check?, examples_not?, text?, scope? (-: stdin).",
)
@click.option("--branch", metavar="BRANCH", default="main", show_default=True, help="Onto this.")
@store_option
@json_option
@verbose_option
def advise(
    scope: str | None,
    file: TextIO | None,
    branch: str,
    store: Path,
    as_json: bool,
    **said: Any,
) -> None:
    """Say what you want where.

    It becomes a lesson that is shown only where its domain is met, active at once.
    Give --domain and --effect, or a --file of them.
    """
    wanted = _wanted(scope, file, said)
    with opened(store) as kept:
        home = kept.branch(branch).id
        done = [
            (where, one)
            for where, given in wanted.items()
            for one in asyncio.run(give_feedback(kept, given, scope=where, branch=home))
        ]
    if as_json:
        listed = [{"scope": where, "became": _became(one), **_plain(one)} for where, one in done]
        emit_json({"branch": branch, "lessons": listed})
        return
    for where, one in done:
        tell_lesson(one.lesson)
        say(f"{_became(one)} in scope {where} of branch {branch}", indent=2)


def _wanted(
    scope: str | None, file: TextIO | None, said: dict[str, Any]
) -> dict[str, list[ScopedFeedback]]:
    """The feedback that was given, by scope; all of it is read before the first is stored."""
    if file is None:
        for name in ("domain", "effect"):
            if not said[name]:
                raise click.UsageError(f"give --{name}, or a --file")
        one = ScopedFeedback(
            text=said["text"] or "",
            domain=said["domain"],
            effect=said["effect"],
            check=said["check"] or "",
            examples_not=said["not_in"],
        )
        found = {"": [one]}
    else:
        both = [name for name in _FLAGS if said[name]]
        if both:
            raise click.UsageError(f"give --{both[0].replace('_', '-')} or --file, not both")
        found = _read(file)
    unscoped = found.pop("", [])
    if unscoped and not (scope or "").strip():
        raise click.UsageError("say whose lessons: --scope, such as the name of a task")
    if unscoped and scope:
        found[scope] = [*unscoped, *found.get(scope, [])]
    return found


def _read(file: TextIO) -> dict[str, list[ScopedFeedback]]:
    try:
        found = read_feedback(iter(file))
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file.name} is no UTF-8 text ({error.reason})") from error
    except ConfigurationError as error:
        raise ConfigurationError(f"{file.name}: {error}") from error
    if not found:
        raise ConfigurationError(f"{file.name} holds no feedback")
    return found


def _became(given: Given) -> str:
    """What the feedback made of the memory, in a few words."""
    if given.before is None or given.before.status is Status.RETIRED:
        return "new"
    return "there already" if given.before == given.lesson else "changed"


def _plain(given: Given) -> dict[str, Any]:
    return given.lesson.model_dump(mode="json")
