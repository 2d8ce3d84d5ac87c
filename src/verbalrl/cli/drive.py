"""Drive one run from the command line: progress while it runs, a clean end when it is interrupted.

The first SIGINT or SIGTERM cancels the run, which flushes what is paid for and records itself as
interrupted; a second one ends the process at once.
"""

from __future__ import annotations

import asyncio
import math
import os
import shlex
import signal
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import click

from ..errors import StorageError, VerbalRLError
from ..learner import Learner
from ..result import RunResult
from . import progress
from .app import DONE, FAILED
from .options import DEFAULT_STORE
from .output import emit_json, note, one_line
from .reading import Unopened

_POLL = 0.2


class Ended(NamedTuple):
    """How a run ended."""

    result: RunResult | None
    """None when it was interrupted before there were figures."""
    signal: int | None
    """The signal that interrupted it."""


def drive(
    learner: Learner,
    work: Coroutine[Any, Any, RunResult],
    store: Path,
    *,
    max_seconds: float | None = None,
) -> Ended:
    """Run `work`, a run of `learner`, to its end, to `max_seconds`, or to the first signal."""
    try:
        return asyncio.run(_drive(learner, work, max_seconds))
    except VerbalRLError as error:
        state = learner.progress()
        if state is None and isinstance(error, StorageError):
            raise Unopened(str(error)) from error
        if state is not None:
            # The line that says what broke follows, from `main`.
            note(f"what was done is kept; once mended: {command('resume', state.run, store=store)}")
        raise


async def _drive(
    learner: Learner, work: Coroutine[Any, Any, RunResult], max_seconds: float | None
) -> Ended:
    task = asyncio.ensure_future(work)
    received: list[int] = []
    watched = _watch_signals(task, received)
    shown = progress.screen()
    loop = asyncio.get_running_loop()
    ends = math.inf if max_seconds is None else loop.time() + max_seconds
    try:
        while not task.done():
            await asyncio.wait([task], timeout=max(0.0, min(_POLL, ends - loop.time())))
            if loop.time() >= ends:
                learner.stop(f"max_seconds: {max_seconds:g}")
                ends = math.inf
            state = learner.progress()
            if state is not None and not task.done():
                shown.show(state)
        return Ended(task.result(), received[0] if received else None)
    except asyncio.CancelledError:
        # Without loop signal handlers (Windows) Ctrl-C cancels this task instead of the run.
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        return Ended(None, received[0] if received else signal.SIGINT)
    finally:
        shown.close()
        for number in watched:
            asyncio.get_running_loop().remove_signal_handler(number)


def _watch_signals(task: asyncio.Future[RunResult], received: list[int]) -> list[int]:
    loop = asyncio.get_running_loop()

    def interrupt(number: int) -> None:
        received.append(number)
        if len(received) > 1:
            os._exit(128 + number)
        note("interrupted: keeping what is paid for (once more to give that up)")
        task.cancel()

    watched: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, interrupt, number)
            watched.append(number)
    return watched


def report(
    ended: Ended, learner: Learner, store: Path, *, as_json: bool, hints: bool = True
) -> int:
    """Print how a run ended; the exit code."""
    state = learner.progress()
    run = ended.result.run if ended.result else state.run if state else ""
    if ended.result is not None:
        if as_json:
            emit_json(ended.result.figures)
        else:
            click.echo(ended.result.table())
    status = ended.result.figures.get("status") if ended.result else "interrupted"
    if ended.signal is not None or status == "interrupted":
        if run:
            note(f"interrupted; go on with: {command('resume', run, store=store)}")
        return 128 + (ended.signal or signal.SIGINT)
    _say_stopped(ended.result)
    if hints:
        _hints(ended.result, run, store)
    return FAILED if status == "failed" else DONE


def _say_stopped(result: RunResult | None) -> None:
    if result is not None and result.figures.get("status") != "done":
        reason = one_line(str(result.figures.get("stop_reason") or ""))
        note(f"{result.figures.get('status')}{': ' + reason if reason else ''}")


def _hints(result: RunResult | None, run: str, store: Path) -> None:
    note(f"run {run} in {store}")
    kinds = [k for k in ("reflections", "behaviors") if _has_lessons(result)]
    for hint in (*kinds, "critiques", "episodes"):
        note(f"  {command(hint, '--run', run, store=store)}")


def _has_lessons(result: RunResult | None) -> bool:
    return any(arm.get("lessons") for arm in (result.arms.values() if result else ()))


def command(name: str, *arguments: str, store: Path) -> str:
    """A command line that can be pasted into a shell."""
    place = () if str(store) == DEFAULT_STORE else ("--store", str(store))
    return shlex.join(("verbalrl", name, *arguments, *place))
