"""What `benchmarks.learning` prints of arms, whatever they have."""

from typing import Any

import pytest

from benchmarks.learning import held_of, line, main, triage_bars


def arms_of(trial: int, tried: int, span: list[float] | None) -> dict[str, Any]:
    def arm(rate: float, versus: dict[str, Any] | None = None) -> dict[str, Any]:
        by_trial = [rate] * tried
        return {
            "success_rate": rate, "success_by_trial": by_trial, "ci95": span, "vs_retry": versus
        }  # fmt: skip

    versus = {"trial": trial, "diff": 0.5, "ci95": span}
    return {"none": arm(0.25), "retry": arm(0.5), "learned": arm(0.75, versus)}


@pytest.mark.parametrize(
    ("trial", "tried", "said"),
    [
        (1, 3, "vs retry's first trial +0.500 [+0.100, +0.900]"),
        (3, 3, "vs retry +0.500 [+0.100, +0.900]"),
        (1, 1, "vs retry +0.500 [+0.100, +0.900]"),
    ],
)
def test_a_line_says_which_trial_of_retry_it_is_held_against(
    trial: int, tried: int, said: str
) -> None:
    arms = arms_of(trial, tried, [0.1, 0.9])
    told = line("all seeds", arms, held_of(arms, triage_bars))
    assert f"  {said}  all bars cleared" in told


def test_one_instance_is_one_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    arms = arms_of(1, 3, None)
    assert held_of(arms, triage_bars) is None
    asked = ["--instances", "1", "--seeds", "0", "--task", "gridnav-v1"]
    assert main(asked) == 1
    title, told = capsys.readouterr().out.splitlines()
    assert title.endswith("1 instance (simulated)")
    assert told.endswith(
        "no bar looked at: one instance has no interval; give --instances 2 or more"
    )
    assert "[" not in told
