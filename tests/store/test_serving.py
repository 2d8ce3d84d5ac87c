"""Served episodes in the store: states, what survives, what is erased."""

from __future__ import annotations

import pytest

from tests.store.builders import a_run, an_episode, lane, wait
from verbalrl.errors import StorageError, UnknownNameError
from verbalrl.memory.purge import purge
from verbalrl.records import (
    Action,
    Feedback,
    Observation,
    Origin,
    RewardSupplier,
    Served,
    Step,
    Trajectory,
)
from verbalrl.store import Store, judged


def begun(store: Store, name: str = "1", **changes: str) -> Served:
    """An open episode of a run of its own."""
    made = Served(episode=f"ep_{name}", run=f"r{name}", scope="s", instance="i", **changes)
    store.create_run(a_run(made.run, method="serve"))
    body = an_episode(lane(made.run, "served"), id=made.episode, trajectory=Trajectory())
    store.begin_served(made, body.replace(status="abandoned", success=None)).result()
    return made


def step(n: int) -> Step:
    return Step(n=n, observation=Observation(text=f"seen {n}"), action=Action(text=f"done {n}"))


def ended(store: Store, made: Served) -> bool:
    body = an_episode(lane(made.run, "served"), id=made.episode, trajectory=Trajectory())
    return store.end_served(body).result()


def said(made: Served, **changes: object) -> Feedback:
    return Feedback.model_validate({"episode": made.episode, "reward": 0.0} | changes)


def test_an_episode_ends_once_with_the_steps_that_were_recorded(store: Store) -> None:
    made = begun(store)
    for n in (1, 2, 2):
        store.add_step(made.episode, step(n)).result()
    assert ended(store, made)
    assert not ended(store, made)
    store.add_step(made.episode, step(3)).result()
    kept = store.episode(made.episode)
    assert kept is not None
    assert [s.n for s in kept.trajectory.steps] == [1, 2]
    assert kept.answer == "done 2"
    assert store.served("ep_").state == "closed"


def test_states_follow_feedback_and_learning(store: Store) -> None:
    made = begun(store)
    states = [store.served(made.episode).state]
    store.put_feedback(said(made))
    states.append(store.served(made.episode).state)
    ended(store, made)
    states.append(store.served(made.episode).state)
    with store.acquire_lease("main", "x") as lease:
        store.put_feedback(said(made))
        wait(store.put_learned([], [(made.episode, 1)], lease.fence))
        states.append(store.served(made.episode).state)
        wait(store.put_learned([], [(made.episode, 2)], lease.fence))
        states.append(store.served(made.episode).state)
        with pytest.raises(StorageError, match="learned from already"):
            wait(store.put_learned([], [(made.episode, 3)], lease.fence))
    assert states == ["open", "open", "pending", "pending", "consumed"]


def test_the_outcome_in_the_row_is_what_was_said(store: Store) -> None:
    made = begun(store)
    ended(store, made)
    store.put_feedback(said(made, success=False, origin=Origin.OPERATOR, reward=None))
    store.put_feedback(said(made, success=True, reward=1.0))
    kept = store.episode(made.episode)
    assert kept is not None
    assert (kept.success, kept.reward.value) == (False, 1.0)
    assert kept.reward.supplier is RewardSupplier.USER


def test_an_agents_word_on_itself_is_known_as_such() -> None:
    alone = judged((Feedback(episode="e", seq=1, reward=1.0, source="agent"),))
    assert alone.reward.supplier is RewardSupplier.AGENT


def test_what_the_agent_says_of_itself_stands_under_all_else() -> None:
    words = (
        Feedback(episode="e", seq=1, success=False, reward=0.0, source="ann"),
        Feedback(episode="e", seq=2, success=True, reward=1.0, source="agent"),
    )
    outcome = judged(words)
    assert (outcome.success, outcome.reward.value) == (False, 0.0)
    assert outcome.reward.supplier is RewardSupplier.USER


def test_only_the_dead_are_abandoned(store: Store) -> None:
    made = begun(store)
    assert store.abandon_dead() == 0
    store._do(lambda c: c.execute("UPDATE served SET token = 'gone'"))
    store.add_step(made.episode, step(1)).result()
    assert store.abandon_dead() == 1
    kept = store.episode(made.episode)
    assert kept is not None
    assert (kept.status, len(kept.trajectory.steps)) == ("abandoned", 1)
    assert store.served(made.episode).state == "abandoned"


def test_names_that_are_not_there_or_not_unique_are_refused(store: Store) -> None:
    begun(store, "1")
    begun(store, "12")
    assert store.served("ep_1").episode == "ep_1"
    with pytest.raises(UnknownNameError, match="not unique"):
        store.served("ep_")
    with pytest.raises(UnknownNameError, match="no served episode"):
        store.served("")


def test_purging_an_episode_erases_who_said_what_of_it(store: Store) -> None:
    made = begun(store, goal="my secret", source="ann")
    ended(store, made)
    store.put_feedback(said(made, text="a secret", source="bob"))
    store.update_run(made.run, status="done")
    wait(purge(store, episode=made.episode))
    assert store.served(made.episode).goal == ""
    (left,) = store.feedback(made.episode)
    assert (left.text, left.source, left.reward) == ("", None, 0.0)
    rows = store._read(lambda c: c.execute("SELECT name FROM sources").fetchall())
    assert rows == []
