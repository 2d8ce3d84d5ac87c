"""What is put comes back as it was, once, and in an order that does not depend on arrival."""

import math
from pathlib import Path

import pytest

from tests.store.builders import (
    a_call,
    a_commit,
    a_critique,
    a_run,
    add,
    an_episode,
    lane,
    new_store,
    open_lane,
    wait,
)
from verbalrl.errors import StorageError, UnknownNameError
from verbalrl.records import (
    Action,
    BranchRecord,
    Decision,
    MediaPart,
    OpenRound,
    Reward,
    RoundRecord,
    StopReason,
    TextPart,
    ToolCallPart,
)
from verbalrl.store import Store, open_store


def test_episode_comes_back_equal(store: Store) -> None:
    open_lane(store)
    episode = an_episode()
    assert wait(store.put_episode(episode)) == episode
    assert store.episode(episode.id) == episode
    assert store.episode("ep_none") is None


def test_episode_with_parts_and_failure_comes_back_equal(store: Store) -> None:
    open_lane(store)
    parts = (
        TextPart(text="a\n\t", origin=None, source="c1"),
        ToolCallPart(id="t1", name="f", arguments="{}"),
        MediaPart(media_type="image/png", uri="file:x"),
    )
    first = an_episode()
    step = first.trajectory.steps[0].replace(action=Action(parts=parts), reward=None)
    episode = first.replace(
        trajectory=first.trajectory.replace(steps=(step,)),
        reward=Reward(value=None),
        success=None,
        status="failed",
        stop_reason=StopReason.AGENT_ERROR,
    )
    wait(store.put_episode(episode))
    assert store.episode(episode.id) == episode


def test_first_episode_of_an_id_stays(store: Store) -> None:
    open_lane(store)
    first = an_episode()
    wait(store.put_episode(first))
    assert wait(store.put_episode(first.replace(success=True))) == first
    assert store.episode(first.id) == first


def test_rewards_that_are_not_finite_do_not_spoil_the_row(store: Store) -> None:
    open_lane(store)
    reward = Reward(value=math.nan, components={"a": math.inf})
    episode = an_episode(reward=reward)
    wait(store.put_episode(episode))
    stored = store.episode(episode.id)
    assert stored is not None
    assert stored.reward == Reward(value=None, components={"a": math.inf})


def test_hostile_text_is_stored_cleaned(store: Store) -> None:
    open_lane(store)
    whole = an_episode()
    spec = whole.spec.replace(instance="i\ud800")
    wait(store.put_episode(whole.replace(spec=spec, answer="a\0b\ud800c")))
    (stored,) = store.episodes()
    assert (stored.answer, stored.instance) == ("abc", "i")
    assert store.episodes(instance="i") == (stored,)
    wait(store.append(a_call("k\udfff", reply='"\ud83d\ude00\ud800"')))
    assert [r.id for r in store.runs()] == ["r1"]


def test_what_the_file_cannot_hold_is_one_clear_line(store: Store) -> None:
    open_lane(store)
    with pytest.raises(StorageError, match="does not fit into 64 bits"):
        wait(store.put_episode(an_episode(seed=2**63)))
    for ask in (lambda: store.run("\udcff"), lambda: store.episode("\udcff")):
        with pytest.raises(StorageError, match="no text"):
            ask()


def test_episodes_come_in_canonical_order_and_in_pages(store: Store) -> None:
    open_lane(store)
    open_lane(store, lane("r2"))
    made = [an_episode(instance=i, trial=t) for i in ("b", "a") for t in (2, 1)]
    made.append(an_episode(lane("r2"), instance="0"))
    for episode in made:
        wait(store.put_episode(episode))
    found = store.episodes()
    assert [(e.run, e.instance, e.trial) for e in found] == [
        ("r1", "a", 1), ("r1", "a", 2), ("r1", "b", 1), ("r1", "b", 2), ("r2", "0", 1),
    ]  # fmt: skip
    assert store.episodes(limit=2, offset=1) == found[1:3]
    assert store.episodes(run="r2", arm="learned", seed=0, purpose="attempt") == found[4:]
    assert store.episodes(instance="a", seed=1) == ()
    bare = store.episodes(run="r1", instance="a", steps=False)
    assert [e.trajectory.steps for e in bare] == [(), ()]
    assert bare[0].reward == found[0].reward


def test_episode_of_an_unknown_run_is_refused(store: Store) -> None:
    with pytest.raises(StorageError, match="is not stored"):
        wait(store.put_episode(an_episode()))
    assert store.episodes() == ()


def test_critiques_come_back_and_are_filtered(store: Store) -> None:
    branch = open_lane(store)
    first, second = an_episode(trial=1), an_episode(trial=2)
    for episode in (second, first):
        wait(store.put_episode(episode))
        wait(store.put_critique(a_critique(episode), branch))
    refused = a_critique(first, "cr_r", status="refused", refusal="empty", sample=1)
    wait(store.put_critique(refused, branch))
    assert store.critique("cr_r") == refused
    assert store.critique("cr_none") is None
    assert [c.trial for c in store.critiques(branch=branch, status="accepted")] == [1, 2]
    assert store.critiques(run="r1", instance="i1", limit=1, offset=1) == (refused,)
    assert store.critiques(branch="main") == ()
    assert wait(store.put_critique(refused.replace(detail="other"), branch)) == refused


