"""Trading: decisions act on the next close, nothing looks ahead, a rule can be learned."""

import math
import re
from dataclasses import replace
from functools import partial
from statistics import fmean
from typing import Any

import pytest

from verbalrl.errors import ConfigurationError, UnknownNameError
from verbalrl.records import Action, Instance, Situation
from verbalrl.tasks import WorldTask, load_task, play
from verbalrl.tasks import trading_measures as measured
from verbalrl.tasks.base import Policy, follow
from verbalrl.tasks.desk import Desk, Terms, read_decision, stated_weights, weights_text
from verbalrl.tasks.market import ROLES, Market, Series, described, foresight, looks_ahead
from verbalrl.tasks.trading import Trading, by_mean_variance
from verbalrl.tasks.trading_controls import CONTROLS, RULES, Rule, control

TASKS = ("trading-v1", "portfolio-v1")
DAYS = range(20, 40)


def series(*closes: float, name: str = "AAA") -> Series:
    empty = tuple("" for _ in closes)
    return Series(name, tuple(closes), tuple(() for _ in closes), empty)


def market(*assets: Series) -> Market:
    return Market(tuple(map(str, range(len(assets[0].closes)))), assets)


def desk(*closes: float, cost: float = 0.0, share: float = 0.5) -> Desk:
    return Desk(market(series(*closes)), 0, len(closes) - 1, Terms(cost, share))


def rewards(at: Desk, *texts: str) -> list[float]:
    at.reset(0)
    return [at.step(Action(text=text)).reward or 0.0 for text in texts]


def first(ref: str, index: int = 0) -> tuple[WorldTask, Instance]:
    task = load_task(ref)
    return task, task.instances("test", index, index + 1)[0]


def desk_of(ref: str) -> Desk:
    task, instance = first(ref)
    assert isinstance(task.world, Trading)
    return task.world.desk(instance)


def test_a_decision_earns_the_move_to_the_next_close() -> None:
    at = desk(100, 110, 99, 198)
    assert rewards(at, "buy", "sell", "hold") == pytest.approx([0.1, 0.1, 0.0])
    assert rewards(at, "sell", "buy", "Buy AAA.") == pytest.approx([-0.1, -0.1, 1.0])


def test_the_last_moves_are_as_many_as_are_asked_for_up_to_the_day() -> None:
    asset = series(100, 110, 99, 198, 99)
    assert asset.moves(3, 2) == pytest.approx((-0.1, 1.0))
    assert asset.moves(1, 2) == pytest.approx((0.1,))
    assert asset.moves(0, 2) == ()


def test_a_day_looks_the_same_whatever_was_earned_before() -> None:
    rich, poor = desk(100, 110, 120, 130), desk(100, 110, 120, 130)
    rewards(rich, "buy"), rewards(poor, "sell")
    went = [at.step(Action(text="buy")) for at in (rich, poor)]
    assert went[0].observation == went[1].observation
    assert "You were long." in went[0].observation.text
    assert "so far +20.0%" in str(went[0].feedback)
    assert "so far -1.8%" in str(went[1].feedback)


def test_costs_are_paid_on_what_changes_hands() -> None:
    at = desk(100, 110, 121, 121, cost=0.01)
    assert rewards(at, "buy", "buy", "hold") == pytest.approx([0.09, 0.1, -0.01])
    # A short of 1 has grown to 110 / 90 by a rise of a tenth; coming back to -1 costs the rest.
    assert rewards(at, "sell", "sell")[1] == pytest.approx(-0.1 - 0.01 * (110 / 90 - 1))


def test_no_decision_stays_out_and_a_lost_capital_ends_it() -> None:
    at = desk(100, 110, 330, 330)
    at.reset(0)
    refused = at.step(Action(text="buy it all"))
    assert refused.reward == 0.0
    assert refused.feedback.startswith("That is no decision")
    lost = at.step(Action(text="sell"))
    assert (lost.reward, lost.terminated, lost.success) == (-1.0, True, False)
    assert at.step(Action(text="buy")).terminated


def test_success_is_a_share_of_what_foresight_earns() -> None:
    closes = (100, 110, 99, 108.9, 98.01)
    best, path = foresight(market(series(*closes)), 0, 4, 0.0)
    assert best == pytest.approx(4 * math.log(1.1))
    assert path == ((1,), (-1,), (1,), (-1,))
    enough = ("buy", "sell", "hold", "hold")
    for share, success in ((0.5, True), (0.51, False)):
        at = desk(*closes, share=share)
        at.reset(0)
        results = [at.step(Action(text=text)) for text in enough]
        assert [r.success for r in results] == [False, False, False, success]


