"""Whatever is done to lessons: tables hold, nothing gets around the gate, the revoked falls."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.memory.life import LessonLife


def live(examples: int, steps: int) -> None:
    asked = settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(LessonLife, settings=asked)


@pytest.mark.timeout(600)
def test_lessons_live_by_their_rules() -> None:
    live(examples=10, steps=20)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_lessons_live_by_their_rules_for_long() -> None:
    live(examples=200, steps=50)
