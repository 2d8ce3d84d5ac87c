"""Scoped feedback: what stands in which prompt, and where it was applied."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.methods.world import acts
from verbalrl import ChatAgent, Learner, ScriptedModel, load_task
from verbalrl.memory.feedback import give_feedback
from verbalrl.memory.scoping import Case, Label, Scoping, cases_of, scoping
from verbalrl.methods import ScopedFeedback as ScopedFeedbackMethod
from verbalrl.methods import check_method, scoped_feedback
from verbalrl.models import Request
from verbalrl.records import Episode, Lesson, ScopedFeedback
from verbalrl.store import open_store

SCOPE = "scoped-style-v1"
MARK = "With thanks, Purchasing"
SAID = ScopedFeedback(
    text="Thank our suppliers.",
    domain="a mail to our supplier",
    effect=f'end with "{MARK}"',
    check=f"ends with {MARK}",
    examples_not=("a mail to our customer",),
)


def test_the_measures_of_a_model_that_always_obeys() -> None:
    """Ten rules with ten prompts each in, near and away: precision 100 of 300, recall 1."""
    kinds: tuple[Any, ...] = ("in", "near", "general")
    naive = scoping(Case(kind, applied=True, same=False) for kind in kinds for _ in range(100))
    assert naive.precision == pytest.approx(1 / 3)
    assert (naive.recall, naive.overgeneralised, naive.preserved) == (1.0, 1.0, 0.0)
    assert naive.f1 == pytest.approx(0.5)


def test_the_measures_of_one_that_misses_a_little() -> None:
    cases = [Case("in", n < 9) for n in range(10)]
    cases += [Case("near", n < 1, same=n > 1) for n in range(10)]
    cases += [Case("general", applied=False, same=True) for _ in range(10)]
    found = scoping(cases)
    assert found.cases == {"in": 10, "near": 10, "general": 10}
    assert found.applied == {"in": 9, "near": 1, "general": 0}
    assert (found.precision, found.recall, found.overgeneralised) == (0.9, 0.9, 0.05)
    assert found.preserved == 0.9
    assert scoping([]) == Scoping(
        {"in": 0, "near": 0, "general": 0}, {"in": 0, "near": 0, "general": 0}, 0.0
    )


def obeys(request: Request) -> dict[str, Any]:
    """Writes the same every time, and what feedback asks for wherever it stands in the prompt."""
    text = "\n".join(m.text for m in request.messages)
    return acts(f"Here it is. {MARK}" if MARK in text else "Here it is.")


def run(folder: Path, gate: Any) -> tuple[tuple[Episode, ...], tuple[Lesson, ...]]:
    with open_store(folder, create=True) as store:
        asyncio.run(give_feedback(store, [SAID], scope=SCOPE))
    learner = Learner(
        ChatAgent(ScriptedModel(obeys)), method=scoped_feedback(gate=gate), store=folder
    )
    result = learner.run_sync(
        load_task(SCOPE), instances=30, train_instances=1, arms=("learned",), start="main"
    )
    with open_store(folder) as store:
        return store.episodes(run=result.run), store.current_lessons("main", scope=SCOPE)


def labels(lesson: str) -> dict[str, Label]:
    """Where each prompt of the task lies, seen from its first rule."""
    found: dict[str, Label] = {}
    kinds: dict[str, Any] = {"inside": "in", "near": "near"}
    for instance in load_task(SCOPE).instances("test", 0, 30):
        kind = kinds.get(str(instance.data["scope"])) if instance.data["rule"] == 0 else None
        found[instance.id] = Label(kind, lesson) if kind else Label("general")
    return found


def test_feedback_stands_where_it_holds_and_nowhere_else(tmp_path: Path) -> None:
    episodes, (lesson,) = run(tmp_path, "words")
    found = scoping(cases_of(episodes, (lesson,), labels(lesson.id)))
    assert found.cases == {"in": 1, "near": 1, "general": 28}
    assert found.applied == {"in": 1, "near": 0, "general": 0}
    assert (found.precision, found.recall, found.preserved) == (1.0, 1.0, 1.0)


def test_feedback_in_every_prompt_is_applied_everywhere(tmp_path: Path) -> None:
    episodes, (lesson,) = run(tmp_path, "always")
    found = scoping(cases_of(episodes, (lesson,), labels(lesson.id)))
    assert found.applied == {"in": 1, "near": 1, "general": 28}
    assert (found.overgeneralised, found.preserved) == (1.0, 0.0)


def test_a_baseline_without_feedback_comes_first_and_enters_no_curve(tmp_path: Path) -> None:
    episodes, (lesson,) = run(tmp_path, "always")
    searches = [e for e in episodes if e.spec.purpose == "search"]
    attempts = [e for e in episodes if e.spec.purpose == "attempt"]
    assert len(searches) == len(attempts) == 30
    assert all(not e.guidance for e in searches)
    assert {x.lesson for e in attempts for x in e.guidance["actor"].lines} == {lesson.id}
    # What the baseline shows by itself is not the feedback's doing, outside of the domain.
    marked = [e.replace(answer=f"x {MARK}") for e in episodes]
    assert scoping(cases_of(marked, (lesson,), labels(lesson.id))).applied == {
        "in": 1,
        "near": 0,
        "general": 0,
    }


def test_it_keeps_the_contract_of_plans() -> None:
    check_method(scoped_feedback())
    check_method(ScopedFeedbackMethod(trials=3))
    check_method(scoped_feedback(gate="always", baseline=False))
