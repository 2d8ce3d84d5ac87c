from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from benchmarks import conditions
from verbalrl.errors import ReplayMismatch
from verbalrl.execution.applying import Judged, ask_applies
from verbalrl.memory import applies, recall
from verbalrl.models import CallContext, MemoryJournal, Request, ScriptedModel, Slots
from verbalrl.prompts import PromptLibrary
from verbalrl.records import GuidanceSpec, Lesson, LessonBody, LessonKind, Origin, Status

PROMPTS = PromptLibrary()
SITUATION = "The pot is tall and has a lid."


def lesson(name: str, when: str, **body: Any) -> Lesson:
    said = {"kind": LessonKind.BEHAVIOR, "when": when, "instruction": name, **body}
    made = LessonBody.model_validate(said)
    return Lesson(id=name, scope="s", body=made, status=Status.ACTIVE, trust=Origin.TASK)


TALL = lesson("tall", "the pot is tall", conditional=True)
FLAT = lesson("flat", "the dish is flat", conditional=True)
ALWAYS = lesson("always", "the kiln is on")


def ask(
    model: ScriptedModel, *lessons: Lesson, journal: MemoryJournal | None = None
) -> dict[str, bool]:
    found = judged(model, *lessons, journal=journal)
    assert not found.lacking
    return found.said


def judged(model: ScriptedModel, *lessons: Lesson, journal: MemoryJournal | None = None) -> Judged:
    context = CallContext(journal or MemoryJournal(), Slots(), "ep_1")
    return asyncio.run(ask_applies(model, lessons, SITUATION, context, PROMPTS))


def test_one_call_asks_about_all_conditional_lessons() -> None:
    journal, model = MemoryJournal(), ScriptedModel([{"1": False, "2": True}])
    assert ask(model, TALL, ALWAYS, FLAT, journal=journal) == {"tall": False, "flat": True}
    (request,) = model.requests
    assert request.role == "recall"
    assert "[1] applies when: the pot is tall\n[2] applies when: the dish is flat" in (
        request.messages[-1].text
    )
    assert "kiln" not in request.messages[-1].text
    assert [record.role for record in journal.records.values()] == ["recall"]
    # What is asked again is answered by the journal, and another question is noticed.
    assert ask(ScriptedModel([]), TALL, FLAT, journal=journal) == {"tall": False, "flat": True}
    with pytest.raises(ReplayMismatch):
        ask(ScriptedModel([]), TALL, journal=journal)


def test_many_lessons_are_asked_about_in_several_calls() -> None:
    def yes(request: Request) -> Any:
        return dict.fromkeys(request.output_schema["properties"], True)  # type: ignore[index, arg-type]

    model = ScriptedModel(yes)
    many = [lesson(f"l{n}", f"pot {n}", conditional=True) for n in range(90)]
    assert len(ask(model, *many)) == 90
    assert [len(r.output_schema["required"]) for r in model.requests] == [40, 40, 10]  # type: ignore[index, arg-type]


def test_a_failed_call_leaves_the_decision_to_words() -> None:
    model = ScriptedModel(lambda _: RuntimeError("no network"))
    said, lacking = judged(model, TALL, FLAT)
    assert said == {}
    assert lacking.startswith("model_error: scripted raised RuntimeError: no network")
    assert [applies.fits(x, SITUATION, {}) for x in (TALL, FLAT, ALWAYS)] == [True, False, True]
    said = {"tall": False, "flat": True, "always": False}
    assert [applies.fits(x, SITUATION, said) for x in (TALL, FLAT, ALWAYS)] == [False, True, True]


def test_recall_takes_what_was_said_and_never_asks_of_general_lessons() -> None:
    spec = GuidanceSpec(source="recall", scopes=("s",))

    def got(judged: dict[str, bool]) -> set[str]:
        found = recall(
            (TALL, FLAT, ALWAYS), spec, situation=SITUATION, prompts=PROMPTS, judged=judged
        )
        return {x.lesson for x in found.lines}

    assert got({}) == {"tall", "always"}
    assert got({"tall": False, "flat": True, "always": False}) == {"flat", "always"}


def test_a_near_negative_example_keeps_a_lesson_out() -> None:
    spared = lesson("tall", "the pot is tall", examples_not=("The tall pot has a lid",))
    assert applies.is_conditional(spared)
    assert not applies.applies(spared, SITUATION)
    assert applies.applies(spared, "The pot is tall.")
    assert spared.body.content == TALL.body.content
    assert "did not apply in: The tall pot has a lid" in applies.question(
        {1: spared}, SITUATION, PROMPTS
    )


def test_answers_that_are_no_booleans_are_left_out() -> None:
    assert applies.read({"1": "yes", "2": True, "7": True}, {1: TALL, 2: FLAT}) == {"flat": True}


@pytest.mark.parametrize("name", ["dev", "test"])
def test_the_answers_of_a_judge_reach_the_prompt(name: str) -> None:
    rows, sha = conditions.load(name)
    assert len(rows) == 40
    if name == "test":
        assert sha.startswith("1912bfafb96c577f")
    few = rows[:12]
    exact = asyncio.run(conditions.shares(few, conditions.Oracle(few, 0.0), PROMPTS))
    rates = conditions.figures(exact)
    assert (rates["applied-in"], rates["over-generalisation"], rates["precision"]) == (1, 0, 1)
    assert rates["applied-general"] == 1
    wrong = asyncio.run(conditions.shares(few, conditions.Oracle(few, 1.0), PROMPTS))
    assert conditions.figures(wrong)["applied-in"] == 0
    assert not conditions.cleared(conditions.figures(wrong))


def test_the_benchmark_prints_both_judges(capsys: pytest.CaptureFixture[str]) -> None:
    assert conditions.main(["--set", "dev", "--lessons", "9", "--errors", "0"]) == 0
    printed = capsys.readouterr().out
    assert "words  applied-in" in printed
    assert "scripted, 0% wrong  applied-in 1.000  applied-near 0.000" in printed
    assert json.dumps("over-generalisation 0.000").strip('"') in printed
