"""`verbalrl revoke` and `verbalrl purge`: taking out what stems from something."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ...errors import ConfigurationError
from ...memory.purge import Purged
from ...memory.purge import purge as purge_all
from ...memory.revoke import Revocation
from ...memory.revoke import revoke as revoke_all
from ...store import Store
from ..options import json_option, store_option, verbose_option
from ..output import emit_json, heading, note, plural, say
from ..reading import find_id, opened
from ..telling import attempt

_READ = ("episode", "critique")
_UNASKED = "purge erases for good, and nobody answers on stdin: say --yes"


@click.command()
@click.argument("lesson", required=False)
@click.option("--source", metavar="NAME", help="An untrusted source, such as a customer.")
@click.option("--episode", metavar="ID", help="An episode, with the critiques that read it.")
@click.option("--critique", metavar="ID", help="A critique.")
@click.option("--end-runs", is_flag=True, help="Also in runs that could be resumed; they end.")
@store_option
@json_option
@verbose_option
def revoke(lesson: str | None, store: Path, as_json: bool, **asked: Any) -> None:
    """Take out what stems from something.

    A lesson, or all that stems from a source, an episode or a critique, on every
    branch. Lessons that rest on nothing else fall, with their copies; texts made under its
    influence go back to the last one that was not. Says which prompts had carried them.
    """
    with opened(store) as kept:
        named = _named(kept, {"lesson": lesson, **{kind: asked.pop(kind) for kind in _READ}})
        done = asyncio.run(revoke_all(kept, **named, **asked))
    if as_json:
        emit_json(_summary(done))
        return
    heading(f"{done.reason} (it was revoked before)" if done.again else done.reason)
    for (branch, scope), made in done.places.items():
        say(f"branch {branch}, scope {scope}", indent=2)
        for word in ("fallen", "reverted", "lessened", "restored"):
            for name in getattr(made, word):
                say(f"{word}: {name}", indent=4)
    if not done.places:
        say("nothing more falls" if done.again else "no lesson rests on it", indent=2)
    episodes = {use.episode: use for use in done.carried}
    if episodes:
        heading(f"{plural(len(episodes), 'episode')} had it in a prompt")
    for use in episodes.values():
        case = attempt(use.episode, use.instance, use.trial)
        say(f"{use.episode}  {case}, run {use.run}", indent=2)
    for run in done.ended:
        note(f"run {run} cannot be resumed any more")


@click.command()
@click.argument("lesson", required=False)
@click.option("--source", metavar="NAME", help="All of an untrusted source.")
@click.option("--episode", metavar="ID", help="An episode, with the critiques that read it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@store_option
@json_option
@verbose_option
def purge(
    lesson: str | None, yes: bool, store: Path, as_json: bool, source: str | None, **asked: Any
) -> None:
    """Erase what was said, for good.

    What a lesson, an episode or a source said; tombstones remain, and it cannot be undone.
    Steps, journaled calls, critiques and texts of lessons go, on every branch;
    digests change, and say so.
    """
    if sum(x is not None for x in (lesson, source, asked["episode"])) != 1:
        raise ConfigurationError("name one lesson, or one source or episode")
    if not yes and as_json:
        raise ConfigurationError("purge erases for good: say --yes")
    with opened(store) as kept:
        named = _named(kept, {"lesson": lesson, **asked})
    if not yes:
        # No store is held while a person thinks.
        _confirm("This erases for good. Go on?")
    with opened(store) as kept:
        done = asyncio.run(purge_all(kept, source=source, **named))
    if as_json:
        emit_json(done._asdict())
        return
    click.echo(f"erased {_counts(done)}")


def _confirm(question: str) -> None:
    """Go on only after a yes; where nobody can answer, that is a mistake of the call."""
    try:
        click.confirm(question, abort=True, err=True)
    except click.Abort as error:
        if isinstance(error.__context__, EOFError):
            note("")  # the error stands on a line of its own
            raise ConfigurationError(_UNASKED) from error
        raise
    except (RuntimeError, ValueError, OSError) as error:
        # As Python and click have it for a stdin that is closed.
        note("")
        raise ConfigurationError(_UNASKED) from error


def _named(store: Store, asked: Mapping[str, str | None]) -> dict[str, Any]:
    """By kind, the ids that begin with what was asked for."""
    return {kind: find_id(store, kind, name) for kind, name in asked.items() if name is not None}


def _counts(done: Purged) -> str:
    counted = ((done.lessons, "lesson"), (done.episodes, "episode"), (done.critiques, "critique"))
    return ", ".join(plural(len(ids), noun) for ids, noun in counted)


def _summary(done: Revocation) -> dict[str, Any]:
    places = [
        {
            "branch": branch,
            "scope": scope,
            "fallen": made.fallen,
            "reverted": made.reverted,
            "lessened": made.lessened,
            "restored": made.restored,
        }
        for (branch, scope), made in done.places.items()
    ]
    carried = [use._asdict() for use in done.carried]
    return {
        "reason": done.reason,
        "places": places,
        "carried": carried,
        "ended": done.ended,
        "again": done.again,
    }
