"""Was the criticised step changed, and was the critic's confidence right: the next trial says."""

from __future__ import annotations

from typing import Any

from tests.critics.test_checks import attempt
from verbalrl.critics import Uptake, confidences, uptake
from verbalrl.critics.uptake import changed
from verbalrl.records import Critique, Episode
from verbalrl.rewards import calibration


def trial(n: int, *steps: tuple[str, str], success: bool | None = False, **more: Any) -> Episode:
    made = attempt(*((o, a, "") for o, a in steps), success=success)
    return made.replace(id=f"ep_{n}", spec=made.spec.replace(trial=n), **more)


def critique(of: Episode, step: int, confidence: float | None = None, **more: Any) -> Critique:
    return Critique.model_validate(
        {
            "id": f"cr_{of.id}",
            "episodes": (of.id,),
            "instance": "i0",
            "trial": of.trial,
            "template": "critic/critique",
            "status": "accepted",
            "causes": [{"step": step, "trial": of.trial, "why": "bad"}],
            "confidence": confidence,
            **more,
        }
    )


FIRST = trial(1, ("hall", "left"), ("pit edge", "jump"))


def test_a_step_is_taken_up_when_it_is_met_again_and_done_otherwise() -> None:
    said = critique(FIRST, 2)
    assert changed(said, FIRST, trial(2, ("pit edge", "wait"))) is True
    assert changed(said, FIRST, trial(2, ("pit edge", "Jump "))) is False
    assert changed(said, FIRST, trial(2, ("pit edge", "wait"), ("pit edge", "jump"))) is False
    assert changed(said, FIRST, trial(2, ("hall", "right"))) is None
    assert changed(critique(FIRST, 9), FIRST, trial(2, ("hall", "left"))) is None


def test_uptake_counts_over_all_accepted_critiques_with_a_next_trial() -> None:
    second = trial(2, ("hall", "left"), ("pit edge", "wait"))
    third = trial(3, ("hall", "left"), success=True)
    critiques = [critique(FIRST, 2), critique(second, 1), critique(third, 1)]
    refused = critique(FIRST, 1, status="refused").replace(id="cr_other")
    other_arm = trial(2, ("pit edge", "jump"), arm="retry").replace(id="ep_other")
    found = uptake([*critiques, refused], [FIRST, second, third, other_arm])
    assert found == Uptake(changed=1, repeated=1, unmet=0)
    assert found.rate == 0.5
    assert Uptake().rate is None


def test_a_critics_confidence_is_scored_by_the_next_trial() -> None:
    second = trial(2, ("hall", "left"))
    third = trial(3, ("hall", "right"), success=True)
    unknown = trial(4, ("hall", "right"), success=None)
    said = [critique(FIRST, 1, 0.9), critique(second, 1, 0.7), critique(third, 1, 0.5)]
    pairs = confidences(said, [FIRST, second, third, unknown])
    assert pairs == [(0.9, False), (0.7, True)]
    scored = calibration(pairs)
    assert scored.brier is not None
    assert abs(scored.brier - (0.81 + 0.09) / 2) < 1e-9
