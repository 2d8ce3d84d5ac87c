from __future__ import annotations

import pytest

from tests.curators.builders import add, critique, curate, curation, episode, lesson, reply, says
from verbalrl.curators.nearness import NEAR, Told, nearness, opposed, restates
from verbalrl.models import ScriptedModel
from verbalrl.records import Guidance, Operation
from verbalrl.store.reduce import reduce

LATE = ("the parcel is late", "", "Choose cobalt.")
GOLD = ("the customer is a gold member", "the parcel is broken", "Offer a refund of 20 euros.")
LAMP = ("the lamp is lit", "", "Press green before red and do not touch the lever.")
TEXT = ("", "", "Count the open doors in row 3, then choose the door left of the mirror.")

RESTATED = (
    (LATE, ("the parcel is late", "Please choose cobalt!")),
    (LATE, ("a parcel is late", "Remember to choose cobalt.")),
    (LATE, ("", "When the parcel is late, choose cobalt.")),
    (LATE, ("", "Always choose cobalt when the parcel is late")),
    (LATE, ("the parcel is late", "Make sure to choose cobalt again.")),
    (LATE, ("the PARCEL was late", "keep choosing COBALT")),
    (LATE, ("the text shows that the parcel is late", "Just choose cobalt as told.")),
    (GOLD, ("the customer is a gold member", "Offer a refund of 20 euros")),
    (GOLD, ("the gold member is the customer", "offer the refund of 20 euros")),
    (GOLD, ("the customer is a gold member", "Still offer refund of 20 euros")),
    (GOLD, ("", "Offer gold member customers a refund of 20 euros.")),
    (GOLD, ("a customer is a gold member", "Follow the guidance and offer a refund of 20 euros.")),
    (LAMP, ("the lamp is lit", "Press green before red and do not touch the lever.")),
    (LAMP, ("the lamp is lit", "Do not touch the lever; press green before red.")),
    (LAMP, ("", "If the lamp is lit, press green before red and do not touch the lever")),
    (LAMP, ("the lamp is lit", "Remember, press green before red, and never touch the lever")),
    (TEXT, ("", "Count the open doors in row 3, then choose the door left of the mirror.")),
    (
        TEXT,
        ("", "Remember to count the open doors in row 3; choose the door left of the mirror"),
    ),
    (TEXT, ("the mirror", "Count open doors in row 3; choose the door left of the mirror.")),
    (TEXT, ("the door is open", "Count doors in row 3, then choose the one left of the mirror.")),
)
NEW = (
    (LATE, ("the parcel is late", "Choose violet.")),
    (LATE, ("the parcel is late", "Do not choose cobalt.")),
    (LATE, ("the parcel is not late", "Choose cobalt.")),
    (LATE, ("the parcel is late and broken", "Choose cobalt.")),
    (LATE, ("the letter is late", "Choose cobalt.")),
    (LATE, ("it rains", "Choose cobalt.")),
    (LATE, ("the parcel is late", "Choose cobalt, then close the ticket.")),
    (GOLD, ("the customer is a gold member", "Offer a refund of 30 euros.")),
    (GOLD, ("the customer is a silver member", "Offer a refund of 20 euros.")),
    (GOLD, ("the customer is a gold member", "Offer a voucher of 20 euros.")),
    (GOLD, ("a refund is asked for", "Offer 20 euros.")),
    (GOLD, ("the customer is a gold member and the parcel is lost", "Offer a refund of 20 euros.")),
    (GOLD, ("the customer is a gold member", "Never offer a refund of 20 euros.")),
    (LAMP, ("the lamp is lit", "Press red before green and do not touch the lever.")),
    (LAMP, ("the lamp is lit", "Press green before red and touch the lever.")),
    (LAMP, ("the lamp is out", "Press green before red and do not touch the lever.")),
    (LAMP, ("the lamp is lit", "Press green after red and do not touch the lever.")),
    (TEXT, ("", "Count the open doors in row 4, then choose the door left of the mirror.")),
    (TEXT, ("", "Count the closed doors in row 3, then choose the door left of the mirror.")),
    (TEXT, ("", "Count the open doors in row 3, then choose the door right of the mirror.")),
)


def told(when: str, when_not: str, instruction: str, name: str = "") -> Told:
    return Told(lesson=name, when=when, when_not=when_not, instruction=instruction)


