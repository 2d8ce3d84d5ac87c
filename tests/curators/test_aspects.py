"""What a belief is about: what the curator says, unless the reports say otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.curators.builders import critique, episode, lesson, says
from tests.curators.test_apply import desk, only
from verbalrl.curators.aspects import grounded
from verbalrl.curators.evidence import Item, items_of
from verbalrl.curators.schema import CuratorReply, OperationReply, belief_schema
from verbalrl.curators.views import directions_of, step_view
from verbalrl.errors import CuratorError
from verbalrl.models import read_reply
from verbalrl.records import Lesson, LessonKind, MemoryUpdate, Report

AUDIENCES = {"news": "news", "momentum": "momentum", "other": ""}
DAY = (
    Report(role="news", text="News: Readers ask about a visit from the auditors."),
    Report(role="momentum", text="Over five days the price climbed."),
)
NEXT = (
    Report(role="news", text="News: A visit from the auditors is the talk of the day."),
    Report(role="momentum", text="Over five days the price sank."),
)


@pytest.mark.parametrize(
    ("condition", "role"),
    [
        ('the text mentions "visit from the auditors"', "news"),
        ('the news speak of "auditors"', "news"),
        ('the text mentions "price"', "momentum"),
        ('"audit"', ""),  # no whole word
        ('"climbed"', "momentum"),  # in half of the steps
        ('"the"', ""),  # both say it as often
        ('"strike"', ""),
        ("a visit from the auditors is reported", "news"),
        ("it is so", ""),
    ],
)
def test_the_role_whose_reports_hold_the_cues(condition: str, role: str) -> None:
    assert grounded(condition, [DAY, NEXT]) == role


def test_without_reports_nothing_is_grounded() -> None:
    assert grounded('"auditors"', [(), ()]) == ""
    assert grounded('"auditors"', []) == ""


def item(reports: tuple[Report, ...]) -> Item:
    made = episode("t1", "A day.")
    (found,) = items_of(critique(made), {made.id: made})
    return replace(found, reports=reports)


def asked(aspects: tuple[str, ...] = tuple(AUDIENCES), **fields: Any) -> OperationReply:
    given = {"op": "add", "evidence": [1], "instruction": "choose cobalt"} | fields
    schema = belief_schema(aspects, deciding=False)
    return read_reply({"operations": [given]}, schema, CuratorError, "the curator").operations[0]


def made(operation: OperationReply, *lessons: Any, **more: Any) -> MemoryUpdate:
    settings = {"kind": LessonKind.BELIEF, "aspects": AUDIENCES, "evidence": {1: item(DAY)}}
    return only(desk(*lessons, **(settings | more)), operation)


def held(instruction: str, when: str) -> Lesson:
    """A belief about momentum."""
    made = lesson("a", instruction, when)
    about = {"kind": LessonKind.BELIEF, "aspect": "momentum", "audience": "momentum"}
    return made.replace(body=made.body.replace(**about))


def placed(update: MemoryUpdate) -> tuple[str, str]:
    assert update.body is not None
    return update.body.aspect, update.body.audience


def test_the_audience_follows_from_the_aspect() -> None:
    assert placed(made(asked(when="dusk falls early", aspect="momentum"))) == ("momentum",) * 2
    assert placed(made(asked(when="dusk falls early", aspect="other"))) == ("other", "")
    assert placed(made(asked(when="dusk falls early", aspect="gossip"))) == ("other", "")


def test_words_of_a_report_correct_what_the_curator_says() -> None:
    assert placed(made(asked(when='"auditors"', aspect="momentum"))) == ("news", "news")


def test_a_revised_belief_is_placed_anew_and_else_stays_what_it_was() -> None:
    old = held("choose violet", "a ticket")
    revise: dict[str, Any] = {"op": "revise", "lessons": [1]}
    assert placed(made(asked(when='"auditors"', aspect="", **revise), old)) == ("news", "news")
    assert placed(made(asked(when="dusk", aspect="", **revise), old)) == ("momentum",) * 2


def test_a_text_that_is_there_already_is_the_same_belief_whatever_it_is_about() -> None:
    old = held("choose cobalt", "dusk falls")
    update = made(asked(when="dusk falls", aspect="news"), old)
    assert (update.op, update.lesson) == ("support", "a")


def test_behaviors_and_beliefs_without_aspects_have_none() -> None:
    plain = OperationReply(op="add", evidence=(1,), when='"auditors"', instruction="choose cobalt")
    assert placed(made(plain, kind=LessonKind.BEHAVIOR)) == ("", "")
    assert placed(made(plain, aspects={})) == ("", "")
    assert belief_schema((), deciding=False) is CuratorReply


def test_the_aspects_are_listed_in_the_schema() -> None:
    for deciding in (False, True):
        schema = belief_schema(tuple(AUDIENCES), deciding=deciding).model_json_schema()
        (one,) = (d for name, d in schema["$defs"].items() if name == "Belief")
        assert one["properties"]["aspect"]["enum"] == list(AUDIENCES)
        assert "aspect" in one["required"], "a model is to say it"
        assert ("keep_both" in one["properties"]["op"]["enum"]) is deciding


def test_a_step_has_the_outcome_of_its_reward_where_a_critique_speaks_of_steps() -> None:
    def outcome(reward: float, by_step: bool) -> str:
        made = episode("t1", "A day.", success=False)
        step = made.trajectory.steps[0].model_copy(update={"reward": reward})
        went = made.trajectory.model_copy(update={"steps": (step,)})
        day = made.model_copy(update={"trajectory": went})
        said = critique(day, says("choose amber")).replace(by_step=by_step)
        return items_of(said, {day.id: day})[0].outcome

    assert [outcome(0.2, by_step) for by_step in (False, True)] == ["failure", "success"]
    assert outcome(-0.2, True) == "failure"
    assert outcome(0.0, True) == "failure", "an idle step has the outcome of the episode"


def test_directions_are_those_of_critiques_of_steps_once_each() -> None:
    made = critique(episode("t1"))
    told = ((True, "Up."), (True, "Up."), (False, "Left."), (True, ""), (True, "Down."))
    said = [made.replace(by_step=by_step, refinement=text) for by_step, text in told]
    assert directions_of(said) == ("Up.", "Down.")


def test_the_step_is_told_in_whole_percent() -> None:
    told = step_view(10, 35 / 49)
    assert told is not None
    assert (told.agreed, told.change, told.lines) == (71, 29, 2)
    assert step_view(0, 0.5) is None
    assert step_view(10, None) is None


def test_a_callable_may_name_an_aspect_or_leave_it_out() -> None:
    (plain,) = read_reply(
        {"operations": [{"op": "add", "instruction": "x"}]},
        belief_schema(tuple(AUDIENCES), deciding=False), CuratorError, "the curator",
    ).operations  # fmt: skip
    assert placed(made(plain.model_copy(update={"when": "dusk", "evidence": (1,)}))) == (
        "other",
        "",
    )
