"""`verbalrl feedback` and `verbalrl correct`: what became of an episode that was served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...records import Feedback, Origin
from ...serving import correction_of, said_of
from ..options import json_option, store_option, verbose_option
from ..output import emit_json, note
from ..reading import opened


@click.command()
@click.argument("episode")
@click.option("--reward", type=float, metavar="R", help="A number, larger for better.")
@click.option("--success", is_flag=True, help="It did what was asked for.")
@click.option("--failure", is_flag=True, help="It did not.")
@click.option("--text", default="", metavar="TEXT", help="In words.")
@click.option(
    "--origin",
    type=click.Choice([o.value for o in (Origin.UNTRUSTED, Origin.OPERATOR)]),
    default=Origin.UNTRUSTED.value,
    show_default=True,
    help="Whose word it is: operator for your own.",
)
@click.option("--source", metavar="NAME", help="A name for whoever said it.")
@click.option("--key", metavar="KEY", help="Said once under this key, however often it is given.")
@store_option
@json_option
@verbose_option
def feedback(episode: str, store: Path, as_json: bool, **given: Any) -> None:
    """Say what became of a served episode.

    EPISODE is its id, or the start of it. It may be said later and more than once; what was learned
    from the episode before is then looked at again. Words of an operator become lessons at once,
    those of anybody else wait for a person, or for a second source.
    """
    key = given.pop("key")
    success, failure = given.pop("success"), given.pop("failure")
    if success and failure:
        raise click.UsageError("give --success or --failure, not both")
    with opened(store) as kept:
        name = kept.served(episode).episode
        said = said_of(name, success=success if success or failure else None, **given)
        before = len(kept.feedback(name))
        number = kept.put_feedback(said, key)
        if number > before:
            _tell(said.replace(seq=number), as_json)
        else:
            _tell_again(kept.feedback(name)[number - 1], said, key, as_json)


@click.command()
@click.argument("episode")
@click.argument("text")
@store_option
@json_option
@verbose_option
def correct(episode: str, text: str, store: Path, as_json: bool) -> None:
    """Say what should be done otherwise.

    EPISODE is the id of an episode that was served, or the start of it. TEXT has your trust: at the
    next `learn` it becomes a lesson that prompts carry.
    """
    with opened(store) as kept:
        said = correction_of(kept.served(episode).episode, text)
        _tell(said.replace(seq=kept.put_feedback(said)), as_json)


def _tell_again(kept: Feedback, said: Feedback, key: str, as_json: bool) -> None:
    """What was said first under a key: it stands, whatever came later."""
    if as_json:
        emit_json(kept.model_dump(mode="json", exclude={"at"}))
    else:
        click.echo(f"{kept.episode}  feedback {kept.seq} stands")
    same = kept.replace(seq=said.seq, at=said.at) == said
    rest = "" if same else "; what is given now differs and is not kept: give another --key"
    note(f"it was said already under the key {key!r}{rest}")


def _tell(said: Feedback, as_json: bool) -> None:
    if as_json:
        emit_json(said.model_dump(mode="json", exclude={"at"}))
    else:
        click.echo(f"{said.episode}  feedback {said.seq}; `verbalrl learn` learns from it")
