"""Lines of a run's digest that are made while it waits: they are what the rows would give."""

import asyncio

import pytest

from tests.store.builders import an_episode, open_lane, wait
from verbalrl.errors import StorageError
from verbalrl.execution import ahead
from verbalrl.execution.ahead import Ahead
from verbalrl.execution.evidence import RunEvidence
from verbalrl.records import Episode, Origin
from verbalrl.store import Store
from verbalrl.store.purging import Erase
from verbalrl.store.tombstones import Tombstone


def put(store: Store, instance: str, *, named: bool = False) -> Episode:
    if not store.branches("r1"):
        open_lane(store)
    episode = an_episode(instance=instance)
    if not named:
        plain = episode.spec.guidance["actor"].replace(force_in=())
        episode = episode.replace(spec=episode.spec.replace(guidance={"actor": plain}))
    return wait(store.put_episode(episode))


def waited(made: Ahead, lines: int) -> None:
    """Wait until there are so many lines, and a little longer."""

    async def some_time() -> None:
        async with asyncio.timeout(20), made.while_waiting():
            while len(made.lines) < lines:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.02)

    wait(some_time())


def test_the_digest_is_the_same_with_lines_made_ahead(store: Store) -> None:
    first, second = put(store, "i1"), put(store, "i2")
    put(store, "i3")
    made = Ahead(store)
    made.put(first.id)
    made.put(second.id)
    assert not made.lines
    waited(made, 2)
    assert set(made.lines) == {first.id, second.id}
    whole = store.episodes_digest("r1", "learned", 0)
    assert store.episodes_digest("r1", "learned", 0, made.lines) == whole
    wrong = {first.id: made.lines[first.id]._replace(attempt="x")}
    assert store.episodes_digest("r1", "learned", 0, wrong) != whole


def test_episodes_that_name_lessons_are_left_for_the_end(store: Store) -> None:
    made = Ahead(store)
    made.put(put(store, "i1", named=True).id)
    plain = put(store, "i2").id
    made.put(plain)
    waited(made, 1)
    assert set(made.lines) == {plain}


def test_who_waits_no_longer_is_not_kept_waiting(store: Store) -> None:
    made = Ahead(store)
    made.put(put(store, "i1").id)

    async def at_once() -> None:
        async with made.while_waiting():
            pass
        await asyncio.sleep(0.05)

    wait(at_once())
    assert not made.lines
    waited(made, 1)


def test_so_many_lines_are_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "MOST", 1)
    made = Ahead(store)
    for n in range(2):
        made.put(put(store, f"i{n}").id)
    waited(made, 1)
    assert len(made.lines) == 1


def test_what_cannot_be_read_is_left_for_the_end(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [put(store, f"i{n}").id for n in range(2)]
    made, read = Ahead(store), store.episode

    def damaged(name: str) -> Episode | None:
        if name == names[0]:
            raise StorageError("a stored Episode is damaged")
        return read(name)

    monkeypatch.setattr(store, "episode", damaged)
    for name in names:
        made.put(name)
    waited(made, 1)
    assert set(made.lines) == {names[1]}


def test_lines_of_what_a_person_has_erased_are_forgotten(store: Store) -> None:
    past = RunEvidence(store, Origin.TASK, "r1", shared=True)
    episode = put(store, "i1")
    past.put(episode)
    waited(past.ahead, 1)
    assert set(past.lines) == {episode.id}
    gone = Erase(episodes=frozenset({episode.id}))
    wait(store.put_commits((), {}, stones=[Tombstone("episode", episode.id, "purged")], erase=gone))
    assert not past.lines