def test_critique_of_an_unknown_episode_is_refused(store: Store) -> None:
    branch = open_lane(store)
    with pytest.raises(StorageError, match="is not stored"):
        wait(store.put_critique(a_critique(an_episode()), branch))


def test_run_is_found_by_unique_prefix(store: Store) -> None:
    for name in ("run-abc", "run-abd", "other"):
        store.create_run(a_run(name))
    assert store.run("o").id == "other"
    assert store.run("run-abc").id == "run-abc"
    with pytest.raises(UnknownNameError, match=r"not unique.*run-abc, run-abd"):
        store.run("run-a")
    with pytest.raises(UnknownNameError, match="did you mean: run-ab"):
        store.run("run-axx")
    with pytest.raises(UnknownNameError):
        store.run("")
    with pytest.raises(UnknownNameError):
        store.run("%")
    assert [r.id for r in store.runs()] == ["run-abc", "run-abd", "other"]


def test_run_is_stamped_and_updated(store: Store) -> None:
    made = store.create_run(a_run(created_at="never"))
    assert made.created_at.endswith("+00:00")
    assert store.run("r1") == made
    store.update_run("r1", status="done", result={"arms": {"x": 1.5}})
    done = store.update_run("r1", stop_reason="budget")
    assert (done.status, done.stop_reason, done.result) == ("done", "budget", {"arms": {"x": 1.5}})
    with pytest.raises(StorageError, match="already"):
        store.create_run(a_run())
    with pytest.raises(UnknownNameError):
        store.update_run("r9", status="done")


def test_main_is_there_from_the_start_and_branches_stay(store: Store) -> None:
    assert [b.id for b in store.branches()] == ["main"]
    branch = open_lane(store)
    again = BranchRecord(id=branch, learns=False)
    assert store.create_branch(again).learns
    assert [b.id for b in store.branches()] == ["main", branch]
    assert [b.id for b in store.branches(run="r1")] == [branch]
    assert store.branch(branch).arm == "learned"
    with pytest.raises(UnknownNameError, match="did you mean: main"):
        store.branch("mian")


def test_round_keeps_the_revisions_of_its_first_pin(store: Store) -> None:
    branch = open_lane(store)
    first = RoundRecord(
        branch=branch, number=2, opened=OpenRound(instances=("a", "b"), trial=2), pinned={"s": 3}
    )
    assert wait(store.pin_round(first)) == first
    assert wait(store.pin_round(first.replace(pinned={"s": 7}))) == first
    wait(store.pin_round(first.replace(number=1)))
    assert [r.number for r in store.rounds(branch)] == [1, 2]
    assert store.rounds("main") == ()


def test_decisions_are_kept_once(store: Store) -> None:
    branch = open_lane(store)
    first = Decision(id="se_2", branch=branch, kind="select", chosen="ep_1", detail={"a": "b"})
    assert wait(store.put_decision(first)) == first
    assert wait(store.put_decision(first.replace(chosen="ep_2"))) == first
    wait(store.put_decision(Decision(id="fr_1", branch=branch, kind="freeze")))
    assert [d.id for d in store.decisions(branch)] == ["fr_1", "se_2"]
    assert store.decision("se_2") == first
    assert store.decision("se_9") is None


def test_journal_answers_by_key_and_generation(store: Store) -> None:
    first, second = a_call("k"), a_call("k", generation=1, kind="hook", reply="null")
    assert store.lookup("k", 0) is None
    assert store.generation("ep_1") is None
    for call in (first, second, first):
        wait(store.append(call))
    assert store.lookup("k", 0) == first
    assert store.lookup("k", 1) == second
    assert store.generation("ep_1") == 1
    with pytest.raises(StorageError, match="another process"):
        wait(store.append(a_call("k", reply='"other"')))
    assert store.lookup("k", 0) == first


def test_another_store_object_sees_what_is_durable(tmp_path: Path) -> None:
    with new_store(tmp_path) as writing, open_store(tmp_path) as reading:
        branch = open_lane(writing)
        wait(writing.put_commit(a_commit(branch, 0, add("le_1"))))
        assert [lesson.id for lesson in reading.lessons(branch, "s")] == ["le_1"]
        wait(writing.put_commit(a_commit(branch, 1, add("le_2"))))
        assert [lesson.id for lesson in reading.lessons(branch, "s")] == ["le_1", "le_2"]


def test_closed_store_says_so(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.close()
    store.close()
    for attempt in (store.runs, lambda: store.create_run(a_run())):
        with pytest.raises(StorageError, match="closed"):
            attempt()
