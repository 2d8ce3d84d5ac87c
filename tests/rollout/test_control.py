"""The control of risk: after which days it alerts, by hand, and what the agent hears of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.rollout.corridor import Corridor, CorridorTask, actions, play, spec
from verbalrl.errors import ConfigurationError
from verbalrl.execution.acting import Inside, hook_calls, inside
from verbalrl.records import Action, HookSpec, Observation, Origin, Situation, StepResult
from verbalrl.rollout import CvarControl, Limits
from verbalrl.rollout.control import alert_after, staying_out
from verbalrl.tasks import desk

DAYS = (0.02, 0.03, 0.01, -0.01, 0.02, -0.005, -0.03, 0.0, 0.04)


def alerts(
    results: Sequence[float], alpha: float = 0.01
) -> list[tuple[float | None, float] | None]:
    found = (alert_after(results[:n], alpha) for n in range(1, len(results) + 1))
    return [a and (a.before if a.fell else None, a.now) for a in found]


def test_a_fixed_series_alerts_on_new_worst_days_and_on_losses() -> None:
    assert alerts(DAYS) == [
        None,  # the first day, a gain: nothing to compare with
        None,  # better than the worst
        (0.02, 0.01),  # a gain, but the smallest so far: CVaR fell
        (0.01, -0.01),
        None,
        (None, -0.01),  # a loss that is not the worst
        (-0.01, -0.03),
        None,  # an idle day
        None,
    ]
    assert alert_after(()) is None
    assert alert_after((-0.01,)) == (-0.01, None, -0.01)


def test_the_tail_is_the_worst_day_until_two_days_are_one_percent() -> None:
    days = [-0.05, -0.01, *[0.01] * 197]
    assert alert_after([*days[:99], -0.02]) == (-0.02, -0.05, -0.05)
    # Day 200: the two worst count, and a lighter second one raises the mean.
    assert alert_after([*days, 0.02]) is None
    loss = alert_after([*days, -0.03])
    assert loss is not None
    assert loss.now == pytest.approx(-0.04)
    assert not loss.fell
    # Day 201: a gain leaves the two worst, a second bad day moves their mean.
    assert alert_after([*days, 0.02, 0.01]) is None
    again = alert_after([*days, 0.02, -0.03])
    assert again is not None
    assert again.before == pytest.approx(-0.03)
    assert again.now == pytest.approx(-0.04)


def test_a_wider_tail_looks_at_more_days() -> None:
    found = alerts((-0.04, 0.02, 0.02, 0.02, 0.0), alpha=0.5)
    # The two worst of four are -0.04 and 0.02, those of five -0.04 and 0: no loss, a worse tail.
    assert found == [(None, -0.04), None, None, None, (-0.01, -0.02)]


def test_a_small_fall_is_told_with_the_digits_that_show_it() -> None:
    found = [alert_after(days) for days in [(-0.001, -0.00101), (-0.01, -0.02), (-0.01, 0.02)]]
    told = [alert.told for alert in found if alert is not None]
    assert told == [("-0.100%", "-0.101%"), ("-1.00%", "-2.00%")]
    losses = [alert_after((x,)) for x in (-0.02, -0.00004)]
    assert [alert.lost for alert in losses if alert is not None] == ["2.00%", "0.004%"]


class Days(Corridor):
    """Earns the next of `rewards`, whatever is done."""

    rewards: tuple[float | None, ...] = (0.01, -0.02, 0.03, -0.01, 0.02)

    def _seen(self) -> Observation:
        return Observation(text=f"Day {self.at}.", actions=("buy", "hold", "sell"))

    def step(self, action: Action, /) -> StepResult:
        self.at += 1
        return StepResult(observation=self._seen(), reward=self.rewards[self.at - 1])


class Silent(Days):
    rewards = (-0.02, None, -0.01, 0.01, 0.01)


async def buying(_: Situation) -> str:
    return "buy"


def notes(task: Any = Days, **settings: Any) -> list[list[str]]:
    hooks = [CvarControl()]
    episode = play(buying, CorridorTask(task), hooks=hooks, **settings)
    told = [n for s in episode.trajectory.steps for n in s.notes]
    assert all(n.author == "cvar" and n.origin is Origin.TASK for n in told)
    return [[n.text for n in s.notes] for s in episode.trajectory.steps]


def test_the_note_stands_beside_the_next_decision_and_is_gone_after_it() -> None:
    first, second, third, fourth, fifth = notes()
    assert (first, second, fourth) == ([], [], [])
    (worst,) = third
    assert "the last day lost 2.00%; the CVaR" in worst
    assert "fell from +1.00% to -2.00%" in worst
    assert worst.endswith("Be risk-averse for this day: take no more risk than clear reasons bear;"
                          " in doubt, hold.")  # fmt: skip
    (loss,) = fifth
    assert loss.startswith("Risk alert: the last day lost 1.00%. Be risk-averse")


def test_steps_without_a_reward_are_no_days() -> None:
    told = notes(Silent)
    assert [bool(n) for n in told] == [False, True, False, True, False]


def test_a_replayed_loss_is_told_before_the_first_decision() -> None:
    replayed = notes(spec=spec(prefix=actions("buy", "buy")))
    assert [bool(n) for n in replayed] == [False, False, True, False, True]


def test_the_action_that_stays_out_is_named_as_it_is_listed() -> None:
    two = desk.actions(("AAA", "BBB"))
    assert staying_out(two, "hold") == "hold AAA, hold BBB"
    assert staying_out(("buy", "hold", "sell"), " hold ") == "hold"
    assert staying_out(("buy", "holdings"), "hold") == ""
    assert staying_out(("buy", "hold"), "") == ""
    assert staying_out(None, "hold") == ""


def test_a_tail_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="alpha=0; give the tail"):
        CvarControl(alpha=0)


def test_a_methods_own_control_goes_before_that_of_the_run() -> None:
    own = (HookSpec(name="cvar", settings={"alpha": 0.05}),)
    assert inside(own, Limits(control="cvar")) == own
    both = inside((), Limits(control="cvar", repeats=3))
    assert [spec.name for spec in both] == ["loop", "cvar"]


def test_a_control_asks_no_model() -> None:
    asked = (HookSpec(name="cvar"),)
    assert hook_calls(asked, 20, few=False) == Inside(critic=0, actor=0, beside=120)
    assert hook_calls(asked, 20, few=True) == Inside()
