"""What a run does before its first episode: quick, or ended like all else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from verbalrl import ChatAgent, Learner, load_task, methods
from verbalrl.errors import ConfigurationError
from verbalrl.execution.plan import MAX_INSTANCES
from verbalrl.models import load_model
from verbalrl.rollout import Hook
from verbalrl.store import Store


def offline(store: Store) -> Learner:
    return Learner(ChatAgent("offline:apprentice"), store=store)


def test_making_instances_can_be_cancelled(store: Store) -> None:
    async def go() -> None:
        async with asyncio.timeout(0.2):
            await offline(store).run(load_task("gridnav-v1"), instances=MAX_INSTANCES)

    with pytest.raises(TimeoutError):
        asyncio.run(go())
    assert store.runs() == ()


@pytest.mark.parametrize("ref", ["gridnav-v1", "triage-v1", "gym:FrozenLake-v1"])
def test_instances_far_away_are_made_alone(ref: str) -> None:
    first = 10**15
    made = load_task(ref).instances("train", first, first + 2)
    assert [i.id.rsplit("/", 1)[1] for i in made] == [str(first), str(first + 1)]


def test_more_instances_than_a_run_holds_are_refused_at_once(store: Store) -> None:
    with pytest.raises(ConfigurationError, match=r"100,001 train instances .* \(100,000\)"):
        offline(store).run_sync(load_task("gridnav-v1"), instances=(5, MAX_INSTANCES + 6))


class Quiet(Hook):
    """Never says a word."""


TASK = load_task("gridnav-v1")
MODEL = "offline:apprentice"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"agent": MODEL}, r"write vrl\.ChatAgent\('offline:apprentice'\)"),
        ({"agent": load_model(MODEL)}, r"is a model; write vrl\.ChatAgent\(model\)"),
        ({"method": "reflex"}, "did you mean: reflexion"),
        ({"method": methods.reflexion}, r"such as methods\.reflexion\(\), not the function refl"),
        ({"method": methods.Reflexion}, "not the class Reflexion"),
        ({"method": 3}, "not 3"),
        ({"hooks": "note"}, "hooks= takes a tuple of hooks, not 'note'"),
        ({"hooks": 3}, "hooks= takes a tuple of hooks, not 3"),
        ({"hooks": [Quiet]}, "not the class Quiet"),
        ({"hooks": [3]}, "takes objects with at_start or before_action or after_step, not 3"),
        ({"limits": {}}, r"limits= takes vrl\.Limits\(…\).* not \{\}"),
        ({"store": 3}, "store= takes a folder, not 3"),
        ({"store": ""}, "an empty text names none"),
        ({"prompts": 3}, "prompts= takes a folder, not 3"),
    ],
)
def test_a_learner_refuses_what_cannot_be_meant(settings: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as raised:
        Learner(**({"agent": ChatAgent(MODEL)} | settings))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("task", "settings", "words"),
    [
        ("gridnav-v1", {}, r"write vrl\.load_task\('gridnav-v1'\)"),
        (Path("x.jsonl"), {}, r"write vrl\.load_task\('x\.jsonl'\)"),
        (3, {}, "a task is wanted, .* not 3"),
        (type(TASK), {}, "not the class"),
        (TASK, {"seeds": 3}, r"whole numbers such as \(0, 1, 2\), not 3"),
        (TASK, {"seeds": ("a",)}, "seeds= takes whole numbers, not 'a'"),
        (TASK, {"seeds": ()}, "seeds: give at least one"),
        (TASK, {"arms": 3}, "arms= takes a tuple of names, not 3"),
        (TASK, {"arms": (3,)}, "arms= takes names, not 3"),
        (TASK, {"arms": ("none", "none")}, "names one twice"),
        (TASK, {"instances": "3"}, "instances= takes a whole number"),
        (TASK, {"instances": 0}, "of at least 1, not 0"),
        (TASK, {"instances": (1, 2, 3)}, r"a range as \(A, B\)"),
        (TASK, {"train_instances": 2.5}, "train_instances= takes a whole number"),
    ],
)
def test_a_run_refuses_what_cannot_be_meant(
    task: Any, settings: Any, words: str, store: Store
) -> None:
    with pytest.raises(ConfigurationError, match=words) as raised:
        offline(store).run_sync(task, **settings)
    assert "\n" not in str(raised.value)
    assert store.runs() == ()


def test_what_is_obvious_is_accepted(store: Store) -> None:
    learner = Learner(ChatAgent(MODEL), method="reflexion", hooks=Quiet(), store=store)
    result = learner.run_sync(TASK, instances=1, trials=1, arms="none")
    assert list(result.arms) == ["none"]


def test_an_agent_without_a_model_is_told_to_name_a_critic(store: Store) -> None:
    with pytest.raises(ConfigurationError, match='such as critic="openai:NAME"'):
        Learner(lambda situation: "move north", store=store).run_sync(TASK, instances=1)
