"""Revoking takes out what stems from something, and leaves what stands without it."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.store.builders import (
    a_commit,
    a_critique,
    add,
    an_episode,
    body,
    change,
    lane,
    new_store,
    open_lane,
    seen,
    wait,
)
from verbalrl.curators import confirmed
from verbalrl.errors import ConfigurationError, LeaseError, StorageError
from verbalrl.memory.editing import edit
from verbalrl.memory.health import verify
from verbalrl.memory.purge import purge
from verbalrl.memory.revoke import Revocation, revoke
from verbalrl.memory.rollback import rollback
from verbalrl.records import Evidence, Lesson, MemoryUpdate, Operation, Origin, Status
from verbalrl.store import Store, open_store

LOW = Origin.UNTRUSTED
count = iter(range(1, 10_000))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path / "store") as made:
        yield made


@pytest.fixture
def branch(store: Store) -> str:
    made = open_lane(store)
    store.update_run("r1", status="done")
    return made


def heard(store: Store, source: str, says: str = "") -> Evidence:
    """An episode in which `source` speaks, whose critique says the text of that name."""
    n = next(count)
    episode = an_episode(instance=f"i{n}", trial=n, steps=1, lesson="le_none")
    wait(store.put_episode(episode))
    critique = a_critique(episode)
    wait(store.put_critique(critique, lane().branch))
    return Evidence(
        critique=critique.id,
        episode=episode.id,
        instance=episode.instance,
        trial=n,
        origin=LOW,
        sources=(source,),
        sound=True,
        says=body(says).content if says else "",
    )


def put(store: Store, branch: str, *updates: MemoryUpdate) -> None:
    wait(store.put_commit(a_commit(branch, store.revision(branch, "s"), *updates)))


def known(store: Store, name: str, branch: str) -> Lesson:
    found = store.lesson(name, branch=branch)
    assert found is not None
    return found


def learned(store: Store, branch: str, name: str, text: str, *sources: str) -> None:
    """An untrusted lesson that all of `sources` say; active when two of them do."""
    evidence = tuple(heard(store, s, text) for s in sources)
    new = add(name, text, trust=LOW, status=None, evidence=evidence)
    put(store, branch, new)
    made = confirmed(store.lessons(branch, "s"), [new], "none")
    if made:
        put(store, branch, *made)


def gone(store: Store, **what: Any) -> Revocation:
    done = asyncio.run(revoke(store, **what))
    assert verify(store).findings == ()
    return done


def test_two_named_sources_confirm_and_one_does_not(store: Store, branch: str) -> None:
    learned(store, branch, "le_1", "a", "ann", "ann")
    learned(store, branch, "le_2", "b", "ann", "bob")
    assert [x.status for x in store.lessons(branch, "s")] == [Status.QUARANTINED, Status.ACTIVE]
    with pytest.raises(StorageError, match="no two named sources"):
        put(store, branch, change(Operation.ACTIVATE, "le_1", status=Status.PROVISIONAL))


def test_lesson_of_one_source_falls_with_it_and_the_source_stays_out(
    store: Store, branch: str
) -> None:
    learned(store, branch, "le_1", "a", "eve", "eve")
    learned(store, branch, "le_2", "b", "ann", "bob", "eve")
    done = gone(store, source="eve")
    made = done.places[branch, "s"]
    assert (made.fallen, made.lessened) == (["le_1"], ["le_2"])
    left = known(store, "le_2", branch)
    assert (left.status, len(left.evidence)) == (Status.ACTIVE, 2)
    with pytest.raises(StorageError, match="whose source was revoked"):
        learned(store, branch, "le_3", "c", "eve")
    assert gone(store, source="eve").places == {}


def test_confirmation_that_is_revoked_is_none(store: Store, branch: str) -> None:
    learned(store, branch, "le_1", "a", "ann", "eve")
    assert known(store, "le_1", branch).usable
    gone(store, source="eve")
    assert known(store, "le_1", branch).status is Status.QUARANTINED


def test_text_reworded_by_a_source_goes_back(store: Store, branch: str) -> None:
    learned(store, branch, "le_1", "a", "ann", "bob")
    worse = change(Operation.REVISE, "le_1", body=body("evil"), trust=LOW)
    put(store, branch, worse.replace(evidence=(heard(store, "eve"),)))
    assert known(store, "le_1", branch).status is Status.QUARANTINED
    assert gone(store, source="eve").places[branch, "s"].reverted == ["le_1"]
    back = known(store, "le_1", branch)
    # It stood as active with this text, and two sources confirm it still.
    assert (back.body, back.version, back.status) == (body("a"), 3, Status.ACTIVE)
    assert back.trust is LOW
    assert "eve" not in {s for e in back.evidence for s in e.sources}


def test_good_lesson_merged_with_poison_comes_back(store: Store, branch: str) -> None:
    learned(store, branch, "le_good", "a", "ann", "bob")
    learned(store, branch, "le_bad", "evil", "eve", "mal")
    both = add("le_m", "a and evil", op=Operation.MERGE, trust=LOW, status=None)
    put(store, branch, both.replace(parents=("le_good", "le_bad"), evidence=()))
    wait(store.publish(branch, approve=True))
    # The other source says it too, so it takes both.
    assert gone(store, source="eve").places[branch, "s"].fallen == []
    made = gone(store, source="mal").places[branch, "s"]
    assert (set(made.fallen), made.restored) == ({"le_m", "le_bad"}, ["le_good"])
    assert known(store, "le_good", branch).status is Status.ACTIVE
    assert known(store, "le_bad", branch).status is Status.REVOKED


def test_copies_fall_on_every_branch_also_where_they_are_only_read(
    store: Store, branch: str
) -> None:
    learned(store, branch, "le_1", "evil", "eve", "mal")
    wait(store.publish(branch, approve=True))
    child = open_lane(store, lane("r2"), parent="main", learns=False)
    store.update_run("r2", status="done")
    assert [x.usable for x in store.current_lessons(child)] == [True]
    done = gone(store, lesson="le_1")
    assert {home for home, _ in done.places} == {branch, "main", child}
    for name in (branch, "main", child):
        assert [x.status for x in store.current_lessons(name)] == [Status.REVOKED]
    assert wait(store.publish(branch, approve=True))["added"] == 0


def test_the_episodes_whose_prompts_carried_it_are_named(store: Store, branch: str) -> None:
    learned(store, branch, "le_1", "evil", "eve", "mal")
    carrier = an_episode(instance="later", trial=1, lesson="le_1")
    wait(store.put_episode(carrier))
    assert [u.episode for u in gone(store, source="eve").carried] == []
    learned(store, branch, "le_2", "worse", "mal")
    wait(store.put_episode(an_episode(instance="last", trial=2, lesson="le_2")))
    assert {u.instance for u in gone(store, source="mal").carried} == {"later", "last"}


def test_an_episode_and_a_critique_can_be_revoked_too(store: Store, branch: str) -> None:
    for name in ("le_1", "le_2"):
        put(store, branch, add(name, trust=LOW, status=None, evidence=(heard(store, "x"),)))
    first, second = (known(store, n, branch).evidence[0] for n in ("le_1", "le_2"))
    assert gone(store, episode=first.episode).places[branch, "s"].fallen == ["le_1"]
    assert gone(store, critique=second.critique).places[branch, "s"].fallen == ["le_2"]


def test_runs_that_can_be_resumed_are_not_changed_in_passing(store: Store, branch: str) -> None:
    learned(store, branch, "le_1", "a", "eve")
    store.update_run("r1", status="stopped")
    with pytest.raises(ConfigurationError, match="can still be resumed"):
        gone(store, source="eve")
    assert gone(store, source="eve", end_runs=True).ended == ("r1",)
    assert store.run("r1").status == "done"
    learned(store, branch, "le_2", "b", "ann")
    with store.acquire_lease(branch, "r1"), pytest.raises(LeaseError):
        gone(store, source="ann")


def test_approved_text_is_only_supported_by_less_trusted_text(store: Store, branch: str) -> None:
    put(store, branch, add("le_1", status=Status.PROVISIONAL))
    put(store, branch, change(Operation.ACTIVATE, "le_1", trust=Origin.OPERATOR))
    assert known(store, "le_1", branch).trust is Origin.OPERATOR
    for asked in (
        change(Operation.REVISE, "le_1", body=body("b")),
        change(Operation.RETIRE, "le_1"),
        change(Operation.SUSPEND, "le_1"),
    ):
        with pytest.raises(StorageError, match="may not change operator"):
            put(store, branch, asked)
    put(store, branch, change(Operation.SUPPORT, "le_1"))


def test_rolling_back_is_a_new_revision_and_revives_nothing_revoked(
    store: Store, branch: str
) -> None:
    put(store, branch, add("le_1"), add("le_2"))
    put(store, branch, change(Operation.REVISE, "le_1", body=body("worse")), add("le_3"))
    put(store, branch, change(Operation.RETIRE, "le_2"))
    gone(store, lesson="le_3")
    done = wait(rollback(store, branch, "s", 1))
    now = {x.id: (x.status, x.instruction) for x in store.lessons(branch, "s")}
    assert now == {
        "le_1": (Status.ACTIVE, "do le_1"),
        "le_2": (Status.ACTIVE, "do le_2"),
        "le_3": (Status.REVOKED, "do le_3"),
    }
    assert (done.revision, done.kept) == (5, ("le_3",))
    wait(rollback(store, branch, "s", 2))
    assert known(store, "le_3", branch).status is Status.REVOKED
    assert known(store, "le_1", branch).instruction == "do worse"


def test_edit_is_a_new_version_and_watches_the_old_one(store: Store, branch: str) -> None:
    learned(store, branch, "le_1", "a", "ann")
    done = wait(edit(store, "le_1", {"instruction": "do it\x00 well"}, version=1))
    assert (done.lesson.version, done.lesson.instruction) == (2, "do it well")
    assert done.lesson.status is Status.QUARANTINED
    with pytest.raises(ConfigurationError, match="has version 2 by now, not 1"):
        wait(edit(store, "le_1", {"when": "x"}, version=1))
    with pytest.raises(ConfigurationError, match="needs an instruction"):
        wait(edit(store, "le_1", {"instruction": " … "}))


@pytest.mark.parametrize("what", ["lesson", "episode", "source"])
def test_purge_erases_every_byte_of_it(store: Store, branch: str, what: str) -> None:
    text, n = "xylophone", next(count)
    episode = an_episode(instance=f"p{n}", trial=n, steps=1, lesson="le_1")
    step = episode.trajectory.steps[0]
    part = {"kind": "text", "text": text, "origin": LOW, "source": "eve"}
    seen = step.observation.model_validate({"parts": [part]})
    known_by = step.replace(observation=seen, feedback=text)
    trajectory = episode.trajectory.replace(steps=(known_by,), final=seen)
    if what != "lesson":
        wait(store.put_episode(episode.replace(trajectory=trajectory, answer=text)))
    else:
        wait(store.put_episode(episode))
    wait(store.put_critique(a_critique(episode, raw=text if what != "lesson" else ""), branch))
    evidence = Evidence(
        critique=a_critique(episode).id,
        episode=episode.id,
        instance=episode.instance,
        trial=n,
        origin=LOW,
        sources=("eve",),
    )
    put(store, branch, add("le_1", text, trust=LOW, status=None, evidence=(evidence,)))
    wait(store.publish(branch, approve=True))
    name = {"lesson": "le_1", "episode": episode.id, "source": "eve"}[what]
    assert text.encode() in b"".join(f.read_bytes() for f in store.path.iterdir())
    wait(purge(store, **{what: name}))
    assert text.encode() not in b"".join(f.read_bytes() for f in store.path.iterdir())
    assert verify(store).findings == ()
    assert {x.status for x in store.current_lessons(branch)} == {Status.PURGED}
    assert store.tombstones()


def test_purge_erases_what_errors_of_a_curation_repeated(store: Store, branch: str) -> None:
    episode = an_episode()
    wait(store.put_episode(episode))
    wait(store.put_critique(a_critique(episode, "cr_1"), branch))
    said = {"failure": "call_refused: xylophone", "lacking": "group 1: call_refused: xylophone"}
    for field, text in said.items():
        made = a_commit(branch, 0, identity=f"cu_{field}").replace(critiques=("cr_1",))
        wait(store.put_commit(made.replace(**{field: text})))
    assert b"xylophone" in bytes_in(store.path)
    wait(purge(store, episode=episode.id))
    assert b"xylophone" not in bytes_in(store.path)
    left = [store.commit(f"cu_{field}") for field in said]
    assert [(c.failure, c.lacking) for c in left if c] == [("erased", ""), ("", "erased")]


def bytes_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


def test_purge_that_is_cancelled_leaves_nothing_in_the_log(store: Store, branch: str) -> None:
    learned(store, branch, "le_1", "xylophone", "eve")
    assert store.lessons(branch, "s")[0].instruction == "do xylophone"

    async def interrupted() -> None:
        task = asyncio.ensure_future(purge(store, source="eve"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    wait(interrupted())
    assert b"xylophone" not in bytes_in(store.path)
    assert known(store, "le_1", branch).status is Status.PURGED
    assert verify(store).findings == ()


_KILLED = """
import asyncio, os, sys
from verbalrl.memory.purge import purge
from verbalrl.store import open_store