def test_there_are_twenty_of_each() -> None:
    assert (len(RESTATED), len(NEW)) == (20, 20)


@pytest.mark.parametrize(("given", "said"), RESTATED)
def test_restated_guidance_is_supported_and_never_stored(
    given: tuple[str, str, str], said: tuple[str, str]
) -> None:
    assert restates(told(said[0], "", said[1]), told(*given))
    when, when_not, instruction = given
    known = lesson("a", instruction, when)
    known = known.replace(body=known.body.replace(when_not=when_not))
    ep = episode("t1", given=(known,), success=True)
    ep = ep.replace(
        guidance={
            role: g.replace(stable=tuple(x.replace(when_not=when_not) for x in g.stable))
            for role, g in ep.guidance.items()
        }
    )
    when = said[0] or when or "the door"
    model = ScriptedModel(lambda _: reply(add(said[1], when, 1)))
    commit = curate(curation([(ep, critique(ep, says(said[1])))], lessons=(known,)), model)
    assert [(u.op, u.lesson) for u in commit.updates] == [(Operation.SUPPORT, "a")]


@pytest.mark.parametrize(("given", "said"), NEW)
def test_what_says_something_else_is_no_restatement(
    given: tuple[str, str, str], said: tuple[str, str]
) -> None:
    assert not restates(told(said[0], "", said[1]), told(*given))


def test_a_text_that_a_method_gave_is_no_lesson_either() -> None:
    ep = episode("t1", success=True)
    ep = ep.replace(guidance={"actor": Guidance(texts=("Choose cobalt when the parcel is late.",))})
    model = ScriptedModel(lambda _: reply(add("choose cobalt", "the parcel is late", 1)))
    commit = curate(curation([(ep, critique(ep, says("choose cobalt")))]), model)
    assert commit.updates == ()
    assert commit.rejected == ("add 'choose cobalt': restated guidance",)


def test_guidance_of_another_scope_is_no_lesson_of_this_one() -> None:
    other = lesson("elsewhere", "Choose cobalt.", "the parcel is late")
    ep = episode("t1", given=(other,), success=True)
    model = ScriptedModel(lambda _: reply(add("Please choose cobalt", "the parcel is late", 1)))
    commit = curate(curation([(ep, critique(ep, says("choose cobalt")))]), model)
    assert commit.updates == ()
    assert "restated guidance" in commit.rejected[0]


def test_evidence_that_is_counted_is_counted_once() -> None:
    known = lesson("a", "Choose cobalt.", "the parcel is late")
    ep = episode("t1", given=(known,), success=True)
    said = reply(add("Please choose cobalt", "the parcel is late", 1))
    case = curation([(ep, critique(ep, says("choose cobalt")))], lessons=(known,))
    first = curate(case, ScriptedModel(lambda _: said))
    (after,) = reduce((known,), first.updates, 5)
    again = curation([(ep, critique(ep, says("choose cobalt")))], lessons=(after,))
    second = curate(again, ScriptedModel(lambda _: said))
    assert second.updates == ()
    assert "restated guidance: all of its evidence is counted" in second.rejected[0]


def test_nearness_nominates_edits_and_contradictions_alike() -> None:
    base, edit = told(*GOLD), told(GOLD[0], GOLD[1], "Offer a refund of 20 euros at once.")
    against = told(GOLD[0], GOLD[1], "Do not offer a refund of 20 euros.")
    assert nearness(base, base) == pytest.approx(1)
    assert nearness(base, edit) >= NEAR
    assert nearness(base, against) >= NEAR
    assert nearness(base, told(*LAMP)) < NEAR
    assert (opposed(base, edit), opposed(base, against)) == (False, True)


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        ("open the door", "close the door", True),
        ("always ask first", "never ask first", True),
        ("press green before red", "press green after red", True),
        ("raise the price", "lower the price", True),
        ("do not go", "never go", False),
        ("choose left", "choose the left one", False),
        ("open the door, then close it", "close the door, then open it", False),
    ],
)
def test_polarity_is_told_by_words(one: str, other: str, differ: bool) -> None:
    assert opposed(told("x", "", one), told("x", "", other)) is differ
    assert opposed(told("x", "", other), told("x", "", one)) is differ
