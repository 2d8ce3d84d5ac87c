"""Frozen memory stays as it is, evaluation teaches nothing, a method's own check is heard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.loop.test_guidance import GENERAL, curator
from tests.loop.world import Player, Staged, batch, episode, episodes, pressing, rows, run, safes
from verbalrl.errors import MethodError
from verbalrl.methods import CommitCheck, Handbook, Learns, handbook
from verbalrl.records import (
    Batch,
    Commit,
    CurateLessons,
    Done,
    FreezeMemory,
    InstanceView,
    Lesson,
    LessonKind,
    Objection,
    OpenRound,
    SharedView,
    WriteCritique,
)
from verbalrl.store import Store

TASK = safes("green", "blue", test=["green"], max_steps=1)
FREEZE = Batch(work=(FreezeMemory(),))


class Learning(Staged):
    """One attempt, and its critique where the round learns."""

    learns: Learns = "shared"

    def stages(self, view: InstanceView) -> Iterator[Batch]:
        yield batch(episode(view, trial=view.round.trial))
        if not view.round.evaluate:
            yield batch(WriteCritique(episodes=(view.episodes[-1].id,)))

    def curated(self, view: SharedView, **fields: Any) -> Batch:
        """A commit of all critiques."""
        names = [c.id for r in view.rounds for c in r.critiques]
        own = {"critiques": names, "scope": view.scope, "kind": LessonKind.BEHAVIOR}
        return Batch(work=(CurateLessons.model_validate(own | fields),))


class CommitsLate(Learning):
    """Freezes, then curates all the same."""

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        if not view.rounds:
            return OpenRound(instances=view.train)
        return self.curated(view) if view.decisions else FREEZE


def test_a_commit_after_a_freeze_is_refused(store: Store) -> None:
    with pytest.raises(MethodError, match="memory is frozen"):
        run(store, pressing("red"), CommitsLate(), TASK, curator=curator(GENERAL))
    written = rows(store.path, "commits", "updates", "lessons")
    assert written == {"commits": [], "updates": [], "lessons": []}
    (record,) = store.runs()
    assert (record.status, record.stop_reason.partition(":")[0]) == ("failed", "MethodError")
    # What was done by then is kept.
    assert len(store.critiques(run=record.id)) == 2


class LearnsLate(Learning):
    """Freezes, then opens a round whose lanes could commit their own reflections."""

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        if not view.decisions:
            return FREEZE
        return OpenRound(instances=view.train) if not view.rounds else Done()


def test_a_learning_round_after_a_freeze_is_refused(store: Store) -> None:
    with pytest.raises(MethodError, match="a round that comes after must evaluate"):
        run(store, pressing("red"), LearnsLate(), TASK, curator=curator(GENERAL))
    assert store.episodes() == ()


@pytest.mark.parametrize("kind", ["critique", "commit"])
def test_nothing_of_an_evaluating_round_is_learned(store: Store, kind: str) -> None:
    class Peeks(Learning):
        def stages(self, view: InstanceView) -> Iterator[Batch]:
            yield batch(episode(view))
            if kind == "critique":
                yield batch(WriteCritique(episodes=(view.episodes[0].id,)))
            scope, kinds = view.instance_scope, LessonKind.REFLECTION
            yield batch(CurateLessons(critiques=("cr_1",), scope=scope, kind=kinds))

        def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
            return OpenRound(instances=view.test, split="test", evaluate=True)

    with pytest.raises(MethodError, match=f"an evaluating round asked for a {kind}"):
        run(store, pressing("red"), Peeks(), TASK, curator=curator(GENERAL))


def test_a_test_split_cannot_be_learned_from(store: Store) -> None:
    class Trains(Learning):
        def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
            return OpenRound(instances=view.test, split="test")

    with pytest.raises(MethodError, match="must evaluate"):
        run(store, pressing("red"), Trains(), TASK, curator=curator(GENERAL))


@pytest.mark.parametrize("foreign", ["safes-v1/train/0", "elsewhere-v1"])
def test_the_shared_stream_commits_to_its_own_scope_only(store: Store, foreign: str) -> None:
    class Strays(Learning):
        def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
            if not view.rounds:
                return OpenRound(instances=view.train)
            return self.curated(view, scope=foreign)

    with pytest.raises(MethodError, match="to the shared scope only"):
        run(store, pressing("red"), Strays(), TASK, curator=curator(GENERAL))
    assert rows(store.path, "updates") == {"updates": []}


def test_two_commits_in_one_batch_are_refused(store: Store) -> None:
    class Twice(Learning):
        def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
            if not view.rounds:
                return OpenRound(instances=view.train)
            one, other = (c.id for r in view.rounds for c in r.critiques)
            first = self.curated(view, critiques=[one])
            return batch(*first.work, *self.curated(view, critiques=[other]).work)

    with pytest.raises(MethodError, match="two commits in one batch"):
        run(store, pressing("red"), Twice(), TASK, curator=curator(GENERAL))


class Checked(Handbook):
    """The handbook, with a check of its commits."""

    @property
    def checks(self) -> Mapping[str, CommitCheck]:
        return {"no_green": _no_green}

    def _curate(self, view: SharedView, pending: tuple[str, ...]) -> Batch:
        (work,) = super()._curate(view, pending).work
        return batch(work.replace(check="no_green"))


def _no_green(commit: Commit, lessons: tuple[Lesson, ...], work: CurateLessons) -> Objection | None:
    greens = [u for u in commit.updates if u.body and "green" in u.body.instruction]
    return Objection(why="green is not to be pressed") if greens else None


@pytest.mark.parametrize(("instruction", "passes"), [("Press green.", False), ("Press red.", True)])
def test_a_check_that_refuses_leaves_a_commit_without_updates(
    store: Store, instruction: str, passes: bool
) -> None:
    lesson = ("the lamp is lit", "", instruction)
    asked = []

    def curate(inputs: Any) -> Any:
        asked.append(inputs)
        return curator(lesson)(inputs)

    agent = Player(lambda s: "green" if s.guidance else "red")
    result = run(
        store,
        agent,
        Checked(trials=2),
        TASK,
        curator=curate,
        critic=lambda tried: f"After trial {tried[-1].trial} press another colour.",
    )
    branch = f"{result.run}/learned/0"
    commits = rows(store.path, "commits")["commits"]
    failures = [store.commit(row[1]).failure for row in commits]  # type: ignore[union-attr]
    lessons = store.current_lessons(branch)
    assert [x.instruction for x in lessons] == ([instruction] if passes else [])
    assert bool(agent.seen[-1].guidance) is passes
    figures = result.arms["learned"]["critiques"]
    assert figures["failed_curations"] == (0 if passes else len(commits))
    if not passes:
        assert failures == ["refused by no_green: green is not to be pressed"] * 2
        # The critiques are consumed: nobody curates them for ever.
        consumed = rows(store.path, "commit_critiques")["commit_critiques"]
        assert len(consumed) == len(store.critiques(run=result.run))
        assert len(asked) == 4, "asked once more after each refusal"
        assert store.revision(branch, "safes-v1") == 0


def test_an_unknown_check_is_a_method_error(store: Store) -> None:
    class Unchecked(Checked):
        @property
        def checks(self) -> Mapping[str, CommitCheck]:
            return {}

    with pytest.raises(MethodError, match="has no check 'no_green'"):
        run(store, pressing("red"), Unchecked(), TASK, curator=curator(GENERAL))


def test_the_test_split_is_played_with_the_memory_of_the_freeze(store: Store) -> None:
    agent = Player(lambda s: "green" if s.guidance else "red")
    result = run(store, agent, handbook(trials=1), TASK, curator=curator(GENERAL))
    train, test = (
        [e for e in episodes(store, result) if e.spec.split == split] for split in ("train", "test")
    )
    assert not any(e.guidance["actor"] for e in train)
    assert all(e.guidance["actor"] and e.success for e in test)
    (decision,) = store.decisions(f"{result.run}/learned/0")
    assert decision.kind == "freeze"
    assert {c.instance for c in store.critiques(run=result.run)} == {e.instance for e in train}
