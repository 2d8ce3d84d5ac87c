"""The agent gets better because of what a critic wrote: small here, in full by `benchmarks`."""

from __future__ import annotations

from pathlib import Path

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


def test_a_few_new_attempts_do_not_undo_what_a_branch_starts_with(tmp_path: Path) -> None:
    def rate(learn: bool, start: str | None, seed: int, train: int | None) -> tuple[float, str]:
        method = vrl.methods.handbook()
        learner = vrl.Learner(vrl.ChatAgent(learning.MODEL), method=method, store=tmp_path)
        result = learner.run_sync(
            vrl.load_task("triage-v1"),
            instances=40,
            train_instances=train,
            seeds=(seed,),
            arms=("learned",),
            start=start,
            learn=learn,
        )
        return result.arms["learned"]["success_rate"], f"{result.run}/learned/{seed}"

    _, start = rate(True, None, 0, None)
    before, _ = rate(False, start, 2, None)
    after, _ = rate(True, start, 2, 8)
    assert before >= 0.9
    assert after >= before - 0.02


def test_an_agent_of_whole_answers_learns_from_what_it_is_shown() -> None:
    def answer(instance: vrl.Instance, guidance: vrl.Guidance) -> str:
        assert instance.observation is not None
        actions = list(instance.actions or ())
        listed = "\n".join(f"- {a}" for a in actions)
        prompt = (
            f"<goal>\n{instance.goal}\n</goal>\n<guidance>\n{guidance}\n</guidance>\n"
            f"<observation>\n{instance.observation.text}\n</observation>\n"
            f"<actions>\n{listed}\n</actions>"
        )
        schema = {"type": "object", "properties": {"action": {"enum": actions}}}
        return str(model.ask_sync(prompt, schema=schema)["action"])

    model = vrl.load_model(learning.MODEL)
    learner = vrl.Learner(answer, critic=model, method=vrl.methods.handbook())
    arms = learner.run_sync(vrl.load_task("triage-v1"), instances=40).arms
    assert arms["learned"]["success_rate"] - arms["none"]["success_rate"] >= 0.3


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("task", tuple(learning.CASES))
def test_seeds_that_nothing_was_tuned_on_clear_the_bars(task: str) -> None:
    assert learning.main(["--task", task, "--seeds", "10-14"]) == 0


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("task", ["gridnav-v1", "triage-v1"])
def test_what_is_learned_is_learned_through_the_prompt(task: str) -> None:
    assert honesty.main(["--task", task, "--seeds", "10-12", "--instances", "60"]) == 0
