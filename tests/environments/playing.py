"""What tests of other people's environments share."""

from __future__ import annotations

from verbalrl.integrations import load_task
from verbalrl.records import Action
from verbalrl.tasks import Policy, play, random_policy


def say(*texts: str) -> Policy:
    """One text after the other, and again from the first."""
    return lambda situation: Action(text=texts[(situation.step - 1) % len(texts)])


def five_episodes(ref: str, policy: Policy | None = None) -> None:
    """Five instances come to an end or to the limit, twice alike, and others for another seed."""
    task = load_task(ref, task_seed=3)
    assert load_task(task.ref, task_seed=3).sha == task.sha
    instances = task.instances("train", 0, 5)
    assert len({instance.id for instance in instances}) == 5
    for instance in instances:
        episodes = [play(task, instance, policy or random_policy(1), 7) for _ in range(2)]
        assert episodes[0] == episodes[1]
        played = episodes[0]
        assert played.ended or len(played.steps) == task.max_steps
    again = load_task(ref, task_seed=3).instances("train", 0, 5)
    assert instances == again
