"""A run is resumed with what it was loaded with; what would lead elsewhere is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import verbalrl as vrl
from tests.loop.world import pressing, safes
from verbalrl._resources import root
from verbalrl.errors import ConfigurationError, StorageError

MODEL = "offline:apprentice"


def learner(folder: Path) -> vrl.Learner:
    return vrl.Learner(vrl.ChatAgent(MODEL), method=vrl.methods.reflexion(trials=2), store=folder)


def test_the_seed_and_the_trust_of_a_task_are_kept_for_resuming(tmp_path: Path) -> None:
    task = vrl.load_task("gridnav-v1", task_seed=3, untrusted=True)
    first = learner(tmp_path).run_sync(task, instances=2)
    with vrl.open_store(tmp_path) as store:
        config = store.run(first.run).config
    again = vrl.load_task(
        str(config["task"]),
        task_seed=int(str(config["task_seed"])),
        untrusted=bool(config["untrusted"]),
        trust_code=bool(config["trust_code"]),
    )
    resumed = learner(tmp_path).resume_sync(first.run, again)
    assert resumed.arms["learned"]["episodes_digest"] == first.arms["learned"]["episodes_digest"]


def test_another_task_or_model_is_refused(tmp_path: Path) -> None:
    first = learner(tmp_path).run_sync(vrl.load_task("gridnav-v1"), instances=2)
    with pytest.raises(
        ConfigurationError, match="the run was on gridnav-v1, task seed 0, and this is"
    ):
        learner(tmp_path).resume_sync(first.run, vrl.load_task("gridnav-v1", task_seed=1))
    other = vrl.Learner(vrl.ChatAgent(f"{MODEL}#1"), store=tmp_path)
    with pytest.raises(ConfigurationError, match="cannot resume: 'agent'"):
        other.resume_sync(first.run, vrl.load_task("gridnav-v1"))


def test_starting_from_a_branch_makes_no_store(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        learner(tmp_path / "none").run_sync(vrl.load_task("gridnav-v1"), start="main")
    assert not (tmp_path / "none").exists()


def test_another_role_or_another_prompt_of_the_agent_is_refused(tmp_path: Path) -> None:
    store, task, own = tmp_path / "store", vrl.load_task("gridnav-v1"), tmp_path / "prompts"
    (own / "actor").mkdir(parents=True)
    shipped = (root("prompts") / "actor" / "system.jinja").read_text()
    (own / "actor" / "system.jinja").write_text(f"{shipped}\nMind the walls.\n")

    def acting(**settings: Any) -> vrl.Learner:
        return vrl.Learner(
            vrl.ChatAgent(MODEL, **settings), method=vrl.methods.reflexion(trials=1), store=store
        )

    first = acting(role="a scout").run_sync(task, instances=1)
    shorter = {"role": "a scout", "prompt_tokens": 5_000}
    for settings in ({"role": "a burglar"}, {"role": "a scout", "prompts": own}, shorter, {}):
        with pytest.raises(ConfigurationError, match="cannot resume: 'agent_"):
            acting(**settings).resume_sync(first.run, task)
    other = acting(role="a scout", prompts=own)
    with pytest.raises(ConfigurationError, match="prompt_shas' differs in actor/system; start a"):
        other.resume_sync(first.run, task)
    assert acting(role="a scout").resume_sync(first.run, task).figures["status"] == "done"


def test_a_learner_keeps_its_own_limits_after_it_resumed_a_run(tmp_path: Path) -> None:
    def limited(steps: int) -> vrl.Learner:
        return vrl.Learner(
            pressing("red"),
            method=vrl.methods.reflexion(trials=1),
            critic=lambda _: "x",
            store=tmp_path,
            limits=vrl.Limits(max_steps=steps),
        )

    task = safes("blue", max_steps=5)
    first = limited(2).run_sync(task, arms=("learned",))
    other = limited(4)
    other.resume_sync(first.run, task)
    second = other.run_sync(task, arms=("learned",))
    with vrl.open_store(tmp_path) as store:
        (episode,) = store.episodes(run=second.run)
    assert len(episode.trajectory.steps) == 4
