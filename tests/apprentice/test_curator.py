"""The curator: rules from evidence, and operations that turn a list into them."""

from typing import Any

from tests.apprentice.harness import OPERATIONS
from tests.apprentice.prompting import render
from verbalrl.models.apprentice import answer

ACTIONS = ["amber", "basalt", "cedar", "delta"]
ALL = ["add", "revise", "merge", "support", "retire"]


def item(alias: int, observation: str, action: str, good: bool) -> dict[str, Any]:
    return {
        "alias": alias, "goal": "", "outcome": "success" if good else "failure",
        "observation": observation, "action": action,
        "feedback": "Right." if good else "Wrong.", "proposals": [], "given": [],
    }  # fmt: skip


def lesson(alias: int, when: str, instruction: str, support: int = 1) -> dict[str, Any]:
    return {
        "alias": alias, "name": "", "when": when, "when_not": "", "instruction": instruction,
        "support": support, "against": 0,
    }  # fmt: skip


def curate(
    evidence: list[dict[str, Any]],
    lessons: list[dict[str, Any]] | None = None,
    template: str = "merge",
    operations: list[str] = ALL,
    proposals: list[dict[str, Any]] | None = None,
) -> list[dict[str, Any]]:
    variables: dict[str, Any] = {
        "goal": "Sort.",
        "actions": ACTIONS,
        "lessons": lessons or [],
        "evidence": evidence,
        "directions": [],
        "step": None,
    }
    if template == "merge":
        variables |= {"proposals": proposals or [], "nominations": []}
    system = render("curator/system.jinja", operations=operations, max_lessons=20, counts=False)
    messages = [("system", system), ("user", render(f"curator/{template}.jinja", **variables))]
    found = answer(messages, OPERATIONS, 0)
    assert isinstance(found, dict)
    operations_found: list[dict[str, Any]] = found["operations"]
    return operations_found


OWLS = [
    item(1, "An owl came on monday. It was wet.", "amber", True),
    item(2, "On friday there was an owl in town.", "amber", True),
    item(3, "A fox came on monday. It was wet.", "basalt", True),
    item(4, "On friday there was a fox in town.", "basalt", True),
    item(5, "Late an owl was seen.", "cedar", False),
]


def told(found: list[dict[str, Any]]) -> dict[str, str]:
    return {x["when"]: x["instruction"] for x in found if x["instruction"]}


def test_the_cue_is_found_among_other_words() -> None:
    found = curate(OWLS)
    assert told(found) == {
        'the text mentions "owl"': "choose amber", 'the text mentions "fox"': "choose basalt",
    }  # fmt: skip
    assert [x["evidence"] for x in found] == [[1, 2], [3, 4]]


def test_what_is_in_the_list_is_supported_not_added() -> None:
    listed = [lesson(1, 'the text mentions "owl"', "choose amber")]
    found = {x["op"]: x for x in curate(OWLS, listed)}
    assert set(found) == {"support", "add"}
    assert (found["support"]["lessons"], found["support"]["instruction"]) == ([1], "")


def test_what_is_supported_fully_is_left_alone() -> None:
    listed = [lesson(1, 'the text mentions "owl"', "choose amber", support=5)]
    assert [x["op"] for x in curate(OWLS, listed)] == ["add"]


def test_a_contradicted_lesson_is_retired_with_its_evidence() -> None:
    listed = [lesson(1, 'the text mentions "owl"', "choose cedar")]
    found = [x for x in curate(OWLS, listed) if x["op"] == "retire"]
    assert [(x["lessons"], x["evidence"]) for x in found] == [([1], [1, 2, 5])]


def test_raw_lines_are_merged_into_their_rule() -> None:
    listed = [
        lesson(1, "An owl came on monday. It was wet", "choose amber"),
        lesson(2, "On friday there was an owl in town", "choose amber"),
    ]
    found = [x for x in curate(OWLS, listed) if x["op"] == "merge"]
    assert [(x["lessons"], x["when"]) for x in found] == [([1, 2], 'the text mentions "owl"')]


def test_an_exception_is_learned_as_a_narrower_rule() -> None:
    seen = [
        ("An owl on a roof.", "amber"), ("By the river an owl.", "amber"),
        ("Owl, asleep.", "amber"), ("Some owl in the barn.", "amber"),
        ("At night an owl hoots.", "delta"), ("The owl, by night.", "delta"),
        ("A fox at night.", "basalt"), ("By night came the fox.", "basalt"),
    ]  # fmt: skip
    found = told(curate([item(n, text, right, True) for n, (text, right) in enumerate(seen, 1)]))
    assert found == {
        'the text mentions "owl"': "choose amber",
        'the text mentions "owl" and "night"': "choose delta",
        'the text mentions "fox"': "choose basalt",
    }


def test_only_allowed_operations_are_returned() -> None:
    listed = [lesson(1, 'the text mentions "owl"', "choose amber")]
    assert [x["op"] for x in curate(OWLS, listed, operations=["support"])] == ["support"]


def test_a_group_proposes_what_single_items_show() -> None:
    found = curate([OWLS[0], OWLS[4]], template="propose")
    assert [(x["op"], x["evidence"], x["instruction"]) for x in found] == [
        ("add", [1], "choose amber")
    ]


def test_a_rule_names_the_proposals_that_it_takes_up() -> None:
    proposal = {
        "alias": 1, "op": "add", "lessons": [], "evidence": [1], "name": "", "when": "An owl came",
        "when_not": "", "instruction": "choose amber", "reason": "",
    }  # fmt: skip
    assert [x["proposals"] for x in curate(OWLS, proposals=[proposal])] == [[1], []]


def test_nothing_follows_from_nothing() -> None:
    assert curate([]) == []
    assert curate([item(1, "An owl.", "amber", False)]) == []


def test_no_more_is_added_than_the_list_holds() -> None:
    full = [lesson(n, f'the text mentions "bird{n}"', "choose amber") for n in range(1, 20)]
    assert [x["op"] for x in curate(OWLS, full)] == ["add"]


def test_a_clause_of_nothing_but_small_words_is_no_rule_and_no_harm() -> None:
    seen = [
        item(n, f"You were out. It was. A {kind} coat lies there.", "amber", True)
        for n, kind in enumerate(["red", "red", "red", "blue", "blue", "blue"], 1)
    ]
    assert curate(seen)
