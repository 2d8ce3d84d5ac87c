"""A critic that does not come back leaves a record like that of any other critique."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.critics.scenes import SCENES
from verbalrl.critics import CritiqueCase, write_in_time
from verbalrl.models import CallContext, MemoryJournal, Slots
from verbalrl.records import Critique, Origin


class Never:
    """A critic that waits until nobody waits for it, or for itself."""

    def __init__(self, own: bool = False) -> None:
        self.own = own

    async def write(self, case: CritiqueCase, context: CallContext) -> Critique:
        if self.own:
            raise TimeoutError("of its own")
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")


def late(critic: Any, case: CritiqueCase) -> Critique:
    context = CallContext(MemoryJournal(), Slots(), case.id)
    return asyncio.run(write_in_time(critic, case, context, 0.01))


def test_a_late_critique_is_the_one_that_was_asked_for() -> None:
    known = SCENES["grid"]
    case = replace(known, work=known.work.replace(sample=2), observations=Origin.UNTRUSTED)
    made = late(Never(), case)
    assert (made.id, made.sample, made.trust) == (case.id, 2, Origin.UNTRUSTED)
    assert (made.status, made.detail) == (
        "failed",
        "critic_error: the critic took longer than 0.01 s",
    )


def test_a_timeout_of_its_own_is_no_lateness() -> None:
    with pytest.raises(TimeoutError, match="of its own"):
        late(Never(own=True), SCENES["grid"])
