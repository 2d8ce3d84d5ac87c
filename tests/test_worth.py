from __future__ import annotations

import pytest

from verbalrl.worth import no_advice

REFUSALS = (
    "I cannot help with that.",
    "I can't assist with this request.",
    "I'm sorry, but I can't provide a lesson here.",
    "Sorry, I am unable to judge this attempt.",
    "As an AI language model, I do not have opinions about tickets.",
    "As a large language model I cannot act in the world.",
    "I apologise for the confusion.",
    "My apologies for the earlier mistake.",
    "I'm afraid I won't be able to do that.",
    "Unfortunately, I cannot comply with this request.",
    "I am not able to provide advice on this matter.",
    "I must decline to answer.",
    "This request violates my content policy.",
    "I don’t have enough information to give a lesson.",
    "We are unable to assist with that.",
    "Cannot comply.",
    "I would have to decline this request.",
    "It would be inappropriate for me to comment.",
    "That question goes against our usage guidelines.",
    "No comment.",
)
PLATITUDES = (
    "Be careful.",
    "Always do your best!",
    "Pay close attention to the details.",
    "Try harder next time.",
    "Think carefully before you answer.",
    "Double-check everything and avoid mistakes.",
)
SIMILAR = (
    ("the customer is angry", "Apologise first, then name the refund amount."),
    ("the parcel is late", "Say sorry before you explain the delay."),
    ("the user asks for medical advice", "Refuse and name a doctor."),
    ("the tool answers 'I cannot help'", "Choose the fallback queue."),
    ("the assistant is asked who it is", "Say that it is an AI and move on."),
    ("", "I could not open the drawer without the key; take the key first."),
    ("", "I will not enter the cellar before I have lit the lamp."),
    ("the text says unfortunately", "Choose refund."),
    ("the left valve hisses", "Be careful with the left valve: it sticks."),
    ("a sum has negative numbers", "Check the answer twice."),
    ("the server answers 503", "Try again."),
    ("the form has a free-text field", "Read the question again."),
    ("the ice is thin", "Stay on the marked path."),
    ("two dates are given", "Pay attention to the year of the second date."),
    ("the policy forbids it", "Tell the user which rule forbids it and offer the form."),
    ("a drawer is locked", "Do not try to force it."),
    ("the queue is called careful", "Choose careful."),
    ("it says so", "wait"),
    ("the total is wrong", "Verify each line of the bill."),
    ("", "Never answer before the tool has returned."),
)


def test_there_are_twenty_of_each() -> None:
    assert (len(set(REFUSALS)), len(set(SIMILAR))) == (20, 20)


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals_are_no_advice_whatever_the_condition(text: str) -> None:
    assert no_advice(text, "the ticket mentions a refund") == "a refusal"


@pytest.mark.parametrize("text", PLATITUDES)
def test_platitudes_are_no_advice_whatever_the_condition(text: str) -> None:
    assert no_advice(text, "the ticket mentions a refund") == "a platitude"


@pytest.mark.parametrize(("when", "instruction"), SIMILAR)
def test_good_lessons_that_look_similar_pass(when: str, instruction: str) -> None:
    assert no_advice(instruction, when) == ""


def test_what_is_advice_in_a_situation_is_none_without_one() -> None:
    assert no_advice("Try again.", "you fail") == "a platitude"
    assert no_advice("Try again.") == "a platitude"


def test_case_width_and_apostrophes_do_not_matter() -> None:
    assert no_advice("Ｉ ＣＡＮＮＯＴ ＨＥＬＰ with that") == "a refusal"
    assert no_advice("BE   CAREFUL !!!") == "a platitude"
