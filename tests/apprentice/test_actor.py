"""The actor: what lessons change, and what they never do."""

from statistics import mean
from typing import Any

import pytest

from tests.apprentice.harness import reply_schema
from tests.apprentice.prompting import render
from verbalrl.models.apprentice import answer

ACTIONS = ["press amber", "press basalt", "press cedar", "press delta"]


def line(alias: int, when: str, instruction: str, when_not: str = "") -> dict[str, Any]:
    return {
        "alias": alias, "name": "", "when": when, "when_not": when_not, "instruction": instruction,
    }  # fmt: skip


def act(
    observation: str,
    stable: list[dict[str, Any]] | None = None,
    seed: int = 0,
    actions: list[str] | None = ACTIONS,
    **changes: Any,
) -> dict[str, Any]:
    variables: dict[str, Any] = {
        "goal": "Press a button.", "volatile": [], "texts": [], "notes": [], "history": [],
        "observation": observation, "actions": actions, "previous": None, "memos": [],
    }  # fmt: skip
    messages = [
        ("system", render("actor/system.jinja", role="", stable=stable or [])),
        ("user", render("actor/act.jinja", **{**variables, **changes})),
    ]
    found = answer(messages, reply_schema(actions or []), seed)
    assert isinstance(found, dict)
    return found


def share(action: str, observation: str, **options: Any) -> float:
    return float(mean(act(observation, seed=n, **options)["action"] == action for n in range(60)))


def test_a_fitting_lesson_is_followed_and_cited() -> None:
    stable = [line(7, 'the text mentions "owl"', "choose press delta")]
    assert share("press delta", "An owl sits there.", stable=stable) > 0.85
    assert act("An owl sits there.", stable, seed=1)["lessons_used"] == [7]


@pytest.mark.parametrize(
    "lesson",
    [line(7, 'the text mentions "owl"', "choose press delta"), line(7, "", ""), line(7, "owl", "")],
)
def test_what_does_not_fit_changes_nothing(lesson: dict[str, Any]) -> None:
    for n in range(40):
        assert act("A fox sits there.", [lesson], n) == act("A fox sits there.", seed=n)


def test_a_warning_is_heeded() -> None:
    first = act("A fox.", seed=3)["action"]
    stable = [line(1, "a fox", f"do not choose {first}")]
    assert act("A fox.", stable, seed=3)["action"] != first


def test_the_narrower_lesson_wins() -> None:
    stable = [
        line(1, 'the text mentions "owl"', "choose press delta"),
        line(2, 'the text mentions "owl" and "night"', "choose press cedar"),
    ]
    assert share("press cedar", "An owl at night.", stable=stable) > 0.85
    assert share("press delta", "An owl at noon.", stable=stable) > 0.85


def test_an_exception_blocks_a_lesson() -> None:
    stable = [line(1, 'the text mentions "owl"', "choose press delta", 'the text mentions "night"')]
    assert share("press delta", "An owl at night.", stable=stable) < 0.6


def test_guidance_is_read_in_the_user_message_too() -> None:
    lesson = line(4, "an owl", "choose press basalt")
    assert share("press basalt", "An owl.", volatile=[lesson]) > 0.85
    assert share("press basalt", "An owl.", texts=["If an owl then choose press basalt"]) > 0.85


def test_an_action_tried_here_before_is_less_liked() -> None:
    first = act("A fox.", seed=5)["action"]
    tried = [{"n": n, "observation": "A fox.", "action": first, "feedback": "."} for n in (1, 2, 3)]
    assert share(first, "A fox.", history=tried) == 0.0


def test_habits_differ_and_stay() -> None:
    ask = [("user", "<observation>\nA fox.\n</observation>")]
    replies = [str(answer(ask, reply_schema(ACTIONS), 1, habit)) for habit in range(20)]
    assert len(set(replies)) > 1
    assert replies == [str(answer(ask, reply_schema(ACTIONS), 1, habit)) for habit in range(20)]


def test_free_text_obeys_an_answer_given_as_advice() -> None:
    asked = "Ana, Bela and Chen are here. Who holds the key?"
    assert act(asked, actions=None)["action"] in asked
    stable = [line(1, "", "answer Dora")]
    assert share("Dora", asked, stable=stable, actions=None) > 0.85
    first = act(asked, actions=None, seed=2)["action"]
    told = [line(1, asked, f"do not answer {first}")]
    assert act(asked, told, seed=2, actions=None)["action"] != first


def test_without_schema_the_reply_is_text() -> None:
    text = render("actor/act.jinja", goal="g", volatile=[], texts=[], notes=[], history=[],
                  observation="o", actions=ACTIONS, previous=None, memos=[])  # fmt: skip
    assert answer([("user", text)], None, 0) in ACTIONS
