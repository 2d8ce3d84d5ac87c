"""Progress of a run on stderr: one live line on a terminal, else one line per tenth.

It reads `learner.progress()` and nothing else; what it prints never reaches stdout.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from ..execution import Progress
from .output import note, one_line, plural

_STALL = 30.0
"""Seconds without a new tenth after which a line is printed all the same."""


def describe(progress: Progress) -> str:
    """One line: episodes, success by arm, tokens, calls in flight, time left."""
    parts = [f"{progress.episodes_done} of ≤{progress.episodes_expected} episodes"]
    solved = ", ".join(
        f"{name} {arm.solved}/{arm.instances}" for name, arm in progress.by_arm.items()
    )
    if solved:
        parts.append(f"solved {solved}")
    flying = plural(progress.in_flight, "call")
    parts += [f"{_short(progress.tokens)} tokens", f"{flying} in flight"]
    if progress.seconds_left is not None:
        parts.append(f"≤{duration(progress.seconds_left)} left")
    if progress.phase != "running":
        parts.append(progress.phase)
    return one_line(" · ".join(parts))


def duration(seconds: float) -> str:
    """`42 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _short(count: int) -> str:
    if count < 10_000:
        return f"{count:,}"
    return f"{count / 1e3:,.0f}k" if count < 10_000_000 else f"{count / 1e6:,.1f}M"


class Screen(Protocol):
    """Where progress is shown."""

    def show(self, progress: Progress) -> None:
        """Show it, if it is time."""

    def close(self) -> None:
        """Leave the terminal as it was."""


@contextmanager
def stages() -> Iterator[Callable[[str], None]]:
    """Shows what a long command is at, in the words that it is called with, and for how long.

    A line on a terminal that is gone at the end; elsewhere nothing.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda text: bar.update(task, description=one_line(text))


def screen() -> Screen:
    """A live line when stderr is a terminal, else plain lines."""
    return _Live() if sys.stderr.isatty() else _Lines()


class _Lines:
    """One line per tenth of the episodes, and one after half a minute without."""

    def __init__(self) -> None:
        self._tenth = 0
        self._said = time.monotonic()

    def show(self, progress: Progress) -> None:
        tenth = 10 * progress.episodes_done // max(1, progress.episodes_expected)
        now = time.monotonic()
        if tenth > self._tenth or now - self._said > _STALL:
            self._tenth, self._said = max(tenth, self._tenth), now
            note(describe(progress))

    def close(self) -> None:
        return


class _Live:
    """One line, or two where the terminal is narrow, drawn over and over and gone at the end."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._live: Any = Live(console=Console(stderr=True), auto_refresh=False, transient=True)
        self._live.start()

    def show(self, progress: Progress) -> None:
        from rich.text import Text

        text = Text(describe(progress))
        self._live.update(text, refresh=True)

    def close(self) -> None:
        self._live.stop()
