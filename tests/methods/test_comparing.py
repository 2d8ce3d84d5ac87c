"""Two attempts beside each other: agreement, worth, trades; and how far beliefs may be edited."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from verbalrl.methods.comparing import LONGEST, agreed, audiences, objective, overlap, portions
from verbalrl.methods.stepping import within_step
from verbalrl.records import (
    Action,
    ClosedRound,
    Commit,
    CurateLessons,
    Decision,
    Episode,
    EpisodeSpec,
    Evidence,
    Lesson,
    LessonBody,
    LessonKind,
    MemoryUpdate,
    Observation,
    OpenRound,
    Operation,
    Origin,
    Overlap,
    Reward,
    SharedView,
    Status,
    Step,
    StopReason,
    ToolCallPart,
    Trajectory,
    bound_of_step,
    decision_of,
    trades_of,
)


def trajectory(actions: Sequence[str], rewards: Sequence[float | None] | None = None) -> Trajectory:
    given = rewards if rewards is not None else [None] * len(actions)
    return Trajectory(
        steps=tuple(
            Step(n=n, observation=Observation(text=f"day {n}"), action=Action(text=a), reward=r)
            for n, (a, r) in enumerate(zip(actions, given, strict=True), start=1)
        )
    )


def episode(
    actions: Sequence[str],
    rewards: Sequence[float | None] | None = None,
    value: float | None = None,
    success: bool | None = None,
) -> Episode:
    return Episode(
        id="ep", run="r", arm="learned", seed=0, spec=EpisodeSpec(instance="i"),
        trajectory=trajectory(actions, rewards), reward=Reward(value=value), success=success,
        stop_reason=StopReason.TERMINATED,
    )  # fmt: skip


def test_thirty_five_of_forty_nine_equal_decisions_are_an_overlap_of_0714() -> None:
    one = ["buy", "sell", "hold", "buy", "sell", "hold", "buy"] * 7
    other = [a if n % 7 < 5 else "keep" for n, a in enumerate(one)]
    found = overlap(trajectory(one), trajectory(other))
    assert found == Overlap(same=35, aligned=49, steps=49)
    share = found.share()
    assert share == 35 / 49
    assert f"{share:.3f}" == "0.714"


def test_a_step_without_a_partner_agrees_with_nothing() -> None:
    found = overlap(trajectory(["a", "b", "c"]), trajectory(["a", "b"]))
    assert found == Overlap(same=2, aligned=2, steps=3)
    assert found.share() == pytest.approx(2 / 3)
    assert found.share(least=3) is None, "too few have a partner"
    assert Overlap().share() is None


def test_spelling_does_not_tell_decisions_apart_and_arguments_do() -> None:
    assert decision_of(Action(text=" Buy ")) == decision_of(Action(text="buy"))

    def call(arguments: str) -> Action:
        return Action(parts=(ToolCallPart(id="c", name="trade", arguments=arguments),))

    assert decision_of(call('{"a": 1, "b": 2}')) == decision_of(call('{"b":2,"a":1}'))
    assert decision_of(call('{"a": 1}')) != decision_of(call('{"a": 2}'))
    assert decision_of(call("no json")) == decision_of(call(" no  json"))


def test_overlaps_of_instances_are_pooled_and_a_few_decisions_say_nothing() -> None:
    def closed(*overlaps: Overlap) -> SharedView:
        made = tuple(
            Decision(id=f"d{n}", branch="b", kind="compare", overlap=o)
            for n, o in enumerate(overlaps)
        )
        last = ClosedRound(2, OpenRound(instances=("i",)), 0, decisions=made)
        return SharedView(scope="s", rounds=(last,))

    assert agreed(closed(Overlap(same=1, aligned=1, steps=1), Overlap(aligned=3, steps=3))) == 0.25
    assert agreed(closed(Overlap(same=2, aligned=2, steps=2))) is None
    assert agreed(SharedView(scope="s")) is None


def test_the_objective_discounts_rewards_and_falls_back_on_the_episode() -> None:
    assert objective(episode("ab", [1.0, 2.0]), 1.0) == 3.0
    assert objective(episode("ab", [1.0, 2.0]), 0.5) == 2.0
    assert objective(episode("ab", [None, 2.0]), 0.5) == 1.0
    assert objective(episode("ab", value=0.7), 0.5) == 0.7
    assert [objective(episode("a", success=s), 1.0) for s in (True, False, None)] == [1, 0, 0]


def test_a_trade_is_a_maximal_run_of_one_decision() -> None:
    found = trades_of(trajectory(["buy", "Buy", "sell", "buy"], [0.1, 0.2, None, -0.1]))
    assert [(t.action, [s.n for s in t.steps]) for t in found] == [
        ("buy", [1, 2]), ("sell", [3]), ("buy", [4]),
    ]  # fmt: skip
    assert [t.profit for t in found] == [pytest.approx(0.3), None, -0.1]


def test_portions_show_what_won_and_lost_most_first_and_leave_out_what_earned_nothing() -> None:
    actions = ["buy", "sell", "hold", "buy", "sell", "buy"]
    one = episode(actions, [0.1, -0.2, 0.0, 0.3, -0.4, 0.0])
    other = episode(actions, [0.5, -0.1, 0.0, 0.0, 0.0, 0.0])
    found = portions((one, other), size=4, most=9)
    assert found == (((4, 5), (1, 2)), ((1, 2), ()))
    assert portions((one, other), size=8, most=9) == (((1, 2, 4, 5), (1, 2)),)
    assert portions((one, other), size=4, most=1) == (((4, 5), (1, 2)),)


def test_of_a_long_trade_the_steps_that_made_its_profit_are_shown() -> None:
    rewards = [0.01 * n for n in range(1, 11)]
    (shown,) = portions((episode(["buy"] * 10, rewards),), size=2, most=9)
    assert shown == ((6, 7, 8, 9, 10),)
    assert len(shown[0]) == LONGEST
    (lost,) = portions((episode(["buy"] * 10, [-r for r in reversed(rewards)]),), size=2, most=9)
    assert lost == ((1, 2, 3, 4, 5),)


def test_without_rewards_all_trades_are_shown_in_their_order() -> None:
    found = portions((episode(["a", "a", "b", "c", "d", "e"]),), size=2, most=9)
    assert found == (((1, 2, 3),), ((4, 5),), ((6,),))
    assert portions((episode(["a", "b", "c"], [0.0, 0.0, 0.0]),), 2, 9) == (((1, 2),), ((3,),))


def test_aspects_are_for_the_roles_of_their_name_and_the_rest_for_nobody_beside() -> None:
    assert audiences(("news", "risk")) == {"news": "news", "risk": "risk", "other": ""}
    assert audiences(()) == {}


# How far an edit may go.


def belief(n: int) -> Lesson:
    body = LessonBody(kind=LessonKind.BELIEF, when=f"case {n}", instruction=f"choose {n}")
    return Lesson(id=f"le{n}", scope="s", body=body, status=Status.ACTIVE, trust=Origin.TASK)


def change(op: Operation, lesson: str, evidence: int, *parents: str) -> MemoryUpdate:
    rests = tuple(
        Evidence(critique=f"cr{n}", episode="ep", instance="i", trial=1) for n in range(evidence)
    )
    return MemoryUpdate(op=op, lesson=lesson, evidence=rests, parents=parents)


def asked(*updates: MemoryUpdate) -> Commit:
    return Commit(id="cu", branch="b", scope="s", base=1, updates=updates)


def work(overlap: float | None, **more: int) -> CurateLessons:
    return CurateLessons(
        critiques=("c",), scope="s", kind=LessonKind.BELIEF, overlap=overlap, **more
    )


TEN = tuple(map(belief, range(10)))


@pytest.mark.parametrize(
    ("lines", "overlap", "most"),
    [(7, 35 / 49, 2), (10, 35 / 49, 2), (10, 0.9, 1), (3, 0.99, 1), (1, 1.0, 1), (10, 0.0, 10),
     (0, 0.9, None), (10, None, None)],
)  # fmt: skip
def test_at_most_one_minus_the_overlap_of_the_lines_and_always_one(
    lines: int, overlap: float | None, most: int | None
) -> None:
    assert bound_of_step(lines, overlap) == most


def test_an_edit_within_the_step_stands_and_support_is_free() -> None:
    updates = [change(Operation.SUPPORT, f"le{n}", 1) for n in range(10)]
    updates += [change(Operation.ADD, "new", 1), change(Operation.RETIRE, "le0", 1)]
    assert within_step(asked(*updates), TEN, work(35 / 49)) is None


def test_an_empty_list_may_be_filled_at_once() -> None:
    updates = [change(Operation.ADD, f"new{n}", 1) for n in range(9)]
    assert within_step(asked(*updates), (), work(0.9)) is None
    assert within_step(asked(*updates), TEN, work(None)) is None


def test_a_larger_edit_is_refused_in_words_and_keeps_what_has_most_evidence() -> None:
    updates = (
        change(Operation.ADD, "thin", 1),
        change(Operation.REVISE, "le1", 3),
        change(Operation.RETIRE, "le2", 2),
        change(Operation.SUPPORT, "le3", 1),
        change(Operation.SUPPORT, "le1", 1),
        change(Operation.KEEP_BOTH, "thin", 0),
    )
    found = within_step(asked(*updates), TEN, work(35 / 49))
    assert found is not None
    assert "3 of 10 belief lines" in found.why
    assert "at most 2" in found.why
    assert "71%" in found.why
    assert found.kept is not None
    assert found.kept.updates == (updates[1], updates[2], updates[3], updates[4])


def test_a_merge_counts_the_lines_that_it_joins() -> None:
    merge = change(Operation.MERGE, "new", 9, "le1", "le2", "le3")
    found = within_step(asked(merge, change(Operation.ADD, "one", 1)), TEN, work(0.8))
    assert found is not None
    assert found.kept is not None
    assert [u.lesson for u in found.kept.updates] == ["one"]


def test_a_repair_keeps_no_change_of_a_line_that_it_drops() -> None:
    updates = (
        change(Operation.ADD, "new", 1),
        change(Operation.REVISE, "new", 9),
        change(Operation.MERGE, "both", 8, "new", "le1"),
        change(Operation.RETIRE, "le2", 2),
    )
    found = within_step(asked(*updates), TEN, work(0.9))
    assert found is not None
    assert found.kept is not None
    assert [u.lesson for u in found.kept.updates] == ["le2"]


def test_a_repair_does_not_overfill_the_list() -> None:
    updates = (change(Operation.ADD, "new", 9), change(Operation.RETIRE, "le1", 1))
    found = within_step(asked(*updates), TEN, work(0.9, max_lessons=10))
    assert found is not None
    assert found.kept is not None
    assert [u.lesson for u in found.kept.updates] == ["le1"]
