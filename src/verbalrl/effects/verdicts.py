"""Verdicts: what the sums say of each lesson, and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from . import bets
from .ledger import (
    GOOD_IN,
    GOOD_OUT,
    IN,
    MISSED,
    OUT,
    SCORE,
    SPREAD,
    TOKENS,
    VAR,
    VAR_1,
    VAR_2,
    Ledger,
)

if TYPE_CHECKING:
    from .ledger import Sums
    from .trials import Floats

Finding = Literal["helps", "harms", "idle", "undecided"]
"""`idle`: tried as often as the rules ask for without a benefit shown; it is not worth its rent."""


class Rules(NamedTuple):
    """When something counts as shown."""

    level: float = 0.05
    """The share of false claims among all, on either side; and what intervals leave out."""
    coverage: float = 0.6
    """Below this share of outcomes seen nothing is decided: what is missing may be what differs."""
    idle_after: int = 2_000
    """Episodes after which a lesson without a shown benefit goes; 0: never."""


USUAL = Rules()


class Effect(NamedTuple):
    """What is known of one lesson. Differences are of success (or reward): with less without."""

    lesson: str
    n_in: int
    """Episodes with the lesson whose outcome is known."""
    n_out: int
    missing: int
    rate_in: float
    rate_out: float
    difference: float | None
    """Within rounds and beside what instances did before; None before anything was withheld."""
    low: float | None
    high: float | None
    """The interval holds at every look."""
    helps: float
    """The logarithm (base e) of the stake on "it helps"; and on "it harms"."""
    harms: float
    tokens: int
    """Injected where the outcome is known."""
    finding: Finding

    @property
    def n(self) -> int:
        """Episodes whose outcome is known."""
        return self.n_in + self.n_out

    @property
    def rent(self) -> float:
        """Tokens per episode that the coin let it into."""
        return self.tokens / self.n_in if self.n_in else 0.0


def judge(ledger: Ledger, rules: Rules = USUAL) -> dict[str, Effect]:
    """By lesson what is known of it, judged together: the more lessons, the more each must show."""
    sums = ledger.sums
    if not len(sums):
        return {}
    # The stakes are on "no effect", so their variance is the one under a difference of 0.
    helps = bets.stakes(sums[:, SCORE], sums[:, VAR])
    harms = bets.stakes(-sums[:, SCORE], sums[:, VAR])
    family = len(sums)
    better = bets.discoveries(helps, family, rules.level)
    worse = bets.discoveries(harms, family, rules.level)
    low, high, difference = _intervals(sums, rules.level)
    made: dict[str, Effect] = {}
    for i, lesson in enumerate(ledger.lessons):
        row = sums[i]
        n_in, n_out, missing = int(row[IN]), int(row[OUT]), int(row[MISSED])
        made[lesson] = Effect(
            lesson=lesson,
            n_in=n_in,
            n_out=n_out,
            missing=missing,
            rate_in=float(row[GOOD_IN]) / n_in if n_in else 0.0,
            rate_out=float(row[GOOD_OUT]) / n_out if n_out else 0.0,
            difference=_known(difference[i]),
            low=_known(low[i]),
            high=_known(high[i]),
            helps=float(helps[i]),
            harms=float(harms[i]),
            tokens=int(row[TOKENS]),
            finding=_finding(bool(better[i]), bool(worse[i]), n_in + n_out, missing, rules),
        )
    return made


def _known(value: float) -> float | None:
    return None if value != value else float(value)


def _finding(better: bool, worse: bool, n: int, missing: int, rules: Rules) -> Finding:
    if n < rules.coverage * (n + missing):
        return "undecided"
    if worse:
        return "harms"
    if better:
        return "helps"
    return "idle" if rules.idle_after and n >= rules.idle_after else "undecided"


def _intervals(sums: Sums, level: float) -> tuple[Floats, Floats, Floats]:
    """Lower ends, upper ends and differences; NaN where nothing was withheld, or nothing let in."""
    import numpy as np

    spread = sums[:, SPREAD]
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = np.where(spread > 0, sums[:, SCORE] / spread, np.nan)
        # What is left when the difference that was seen is taken off: the outcomes' own variance.
        variance = sums[:, VAR] - 2 * difference * sums[:, VAR_1] + difference**2 * sums[:, VAR_2]
        width = bets.half_widths(np.maximum(variance, 0.0), level) / spread
    return difference - width, difference + width, difference


def in_words(effect: Effect) -> str:
    """The finding in words, on one line."""
    if effect.difference is None:
        return "not tested yet"
    ends = f"[{effect.low:+.2f}, {effect.high:+.2f}]"
    gap = f"{effect.difference:+.2f} {ends} over {effect.n:,} episode{'s'[: effect.n != 1]}"
    match effect.finding:
        case "helps":
            return f"helps: {gap}"
        case "harms":
            return f"harms: {gap}"
        case "idle":
            return f"no benefit shown: {gap}"
    if effect.n < USUAL.coverage * (effect.n + effect.missing):
        return f"undecided, {effect.missing:,} outcomes are missing: {gap}"
    return f"undecided: {gap}"