store = open_store(sys.argv[1])
store.acquire_lease("main", "wakes the writer").release()
# The next connection is the one that would cut the log.
sys.addaudithook(lambda event, _: os._exit(9) if event == "sqlite3.connect" else None)
asyncio.run(purge(store, source="eve"))
"""


def test_purge_that_is_killed_is_settled_by_who_opens_next(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    with new_store(folder) as store:
        branch = open_lane(store)
        store.update_run("r1", status="done")
        learned(store, branch, "le_1", "xylophone", "eve")
    done = subprocess.run([sys.executable, "-c", _KILLED, str(folder)], check=False)
    assert done.returncode == 9
    assert b"xylophone" in bytes_in(folder)
    with open_store(folder) as again:
        assert b"xylophone" not in bytes_in(folder)
        assert known(again, "le_1", branch).status is Status.PURGED
        assert verify(again).findings == ()


def test_purge_erases_what_was_revoked_before_and_nothing_of_others(
    store: Store, branch: str
) -> None:
    for lesson, text, source in (("le_1", "xylophone", "eve"), ("le_2", "marimba", "cat")):
        learned(store, branch, lesson, text, source)
    learned(store, branch, "le_3", "a", "ann", "bob")
    worse = change(Operation.REVISE, "le_3", body=body("xylophone at night"), trust=LOW)
    put(store, branch, worse.replace(evidence=(heard(store, "eve"),)))
    for source in ("eve", "cat"):
        wait(revoke(store, source=source))
    wait(purge(store, source="eve"))
    left = b"".join(f.read_bytes() for f in store.path.iterdir())
    assert b"xylophone" not in left
    assert b"marimba" in left
    assert known(store, "le_1", branch).status is Status.PURGED
    assert known(store, "le_2", branch).status is Status.REVOKED
    assert known(store, "le_3", branch).body == body("a")
    assert verify(store).findings == ()


def test_purge_takes_one_text_out_of_a_lesson_that_lives_on(store: Store, branch: str) -> None:
    learned(store, branch, "le_1", "a", "ann", "bob")
    worse = change(Operation.REVISE, "le_1", body=body("xylophone"), trust=LOW)
    put(store, branch, worse.replace(evidence=(heard(store, "eve"), heard(store, "cat"))))
    child = open_lane(store, lane("r2"), parent=branch)
    put(store, child, change(Operation.SUPPORT, "le_1", evidence=(seen("i9"),)))
    store.update_run("r2", status="done")
    wait(purge(store, source="eve"))
    assert b"xylophone" not in b"".join(f.read_bytes() for f in store.path.iterdir())
    assert {known(store, "le_1", b).body for b in (branch, child)} == {body("a")}
    assert verify(store).findings == ()
