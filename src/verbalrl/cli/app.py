"""The group of commands, and the one place where errors become lines and exit codes."""

from __future__ import annotations

import difflib
import importlib
import logging
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import click

from .._version import __version__
from ..errors import (
    ConfigurationError,
    LeaseError,
    StorageError,
    StoreHeldError,
    VerbalRLError,
)
from .output import clean

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
WIDTH = 100


class Entry(NamedTuple):
    """Where a command is, and its line in the help."""

    section: str
    place: str
    """`module:attribute` below `verbalrl.cli.commands`."""
    summary: str


COMMANDS: Mapping[str, Entry] = {
    "demo": Entry("Learn", "demo:demo", "Watch two small runs learn, offline, with no key."),
    "run": Entry("Learn", "run:run", "Run a task under a method, beside its controls."),
    "resume": Entry("Learn", "resume:resume", "Go on with a run that was interrupted."),
    "learn": Entry("Serve", "learn:learn", "Learn from feedback on what was served."),
    "feedback": Entry("Serve", "feedback:feedback", "Say what became of a served episode."),
    "correct": Entry("Serve", "feedback:correct", "Say what should be done otherwise."),
    "mcp": Entry("Serve", "mcp:mcp", "Give lessons to agents that speak MCP."),
    "publish": Entry("Learn", "publish:publish", "Copy what a run learned to the branch main."),
    "approve": Entry("Learn", "review:approve", "Make lessons active that wait for a person."),
    "retire": Entry("Learn", "review:retire", "Take lessons out of use."),
    "advise": Entry("Learn", "advise:advise", "Say what you want where."),
    "prove": Entry("Learn", "prove:prove_command", "Try a lesson off and on; keep what it shows."),
    "blame": Entry("Look at a store", "blame:blame", "List the lessons that may have done harm."),
    "selftest": Entry("Learn", "selftest:selftest", "Count false claims where nothing is to find."),
    "revoke": Entry("Look after lessons", "revoke:revoke", "Take out what stems from something."),
    "purge": Entry("Look after lessons", "revoke:purge", "Erase what was said, for good."),
    "edit": Entry("Look after lessons", "care:edit", "Give a lesson other words."),
    "rollback": Entry("Look after lessons", "care:rollback", "Go back to an earlier revision."),
    "diff": Entry("Look after lessons", "care:diff", "Compare two revisions of a scope."),
    "history": Entry("Look after lessons", "history:history", "Tell the life of a lesson."),
    "conflicts": Entry("Look after lessons", "care:conflicts", "List lessons that disagree."),
    "export": Entry(
        "Look after lessons", "transfer:export", "Write lessons as JSON, or rows for trainers."
    ),
    "import": Entry("Look after lessons", "transfer:import_", "Read lessons, or message logs."),
    "verify": Entry("Look after lessons", "health:verify", "Check a store against its updates."),
    "rebuild": Entry("Look after lessons", "health:rebuild", "Make the tables of lessons anew."),
    "memory": Entry("Look after lessons", "health:memory", "Say what a memory is worth: audit."),
    "tasks": Entry("Look up", "catalogue:tasks", "List the tasks that can be named."),
    "methods": Entry("Look up", "catalogue:methods", "List the methods and their settings."),
    "data": Entry("Look up", "data:data", "See whether a data file can be used: check."),
    "doctor": Entry("Look up", "doctor:doctor", "See whether what a run needs is there."),
    "runs": Entry("Look at a store", "runs:runs", "List the runs of a store."),
    "episodes": Entry("Look at a store", "episodes:episodes", "List the episodes of a run."),
    "critiques": Entry(
        "Look at a store", "critiques:critiques", "List critiques, with the reason of a refusal."
    ),
    "behaviors": Entry("Look at a store", "lessons:behaviors", "List the behaviors learned."),
    "beliefs": Entry("Look at a store", "lessons:beliefs", "List the beliefs held."),
    "reflections": Entry("Look at a store", "lessons:reflections", "List the reflections kept."),
    "why": Entry("Look at a store", "why:why", "Say why a prompt got the lessons that it got."),
    "compare": Entry("Look at a store", "compare:compare_runs", "Compare two runs of one task."),
    "view": Entry("Look at a store", "view:view", "Look at a store in a browser; review lessons."),
    "report": Entry("Look at a store", "report:report", "Write a run as one HTML file."),
    "show": Entry("Look at a store", "show:show", "Show anything that has an id."),
}


