"""Which episodes tell what a lesson does."""

from typing import Any

import pytest

from tests.store.builders import an_episode, open_lane, wait
from verbalrl.records import StopReason
from verbalrl.store import Store


@pytest.mark.parametrize(
    ("spec", "changes", "outcomes"),
    [
        ({}, {}, [0.0]),
        ({"round": 2}, {}, []),
        ({"split": "test"}, {}, []),
        ({"purpose": "probe"}, {}, []),
        ({}, {"success": None}, [-0.3]),
        ({}, {"status": "failed"}, [None]),
        ({}, {"stop_reason": StopReason.TIMEOUT}, [None]),
    ],
)
def test_outcomes_are_of_learning_attempts_that_ended(
    store: Store, spec: dict[str, Any], changes: dict[str, Any], outcomes: list[float | None]
) -> None:
    open_lane(store)
    made = an_episode(**changes)
    wait(store.put_episode(made.replace(spec=made.spec.replace(**spec))))
    assert [t.outcome for t in store.trials("r1", "learned", 0, 1)] == outcomes
