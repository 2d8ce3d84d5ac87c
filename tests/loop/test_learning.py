"""The agent gets better because of what a critic wrote: small here, in full by `benchmarks`."""

from __future__ import annotations

import pytest

import verbalrl as vrl
from benchmarks import honesty, learning


def test_reflexion_beats_retry_on_gridnav() -> None:
    learner = vrl.Learner(vrl.ChatAgent(learning.MODEL), method=vrl.methods.reflexion())
    arms = learner.run_sync(vrl.load_task("gridnav-v1"), instances=40).arms
    assert arms["learned"]["vs_retry"]["diff"] >= 0.15
    assert arms["none"]["success_by_trial"][0] == arms["learned"]["success_by_trial"][0]


def test_the_handbook_beats_no_memory_on_triage() -> None:
    learner = vrl.Learner(vrl.ChatAgent(learning.MODEL), method=vrl.methods.handbook())
    arms = learner.run_sync(vrl.load_task("triage-v1"), instances=40).arms
    assert arms["learned"]["success_rate"] - arms["none"]["success_rate"] >= 0.3


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("task", tuple(learning.CASES))
def test_seeds_that_nothing_was_tuned_on_clear_the_bars(task: str) -> None:
    assert learning.main(["--task", task, "--seeds", "10-14"]) == 0


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("task", tuple(learning.CASES))
def test_what_is_learned_is_learned_through_the_prompt(task: str) -> None:
    assert honesty.main(["--task", task, "--seeds", "10-12", "--instances", "60"]) == 0
