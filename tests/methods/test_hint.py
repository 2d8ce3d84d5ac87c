"""Hints by bandit: statistics, choices with their values, and what stands in the prompts."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from tests.loop.world import safes
from tests.methods.world import acts
from tests.rollout.corridor import context
from tests.store.builders import an_episode, lane, new_store, open_lane
from verbalrl import ChatAgent, Learner, ScriptedModel
from verbalrl.errors import ConfigurationError
from verbalrl.execution import Memory
from verbalrl.execution.embedding import PromptAsker
from verbalrl.execution.examples import Examples
from verbalrl.memory import HashEmbedder
from verbalrl.methods import Hint, check_method, hint
from verbalrl.methods.bandit import Arm, choose, statistics
from verbalrl.models import Request, run_sync
from verbalrl.records import (
    ClosedRound,
    EpisodeSpec,
    GuidanceSpec,
    OpenRound,
    PastEpisode,
    Reward,
    StopReason,
)
from verbalrl.store import open_store

GOOD, BAD = "The third colour opens it.", "The first colour opens it."


def past(instance: str, success: bool | None, purpose: str = "attempt") -> PastEpisode:
    return PastEpisode(
        id=f"ep_{instance}",
        instance=instance,
        split="train",
        round=1,
        trial=1,
        candidate=0,
        purpose=purpose,  # type: ignore[arg-type]
        status="finished",
        success=success,
        reward=Reward(),
        stop_reason=StopReason.TERMINATED,
    )


def closed(options: dict[str, str], *episodes: PastEpisode, evaluate: bool = False) -> ClosedRound:
    opened = OpenRound(instances=tuple(options), options=options, evaluate=evaluate)
    return ClosedRound(1, opened, 0, episodes=episodes)


def test_statistics_are_of_scored_attempts_in_learning_rounds() -> None:
    chosen = {"a": "none", "b": "example", "c": "example", "d": "none"}
    learned = closed(
        chosen, past("a", False), past("b", True), past("c", None), past("d", True, "search")
    )
    read = closed({"a": "none"}, past("a", True), evaluate=True)
    arms = statistics(("none", "example"), (learned, read))
    assert arms == {"none": Arm(1, 0), "example": Arm(1, 1)}


def test_untried_options_come_first_then_the_largest_bound() -> None:
    assert choose({"a": Arm(0, 0), "b": Arm(0, 0), "c": Arm(0, 0)}, 4, 1.0) == ("a", "b", "c", "a")
    arms = {"a": Arm(10, 8), "b": Arm(2, 1)}
    bounds = (0.8 + math.sqrt(2 * math.log(12) / 10), 0.5 + math.sqrt(2 * math.log(12) / 2))
    assert [round(bound, 4) for bound in bounds] == [1.505, 2.0764]
    assert choose(arms, 1, 1.0) == ("b",)
    assert choose(arms, 3, 0.0) == ("a", "a", "a")


def test_the_bandit_finds_the_prompt_that_helps_and_reads_the_test_split_with_it(
    tmp_path: Path,
) -> None:
    asked: list[str] = []

    def reply(request: Request) -> dict[str, Any]:
        text = "\n".join(m.text for m in request.messages)
        asked.append(text)
        return acts("blue" if GOOD in text else "red")

    task = safes(*["blue"] * 6, test=["blue"] * 2, max_steps=1)
    method = hint(trials=2, options=("none",), prompts=(BAD, GOOD), round_size=3)
    learner = Learner(ChatAgent(ScriptedModel(reply)), method=method, store=tmp_path)
    result = learner.run_sync(task, arms=("learned",))
    assert result.arms["learned"]["success_rate"] == 1.0
    with open_store(tmp_path) as store:
        rounds = [r.opened for r in store.rounds(f"{result.run}/learned/0")]
        episodes = {(e.instance, e.trial): e for e in store.episodes(run=result.run)}
    # First each option once; then what helped, until the others are due again.
    assert list(rounds[0].options.values()) == ["none", "prompt:1", "prompt:2"]
    later = [o for r in rounds[1:-1] for o in r.options.values()]
    assert later.count("prompt:2") > len(later) / 2
    assert set(rounds[-1].options.values()) == {"prompt:2"}
    assert rounds[-1].evaluate
    # What the round says is what stands in the prompt.
    first = episodes[(rounds[0].instances[1], 1)]
    assert first.guidance["actor"].texts == (BAD,)
    assert episodes[(rounds[0].instances[0], 1)].guidance == {}
    assert len(asked) == 6 * 2 + 2


def test_an_example_is_the_nearest_success_of_earlier_rounds(tmp_path: Path) -> None:
    agent = ChatAgent(ScriptedModel(lambda _: acts("blue")))
    method = hint(trials=1, options=("example",), round_size=1)
    task = safes("blue", "blue", test=["blue"], max_steps=1)
    result = Learner(agent, method=method, store=tmp_path).run_sync(task, arms=("learned",))
    with open_store(tmp_path) as store:
        first, second = sorted(
            (e for e in store.episodes(run=result.run) if e.spec.split == "train"),
            key=lambda e: e.spec.round,
        )
    assert not first.guidance["actor"].texts
    assert "blue" in second.guidance["actor"].texts[0]


@pytest.mark.parametrize(
    ("success", "instance", "number", "found"),
    [
        (True, "i2", 2, 1),
        # Which of the open round are there is a matter of timing, another one after a resume.
        (True, "i2", 1, 0),
        # The instance's own success would give the answer away.
        (True, "i1", 2, 0),
        (False, "i1", 2, 1),
    ],
)
def test_examples_are_of_closed_rounds_and_give_no_answer_away(
    tmp_path: Path, success: bool, instance: str, number: int, found: int
) -> None:
    embedder = HashEmbedder()
    with new_store(tmp_path) as store:
        open_lane(store)
        won = an_episode(success=success)
        run_sync(store.put_episode(won))
        near = Examples().nearest(
            GuidanceSpec(examples=1, examples_of="success" if success else "failure"),
            EpisodeSpec(instance=instance, round=number),
            lane(),
            "a task",
            store=store,
            goals={},
            memory=Memory(store).recaller(store),
            asker=PromptAsker(embedder, context()),
        )
        assert [e.id for e in run_sync(near)] == [won.id] * found


def test_settings_that_cannot_work_are_one_line() -> None:
    with pytest.raises(ConfigurationError, match="an option is named twice"):
        hint(options=("none", "none"))
    assert Hint(options=()).names == ("none",)


def test_it_keeps_the_contract_of_plans() -> None:
    check_method(hint(trials=2, prompts=(GOOD,), round_size=3))
