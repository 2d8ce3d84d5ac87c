"""Confidence as something to be judged: rewards, calibration, votes (RLCR, arXiv 2507.16806).

A confidence is the probability, 0 to 1, with which whoever says it is right. Pure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from ..ids import normalised
from ..records import Record

_NUMBER = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s*(%)?")
BINS = 10


class Calibration(Record):
    """How well confidences foretold what came true."""

    n: int
    brier: float | None = None
    """The mean of (confidence - outcome)²; 0.25 is what 0.5 for everything gets."""
    ece: float | None = None
    """Expected calibration error over ten bins of equal width."""
    auroc: float | None = None
    """The chance that one that came true was held likelier than one that did not; None without
    both kinds."""
    mean: float | None = None
    """The mean confidence."""
    rate: float | None = None
    """The share that came true."""


def rlcr(confidence: float, correct: bool) -> float:
    """The reward of RLCR: correctness less the squared error of the confidence, from -1 to 1.

    Its expectation over a chance p of being right is highest at the confidence p, where it is p².
    """
    return float(correct) - (confidence - float(correct)) ** 2


def brier(confidences: Sequence[float], correct: Sequence[bool]) -> float:
    """The mean squared error of `confidences`."""
    return math.fsum((c - y) ** 2 for c, y in zip(confidences, correct, strict=True)) / len(correct)


def ece(confidences: Sequence[float], correct: Sequence[bool], bins: int = BINS) -> float:
    """The mean of |confidence - share that came true| over bins, each by how many it holds."""
    held: dict[int, list[tuple[float, bool]]] = {}
    for pair in zip(confidences, correct, strict=True):
        held.setdefault(min(int(pair[0] * bins), bins - 1), []).append(pair)
    gaps = (abs(math.fsum(c - y for c, y in found)) for _, found in sorted(held.items()))
    return math.fsum(gaps) / len(correct)


def auroc(confidences: Sequence[float], correct: Sequence[bool]) -> float | None:
    """The chance that a right one is held likelier than a wrong one, ties as a half."""
    pairs = list(zip(confidences, correct, strict=True))
    right = [c for c, y in pairs if y]
    wrong = [c for c, y in pairs if not y]
    if not right or not wrong:
        return None
    above = sum((r > w) + (r == w) / 2 for r in right for w in wrong)
    return above / (len(right) * len(wrong))


def calibration(pairs: Iterable[tuple[float, bool]]) -> Calibration:
    """How well the confidences of `pairs` foretold their outcomes."""
    listed = list(pairs)
    if not listed:
        return Calibration(n=0)
    said, came = [c for c, _ in listed], [y for _, y in listed]
    return Calibration(
        n=len(listed),
        brier=brier(said, came),
        ece=ece(said, came),
        auroc=auroc(said, came),
        mean=math.fsum(said) / len(said),
        rate=sum(came) / len(came),
    )


def read_confidence(text: str) -> float | None:
    """The confidence that `text` states: 0 to 1, or 1 to 100 as a percentage; None for neither.

    A bare 1 is certainty, not one per cent. Where several numbers stand, the last one counts.
    """
    found = _NUMBER.findall(text)
    if not found:
        return None
    number, percent = float(found[-1][0]), bool(found[-1][1])
    value = number / 100 if percent or number > 1 else number
    return value if value <= 1 else None


def vote(answers: Sequence[str], confidences: Sequence[float]) -> int:
    """The place of the answer with the largest sum of confidences; ties go to the earliest."""
    sums: dict[str, float] = {}
    keys = [normalised(answer) for answer in answers]
    for key, confidence in zip(keys, confidences, strict=True):
        sums[key] = sums.get(key, 0.0) + confidence
    best = max(sums.values())
    return next(n for n, key in enumerate(keys) if sums[key] >= best - 1e-12)
