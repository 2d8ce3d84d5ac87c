"""Group evaluation: what is tried, kept, scored and submitted, step by step (PaVeRL-SQL)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.loop.world import Safe, safes
from tests.methods.world import Told, acts, roles, tell
from verbalrl import ChatAgent, Learner, ScriptedModel, load_task
from verbalrl.errors import ConfigurationError
from verbalrl.methods import GroupEval, check_method, group_eval
from verbalrl.records import Action, Episode, Observation, StopReason
from verbalrl.tasks import Fruitless
from verbalrl.tasks.base import WorldTask


class Trying(Safe):
    """A safe that tells of some colours alone what pressing them would do."""

    def execute(self, action: Action, /) -> str:
        if action.text in ("?", "none"):
            return Fruitless("No such colour.")
        return "" if action.text == "blank" else super().execute(action)

    def _seen(self) -> Observation:
        # Any text may be answered, so that no agent is asked again for a listed action.
        return super()._seen().replace(actions=None)


def task() -> WorldTask:
    return safes("green", make=Trying, max_steps=1)


def in_turn(*colours: str) -> Callable[[str], dict[str, Any]]:
    left = itertools.chain(colours, itertools.repeat(colours[-1]))
    return lambda _: acts(next(left))


def scoring(*rounds: Mapping[int, float]) -> Callable[[str], dict[str, Any]]:
    """A critic that gives these scores, round by round."""
    left = iter(rounds)
    return lambda _: {
        "scores": {
            str(n): {"why": f"number {n} is what it is", "score": score}
            for n, score in next(left).items()
        }
    }


def unasked(_: str) -> dict[str, Any]:
    raise AssertionError("the critic is not to be asked")


def submitted(told: Told) -> Episode:
    (found,) = (e for e in told.episodes if e.spec.purpose == "attempt")
    return found


def candidates(told: Told) -> list[Episode]:
    found = (e for e in told.episodes if e.spec.purpose == "candidate")
    return sorted(found, key=lambda e: e.spec.candidate)


def test_candidates_then_scores_then_the_unique_best_that_is_not_the_first(tmp_path: Path) -> None:
    critic = scoring({1: 0.9, 2: 0.7, 3: 0.1}, {1: 0.1, 2: 0.8, 3: 0.1})
    told = tell(
        tmp_path,
        group_eval(candidates=3, rounds=2),
        in_turn("red", "green", "blue"),
        critic,
        task(),
    )
    assert roles(told) == ["actor"] * 3 + ["critic"] * 2
    tried = candidates(told)
    assert [e.answer for e in tried] == ["red", "green", "blue"]
    assert all(e.success is None and e.reward.value is None for e in tried)
    done = submitted(told)
    assert (done.answer, done.success) == ("green", True)
    assert done.spec.selected_from == tuple(e.id for e in tried)
    first, second = sorted(told.critiques, key=lambda c: c.sample)
    assert first.scores == dict(zip((e.id for e in tried), (0.9, 0.7, 0.1), strict=True))
    assert [c.episode for c in second.causes] == [e.id for e in tried]
    asked = told.asked[3][1]
    assert "Candidate 2\nOutput: green\nResult: green would click\n" in asked
    assert not any(outcome in asked for outcome in ("success", "It opens", "reward"))


def test_what_does_not_run_or_returns_nothing_is_dropped_and_tried_again(tmp_path: Path) -> None:
    actor = in_turn("none", "red", "blank", "green")
    told = tell(
        tmp_path,
        group_eval(candidates=2, rounds=2),
        actor,
        scoring(*[{1: 0.2, 2: 0.6}] * 2),
        task(),
    )
    tried = candidates(told)
    assert [e.stop_reason for e in tried] == [
        StopReason.FRUITLESS,
        StopReason.EXECUTED,
        StopReason.FRUITLESS,
        StopReason.EXECUTED,
    ]
    done = submitted(told)
    assert (done.answer, done.spec.selected_from) == ("green", (tried[1].id, tried[3].id))


def test_where_none_runs_the_plain_attempt_counts_and_tries_are_capped(tmp_path: Path) -> None:
    told = tell(tmp_path, group_eval(candidates=2, rounds=3), in_turn("?"), unasked, task())
    assert len(candidates(told)) == 6
    assert (submitted(told).answer, submitted(told).spec.selected_from) == ("?", ())


def test_a_single_one_is_submitted_unscored(tmp_path: Path) -> None:
    actor = in_turn("green", "?")
    told = tell(tmp_path, group_eval(candidates=2, rounds=2), actor, unasked, task())
    assert [e.answer for e in candidates(told)] == ["green", "?", "?", "?"]
    assert submitted(told).success is True


@pytest.mark.parametrize(
    "scores",
    [
        {"1": {"score": 0.5}},
        {"1": {"score": 0.5}, "3": {"score": 0.6}},
        {"1": {"score": 0.5}, "2": {"score": 7}},
        [{"score": 0.5}, {"score": 0.6}],
        "both are fine",
    ],
)
def test_a_malformed_scoring_answer_never_loops(tmp_path: Path, scores: Any) -> None:
    told = tell(
        tmp_path,
        group_eval(candidates=2, rounds=2),
        in_turn("red", "green"),
        lambda _: {"scores": scores},
        task(),
    )
    # Each round is asked once and repaired twice.
    assert roles(told).count("critic") == 6
    assert [(c.status, c.scores) for c in told.critiques] == [("failed", {})] * 2
    assert submitted(told).answer in ("red", "green")


def test_one_malformed_round_is_left_out_of_the_mean(tmp_path: Path) -> None:
    replies = iter([{"scores": {}}] * 3 + [scoring({1: 0.3, 2: 0.9})("")])
    told = tell(
        tmp_path,
        group_eval(candidates=2, rounds=2),
        in_turn("red", "green"),
        lambda _: next(replies),
        task(),
    )
    assert sorted(c.status for c in told.critiques) == ["accepted", "failed"]
    assert submitted(told).answer == "green"


def test_ties_are_drawn_by_seed_and_alike_in_every_run(tmp_path: Path) -> None:
    def chosen(folder: Path, seed: int) -> str | None:
        # One seed in each run: those of several would take turns as the clock has it.
        told = tell(
            folder / str(seed),
            group_eval(candidates=2, rounds=1),
            in_turn("red", "green"),
            scoring({1: 0.5, 2: 0.5}),
            task(),
            seeds=(seed,),
        )
        return submitted(told).answer

    first = [chosen(tmp_path / "a", seed) for seed in range(8)]
    assert set(first) == {"red", "green"}
    assert [chosen(tmp_path / "b", seed) for seed in range(8)] == first


def test_a_task_that_cannot_execute_is_refused_before_the_first_call() -> None:
    model = ScriptedModel([])
    learner = Learner(ChatAgent(model), method=group_eval())
    with pytest.raises(ConfigurationError, match=r"^group_eval .*gridnav-v1 cannot execute any"):
        learner.run_sync(load_task("gridnav-v1"), instances=1)
    assert model.requests == []


def test_a_critic_that_is_a_function_may_score(tmp_path: Path) -> None:
    actor = ChatAgent(ScriptedModel(lambda _: acts(next(colours))))
    colours = itertools.cycle(("red", "green"))

    def critic(episodes: tuple[Episode, ...]) -> dict[str, Any]:
        worth = {
            str(n): {"score": float(e.answer == "green")} for n, e in enumerate(episodes, start=1)
        }
        return {"scores": worth}

    learner = Learner(
        actor, method=group_eval(candidates=2, rounds=1), critic=critic, store=tmp_path
    )
    result = learner.run_sync(task(), arms=("learned",))
    assert result.arms["learned"]["success_rate"] == 1.0


def test_it_keeps_the_contract_of_plans() -> None:
    check_method(group_eval(candidates=3, rounds=2, trials=2))
    check_method(GroupEval(candidates=1, rounds=1))
