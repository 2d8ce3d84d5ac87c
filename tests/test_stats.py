"""Intervals over instances, not over episodes."""

from __future__ import annotations

import random
import statistics
import tracemalloc
from typing import Any

import pytest

from verbalrl import stats
from verbalrl.records import Usage
from verbalrl.result import ArmFacts, Outcome, RunFacts, solved_by, summarise
from verbalrl.stats import (
    DIFFERENCES,
    EXACT,
    RATES,
    interval,
    intervals,
    mean_by_instance,
    paired_chance,
    paired_difference,
)


def outcome(instance: str, trial: int, success: bool | None, **changes: object) -> Outcome:
    base: dict[str, Any] = {
        "arm": "learned",
        "seed": 0,
        "instance": instance,
        "split": "train",
        "trial": trial,
        "purpose": "attempt",
        "success": success,
        "failed": False,
        "reward": None if success is None else float(success),
    }
    return Outcome(**(base | changes))


def test_an_interval_covers_its_mean_and_repeats_exactly() -> None:
    first, second = interval([0.0, 1.0, 1.0, 0.0]), interval([0.0, 1.0, 1.0, 0.0])
    assert first == second
    assert first is not None
    assert first.pair is not None
    assert first.pair[0] <= first.mean == 0.5 <= first.pair[1]
    assert interval([]) is None


def test_one_instance_has_no_interval() -> None:
    for ends in (RATES, DIFFERENCES, None):
        assert interval([1.0], ends) == (1.0, None, None, 1)
    result = summarise(
        facts(train=1, trials=1),
        [outcome("a", 1, arm == "learned", arm=arm) for arm in ("retry", "learned")],
        {"retry": ArmFacts(), "learned": ArmFacts()},
    )
    learned = result.arms["learned"]
    assert (learned["ci95"], learned["vs_retry"]["ci95"]) == (None, None)
    row = next(line for line in result.table().splitlines() if line.startswith("learned "))
    assert row.split()[:5] == ["learned", "1.00", "1.0", "+1.00", "p=1.000"]


@pytest.mark.parametrize("count", [2, 8, 40])
def test_instances_that_agree_have_an_interval_with_a_width(count: int) -> None:
    others = 1.959964**2 / (count + 1.959964**2)
    for value, ends in ((0.0, RATES), (1.0, RATES), (1.0, DIFFERENCES), (0.0, DIFFERENCES)):
        found = interval([value] * count, ends)
        assert found is not None
        low, high = (value + others * (end - value) for end in ends)
        assert (found.mean, found.low, found.high) == pytest.approx((value, low, high))
        assert high - low > 0.05
    assert interval([1.0] * count) == pytest.approx((1.0, 1 - others, 1.0, count))
    assert interval([0.3] * count, None) == (0.3, None, None, count)


def test_an_interval_of_instances_that_agree_covers_rates_near_the_edge() -> None:
    """Of 8 instances at a rate of .9 all are solved in 43 % of runs; [1, 1] missed it in each."""
    solved, rate = interval([1.0] * 8), 0.9
    assert solved is not None
    assert solved.low is not None
    assert solved.low < rate


def test_only_intervals_without_a_width_are_replaced() -> None:
    values = [1.0] * 19 + [0.0]
    for ends in (RATES, DIFFERENCES, None):
        found = interval(values, ends)
        assert found is not None
        assert (found.mean, found.pair, found.n) == (0.95, (0.85, 1.0), 20)