class Commands(click.Group):
    """Lists commands from the table and imports one only when it is invoked."""

    def invoke(self, ctx: click.Context) -> Any:
        """The command's result; a reader of our output that has seen enough ends it quietly."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except click.UsageError as error:
            # click's parser does not say of which command; `_with_place` names its help.
            name = ctx.invoked_subcommand
            found = self.get_command(ctx, name) if error.ctx is None and name else None
            if found is not None:
                error.ctx = click.Context(found, info_name=name, parent=ctx)
            raise
        except BrokenPipeError:
            _quiet_stdout()
            return DONE
        return result

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now; None when there is none of that name."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, attribute = entry.place.split(":")
        found = getattr(importlib.import_module(f"{__package__}.commands.{module}"), attribute)
        return found if isinstance(found, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, but an unknown name gets the close matches."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            close = difflib.get_close_matches(name, COMMANDS, n=3)
            tail = f"did you mean {', '.join(close)}?" if close else "see `verbalrl --help`"
            raise click.UsageError(f"unknown command {name!r}; {tail}", ctx)
        found = super().resolve_command(ctx, args)
        if found[1] is not None:
            check_once(found[1], ctx, name, found[2])
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table by section, without importing a single command."""
        for section in dict.fromkeys(entry.section for entry in COMMANDS.values()):
            with formatter.section(section):
                formatter.write_dl(
                    [(name, e.summary) for name, e in COMMANDS.items() if e.section == section],
                    col_max=14,
                )


def check_once(
    command: click.Command, above: click.Context, name: str, args: Sequence[str]
) -> None:
    """Raise `UsageError` for an option of one value that is given twice: click takes the last."""
    here = click.Context(command, info_name=name, parent=above)
    try:
        _, rest, order = command.make_parser(here).parse_args(list(args))
    except click.UsageError:
        return  # said when the command reads them
    if any(of.is_eager for of in order):
        return  # help
    counts = Counter(of for of in order if isinstance(of, click.Option))
    for option, count in counts.items():
        if count > 1 and not (option.multiple or option.count or option.is_flag):
            told = max(option.opts, key=len)
            raise click.UsageError(f"{told} is given {count} times; give it once", here)
    if isinstance(command, click.Group) and rest:
        inner = command.get_command(here, rest[0])
        if inner is not None:
            check_once(inner, here, rest[0], rest[1:])


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDTH},
    epilog="Readers take --branch or --run, and --json. Exit codes: 0 done or stopped by budget, "
    "1 the run failed, another process holds the store, or a check found faults, 2 usage or bad "
    "input, a store that cannot be used too, 130 or 143 interrupted (resumable).",
)
@click.version_option(__version__, "--version", prog_name="verbalrl")
@click.pass_context
def cli(context: click.Context) -> None:
    """Agents that learn in words: critique, distil, recall, and measure whether it helped."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code. Every error is one line on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(
            list(arguments) if arguments is not None else None,
            prog_name="verbalrl",
            standalone_mode=False,
            color=False if os.environ.get("NO_COLOR") else None,
        )
    except click.exceptions.Abort:
        return _say("interrupted", INTERRUPTED)
    except click.ClickException as error:
        return _say(_with_place(error), error.exit_code)
    except VerbalRLError as error:
        # The way to where it was raised, for whoever asked for events.
        logging.getLogger(__name__).debug("command.failed", exc_info=True)
        return _say(str(error), exit_code(error))
    except OSError as error:
        return _say(str(error), FAILED)
    return code if isinstance(code, int) else DONE


def exit_code(error: VerbalRLError) -> int:
    """2 for what the caller can mend before anything runs, a store that cannot be used too, else 1.

    Whoever waits for another process has nothing to mend.
    """
    if isinstance(error, StoreHeldError | LeaseError):
        return FAILED
    return USAGE if isinstance(error, ConfigurationError | StorageError) else FAILED


def _with_place(error: click.ClickException) -> str:
    """The message, and for a usage error the command whose help explains it."""
    message = error.format_message()
    if isinstance(error, click.exceptions.NoArgsIsHelpError) and error.ctx is not None:
        # Its message is the whole help.
        named = error.ctx.command
        known = named.list_commands(error.ctx) if isinstance(named, click.Group) else []
        message = f"Missing command: {', '.join(known)}."
    if not isinstance(error, click.UsageError) or error.ctx is None:
        return message
    place = error.ctx.command_path
    if place == "verbalrl":
        return message
    return f"{place.removeprefix('verbalrl ')}: {message} (see `{place} --help`)"


def _say(message: str, code: int) -> int:
    line = " ".join(clean(message).split()) or "failed"
    try:
        click.echo(f"verbalrl: {line}", err=True)
    except BrokenPipeError:
        return code
    return code


def _quiet_stdout() -> None:
    """Point stdout at nothing, so that the flush at exit does not complain once more."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError:  # stdout is no file, as in tests
        return