def test_foresight_stays_where_a_move_costs_more_than_it_brings() -> None:
    found = market(series(100, 110, 109.9, 120))
    assert foresight(found, 0, 3, 0.01)[1] == ((1,), (1,), (1,))
    assert foresight(found, 0, 3, 0.0)[1] == ((1,), (-1,), (1,))
    two = market(series(100, 101, 101), series(100, 100, 80, name="BBB"))
    assert foresight(two, 0, 2, 0.0)[1] == ((1, 0), (0, -1))


def decided(rule: Rule, seen: Market, day: int) -> str:
    return rule(seen, 20, day)


@pytest.mark.parametrize("ref", TASKS)
def test_nothing_that_is_shown_or_weighed_looks_ahead(ref: str) -> None:
    found = desk_of(ref).market
    assert looks_ahead(found, DAYS, described) == ()
    ones = [1] * len(found.assets)
    assert looks_ahead(found, DAYS, lambda m, d: by_mean_variance(m, d, ones)) == ()
    for rule in RULES.values():
        assert looks_ahead(found, DAYS, partial(decided, rule)) == ()


def test_a_planted_leak_is_found_on_the_days_that_show_it() -> None:
    found = desk_of("trading-v1").market

    def leaking(seen: Market, day: int) -> str:
        told = described(seen, day)
        return f"{told} {seen.next_moves(day)[0]:+.1%}" if day % 7 == 0 else told

    assert looks_ahead(found, DAYS, leaking) == (21, 28, 35)
    assert looks_ahead(found, (20, 39), lambda m, d: m.assets[0].news[d + 1]) == (20, 39)


def test_episodes_with_another_future_look_the_same_until_then() -> None:
    at = desk_of("trading-v1")
    asset = at.market.assets[0]
    changed = tuple(c if n <= 30 else 2 * c for n, c in enumerate(asset.closes))
    other = Desk(
        replace(at.market, assets=(replace(asset, closes=changed),)), at.first, at.last, at.terms
    )
    said = [
        [d.reset(0), *(d.step(Action(text="buy")).observation for _ in range(11))]
        for d in (at, other)
    ]
    assert said[0][:11] == said[1][:11]
    assert said[0][11] != said[1][11]


@pytest.mark.parametrize("ref", TASKS)
def test_a_preview_is_what_the_observation_says_whatever_was_done(ref: str) -> None:
    at = desk_of(ref)
    shown = at.reset(0)
    for step in range(1, 5):
        seen = shown.text
        for role in ROLES:
            for line in at.preview(role, step).text.splitlines():
                assert line.split(". ", 1)[-1] in seen
        shown = at.step(Action(text="sell")).observation
    for role, step in (("manager", 1), ("news", 0), ("news", 21)):
        with pytest.raises(ValueError, match=r"no (role|step)"):
            at.preview(role, step)


def knower(task: WorldTask) -> Policy:
    """Trades on the planted topics of the news, and on nothing else."""
    assert isinstance(task.world, Trading)
    rising = task.world.planted().rising

    def act(situation: Situation) -> Action:
        parts = []
        for line in situation.observation.text.splitlines():
            if "News:" in line:
                news = line.split("Latest filing")[0].lower()
                parts.append("buy" if any(topic in news for topic in rising) else "sell")
                if not line.startswith("News:"):
                    parts[-1] += " " + line.split(".")[0]
        return Action(text=", ".join(parts))

    return act


@pytest.mark.parametrize("ref", TASKS)
def test_knowing_the_rule_pays_and_without_a_rule_it_does_not(ref: str) -> None:
    def mean(task: WorldTask) -> float:
        policy = knower(load_task(ref))
        found = [play(task, i, policy) for i in task.instances("test", 0, 20)]
        return fmean(measured.compounded([r.reward or 0.0 for r in p.results]) for p in found)

    assert mean(load_task(ref)) > 0.2
    assert -0.08 < mean(load_task(f"{ref}?rule=none")) < 0.0


@pytest.mark.parametrize("rule", ["filing", "momentum"])
def test_other_rules_move_prices_the_way_they_say(rule: str) -> None:
    task = load_task(f"trading-v1?rule={rule}&horizon=60")
    assert isinstance(task.world, Trading)
    planted, found = task.world.planted(), []
    for instance in task.instances("train", 0, 10):
        at = task.world.desk(instance).market
        for day in range(20, 80):
            said = described(at, day, ("momentum",)).removeprefix("Over five days the price ")
            filing = described(at, day, ("filing",))
            paper = next((p for p in task.world.wire.papers if p in filing), "")
            sign = planted.sign("", paper, said)
            if sign:
                found.append(sign * at.next_moves(day)[0])
    assert fmean(found) == pytest.approx(0.012, abs=0.002)
    assert load_task("trading-v1?rule=drawn", task_seed=1).world.planted().kind != "none"  # type: ignore[attr-defined]


