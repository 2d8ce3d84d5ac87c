"""Who stands behind a critique, and what it may confirm."""

from typing import Any

import pytest

from tests.curators.builders import critique, episode, rests_on, says
from verbalrl.curators.sources import saying, sourced
from verbalrl.records import (
    Episode,
    LessonBody,
    LessonKind,
    Note,
    Observation,
    Origin,
    Reward,
    RewardSupplier,
    TextPart,
    Trajectory,
)

LOW = Origin.UNTRUSTED
BODY = LessonBody(kind=LessonKind.BEHAVIOR, when="a refund is asked", instruction="ask the number")


def heard(*sources: str | None, success: bool | None = True, **more: Any) -> Episode:
    made = episode("t1", success=success)
    parts = tuple(TextPart(text="hello", origin=LOW, source=s) for s in sources)
    (step,) = made.trajectory.steps
    seen = step.replace(observation=Observation(parts=parts), **more)
    return made.replace(trajectory=Trajectory(steps=(seen,)))


def behind(made: Episode, observations: Origin = Origin.TASK, **said: Any) -> Any:
    written = critique(made, trust=LOW).replace(**said)
    return sourced(rests_on(made), written, {made.id: made}, observations)


def test_named_sources_are_kept_and_a_fair_verdict_is_sound() -> None:
    found = behind(heard("bob", "ann", "bob"))
    assert (found.origin, found.sources, found.sound) == (LOW, ("ann", "bob"), True)


def test_trusted_text_has_no_sources() -> None:
    made = heard("ann")
    assert sourced(rests_on(made), critique(made), {made.id: made}) == rests_on(made)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (heard("ann", None), {}),
        (heard("ann", notes=(Note(author="hook", text="x"),)), {}),
        (heard("ann", success=None).replace(reward=Reward()), {}),
        (heard("ann").replace(reward=Reward(value=1.0, supplier=RewardSupplier.AGENT)), {}),
        (heard("ann"), {"verdict": "failure"}),
        (heard("ann"), {"verdict": "unclear"}),
        (heard("ann"), {"episodes": ("ep_t1_1", "ep_other")}),
    ],
)
def test_what_confirms_nothing(made: Episode, said: dict[str, Any]) -> None:
    found = behind(made, **said)
    assert (found.sources, found.sound) == (("ann",), False)


def test_plain_observations_have_no_name_where_the_task_is_untrusted() -> None:
    made = episode("t1", success=True)
    assert not behind(made, LOW).sound
    assert behind(heard("ann"), LOW).sound


@pytest.mark.parametrize(
    ("proposal", "confirms"),
    [
        (says("Ask the number, of the order", "a refund is asked"), True),
        (says("ask for it", "a refund is asked"), False),
        (says("ask the number", "something else"), False),
    ],
)
def test_a_critique_says_a_lesson_by_all_of_its_words(proposal: Any, confirms: bool) -> None:
    made = heard("ann")
    written = critique(made, proposal, trust=LOW)
    marked = saying(behind(made), written, BODY)
    assert marked.says == (BODY.content if confirms else "")
    assert saying(behind(made, verdict="failure"), written, BODY).says == ""
