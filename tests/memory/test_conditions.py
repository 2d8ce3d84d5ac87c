from __future__ import annotations

import pytest

from verbalrl.memory import holds

TICKET = "Ticket: The customer was billed twice for the enterprise plan and wants to cancel it."


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("", True),
        ("the customer was charged or billed twice", True),
        ("billing trouble of customers", True),
        ("the customer cancels", True),
        ("the page does not load", False),
        ('the text mentions "enterprise"', True),
        ('the text mentions "Enterprise Plan"', True),
        ('the text mentions "enter"', False),
        ('the text mentions "enterprise" and "refund"', False),
        ('the text mentions "refund" or "cancel"', True),
        ('the text mentions "cancel or refund"', False),
        ("the text mentions “enterprise plan”", True),
        ("there are 2 plans of the customer", False),
        ("it is what it is", True),
        ("always", True),
        ("in every case, at any time", True),
        ('the text mentions "refund" or so', False),
    ],
)
def test_conditions_are_tested_by_their_words(when: str, expected: bool) -> None:
    assert holds(when, "", TICKET) is expected


@pytest.mark.parametrize(
    ("when_not", "expected"),
    [
        ("", True),
        ("the plan is enterprise", False),
        ('"enterprise"', False),
        ("the customer is on a trial plan", True),
        ("in any case", True),
        ("the customer asks for a refund", True),
    ],
)
def test_exceptions_need_all_their_words(when_not: str, expected: bool) -> None:
    assert holds("the customer was billed", when_not, TICKET) is expected


def test_numbers_must_all_occur() -> None:
    assert holds("row 2, column 3", "", "You are at row 2, column 3.")
    assert not holds("row 2, column 4", "", "You are at row 2, column 3.")


def test_nothing_holds_where_nothing_is_known() -> None:
    assert not holds("the lamp is red", "", "")
    assert holds("", "the lamp is red", "")