def test_the_random_policy_loses_what_the_readme_says() -> None:
    for ref, stated in (("trading-v1", -0.021), ("portfolio-v1", -0.026)):
        task = load_task(ref)
        results = []
        for instance in task.instances("test", 0, 60):
            played = play(task, instance, control("random", task, instance))
            results.append(measured.compounded([r.reward or 0.0 for r in played.results]))
        assert fmean(results) == pytest.approx(stated, abs=0.02), ref


def test_decisions_are_read_in_any_order_and_never_guessed() -> None:
    names = ("AAA", "BBB")
    assert read_decision("sell bbb, Buy AAA.", names) == (1, -1)
    assert read_decision("buy BBB", names) == (0, 1)
    for text in ("buy", "buy AAA, sell AAA", "buy CCC", "buy AAA and BBB", ""):
        assert read_decision(text, names) is None
    assert stated_weights(weights_text(names, (0.1, -2 / 3)), names) == (0.1, -2 / 3)
    for text in ("weights AAA 0.6, BBB 0.5", "weights AAA nan", "weights CCC 1", "buy AAA"):
        assert stated_weights(text, names) is None


@pytest.mark.parametrize("ref", [*TASKS, "portfolio-v1?assets=4"])
@pytest.mark.parametrize("name", CONTROLS)
def test_controls_trade_every_day(ref: str, name: str) -> None:
    task, instance = first(ref, 3)
    played = play(task, instance, control(name, task, instance))
    assert len(played.steps) == 20
    assert not any("no decision" in step.feedback for step in played.steps)


def test_buy_and_hold_trades_once_and_equals_the_prices() -> None:
    for ref in ("trading-v1?cost=0", "portfolio-v1?cost=0"):
        task, instance = first(ref)
        at = desk_of(ref)
        played = play(task, instance, control("buy-and-hold", task, instance))
        grown = fmean(a.closes[40] / a.closes[20] for a in at.market.assets) - 1
        earned = measured.compounded([r.reward or 0.0 for r in played.results])
        assert earned == pytest.approx(grown, abs=1e-9)
        moved = [r.components["traded"] for r in played.results]
        assert moved == pytest.approx([1.0] + [0.0] * 19, abs=1e-9)


def test_minimum_variance_holds_the_calm_asset_and_momentum_follows() -> None:
    calm = [101 - n % 2 for n in range(30)]
    wild = [100 * 1.01**n * (1 + n % 2 / 10) for n in range(30)]
    two = market(series(*calm), series(*wild, name="BBB"))
    found = stated_weights(RULES["minimum-variance"](two, 20, 25), two.names)
    assert found is not None
    assert found[0] > 0.9
    assert RULES["momentum"](two, 20, 26) == "buy AAA, sell BBB"
    assert RULES["equal-weight"](two, 20, 26) == "weights AAA 0.5, BBB 0.5"


def test_controls_need_a_task_that_is_traded() -> None:
    task, instance = first("gridnav-v1")
    with pytest.raises(ConfigurationError, match="not traded"):
        control("momentum", task, instance)
    with pytest.raises(UnknownNameError, match="did you mean: momentum"):
        control("momentun", task, instance)


def test_settings_that_cannot_work_are_one_line() -> None:
    for query in ("horizon=1", "rule=mood", "cost=1", "share=0"):
        said = re.escape(f"trading-v1?{query}: {query.split('=')[0]}: ")
        with pytest.raises(ConfigurationError, match=f"^{said}"):
            load_task(f"trading-v1?{query}")
    assert play(*first("trading-v1?horizon=3"), follow("hold")).ended


@pytest.mark.parametrize("ref", ["trading-v1", "portfolio-v1"])
def test_what_is_left_and_what_all_roles_see_is_the_observation(ref: str) -> None:
    task = load_task(ref)
    at: Any = task.environment(task.instances("train", 0, 1)[0])
    seen = at.reset(0)
    for step in (1, 2, 3):
        left = at.left(at.roles)
        assert left.actions == seen.actions
        assert left.text.splitlines()[0] == f"Day {step} of 20."
        # Nothing of any source, not even the names of the assets.
        assert len(left.text.splitlines()) == (1 if step == 1 else 2)
        assert at.left(()) == seen
        said = " ".join((left.text, *(at.preview(role, step).text for role in at.roles)))
        assert set(seen.text.split()) <= set(said.split())
        seen = at.step(Action(text=seen.actions[0])).observation
    assert "Trading is" in at.left(("news",)).text
    assert "News:" not in at.left(("news",)).text


def test_after_the_last_day_nothing_is_left() -> None:
    task = load_task("trading-v1?horizon=2")
    at: Any = task.environment(task.instances("train", 0, 1)[0])
    at.reset(0)
    ends = [at.step(Action(text="hold")) for _ in range(2)]
    assert at.left(at.roles) == ends[-1].observation
