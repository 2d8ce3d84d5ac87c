"""`verbalrl edit`, `rollback`, `diff` `conflicts`: changes of lessons, and what changed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from ...errors import ConfigurationError
from ...memory.editing import edit as reword
from ...memory.rollback import Difference, differences
from ...memory.rollback import rollback as go_back
from ...records import Origin
from ...store import LIVE, Store
from ...text import natural
from ...view.wording import became
from ..options import command, json_option, reader, store_option, verbose_option
from ..output import emit_json, heading, note, one_line, plural, say
from ..reading import branch_of, check_scope, find_lesson, opened
from ..telling import rule, tell_condition, tell_lesson


@click.command()
@click.argument("lesson")
@click.option("--name", metavar="TEXT", help="A short title.")
@click.option("--when", metavar="TEXT", help='When it applies; "": always.')
@click.option("--when-not", metavar="TEXT", help="When it does not.")
@click.option("--instruction", metavar="TEXT", help="What to do.")
@click.option(
    "--not-in", multiple=True, metavar="TEXT", help="A situation in which it does not apply; adds."
)
@click.option("--version", type=int, metavar="N", help="The version that you have read.")
@click.option("--branch", metavar="BRANCH", help="On this branch. [the one that lists name]")
@store_option
@json_option
@verbose_option
def edit(
    lesson: str,
    not_in: tuple[str, ...],
    version: int | None,
    branch: str | None,
    store: Path,
    as_json: bool,
    **texts: str | None,
) -> None:
    """Give a lesson other words.

    A new version, which keeps its status, its trust and what it rests on. A later run may still
    change or retire it, unless `approve` gives it your trust.
    """
    changes = {name: text for name, text in texts.items() if text is not None}
    if not changes and not not_in:
        raise ConfigurationError("nothing to change: give --name, --when, --when-not, …")
    with opened(store) as kept:
        named = find_lesson(kept, lesson)
        done = asyncio.run(
            reword(kept, named, changes, not_in=not_in, version=version, branch=branch)
        )
    remark = "; ".join(filter(None, (done.taken_out, done.otherwise, done.widened)))
    if as_json:
        told = {"branch": done.branch, "lesson": done.lesson.model_dump(mode="json")}
        emit_json({**told, **({"remark": remark} if remark else {})})
        return
    version, status = done.lesson.version, done.lesson.status
    heading(f"{done.lesson.id}  version {version}  {status} on branch {done.branch}")
    say(f"- {rule(done.before.body)}", indent=2)
    say(f"+ {rule(done.lesson.body)}", indent=2)
    tell_condition(done.lesson.body)
    if remark:
        note(one_line(remark))
    if not done.lesson.usable:
        note("it waits for `verbalrl approve`, as before")
    elif done.lesson.trust is not Origin.OPERATOR:
        way = command("approve", done.lesson.id, "--branch", done.branch, store=store)
        note(f"a later run may change or retire it, as before; to keep it so:\n  {way}")


@click.command()
@click.argument("revision", type=int)
@click.option("--scope", metavar="SCOPE", help="Of this scope. [the only one]")
@click.option("--branch", metavar="BRANCH", help="Of this branch. [main, else the latest run's]")
@store_option
@json_option
@verbose_option
def rollback(
    revision: int, scope: str | None, branch: str | None, store: Path, as_json: bool
) -> None:
    """Go back to an earlier revision.

    The lessons of a scope become what they were then, as a new revision.
    What was revoked since stays revoked; evidence and votes stay.
    """
    with opened(store) as kept:
        chosen, why = branch_of(kept, branch, None)
        where = _scope(kept, chosen, scope)
        done = asyncio.run(go_back(kept, chosen, where, revision))
    if as_json:
        changed = [_pair(d) for d in done.changed]
        told = {"branch": chosen, "why": why, "scope": where, "revision": done.revision}
        emit_json({**told, "changed": changed, "kept": done.kept})
        return
    heading(
        f"branch {chosen} ({why}), scope {where}, "
        f"revision {done.revision} is as revision {revision} was: {len(done.changed)} changed"
    )
    _tell(done.changed)
    for name in done.kept:
        note(f"{name} stays as it is: it was touched by a revocation since")


@click.command()
@click.argument("before", type=int)
@click.argument("after", type=int)
@click.option("--scope", metavar="SCOPE", help="Of this scope. [the only one]")
@click.option("--branch", metavar="BRANCH", help="Of this branch. [main, else the latest run's]")
@reader
def diff(
    before: int, after: int, scope: str | None, branch: str | None, store: Path, as_json: bool
) -> None:
    """Compare two revisions of a scope.

    BEFORE and AFTER are their numbers.
    """
    with opened(store) as kept:
        chosen, why = branch_of(kept, branch, None)
        where = _scope(kept, chosen, scope)
        newest = kept.revision(chosen, where)
        if not (0 <= before <= newest and 0 <= after <= newest):
            raise ConfigurationError(
                f"scope {where} of branch {chosen} has the revisions 0 to {newest}"
            )
        found = differences(
            kept.lessons(chosen, where, revision=before),
            kept.lessons(chosen, where, revision=after),
        )
    if as_json:
        emit_json(
            {
                "branch": chosen,
                "why": why,
                "scope": where,
                "before": before,
                "after": after,
                "changed": [_pair(d) for d in found],
            }
        )
        return
    heading(
        f"branch {chosen} ({why}), scope {where}, revision {before} → {after}: {len(found)} changed"
    )
    _tell(found)


@click.command()
@click.option("--scope", metavar="SCOPE", help="Only of this scope.")
@click.option("--branch", metavar="BRANCH", help="Of this branch. [main, else the latest run's]")
@reader
def conflicts(scope: str | None, branch: str | None, store: Path, as_json: bool) -> None:
    """List lessons that disagree.

    Live ones that were kept beside another one all the same.
    """
    with opened(store) as kept:
        chosen = branch_of(kept, branch, None).branch
        check_scope(kept, chosen, scope)
        known = kept.current_lessons(chosen, scope=scope)
    by_id = {x.id: x for x in known}
    pairs = [(x, by_id.get(x.conflict_with or "")) for x in known if x.status in LIVE]
    found = [(one, other) for one, other in pairs if other is not None and other.status in LIVE]
    if as_json:
        listed = [[one.model_dump(mode="json"), o.model_dump(mode="json")] for one, o in found]
        emit_json({"branch": chosen, "conflicts": listed})
        return
    heading(f"{plural(len(found), 'conflict')} on branch {chosen}")
    for one, other in found:
        tell_lesson(one)
        say("against", indent=2)
        tell_lesson(other)
        say()


def _scope(store: Store, branch: str, asked: str | None) -> str:
    """The scope asked for; the branch's only one when none is."""
    there = sorted(store.scopes(store.branch(branch).id), key=natural)
    if asked is not None and there:
        if asked not in there:
            raise ConfigurationError(f"branch {branch} has no scope {asked!r}{_list(there)}")
        return asked
    if not there:
        raise ConfigurationError(
            f"branch {branch} has no lessons yet, so it has no revisions; see `verbalrl runs`"
        )
    if len(there) != 1:
        raise ConfigurationError(f"say which --scope of branch {branch}{_list(there)}")
    return there[0]


def _list(scopes: Sequence[str]) -> str:
    shown = ", ".join(scopes[:8]) + (", …" if len(scopes) > 8 else "")
    return f"; it has {shown}" if shown else "; it has none"


def _pair(found: Difference) -> dict[str, Any]:
    return {
        "lesson": found.lesson,
        "before": None if found.before is None else found.before.model_dump(mode="json"),
        "after": None if found.after is None else found.after.model_dump(mode="json"),
    }


def _tell(found: Iterable[Difference]) -> None:
    for change in found:
        before, after = change.before, change.after
        heading(f"{change.lesson}  {became(before, after)}")
        if before is not None and (after is None or before.body != after.body):
            say(f"- {rule(before.body)}", indent=2)
        if after is not None and (before is None or before.body != after.body):
            say(f"+ {rule(after.body)}", indent=2)
