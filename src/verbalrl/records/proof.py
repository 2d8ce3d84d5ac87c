"""What trying one lesson off and on has shown."""

from __future__ import annotations

from typing import Literal

from ..text import plural
from ._base import Record


class Proof(Record):
    """One proof of one version of a lesson. Differences are of success, with less without."""

    lesson: str
    version: int
    content: str
    """The hash of the text that was tried."""
    run: str
    """Its probes are the episodes of this run."""
    instances: int
    passes: int
    """Each of them without the lesson and with it."""
    smallest: float
    """The smallest difference that so many can show, as was said beforehand."""
    off: float | None
    on: float | None
    """The share of successes on either side; None where nothing was judged."""
    difference: float | None
    low: float | None
    high: float | None
    """A 95 % interval over instances, bootstrapped where they differ; None of a single one."""
    p: float
    """How often chance alone shows as much: two-sided, by flipping signs over instances."""
    covered: float
    """The share of pairs of which both sides were judged; under 0.6 nothing is decided."""
    finding: Literal["helps", "harms", "undecided"]
    against: str = ""
    """The lesson that stood in its place while it was off; empty: nothing did."""

    def __str__(self) -> str:
        if self.difference is None:
            return "undecided: nothing was judged"
        ends = ""
        if self.low is not None and self.high is not None:
            ends = f" [{self.low:+.2f}, {self.high:+.2f}]"
        beside = f" (against {self.against})" if self.against else ""
        chance = "p<.001" if self.p < 0.001 else f"p={self.p:.3f}"
        return (
            f"{self.finding}{beside}: {self.off:.2f} without, {self.on:.2f} with, "
            f"{self.difference:+.2f}{ends}, {chance}, {plural(self.instances, 'instance')}"
        )
