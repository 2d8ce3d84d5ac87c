"""Calibration and rewards of confidence, with the values of the reference."""

from __future__ import annotations

import pytest

from verbalrl.rewards import calibration, read_confidence, rlcr, vote

CONFIDENCES = (0.9, 0.8, 0.3, 0.6, 1.0, 0.0)
CORRECT = (True, True, False, False, True, False)


def test_brier_and_calibration_error_are_those_of_the_reference() -> None:
    found = calibration(zip(CONFIDENCES, CORRECT, strict=True))
    assert found.brier == pytest.approx(0.083333, abs=1e-6)
    assert found.ece == pytest.approx(0.2)
    assert (found.n, found.auroc, found.rate) == (6, 1.0, 0.5)
    assert found.mean == pytest.approx(0.6)


def test_rlcr_rewards_are_those_of_the_reference() -> None:
    found = [rlcr(c, y) for c, y in zip(CONFIDENCES, CORRECT, strict=True)]
    assert found == pytest.approx([0.99, 0.96, -0.09, -0.36, 1.0, 0.0])


@pytest.mark.parametrize(("p", "value"), [(0.3, 0.09), (0.7, 0.49)])
def test_saying_the_true_chance_is_rewarded_most(p: float, value: float) -> None:
    def expected(q: float) -> float:
        return p * rlcr(q, True) + (1 - p) * rlcr(q, False)

    said = [n / 100 for n in range(101)]
    assert max(said, key=expected) == pytest.approx(p)
    assert expected(p) == pytest.approx(value)


def test_without_both_outcomes_there_is_no_order_to_judge() -> None:
    assert calibration([(0.5, True)]).auroc is None
    assert calibration([]).brier is None
    assert calibration([(0.5, True), (0.5, False)]).auroc == 0.5


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.85", 0.85), ("confidence: 85", 0.85), ("85 %", 0.85), ("1", 1.0), ("1%", 0.01), ("0", 0.0),
     ("step 3: 0.4", 0.4), ("certain", None), ("250", None)],
)  # fmt: skip
def test_confidences_are_read_as_shares_or_percentages(text: str, value: float | None) -> None:
    assert read_confidence(text) == value


def test_votes_are_weighed_by_confidence() -> None:
    assert vote(["4", "5", " 5"], [0.7, 0.4, 0.4]) == 1
    assert vote(["4", "5"], [0.5, 0.5]) == 0
