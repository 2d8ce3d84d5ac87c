"""Drive one run from the command line: progress while it runs, a clean end when it is interrupted.

The first SIGINT or SIGTERM cancels the run, which flushes what is paid for and records itself as
interrupted; a second one ends the process at once.
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import click

from ..errors import ConfigurationError, LeaseError, StorageError, VerbalRLError
from ..execution import Progress
from ..learner import Learner
from ..records import LessonKind
from ..result import RunResult
from . import progress
from .app import DONE, FAILED
from .budgets import larger
from .options import command
from .output import emit_json, note, note_way, one_line, plural, say
from .reading import opened

_POLL = 0.2
_GRACE = 2.0
"""Seconds by which making the instances may outlast --max-seconds."""
_LISTED = (LessonKind.REFLECTION, LessonKind.BEHAVIOR, LessonKind.BELIEF)
"""Kinds with a command of their own."""


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
    quiet: bool = False,
) -> Ended:
    """Run `work`, a run of `learner`, to its end or to the first signal.

    One that has not begun soon after `max_seconds` is given up; once begun, it keeps them itself.
    `quiet`: no progress is shown.
    """
    try:
        return asyncio.run(_drive(learner, work, store, max_seconds, quiet))
    except VerbalRLError as error:
        state = learner.progress()
        if state is not None and not isinstance(error, LeaseError | ConfigurationError):
            # The line that says what broke follows, from `main`.
            note(f"what was done is kept; once mended: {command('resume', state.run, store=store)}")
            if isinstance(error, StorageError):
                # What the store is found to be after a run has begun is no input of it any more.
                raise click.ClickException(str(error)) from error
        raise


async def _drive(
    learner: Learner,
    work: Coroutine[Any, Any, RunResult],
    store: Path,
    max_seconds: float | None,
    quiet: bool,
) -> Ended:
    try:
        task = asyncio.ensure_future(work)
        return await _Session(learner, task, store, quiet).end(max_seconds)
    finally:
        await learner.aclose()


class _Session:
    """One run under way: what is shown of it, and what has been asked of it from outside."""

    def __init__(
        self, learner: Learner, task: asyncio.Future[RunResult], store: Path, quiet: bool
    ) -> None:
        self._learner, self._task, self._store, self._quiet = learner, task, store, quiet
        self._screen: progress.Screen | None = None
        self._signal: int | None = None

    async def end(self, max_seconds: float | None) -> Ended:
        """How it ends."""
        loop = asyncio.get_running_loop()
        ends = math.inf if max_seconds is None else loop.time() + max_seconds
        watched = self._watch_signals(loop)
        try:
            while not self._task.done():
                await asyncio.wait([self._task], timeout=_POLL)
                state = self._learner.progress()
                if self._task.done():
                    break
                if state is None and loop.time() >= ends + _GRACE:
                    await self._give_up(max_seconds)
                elif state is not None:
                    self._show(state)
            return Ended(self._task.result(), self._signal)
        except asyncio.CancelledError:
            await self._cancelled()
            return Ended(None, self._signal or signal.SIGINT)
        finally:
            self._close()
            for number in watched:
                loop.remove_signal_handler(number)

    async def _give_up(self, max_seconds: float | None) -> None:
        """End a run that has not begun; there is nothing to keep, and nothing to resume."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        raise ConfigurationError(
            f"--max-seconds {max_seconds:g} was over before the run began: its instances were "
            "still being made; give fewer, or more time"
        )

    def _show(self, state: Progress) -> None:
        if self._signal is not None or self._quiet:
            return
        if self._screen is None:
            note(f"run {state.run} in {self._store}")
            self._screen = progress.screen()
        self._screen.show(state)

    def _close(self) -> None:
        if self._screen is not None:
            self._screen.close()

    async def _cancelled(self) -> None:
        # Where the loop takes no signal handlers (Windows), Ctrl-C cancels us and not the run.
        if not self._task.done():
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def _watch_signals(self, loop: asyncio.AbstractEventLoop) -> list[int]:
        watched: list[int] = []
        for number in (signal.SIGINT, signal.SIGTERM):
            # Not on Windows, and not outside of the main thread.
            with suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, self._interrupt, number)
                watched.append(number)
        return watched

    def _interrupt(self, number: int) -> None:
        self._close()
        if self._signal is not None:
            os._exit(128 + number)
        self._signal = number
        note("interrupted: keeping what is paid for (a second time ends it at once)")
        self._task.cancel()


def report(
    ended: Ended, learner: Learner, store: Path, *, as_json: bool, hints: bool = True
) -> int:
    """Print the figures of a run and how it ended; the exit code."""
    if ended.result is not None:
        if as_json:
            emit_json(ended.result.figures)
        else:
            say(ended.result.table(), hanging=2)
    code = conclude(ended, learner, store)
    if hints and ended.result is not None:
        _hints(ended.result.run, store)
    return code


def conclude(ended: Ended, learner: Learner, store: Path) -> int:
    """Say how a run ended and how to go on with it; the exit code."""
    state = learner.progress()
    run = ended.result.run if ended.result else state.run if state else ""
    status = ended.result.figures.get("status") if ended.result else "interrupted"
    failures = 0 if ended.result is None else _failures(ended.result)
    again = command("resume", run, "--retry-failed", store=store)
    if status != "done":
        reason = (
            one_line(str(ended.result.figures.get("stop_reason") or "")) if ended.result else ""
        )
        more = larger(ended.result.figures if ended.result else {})
        go_on = again if status == "failed" and failures else ""
        go_on = go_on or command("resume", run, *more, store=store)
        between = ": " if status == "failed" else " by "
        told = f"{status}{between + reason if reason else ''}"
        if run:
            note_way(told, f"go on with: {go_on}")
        else:
            note(told)
    elif failures:
        note_way(f"{plural(failures, 'failure')} recorded", f"to try again: {again}")
    if status == "interrupted":
        return 128 + (ended.signal or signal.SIGINT)
    broken = ended.result is not None and _all_broke(ended.result)
    if broken:
        note("no episode came to an end: mend the cause first")
    return FAILED if broken or status == "failed" else DONE


def _all_broke(result: RunResult) -> bool:
    """Whether there were episodes and every one of them broke: then nothing was measured."""
    arms = result.arms.values()
    episodes: int = sum(arm["episodes"] for arm in arms)
    broken: int = sum(arm["errors"] for arm in arms)
    return 0 < episodes == broken


def _failures(result: RunResult) -> int:
    """How many episodes, critiques and curations broke, wholly or in part, which is final."""
    kinds = ("failed", "failed_curations", "lacking_curations")
    return sum(
        arm["errors"]
        + arm.get("lacking", 0)
        + sum((arm.get("critiques") or {}).get(kind, 0) for kind in kinds)
        for arm in result.arms.values()
    )


def _hints(run: str, store: Path) -> None:
    """How to look at what `run` left, naming only what is there."""
    with opened(store) as kept:
        learned = {
            lesson.kind
            for branch in kept.branches(run)
            for lesson in kept.current_lessons(branch.id)
        }
        judged = bool(kept.critiques(run=run, limit=1))
    note(f"run {run} is in {store}; look at it with")
    kinds = [f"{kind}s" for kind in _LISTED if kind in learned]
    for name in (*kinds, *(["critiques"] if judged else []), "episodes"):
        note(f"  {command(name, '--run', run, store=store)}")
    note(f"  {command('report', run, '-o', 'report.html', store=store)}")