@pytest.mark.parametrize("count", [1, 2, 3, 33, 1001])
def test_an_interval_does_not_depend_on_how_many_draws_are_made_at_once(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [n * 0.37 % 1 for n in range(count)]
    usual = interval(values)
    for at_once in (1, 7 * count, stats.DRAWS * count):
        monkeypatch.setattr(stats, "_AT_ONCE", at_once)
        assert interval(values) == usual


def test_several_intervals_are_those_of_each() -> None:
    samples = [[n * 0.37 % k for n in range(count)] for k, count in ((1, 40), (2, 40), (3, 7))]
    assert intervals([*samples, []]) == (*map(interval, samples), None)


def mixed(count: int, *values: float) -> list[float]:
    draw = random.Random(1)
    return [draw.choice(values) for _ in range(count)]


def ends(found: stats.Interval | None) -> tuple[float, float]:
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


@pytest.mark.parametrize("values", [(0.0, 1.0), (-1.0, 0.0, 1.0), (0.0, 1 / 3, 2 / 3, 1.0)])
def test_of_many_instances_how_often_each_value_is_drawn_tells_the_same(
    monkeypatch: pytest.MonkeyPatch, values: tuple[float, ...]
) -> None:
    few, many = mixed(stats.EXACT, *values), mixed(stats.EXACT + 1, *values)
    counted, usual = ends(interval(many)), interval(few)
    monkeypatch.setattr(stats, "EXACT", len(many))
    drawn = ends(interval(many))
    assert interval(few) == usual
    assert counted != drawn
    # Ends of 2,000 draws wander by some hundredths of the width.
    assert counted == pytest.approx(drawn, abs=0.1 * (drawn[1] - drawn[0]))


def test_counted_draws_have_the_width_of_the_normal_interval() -> None:
    values = mixed(20_000, -1.0, 0.0, 0.0, 1.0)
    low, high = ends(interval(values, DIFFERENCES))
    wanted = 2 * 1.959964 * statistics.pstdev(values) / len(values) ** 0.5
    assert high - low == pytest.approx(wanted, rel=0.05)


@pytest.mark.parametrize(("different", "counts"), [(4, True), (64, True), (65, False)])
def test_only_few_values_are_counted(
    monkeypatch: pytest.MonkeyPatch, different: int, *, counts: bool
) -> None:
    many = [n % different / different for n in range(stats.EXACT + 1)]
    found = interval(many)
    monkeypatch.setattr(stats, "EXACT", len(many))
    assert (interval(many) != found) is counts


@pytest.mark.parametrize("shares", [(7, 2, 6), (1, 2, 3), (5, 5, 1)])
def test_the_second_less_the_first_mirrors_the_first_less_the_second(
    shares: tuple[int, int, int],
) -> None:
    plus, zero, minus = (100 * share for share in shares)
    values = [1.0] * plus + [0.0] * zero + [-1.0] * minus
    low, high = ends(interval(values, DIFFERENCES))
    mirrored = ends(interval([-x for x in values], DIFFERENCES))
    assert mirrored == pytest.approx((-high, -low), abs=1e-12)


def test_means_over_seeds_are_sorted_and_are_means() -> None:
    several = {("b", 1): 1.0, ("a", 2): 1.0, ("a", 1): 0.0}
    assert list(mean_by_instance(several).items()) == [("a", 0.5), ("b", 1.0)]
    assert list(mean_by_instance({("b", 1): 1.0, ("a", 2): 0.5}).items()) == [
        ("a", 0.5),
        ("b", 1.0),
    ]


def test_intervals_of_many_are_those_of_each_whatever_values_they_have() -> None:
    count = stats.EXACT + 500
    samples = [mixed(count, 0.0, 1.0), [n * 0.37 % 1 for n in range(count)], mixed(count, 0.0, 0.5)]
    samples.append([n * 0.11 % 1 for n in range(count)])
    assert intervals(samples) == tuple(map(interval, samples))


def test_an_interval_over_many_instances_needs_little_memory() -> None:
    values = [n * 0.37 % 1 for n in range(10_000)]
    interval(values[:2])  # numpy is imported
    tracemalloc.start()
    try:
        interval(values)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_seeds_of_one_instance_are_not_independent() -> None:
    few = {(f"i{n}", 0): float(n % 2) for n in range(10)}
    many = {(f"i{n}", s): float(n % 2) for n in range(10) for s in range(50)}
    assert interval(list(mean_by_instance(few).values())) == interval(
        list(mean_by_instance(many).values())
    )


def test_a_paired_difference_uses_what_both_have() -> None:
    found = paired_difference({("a", 0): 1.0, ("b", 0): 1.0}, {("a", 0): 0.0, ("c", 0): 0.0})
    assert found is not None
    assert (found.mean, found.n) == (1.0, 1)


def test_solved_by_counts_all_instances_and_leaves_unknown_out() -> None:
    outcomes = [
        outcome("a", 1, False),
        outcome("a", 2, True),
        outcome("b", 1, False),
        outcome("c", 1, None),
        outcome("d", 1, None, failed=True),
        outcome("e", 1, True, purpose="probe"),
        outcome("f", 1, True, failed=True),
    ]
    broken = {("d", 0): 0, ("f", 0): 0}
    assert solved_by(outcomes, "train", 1) == {("a", 0): 0, ("b", 0): 0, **broken}
    assert solved_by(outcomes, "train", 2) == {("a", 0): 1, ("b", 0): 0, **broken}


def facts(**changes: object) -> RunFacts:
    base = {
        "run": "run_x",
        "task": "t-v1",
        "method": "reflexion",
        "model": "offline:apprentice",
        "simulated": True,
        "learns": "instance",
        "trials": 2,
        "seeds": (0,),
        "train": 2,
        "test": 0,
        "reported": "train",
    }
    return RunFacts.model_validate(base | changes)


def test_the_figures_stand_beside_their_controls() -> None:
    outcomes = [outcome("a", 2, True), outcome("b", 1, True)]
    outcomes += [outcome(i, 1, False, arm="retry") for i in ("a", "b")]
    result = summarise(facts(), outcomes, {"retry": ArmFacts(), "learned": ArmFacts()})
    learned = result.arms["learned"]
    assert learned["success_by_trial"] == [0.5, 1.0]
    assert learned["vs_retry"] == {
        "trial": 2, "diff": 1.0, "ci95": [-0.3152, 1.0], "p": 0.5, "shows": "neither",
        "n": 2, "of": 2, "partial": False,
    }  # fmt: skip
    assert "says nothing about LLMs" in result.table()


def test_pass_at_k_of_retry_is_marked_for_shared_methods() -> None:
    outcomes = [outcome("a", 1, False, split="test", arm=a) for a in ("retry", "learned")]
    outcomes.append(outcome("a", 2, True, split="test", arm="retry"))
    result = summarise(
        facts(learns="shared", reported="test"),
        outcomes,
        {"retry": ArmFacts(), "learned": ArmFacts()},
    )
    assert result.arms["retry"]["success_by_trial"] == [0.0, 1.0]
    assert result.arms["retry"]["oracle_stopped"] is True
    assert result.arms["learned"]["vs_retry"]["diff"] == pytest.approx(0.0)
    assert "retry (oracle-stopped)" in result.table()
    assert "the success of retry is pass@2, stopped by the reward" in result.table()


@pytest.mark.parametrize(("learns", "trial"), [("instance", 2), ("shared", 1)])
def test_the_table_says_which_trial_of_retry_is_compared_with(learns: str, trial: int) -> None:
    outcomes = [outcome("a", t, False, arm=a) for a in ("retry", "learned") for t in (1, 2)]
    arms = {"retry": ArmFacts(), "learned": ArmFacts()}
    table = summarise(facts(learns=learns), outcomes, arms).table()
    assert f"vs retry@{trial} [95 %]" in table
    assert ("those of retry are what none does" in table) is (trial == 1)


def test_a_run_cut_short_compares_instances_that_both_arms_finished() -> None:
    outcomes = [
        *(outcome("a", t, t == 2, arm="learned") for t in (1, 2)),
        *(outcome("a", t, False, arm="retry") for t in (1, 2, 3)),
        *(outcome("b", 1, True, arm=arm) for arm in ("learned", "retry")),
        outcome("c", 1, True, arm="learned"),
        outcome("c", 1, False, arm="retry"),  # may yet be solved
        outcome("d", 1, False, arm="learned"),
    ]
    arms = {"retry": ArmFacts(), "learned": ArmFacts()}
    for status, versus, end in (
        ("stopped", {"diff": 0.5, "n": 2, "of": 5, "partial": True}, (2, 3)),
        ("done", {"diff": 0.6667, "n": 3, "of": 5, "partial": False}, (3, 4)),
    ):
        result = summarise(facts(trials=3, train=5, status=status), outcomes, arms)
        assert result.arms["learned"]["vs_retry"].items() >= versus.items()
        assert (result.arms["retry"]["finished"], result.arms["learned"]["finished"]) == end
    table = summarise(facts(trials=3, train=5, status="stopped"), outcomes, arms).table()
    assert "instances finished: retry 2 of 5, learned 3 of 5" in table
    assert "(2 of 5)" in table


def test_an_instance_is_finished_when_it_is_so_in_every_seed() -> None:
    outcomes = [outcome("a", 1, True, seed=0), outcome("a", 1, False, seed=1)]
    run = facts(seeds=(0, 1), status="stopped", train=1)
    (learned,) = summarise(run, outcomes, {"learned": ArmFacts()}).arms.values()
    assert (learned["finished"], learned["planned"]) == (0, 1)


def test_the_commonest_cause_of_failures_stands_below_the_table() -> None:
    broken = {"failed": True, "failure": "model_error: no such model"}
    outcomes = [outcome(i, 1, None, **broken) for i in ("a", "b")]
    outcomes += [
        outcome("c", 1, None, failed=True, failure="task_error: a wall"),
        outcome("d", 1, True),
    ]
    result = summarise(facts(), outcomes, {"learned": ArmFacts()})
    assert result.figures["failures"] == [
        {"failure": "model_error: no such model", "count": 2},
        {"failure": "task_error: a wall", "count": 1},
    ]
    assert "3 of 4 episodes broke; most often (2×): model_error: no such model" in result.table()


def test_rows_of_both_splits_are_reported_as_such() -> None:
    result = summarise(facts(train=10, test_rows=3), [outcome("a", 1, True)], {"none": ArmFacts()})
    assert result.figures["split"] == {"train": 7, "test": 3, "reported": "all"}
    assert "all 10 instances (7 train + 3 test rows)" in result.table()
    assert "train split" not in result.table()


def test_without_retry_the_table_compares_with_nothing() -> None:
    table = summarise(facts(), [outcome("a", 1, True)], {"learned": ArmFacts()}).table()
    assert "retry@" not in table


def test_more_seeds_of_the_same_instances_do_not_narrow_the_figures() -> None:
    def run(seeds: int) -> dict[str, object]:
        outcomes = [
            outcome(f"i{n}", 1, bool(n % 2) and arm == "learned", seed=s, arm=arm)
            for n in range(12)
            for s in range(seeds)
            for arm in ("retry", "learned")
        ]
        arms = {"retry": ArmFacts(), "learned": ArmFacts()}
        result = summarise(facts(seeds=tuple(range(seeds)), trials=1), outcomes, arms)
        learned = result.arms["learned"]
        return {"ci95": learned["ci95"], "versus": learned["vs_retry"]}

    assert run(1) == run(20)


@pytest.mark.parametrize(
    ("other", "rate", "unknown"),
    [
        (outcome("b", 1, True), 0.5, 0),  # the task judges: who was cut has not succeeded
        (outcome("b", 1, False), 0.0, 0),
        (outcome("b", 1, None), None, 2),  # it never does: nobody can be said to have failed
        (outcome("b", 1, None, failed=True), 0.0, 1),
        (outcome("b", 1, True, purpose="probe"), None, 1),
    ],
)
def test_to_be_cut_short_is_not_to_succeed(
    other: Outcome, rate: float | None, unknown: int
) -> None:
    outcomes = [outcome("a", 1, None, cut=True), other]
    learned = summarise(facts(trials=1), outcomes, {"learned": ArmFacts()}).arms["learned"]
    assert (learned["success_rate"], learned["unknown"]) == (rate, unknown)


def test_who_was_cut_before_acting_has_failed_in_any_task() -> None:
    outcomes = [outcome("a", 1, None, cut=True, idle=True), outcome("b", 1, None)]
    learned = summarise(facts(trials=1), outcomes, {"learned": ArmFacts()}).arms["learned"]
    assert (learned["success_rate"], learned["unknown"]) == (0.0, 1)


def test_an_instance_counts_from_the_first_trial_that_was_judged() -> None:
    outcomes = [
        outcome("a", 1, None),
        outcome("a", 2, False),
        outcome("b", 1, None),
        outcome("b", 2, True),
        outcome("c", 1, True),
    ]
    assert solved_by(outcomes, "train", 1) == {("c", 0): 1}
    assert solved_by(outcomes, "train", 2) == {("a", 0): 0, ("b", 0): 1, ("c", 0): 1}


def test_the_table_counts_unknown_episodes_by_arm() -> None:
    outcomes = [outcome("a", 1, None), outcome("b", 1, True), outcome("b", 1, True, arm="retry")]
    result = summarise(facts(), outcomes, {"retry": ArmFacts(), "learned": ArmFacts()})
    assert "episodes of unknown success, left out of the rates: learned 1" in result.table()
    clear = summarise(facts(), outcomes[1:], {"retry": ArmFacts(), "learned": ArmFacts()})
    assert "unknown" not in clear.table()


def test_a_cost_of_which_a_part_is_unknown_is_unknown() -> None:
    priced, unpriced = Usage(input=1, calls=1, cost_usd=0.1), Usage(input=9, calls=1)
    assert (priced + unpriced).cost_usd is None
    assert (unpriced + priced).cost_usd is None
    assert (Usage() + priced + Usage()).cost_usd == 0.1
    assert (Usage() + Usage()).cost_usd is None
    # Answers of earlier runs were paid for there.
    assert (priced + unpriced.replace(reused=9)).cost_usd == 0.1
    usage = {"actor": priced, "critic": unpriced}
    outcomes = [outcome("a", 1, True)]
    both = summarise(facts(), outcomes, {"learned": ArmFacts(usage=usage)})
    assert both.arms["learned"]["cost_usd"] is None
    one = summarise(facts(), outcomes, {"learned": ArmFacts(usage={"actor": priced})})
    assert one.arms["learned"]["cost_usd"] == 0.1


@pytest.mark.parametrize(
    ("by", "said"),
    [
        (("offline:apprentice", "offline:apprentice#2"), "offline apprentice"),
        (("scripted",), "simulated model scripted"),
        (("scripted", "offline:apprentice"), "offline apprentice and simulated model scripted"),
        ((), "offline apprentice"),
    ],
)
def test_the_table_says_who_answered_in_place_of_models(by: tuple[str, ...], said: str) -> None:
    run = facts(simulated=True, simulated_by=by, model="offline:apprentice", train=1)
    table = summarise(run, [outcome("a", 1, True)], {"learned": ArmFacts()}).table()
    assert table.splitlines()[-1] == f"{said}: tests the loop, says nothing about LLMs"
    assert "train split, 1 instance, seeds" in table


def test_the_table_names_lessons_that_leak() -> None:
    run = facts(learns="shared", reported="test", leaks=tuple(f"le_{n}" for n in range(5)))
    result = summarise(run, [outcome("a", 1, True, split="test")], {"learned": ArmFacts()})
    assert result.figures["leaks"] == {"count": 5, "ids": [f"le_{n}" for n in range(5)]}
    assert "5 lessons with 8 words in a row of a test instance" in result.table()
    assert "le_0, le_1, le_2 and 2 more" in result.table()
    assert summarise(facts(), [], {"learned": ArmFacts()}).figures["leaks"] is None


def test_a_table_says_what_kept_an_arm_from_learning() -> None:
    facts = RunFacts(
        run="r", task="t", method="reflexion", model="m", simulated=False, learns="instance",
        trials=1, seeds=(0,), train=1, test=0, reported="train",
    )  # fmt: skip
    counts = {"written": 3, "useful": 0, "refused": {"empty": 1}, "failed": 2}
    arms = {"learned": ArmFacts(critiques={**counts, "failed_curations": 1})}
    shown = summarise(facts, [outcome("i", 1, success=True)], arms).table()
    said = "learned: 0 of 3 critiques useful (2 failed, 1 refused), 1 curation failed"
    assert said in shown
    fine = {"learned": ArmFacts(critiques={"written": 3, "useful": 3, "failed": 0})}
    whole = summarise(facts, [outcome("i", 1, success=True)], fine).table()
    assert "learned: 3 of 3 critiques useful" in whole
    assert "verbalrl critiques" not in whole


def test_chance_is_counted_exactly() -> None:
    def chance(*differences: float) -> float | None:
        ours = {(str(n), 0): d for n, d in enumerate(differences)}
        return paired_chance(ours, dict.fromkeys(ours, 0.0))

    # 12 wins on 4 tasks are 4 wins: two of the 16 ways in which signs fall are as extreme.
    assert chance(1, 1, 1, 1) == pytest.approx(2 / 16)
    assert chance(1, 1, 1, -1, 0, 0) == pytest.approx(10 / 16)
    assert chance(1, 2, 3) == pytest.approx(2 / 8)
    assert chance(1 / 3, 2 / 3, -1 / 3) == pytest.approx(6 / 8)
    # Over 13 seeds, too, sums that are equal count as equal: two of the 16 are smaller.
    assert chance(1 / 13, 3 / 13, 3 / 13, -4 / 13) == pytest.approx(14 / 16)
    assert chance(0.123_456_7, 0.2) == pytest.approx(2 / 4)
    assert chance(0, 0) == 1.0
    assert chance() is None


def test_seeds_of_one_instance_are_one_instance() -> None:
    ours = {(i, seed): 1.0 for i in "abcd" for seed in range(3)}
    theirs = dict.fromkeys(ours, 0.0)
    assert paired_chance(ours, theirs) == pytest.approx(2 / 16)


def test_of_many_instances_chance_is_approximated() -> None:
    few = {(str(n), 0): 1.0 if n % 5 < 3 else -1.0 for n in range(EXACT)}
    many = few | {(f"x{n}", 0): 1.0 if n % 5 < 3 else -1.0 for n in range(5)}
    zero = dict.fromkeys(many, 0.0)
    exact, about = paired_chance(few, zero), paired_chance(many, zero)
    assert exact is not None
    assert about is not None
    assert 0.5 < about / exact < 1.5


def test_a_table_that_is_too_wide_puts_counts_below_then_trials() -> None:
    def shown(trials: int) -> list[str]:
        names = ("retry", "learned")
        outcomes = [
            outcome(f"i{n}", t, t == trials and n < 3, arm=arm)
            for arm in names
            for n in range(6)
            for t in range(1, trials + 1)
        ]
        arms = {arm: ArmFacts() for arm in names}
        return summarise(facts(trials=trials, train=6), outcomes, arms).table().splitlines()

    narrow, wide, wider = shown(2), shown(9), shown(19)
    assert narrow[1].split()[-3:] == ["%]", "episodes", "tokens"]
    assert "by trial" in wide[1]
    assert "tokens" not in wide[1]
    assert "learned: 54 episodes, 0 tokens" in wide
    assert "by trial" not in wider[1]
    assert any(line.startswith("learned by trial: .00 .00") for line in wider)
    for lines in (narrow, wide, wider):
        assert max(map(len, lines[1:4])) <= 100


def test_a_table_of_the_size_of_the_demo_stays_whole() -> None:
    outcomes = [
        outcome(f"i{n}", t, t == 3 and n < 3, arm=arm, split="test")
        for arm in ("retry", "learned")
        for n in range(6)
        for t in ((1, 2, 3) if arm == "retry" else (1,))
    ]
    arms = {"retry": ArmFacts(), "learned": ArmFacts()}
    told = facts(learns="shared", reported="test", trials=3, test=6)
    lines = summarise(told, outcomes, arms).table().splitlines()
    heads = lines[1]
    assert [head in heads for head in ("by trial", "episodes", "tokens")] == [True] * 3
    assert " (oracle-stopped)" in lines
    assert max(map(len, lines)) <= 100


def test_the_table_has_no_column_that_says_nothing() -> None:
    outcomes = [outcome("a", 1, False, arm=a) for a in ("none", "learned")]
    table = summarise(facts(), outcomes, {"none": ArmFacts(), "learned": ArmFacts()}).table()
    assert "vs retry" not in table
    assert "errors" not in table
