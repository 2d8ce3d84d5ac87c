"""What critiques of a run stand on: read once, and anew where it may have changed."""

import pytest

from tests.store.builders import a_critique, an_episode, lane, open_lane, wait
from verbalrl.execution import evidence, recent
from verbalrl.execution.evidence import RunEvidence
from verbalrl.execution.recent import Recent
from verbalrl.records import Critique, Episode, Origin
from verbalrl.store import Store
from verbalrl.store.purging import Erase
from verbalrl.store.tombstones import Tombstone


def kept(store: Store, run: str = "r1") -> RunEvidence:
    return RunEvidence(store, Origin.TASK, run, shared=True)


def put(store: Store, instance: str = "i1", **changes: object) -> tuple[Episode, Critique]:
    if not store.branches("r1"):
        open_lane(store)
    episode = an_episode(instance=instance, **changes)  # type: ignore[arg-type]
    critique = a_critique(episode)
    wait(store.put_episode(episode))
    wait(store.put_critique(critique, lane().branch))
    return episode, critique


def erase(store: Store, episode: Episode, critique: Critique) -> None:
    stones = [
        Tombstone("episode", episode.id, "purged"),
        Tombstone("critique", critique.id, "purged"),
    ]
    gone = Erase(episodes=frozenset({episode.id}), critiques=frozenset({critique.id}))
    wait(store.put_commits((), {}, stones=stones, erase=gone))


def test_a_critique_is_read_once(store: Store) -> None:
    _, critique = put(store)
    shown = kept(store)
    shown.put(critique)
    first = shown.of(critique.id)
    shown.begin()
    assert first is not None
    assert shown.of(critique.id) is first
    assert first.critique == critique
    assert [item.action for item in first.items] == ["up"]


def test_what_a_person_has_erased_is_shown_no_more(store: Store) -> None:
    episode, critique = put(store)
    shown = kept(store)
    shown.put(critique)
    erase(store, episode, critique)
    shown.begin()
    found = shown.of(critique.id)
    assert found is not None
    assert not found.items
    assert not found.critique.proposals


def test_what_was_revoked_and_then_purged_is_read_anew_each_time(store: Store) -> None:
    episode, critique = put(store)
    wait(store.put_commits((), {}, stones=[Tombstone("episode", episode.id, "revoked")]))
    shown = kept(store)
    shown.put(critique)
    erase(store, episode, critique)
    shown.begin()
    assert not (shown.of(critique.id) or pytest.fail("it is there")).items


def test_evidence_of_another_run_may_be_judged_anew_and_is_read_each_time(store: Store) -> None:
    _, critique = put(store)
    shown = kept(store, run="r2")
    first = shown.of(critique.id)
    assert first is not None
    assert shown.of(critique.id) == first
    assert shown.of(critique.id) is not first


def test_so_many_are_kept_and_the_others_read_each_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "MOST", 1)
    shown, names = kept(store), [put(store, f"i{n}")[1].id for n in range(2)]
    assert shown.of(names[0]) is shown.of(names[0])
    assert shown.of(names[1]) is not shown.of(names[1])


def test_nothing_is_kept_where_no_memory_is_shared(store: Store) -> None:
    episode, critique = put(store)
    past = RunEvidence(store, Origin.TASK, "r1", shared=False)
    past.put(episode)
    past.put(critique)
    assert past.recent.episode(episode.id) is not episode


def test_a_critique_without_its_episode_is_not_there(store: Store) -> None:
    open_lane(store)
    assert kept(store).of("cr_unknown") is None


def test_what_was_put_is_kept_and_what_was_not_is_read(store: Store) -> None:
    episode, critique = put(store)
    latest = Recent(store)
    assert latest.episode(episode.id) == episode
    assert latest.episode(episode.id) is not latest.episode(episode.id)
    latest.put(episode)
    latest.put(critique)
    assert latest.episode(episode.id) is episode
    assert latest.critique(critique.id) is critique
    assert latest.critique(episode.id) is None


def test_the_latest_are_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MOST", 2)
    made = [put(store, f"i{n}")[0] for n in range(3)]
    latest = Recent(store)
    latest.put(made[0])
    latest.put(made[1])
    assert latest.episode(made[0].id) is made[0]
    latest.put(made[2])
    assert [latest.episode(e.id) is e for e in made] == [False, True, True]


def test_long_episodes_are_read_each_time(store: Store) -> None:
    episode, _ = put(store, steps=200)
    latest = Recent(store)
    latest.put(episode)
    assert latest.episode(episode.id) is not episode
    assert latest.episode(episode.id) == episode


def test_an_erased_episode_is_not_kept_beyond_the_next_round(store: Store) -> None:
    episode, critique = put(store)
    latest = Recent(store)
    latest.put(episode)
    erase(store, episode, critique)
    latest.begin()
    assert not (latest.episode(episode.id) or episode).trajectory.steps
