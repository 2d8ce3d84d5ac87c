"""Hindsight: what is done otherwise, what is replayed, what is stored, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.loop.world import Safe, safes
from tests.methods.world import acts
from verbalrl import ChatAgent, Learner, ScriptedModel
from verbalrl.methods import Hindsight, check_method, hindsight
from verbalrl.methods.hindsight import better, repeats
from verbalrl.models import Request
from verbalrl.records import Action, Critique, Episode, Lesson, Reward, StepResult
from verbalrl.store import open_store

Actor = Callable[[str], str]


class Told(NamedTuple):
    episodes: tuple[Episode, ...]
    critiques: tuple[Critique, ...]
    lessons: tuple[Lesson, ...]
    asked: list[tuple[str, str]]

    @property
    def edits(self) -> list[Episode]:
        found = (e for e in self.episodes if e.spec.purpose == "counterfactual")
        return sorted(found, key=lambda e: e.spec.candidate)

    @property
    def tried(self) -> Episode:
        """The attempt at the train safe."""
        attempts = (e for e in self.episodes if e.spec.purpose == "attempt")
        return next(e for e in attempts if e.spec.split == "train")


def blaming(*steps: int) -> dict[str, Any]:
    causes = [{"step": n, "quote": "", "why": f"step {n} was wrong"} for n in steps]
    return {
        "verdict": "failure",
        "causes": causes,
        "lessons": [{"when": "the lamp is lit", "instruction": "press blue after green"}],
        "refinement": "Press another one there.",
    }


def tell(
    folder: Path,
    method: Hindsight,
    actor: Actor,
    blamed: tuple[int, ...] = (2,),
    make: Callable[[str], Any] = Safe,
) -> Told:
    """One run over one train safe (green blue) and one test safe."""
    asked: list[tuple[str, str]] = []

    def reply(request: Request) -> dict[str, Any]:
        text = request.messages[-1].text
        asked.append((request.role, text))
        match request.role:
            case "actor":
                return acts(actor(text))
            case "critic":
                return blaming(*blamed)
        add = {"op": "add", "when": "the lamp is lit", "instruction": "press blue after green"}
        return {"operations": [add | {"evidence": [1]}]}

    model = ScriptedModel(reply)
    learner = Learner(ChatAgent(model), method=method, critic=model, curator=model, store=folder)
    task = safes("green blue", test=("green blue",), make=make, max_steps=2)
    result = learner.run_sync(task, arms=("learned",))
    with open_store(folder) as store:
        return Told(
            store.episodes(run=result.run),
            store.critiques(run=result.run),
            store.current_lessons(f"{result.run}/learned/0"),
            asked,
        )


def green_then(second: str, other: str) -> Actor:
    """Green, then `second`; `other` where something is to be revised."""

    def act(text: str) -> str:
        if "previous_output" in text:
            return other
        return second if "Pressed: green" in text else "green"

    return act


def test_the_blamed_step_is_done_otherwise_replayed_and_then_taught(tmp_path: Path) -> None:
    told = tell(tmp_path, hindsight(trials=1), green_then("red", "blue"))
    edit, replay = told.edits
    assert [a.text for a in edit.spec.prefix] == ["green"]
    assert [s.action.text for s in edit.trajectory.steps] == ["green", "blue"]
    assert (edit.success, edit.reward.value) == (True, 1.0)
    assert [a.text for a in replay.spec.prefix] == ["green", "blue"]
    assert replay.usage.get("actor") is None
    first = told.tried
    assert edit.trajectory.steps[0].observation == first.trajectory.steps[0].observation
    assert [role for role, _ in told.asked[:5]] == ["actor", "actor", "critic", "actor", "critic"]
    revising, comparing = told.asked[3][1], told.asked[4][1]
    assert "<previous_output>\nred\n" in revising
    assert "step 2 was wrong\nPress another one there." in revising
    assert '<attempt n="1">' in comparing
    pair = next(c for c in told.critiques if c.template == "critic/pair")
    assert pair.episodes == (first.id, edit.id)
    assert [x.instruction for x in told.lessons] == ["press blue after green"]
    assert [e.critique for x in told.lessons for e in x.evidence] == [pair.id]


@pytest.mark.parametrize("other", ["red", "green"])
def test_an_edit_that_is_none_or_earns_no_more_is_not_stored(tmp_path: Path, other: str) -> None:
    told = tell(tmp_path, hindsight(trials=1), green_then("red", other))
    assert len(told.edits) == 1
    assert [c.template for c in told.critiques] == ["critic/critique"]
    assert told.lessons == ()


class Moody(Safe):
    """Opens for the right actions the first time alone, whatever the seed."""

    def __init__(self, code: str, turns: Iterator[bool]) -> None:
        super().__init__(code)
        self.turns = turns

    def step(self, action: Action, /) -> StepResult:
        result = super().step(action)
        if result.success and not next(self.turns):
            return result.replace(success=False, reward=0.0)
        return result


def test_an_edit_that_does_not_replay_to_its_return_is_not_stored(tmp_path: Path) -> None:
    turns = iter((True, False))
    told = tell(
        tmp_path,
        hindsight(trials=1),
        green_then("red", "blue"),
        make=lambda code: Moody(code, turns),
    )
    edit, replay = told.edits
    assert (edit.reward.value, replay.reward.value) == (1.0, 0.0)
    assert [c.template for c in told.critiques] == ["critic/critique"]
    assert told.lessons == ()


def test_each_blamed_step_is_tried_once_the_decisive_one_first(tmp_path: Path) -> None:
    method = hindsight(trials=1, edits=2)
    told = tell(tmp_path, method, green_then("red", "blue"), blamed=(2, 1, 2))
    assert [len(e.spec.prefix) for e in told.edits] == [1, 0, 2]
    # From the first step on blue does not open it, so that edit is not replayed.
    assert [e.spec.candidate for e in told.edits] == [1, 2, 3]


def test_a_success_is_left_alone_and_evaluation_learns_nothing(tmp_path: Path) -> None:
    told = tell(tmp_path, hindsight(trials=2), green_then("blue", "red"))
    assert {role for role, _ in told.asked} == {"actor"}
    assert [(e.spec.split, e.success) for e in told.episodes] == [("test", True), ("train", True)]


def test_curves_count_attempts_alone(tmp_path: Path) -> None:
    told = tell(tmp_path, hindsight(trials=1), green_then("red", "blue"))
    attempts = [e for e in told.episodes if e.spec.purpose == "attempt"]
    assert sorted((e.spec.split, e.success) for e in attempts) == [
        ("test", False),
        ("train", False),
    ]


def test_a_replay_repeats_an_edit_by_return_and_outcome(tmp_path: Path) -> None:
    edit = tell(tmp_path, hindsight(trials=1), lambda _: "green").tried
    assert repeats(edit, edit)
    worth = (edit.reward.value or 0.0) + 0.1
    for changed in (
        {"reward": Reward(value=worth)},
        {"success": None},
        {"status": "failed"},
    ):
        assert not repeats(edit.replace(**changed), edit)


def test_better_asks_for_another_action_and_more_return(tmp_path: Path) -> None:
    told = tell(tmp_path, hindsight(trials=1), green_then("red", "blue"))
    lost = told.tried
    edit = told.edits[0]
    assert better(edit, lost, 2)
    assert not better(edit, lost, 1)
    assert not better(edit, lost, 3)
    assert not better(edit.replace(reward=Reward()), lost, 2)
    assert not better(edit.replace(reward=lost.reward), lost, 2)


def test_it_keeps_the_contract_of_plans() -> None:
    check_method(hindsight(trials=2, edits=1, round_size=3))
    check_method(hindsight(trials=2, edits=3, round_size=3))
