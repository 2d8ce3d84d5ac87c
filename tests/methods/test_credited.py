"""What analysts are told of the worth of their reports."""

from typing import Literal

import pytest

from verbalrl.methods.credited import credited, standings
from verbalrl.records import (
    Action,
    Credit,
    Episode,
    EpisodeSpec,
    Observation,
    Report,
    Step,
    StopReason,
    Trajectory,
)

Worth = Literal["decisive", "useful", "useless"]


def step(n: int, reward: float | None, *worth: Worth) -> Step:
    credits = tuple(Credit(report=place, worth=w) for place, w in enumerate(worth, 1))
    return Step(
        n=n,
        observation=Observation(text="…"),
        action=Action(text="buy", credits=credits),
        reward=reward,
        reports=(Report(role="news", text="a"), Report(role="risk", text="b")),
    )


def episode(*steps: Step) -> Episode:
    return Episode(
        id="ep_1",
        run="r",
        arm="learned",
        seed=0,
        spec=EpisodeSpec(instance="i"),
        trajectory=Trajectory(steps=steps),
        stop_reason=StopReason.TERMINATED,
    )


def test_each_role_hears_where_it_counted_and_what_was_earned() -> None:
    days = (
        step(1, 0.02, "decisive", "useless"),
        step(2, 0.011, "useful"),
        step(3, -0.004, "useless", "useful"),
    )
    told = credited([episode(*days[:2]), episode(days[2])], percent=True)
    assert told == {
        "news": "Your reports counted in 2 of 3 decisions; in these the team earned +3.1 %, in the"
        " others -0.4 %.",
        "risk": "Your reports counted in 1 of 3 decisions; in these the team earned -0.4 %, in the"
        " others +3.1 %.",
    }


def test_days_on_which_nothing_was_credited_are_not_judged() -> None:
    found = standings([episode(step(1, 1.0), step(2, 2.0, "useful", "useful"))])
    assert found["news"] == (1, 1, 2.0, None)
    assert standings([episode(step(1, 1.0))]) == {}
    assert credited([]) == {}


@pytest.mark.parametrize(
    ("reward", "said"),
    [
        (None, "in 1 of 1 decisions."),
        (0.25, "in 1 of 1 decisions; in these the team earned +0.25."),
    ],
)
def test_rewards_are_told_as_they_are(reward: float | None, said: str) -> None:
    assert credited([episode(step(1, reward, "useful"))])["news"].endswith(said)
