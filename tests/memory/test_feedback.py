from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from verbalrl.errors import ConfigurationError
from verbalrl.memory import recall
from verbalrl.memory.feedback import (
    Given,
    conditional_lesson,
    give_feedback,
    not_here,
    read_feedback,
    shown,
    taken_up,
)
from verbalrl.memory.revoke import revoke
from verbalrl.memory.transfer import export_lines, import_lessons, read_lines
from verbalrl.prompts import PromptLibrary
from verbalrl.records import GuidanceSpec, Lesson, Origin, ScopedFeedback, Status
from verbalrl.store import Store, open_store
from verbalrl.store.reduce import reduce

SAID = ScopedFeedback(
    text="Stop saying sorry to people who only ask for a price.",
    domain="the customer asks for a price",
    effect="Name the price at once.",
    check="lacks sorry",
    examples_not=("The customer asks why the price rose.",),
)


def made(feedback: ScopedFeedback = SAID) -> Lesson:
    update = conditional_lesson(feedback, "main", "shop", "op_1")
    (lesson,) = reduce((), [update], 1, "shop")
    return lesson


def got(lesson: Lesson, situation: str) -> bool:
    spec = GuidanceSpec(source="recall", scopes=("shop",))
    return bool(recall((lesson,), spec, situation=situation, prompts=PromptLibrary()))


def test_feedback_becomes_a_conditional_lesson_of_the_operator() -> None:
    lesson = made()
    assert (lesson.status, lesson.trust) == (Status.ACTIVE, Origin.OPERATOR)
    assert lesson.body.conditional
    assert got(lesson, "A customer asks for the price of a bench.")
    assert not got(lesson, "It rains.")
    assert not got(lesson, "A customer asks why the price rose.")


def test_a_person_may_say_where_a_lesson_does_not_apply() -> None:
    lesson = made(SAID.replace(examples_not=()))
    there = "The customer asks for a price in writing, by lawyer."
    assert got(lesson, there)
    update = not_here(lesson, [there, " "])
    (after,) = reduce((lesson,), [update], 2, "shop")
    assert after.body.examples_not == (there,)
    assert after.body.content == lesson.body.content
    assert not got(after, there)


@pytest.mark.parametrize("missing", ["domain", "effect"])
def test_feedback_without_a_domain_or_an_effect_is_refused(missing: str) -> None:
    with pytest.raises(ConfigurationError, match=missing):
        made(SAID.replace(**{missing: " "}))


@pytest.mark.parametrize(
    ("check", "output", "holds"),
    [
        ("", "anything", True),
        ("contains Price", "the price is 3", True),
        ("lacks sorry", "Sorry, it is 3", False),
        ("starts with it", "It is 3.", True),
        ("ends with 3.", "It is 3.", True),
        ("at most 2 words", "it is 3", False),
    ],
)
def test_checks_are_told_from_the_output(check: str, output: str, holds: bool) -> None:
    assert shown(check, output) is holds


def test_an_unknown_check_says_what_there_is() -> None:
    with pytest.raises(ConfigurationError, match="at most N words"):
        made(SAID.replace(check="be nicer"))


def give(store: Store, *said: ScopedFeedback) -> tuple[Given, ...]:
    return asyncio.run(give_feedback(store, said, scope="shop"))


def test_feedback_is_stored_once(tmp_path: Path) -> None:
    with open_store(tmp_path / "store", create=True) as store:
        ((first, nothing),) = give(store, SAID)
        ((again, before),) = give(store, SAID)
        assert (first.id, nothing) == (again.id, None)
        assert before == again
        assert [x.body.check for x in store.lessons("main", "shop")] == ["lacks sorry"]


def test_what_is_said_again_adds_its_examples_and_its_check(tmp_path: Path) -> None:
    more = SAID.replace(check="at most 9 words", examples_not=("A price list is torn.",))
    with open_store(tmp_path / "store", create=True) as store:
        give(store, SAID)
        ((lesson, before),) = give(store, more, SAID.replace(check=""))
        assert before is not None
        assert (before.version, lesson.version) == (1, 2)
        assert lesson.body.examples_not == (*SAID.examples_not, *more.examples_not)
        assert lesson.body.check == "at most 9 words"


def test_feedback_approves_what_waits_and_does_not_bring_back_what_was_revoked(
    tmp_path: Path,
) -> None:
    with open_store(tmp_path / "store", create=True) as store:
        asyncio.run(import_lessons(store, read_lines(export_lines([made()])), "main"))
        ((lesson, before),) = give(store, SAID)
        assert before is not None
        assert (before.status, lesson.status) == (Status.QUARANTINED, Status.ACTIVE)
        assert lesson.trust is Origin.OPERATOR
        asyncio.run(revoke(store, lesson=lesson.id))
        with pytest.raises(ConfigurationError, match="was revoked"):
            give(store, SAID)


def test_feedback_vouches_for_what_is_active_already() -> None:
    lesson = made().replace(trust=Origin.TASK)
    given = conditional_lesson(SAID, "main", "shop", "op_2")
    (after,) = reduce((lesson,), taken_up(given, (lesson,)), 2, "shop")
    assert (after.id, after.status, after.trust) == (lesson.id, Status.ACTIVE, Origin.OPERATOR)
    assert taken_up(given, (after,)) == ()


def test_all_of_it_or_nothing(tmp_path: Path) -> None:
    with open_store(tmp_path / "store", create=True) as store:
        with pytest.raises(ConfigurationError, match="no effect"):
            give(store, SAID, SAID.replace(effect=""))
        assert store.lessons("main", "shop") == ()
        assert len(give(store, SAID, SAID.replace(effect="Wave."))) == 2


def test_lines_of_feedback_name_their_scope_or_none() -> None:
    lines = [
        '{"domain": "d", "effect": "e", "scope": "shop"}',
        "",
        '{"domain": "f", "effect": "g"}',
    ]
    found = read_feedback(lines)
    assert {scope: [x.effect for x in said] for scope, said in found.items()} == {
        "shop": ["e"],
        "": ["g"],
    }


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("[]", "line 2: is no JSON object; give one such as {"),
        ("{", "line 2: is no JSON; give one such as {"),
        ('{"domain": "d"}', "line 2: effect: "),
        ('{"domain": "d", "effect": " "}', "line 2: feedback has no effect"),
        ('{"domain": "d", "effect": "e", "chekc": "x"}', "line 2: chekc: "),
        ('{"domain": "d", "effect": "e", "check": "x"}', "line 2: the check 'x' is none of"),
    ],
)
def test_a_line_that_is_no_feedback_is_named(line: str, why: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_feedback(['{"domain": "d", "effect": "e"}', line])
    assert str(raised.value).startswith(why)


def test_export_and_import_keep_where_a_lesson_does_not_apply(tmp_path: Path) -> None:
    lines = export_lines([made()])
    with open_store(tmp_path / "store", create=True) as store:
        asyncio.run(import_lessons(store, read_lines(lines), "main"))
        (again,) = store.lessons("main", "shop")
        assert again.body == made().body
        assert again.status is Status.QUARANTINED


def test_secrets_in_feedback_are_not_kept() -> None:
    secret = "password = hunter2hunter2"
    said = SAID.replace(effect=f"Never print {secret}", text=secret, examples_not=(secret,))
    update = conditional_lesson(said, "main", "shop", "op_1")
    assert "hunter2" not in update.model_dump_json()
    assert "hunter2" not in not_here(made(), [secret]).model_dump_json()
