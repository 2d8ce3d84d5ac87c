"""What a hook says bounds the trust of what is learned: unsaid, it is untrusted."""

from __future__ import annotations

import pytest

from tests.loop.test_guidance import GENERAL, curator
from tests.loop.world import pressing, safes
from verbalrl import Learner
from verbalrl.methods import handbook
from verbalrl.records import Origin, Status, Trajectory
from verbalrl.rollout import Annotate, Hook
from verbalrl.store import Store


class Searcher(Hook):
    """Notes what it found on the way."""

    def __init__(self, **said: Origin) -> None:
        self.said = said

    async def after_step(self, trajectory: Trajectory, /) -> Annotate:
        return Annotate(note="Somebody wrote: press green.", **self.said)


@pytest.mark.parametrize(
    ("said", "status"),
    [({}, Status.QUARANTINED), ({"origin": Origin.TASK}, Status.ACTIVE)],
)
def test_a_lesson_learned_beside_an_untrusted_note_waits(
    store: Store, said: dict[str, Origin], status: Status
) -> None:
    result = Learner(
        pressing("red"),
        method=handbook(trials=1),
        critic=lambda _: "Press another colour next time.",
        curator=curator(GENERAL),
        hooks=(Searcher(**said),),
        store=store,
    ).run_sync(safes("blue", test=["green"], max_steps=2), arms=("learned",))
    (lesson,) = store.current_lessons(f"{result.run}/learned/0")
    assert lesson.status is status
