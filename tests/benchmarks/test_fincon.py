"""The benchmark of cvrf: its sums by hand, and that beliefs help where there is a rule to find."""

from __future__ import annotations

import pytest

from benchmarks import fincon
from verbalrl.records import Evidence, Lesson, LessonBody, LessonKind, Origin, Status


def found(seed: int, gain: float, named: str = "news", after: float = 0.1) -> fincon.Found:
    return fincon.Found(
        seed=seed, planted="news", named=named, without=(0.0, 0.0), beliefs=(gain, gain),
        before_costs=-gain, fell=(0.1, after), fell_without=(0.2, 0.3), ended="overlap 0.8",
    )  # fmt: skip


def test_sign_tests_are_exact_and_leave_out_zeros() -> None:
    assert fincon.sign_test([1.0] * 20) == pytest.approx(2 / 2**20)
    assert fincon.sign_test([1.0, 1.0, -1.0, 0.0]) == 1.0
    assert fincon.sign_test([1.0] * 17 + [-1.0] * 3) == pytest.approx(0.00258, abs=1e-5)
    assert fincon.sign_test([0.0]) == 1.0


def test_the_sums_count_what_the_rows_say() -> None:
    rows = [found(n, 0.2) for n in range(8)]
    rows += [found(8, -0.1, "risk", 0.2), found(9, 0.1, after=0.0)]
    said = fincon.sums(rows)
    assert "gain +0.160 [" in said
    assert "above 0 in 9 of 10 seeds, sign test p = 0.021" in said
    assert "gain before costs -0.160 [" in said
    assert "names the planted aspect: 9 of 10" in said
    assert "9 of 10 (1 shallower, 8 equal), on average 0.100 after 0.100; without" in said
    assert "beliefs 0 of 10 (0 shallower, 0 equal), on average 0.300 after 0.200" in said
    assert fincon.row(rows[0]).split()[:6] == ["0", "news", "news", "+0.000", "+0.200", "+0.200"]


def test_the_best_supported_belief_has_most_episodes_and_then_most_steps() -> None:
    def belief(name: str, support: int, steps: int, status: Status = Status.ACTIVE) -> Lesson:
        rests = tuple(
            Evidence(critique="c", episode="e", instance="i", trial=1, step=n) for n in range(steps)
        )
        body = LessonBody(kind=LessonKind.BELIEF, instruction=name)
        return Lesson(
            id=name, scope="s", body=body, status=status, trust=Origin.TASK, evidence=rests,
            votes={"support": support},
        )  # fmt: skip

    beliefs = [belief("a", 2, 9), belief("b", 3, 1), belief("c", 3, 2)]
    gone = belief("d", 9, 9, Status.RETIRED)
    best = fincon.best_supported([*beliefs, gone])
    assert best is not None
    assert best.id == "c"
    assert fincon.best_supported([gone]) is None


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [0, 11])
def test_beliefs_help_and_name_what_was_planted(seed: int) -> None:
    one = fincon.run(seed, fincon.Size(test=2, control=False))
    assert one.gain > 0.1
    assert one.before_costs > 0.1
    assert one.named == one.planted
