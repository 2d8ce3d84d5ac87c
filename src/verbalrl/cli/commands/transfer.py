"""`verbalrl export` and `import`: lessons as lines of JSON, in AGENTS.md, as skills; and logs."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from ...errors import ConfigurationError, StorageError
from ...exports import (
    FORMATS,
    Belief,
    has_section,
    is_log,
    lines_of,
    name_of,
    skills,
    with_sections,
)
from ...memory.review import review
from ...memory.transfer import Exported, Imported, export_lines, import_lessons, read_lines
from ...records import Lesson, Status
from ...store import Store
from ..options import command, json_option, reader, store_option, verbose_option
from ..output import emit_json, note, plural
from ..progress import stages
from ..reading import MAIN, branch_of, check_scope, opened, opened_new
from .import_log import import_log
from .training import Asked, export_rows

_LESSONS = ("jsonl", "agents-md", "skills")
_WRITES = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


@click.command()
@click.argument(
    "form",
    type=click.Choice([*_LESSONS, *FORMATS]),
    default="jsonl",
    metavar="[FORMAT]",
)
@click.argument("run", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Write here: a file, for skills a folder. [jsonl: stdout]",
)
@click.option("--scope", metavar="SCOPE", help="Only of this scope.")
@click.option("--branch", metavar="BRANCH", help="Of this branch. [main, else the latest run's]")
@click.option("--arm", default="learned", show_default=True, help="Of rows: of this arm.")
@click.option(
    "--held-out",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="Of rows: the share of instances that is kept apart.",
)
@click.option(
    "--with",
    "allowed",
    type=click.Choice(["simulated", "synthetic", "revealing"]),
    multiple=True,
    help="Of rows: take these along.",
)
@reader
def export(
    form: str,
    run: str | None,
    output: Path | None,
    store: Path,
    as_json: bool,
    scope: str | None,
    branch: str | None,
    **of_rows: Any,
) -> None:
    """Write lessons as JSON, or rows for trainers.

    jsonl: the live ones of a branch, one line each.

    agents-md: active behaviors into marked sections of a text such as AGENTS.md or CLAUDE.md; all
    else in it stays. skills: into a folder NAME/SKILL.md for each scope. Both are bounded, and
    leave out lessons whose condition has to be checked.

    trl-sft, trl-dpo, trl-kto, trl-sdpo, trl-sdft, steps, spans: what agents did on RUN (the
    latest), into a folder with train.jsonl, test.jsonl and provenance.json. An instance is in one
    of both files alone; those of the task's test split are in the second.
    """
    if form in FORMATS:
        if scope or branch:
            raise ConfigurationError(f"{form} takes a run: leave out --scope and --branch")
        if output is None:
            raise ConfigurationError(f"{form} is written to a folder: name it with -o")
        export_rows(store, form, run, output, Asked(**of_rows), as_json=as_json)
        return
    if run is not None:
        raise ConfigurationError(f"{form} takes lessons of a branch: --branch in place of {run}")
    _export_lessons(form, output, store, (scope, branch), as_json=as_json)


def _export_lessons(
    form: str,
    output: Path | None,
    store: Path,
    of: tuple[str | None, str | None],
    *,
    as_json: bool,
) -> None:
    """Write those of a scope and a branch, or of all and the usual one."""
    scope, branch = of
    with opened(store) as kept:
        chosen = branch_of(kept, branch, None).branch
        check_scope(kept, chosen, scope)
        lessons = kept.current_lessons(chosen, scope=scope)
    if output is None and (as_json or form != "jsonl"):
        raise ConfigurationError(
            f"{form} is written to a path: name it with -o"
            if form != "jsonl"
            else "the lines are JSON already; --json tells what was written to -o"
        )
    if output is None:
        sys.stdout.writelines(f"{line}\n" for line in export_lines(lessons))
        return
    try:
        shown, left_out = _write(form, output, lessons, scope)
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{output} is no UTF-8 text ({error.reason})") from error
    except OSError as error:
        raise StorageError(f"{output} cannot be written: {error.strerror}") from error
    if as_json:
        told = {"branch": chosen, "format": form, "lessons": shown, "left_out": left_out}
        emit_json({**told, "file": str(output)})
        return
    place = output if output.exists() else "nothing to write"
    click.echo(f"{plural(shown, 'lesson')} of branch {chosen} → {place}")
    if left_out:
        note(f"{left_out} of them did not fit; the best supported ones are there")


def _write(
    form: str, output: Path, lessons: Sequence[Lesson], scope: str | None
) -> tuple[int, int]:
    """How many lessons were written, and how many did not fit."""
    if form == "agents-md":
        return _write_sections(output, lessons, scope)
    if form == "skills":
        return _write_skills(output, lessons, scope)
    lines = export_lines(lessons)
    # What agents were told is nobody else's business.
    with os.fdopen(os.open(output, _WRITES, 0o600), "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
    return len(lines), 0


def _write_sections(output: Path, lessons: Sequence[Lesson], scope: str | None) -> tuple[int, int]:
    # As it is, whatever ends its lines.
    before = output.read_bytes().decode("utf-8") if output.exists() else ""
    made = with_sections(before, lessons, scope)
    if made.text != before:
        _replace(output, made.text)
    return made.shown, made.left_out


def _write_skills(output: Path, lessons: Sequence[Lesson], scope: str | None) -> tuple[int, int]:
    shown, written = 0, skills(lessons)
    # What was revoked or retired must not go on in a file: a scope that has nothing more loses it.
    for name in {x.scope for x in lessons} if scope is None else {scope}:
        old = output / name_of(name) / "SKILL.md"
        is_over = f"{name_of(name)}/SKILL.md" not in written and old.is_file()
        if is_over and has_section(old.read_text(encoding="utf-8")):
            old.unlink()
    for path, text in written.items():
        place = output / path
        place.parent.mkdir(parents=True, exist_ok=True)
        _replace(place, text)
        shown += len(lines_of(text))
    return shown, 0


def _replace(path: Path, text: str) -> None:
    """Write all of `text` or nothing; a link stays one, and who may read the file stays too."""
    path = path.resolve()
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    made = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        made.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)


@click.command("import")
@click.argument("file", type=click.Path(exists=True, allow_dash=True, path_type=Path))
@click.option("--branch", metavar="BRANCH", default="main", show_default=True, help="Onto this.")
@click.option("--approve", is_flag=True, help="It has your trust: lessons are active at once.")
@click.option("--scope", metavar="SCOPE", help="Of a log: what its lessons are for. [as served]")
@click.option("--sources", is_flag=True, help="Of a log: believe who its rows say they are from.")
@store_option
@json_option
@verbose_option
def import_(
    file: Path, branch: str, approve: bool, store: Path, as_json: bool, **of_log: Any
) -> None:
    """Read lessons, or message logs.

    Lessons come from FILE (`-`: stdin), lines of JSON or a text with sections that `export
    agents-md` wrote, or from a folder of skills; into quarantine, whatever they say of their
    status. No prompt carries them until you approve them. All are read before one is stored.

    A log has a line {"messages": [{"role": …, "content": …}, …]} for each conversation, with
    reward, success, feedback, source and id where they are known. `verbalrl learn` makes lessons of
    those that say what became of them. A second import of a row changes nothing.
    """
    piped = sys.stdin.buffer.read() if str(file) == "-" else None
    if not file.is_dir() and is_log(_lines(file, piped)):
        if branch != "main":
            raise ConfigurationError("what is learned from a log goes to main: leave out --branch")
        belief = Belief(sources=of_log["sources"], outcomes=approve)
        import_log(store, _lines(file, piped), of_log["scope"], belief, as_json=as_json)
        return
    if of_log["scope"] or of_log["sources"]:
        raise ConfigurationError(
            f"{file}: --scope and --sources are for message logs, "
            'a {"messages": […]} on each line; lessons name their own scopes'
        )
    with stages() as at:
        at(f"reading {file}")
        lines = _all_lines(file, piped)
        # Only main is there in a store that is new.
        with opened_new(store) if branch == MAIN else opened(store) as kept:
            target = kept.branch(branch).id
            at(f"storing {plural(len(lines), 'lesson')}")
            done = asyncio.run(import_lessons(kept, lines, target))
            at(f"approving {plural(len(lines), 'lesson')}")
            approved = _approved(kept, target, lines) if approve else 0
            at("closing the store")
    if as_json:
        emit_json({"branch": branch, **done._asdict(), "approved": approved})
        return
    _tell_imported(branch, done)
    if approve:
        note(f"{approved} of them are active now")
    elif done.added:
        listed = command("behaviors", "--branch", branch, "--status", "quarantined", store=store)
        note(f"no prompt carries them until you approve them; see {listed}")


def _tell_imported(branch: str, done: Imported) -> None:
    click.echo(
        f"{branch}: {plural(done.added, 'lesson')} in quarantine, {done.unchanged} there already, "
        f"{len(done.refused)} refused"
    )
    for why in done.refused:
        note(f"refused: {why}")


def _all_lines(file: Path, piped: bytes | None) -> list[Exported]:
    try:
        return [line for text in _texts(file, piped) for line in _read(text)]
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file} is no UTF-8 text ({error.reason})") from error
    except ConfigurationError as error:
        raise ConfigurationError(f"{file}: {error}") from error


def _lines(file: Path, piped: bytes | None) -> Iterator[str]:
    """The lines of a log; bytes that are no UTF-8 spoil their own line alone."""
    if piped is not None:
        yield from piped.decode("utf-8-sig", "surrogateescape").split("\n")
        return
    with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as lines:
        yield from lines


def _texts(file: Path, piped: bytes | None) -> list[str]:
    if piped is not None:
        return [piped.decode("utf-8")]
    if not file.is_dir():
        return [file.read_text(encoding="utf-8")]
    found = sorted(file.glob("*/SKILL.md"))
    texts = [path.read_text(encoding="utf-8") for path in found]
    ours = [text for text in texts if has_section(text)]
    if not ours:
        raise ConfigurationError("no */SKILL.md with a section of lessons")
    return ours


def _read(text: str) -> list[Exported]:
    return read_lines(lines_of(text) if has_section(text) else text.split("\n"))


def _approved(store: Store, branch: str, lines: Sequence[Exported]) -> int:
    """Approve what waits on the branch and says what one of `lines` says."""
    said = {(line.scope, line.kind, line.when, line.when_not, line.instruction) for line in lines}
    waiting = store.current_lessons(branch, statuses=(Status.QUARANTINED, Status.PROVISIONAL))
    names = [x.id for x in waiting if (x.scope, x.kind, x.when, x.when_not, x.instruction) in said]
    return len(asyncio.run(review(store, names, "approve", branch=branch)))
