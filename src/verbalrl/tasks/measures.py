"""Measures of answers that are not right or wrong alone: tables, texts, samples. Pure functions."""

from __future__ import annotations

import bisect
import math
import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

Value = str | int | float | bytes | None
Row = tuple[Value, ...]

TOLERANCE = 0.005
"""Numbers that differ by no more count as equal."""
RUNS = 0.05
"""What a query earns that runs and matches nothing."""
SHORTEST = 16
"""`paverl`: a query of fewer characters earns nothing."""
MOST_ROWS_APART = 5
"""`paverl`: tables whose lengths differ by more do not match."""


def pass_at_k(samples: int, correct: int, k: int) -> float:
    """The chance that one of `k` samples is right, drawn from `samples` with `correct` right ones.

    Raises:
        ValueError: The numbers do not fit together.
    """
    if not 0 <= correct <= samples or not 1 <= k <= samples:
        raise ValueError(f"pass@{k} of {correct} right ones among {samples} is not defined")
    return 1.0 - math.comb(samples - correct, k) / math.comb(samples, k)


def table_match(
    gold: Sequence[Row], given: Sequence[Row], mode: Literal["strict", "paverl"] = "strict"
) -> float:
    """How far the table `given` is the table `gold`, from 0.05 to 1; order decides nothing.

    A given column stands for the gold one with which it shares most values. `strict` compares rows
    as wholes over the columns found: F-measure over rows, times the share of gold columns found,
    less precision for columns too many. `paverl` counts rows column by column and ignores what is
    too much, as its authors do.
    """
    if not gold:
        return RUNS if given else 1.0
    given = _with_gold_numbers(gold, given)
    columns = _paired(gold, given)
    if not columns:
        return RUNS
    if mode == "paverl":
        if abs(len(gold) - len(given)) > MOST_ROWS_APART:
            return RUNS
        rows = min(_shared([r[a] for r in gold], [r[b] for r in given]) for a, b in columns)
        return max(RUNS, rows * len(columns) / (len(gold) * len(gold[0])))
    wanted = [tuple(row[a] for a, _ in columns) for row in gold]
    found = [tuple(row[b] for _, b in columns) for row in given]
    rows = _shared(wanted, found)
    share = len(columns) / len(gold[0])
    across = min(share, _f_measure(len(columns), len(given[0]), len(gold[0])))
    return max(RUNS, _f_measure(rows, len(given), len(gold)) * across)


def too_short(query: str) -> bool:
    """Whether `paverl` gives a query nothing, whatever it returns."""
    return len(query.strip()) < SHORTEST


class TextMatch(NamedTuple):
    """How an answer in words compares with the expected one."""

    exact: bool
    f1: float
    precision: float
    recall: float


def squad_normalised(text: str) -> str:
    """Lower case, without punctuation, articles and spare white space, as SQuAD and HotpotQA do."""
    bare = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


def text_match(expected: str, given: str) -> TextMatch:
    """Exact match and F1 over words, with HotpotQA's rule: yes, no and noanswer match whole."""
    one, other = squad_normalised(expected), squad_normalised(given)
    exact = one == other
    whole = {"yes", "no", "noanswer"}
    if (one in whole or other in whole) and not exact:
        return TextMatch(False, 0.0, 0.0, 0.0)
    shared = _shared(one.split(), other.split())
    if not shared:
        return TextMatch(exact, 0.0, 0.0, 0.0)
    precision, recall = shared / len(other.split()), shared / len(one.split())
    return TextMatch(exact, 2 * precision * recall / (precision + recall), precision, recall)


def _f_measure(shared: int, given: int, gold: int) -> float:
    return 2 * shared / (given + gold) if shared else 0.0


def _shared(one: Sequence[object], other: Sequence[object]) -> int:
    return (Counter(one) & Counter(other)).total()


def _paired(gold: Sequence[Row], given: Sequence[Row]) -> list[tuple[int, int]]:
    """Places of gold and given columns that go together, most shared values first."""
    if not given:
        return []
    overlaps = [
        (-_shared([r[a] for r in gold], [r[b] for r in given]), a != b, a, b)
        for a in range(len(gold[0]))
        for b in range(len(given[0]))
    ]
    pairs: list[tuple[int, int]] = []
    for shared, _, a, b in sorted(overlaps):
        if shared and all(a != x and b != y for x, y in pairs):
            pairs.append((a, b))
    return sorted(pairs)


def _with_gold_numbers(gold: Sequence[Row], given: Sequence[Row]) -> list[Row]:
    """`given` with each number replaced by the gold one that it is taken for."""
    numbers = sorted({float(v) for row in gold for v in row if isinstance(v, int | float)})
    exact = {v for row in gold for v in row if isinstance(v, int | float)}
    return [tuple(_nearest(v, numbers, exact) for v in row) for row in given]


def _nearest(value: Value, numbers: list[float], exact: set[int | float]) -> Value:
    if not isinstance(value, int | float) or value in exact or not numbers:
        return value
    at = bisect.bisect_left(numbers, value)
    near = min(numbers[max(0, at - 1) : at + 1], key=lambda n: abs(n - value))
    return near if abs(near - value) <= TOLERANCE + 1e-12 else value
