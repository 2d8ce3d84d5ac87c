"""Memory belongs to a branch: what a run learned reaches another only where asked for."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from tests.loop.test_guidance import curator
from tests.loop.world import prompts, rows, run, safes
from verbalrl import ChatAgent, ScriptedModel
from verbalrl.errors import ConfigurationError
from verbalrl.memory.review import review
from verbalrl.methods import handbook, reflexion
from verbalrl.models import Request
from verbalrl.records import LessonKind, Origin, Status
from verbalrl.result import RunResult
from verbalrl.store import Store

MEMORY = ("updates", "lessons", "commits", "commit_critiques")
CASES = pytest.mark.parametrize("learns", ["instance", "shared"])


def obeys() -> ChatAgent:
    """A chat agent that presses green once it reads the word, else red."""

    def act(request: Request) -> dict[str, Any]:
        told = any("press green" in m.plain for m in request.messages)
        return {"thought": "", "action": "green" if told else "red", "lessons_used": []}

    return ChatAgent(ScriptedModel(act))


def learned(
    store: Store, learns: str, word: str, *, start: str | None = None, learn: bool = True
) -> RunResult:
    """A run whose every lesson holds `word`; each instance is lost without one."""

    def critic(tried: Any) -> str:
        return f"By {word} rule of trial {tried[-1].trial} press another one."

    method = reflexion(trials=2) if learns == "instance" else handbook(trials=1)
    return run(
        store,
        obeys(),
        method,
        safes("blue", "blue", test=["green"], max_steps=1),
        critic=critic,
        curator=curator(("the lamp is lit", "", f"By {word} rule press green.")),
        start=start,
        learn=learn,
        **({"train_instances": 2} if learns == "shared" else {"instances": 2}),
    )


def branch(result: RunResult) -> str:
    return f"{result.run}/learned/0"


@CASES
def test_without_learning_memory_stays_byte_for_byte_and_is_read(store: Store, learns: str) -> None:
    first = learned(store, learns, "alder")
    before = rows(store.path, *MEMORY)
    assert before["updates"]
    assert before["lessons"]
    second = learned(store, learns, "birch", start=branch(first), learn=False)
    assert rows(store.path, *MEMORY) == before
    asked = prompts(store.path, second.run)
    assert asked
    assert all("alder" in text for text in asked)
    assert not any("birch" in text for text in asked)
    assert store.critiques(run=second.run) == ()
    assert second.arms["learned"]["memory_digest"] == first.arms["learned"]["memory_digest"]


@CASES
def test_learning_from_a_start_leaves_the_branch_it_started_from(store: Store, learns: str) -> None:
    first = learned(store, learns, "alder")
    own = f"WHERE branch = '{branch(first)}'"
    memory = [name for name in MEMORY if name != "commit_critiques"]
    before = rows(store.path, *memory, where=own)
    second = learned(store, learns, "birch", start=branch(first))
    assert rows(store.path, *memory, where=own) == before
    kept = {x.instruction.split()[1] for x in store.current_lessons(branch(second))}
    assert kept == {"alder", "birch"}


@CASES
def test_runs_in_one_store_do_not_see_each_other(store: Store, learns: str) -> None:
    first = learned(store, learns, "alder")
    second = learned(store, learns, "birch")
    mine, theirs = (prompts(store.path, r.run, "actor") for r in (first, second))
    assert any("alder" in text for text in mine)
    assert any("birch" in text for text in theirs)
    assert not any("birch" in text for text in mine)
    assert not any("alder" in text for text in theirs)
    # Whatever the names, both learned the same way.
    assert first.arms["learned"]["success_rate"] == second.arms["learned"]["success_rate"]


@CASES
def test_another_runs_branch_is_a_start(store: Store, learns: str) -> None:
    first = learned(store, learns, "alder")
    second = learned(store, learns, "birch", start=branch(first))
    # On the same instances the very first prompt has it.
    assert "alder" in prompts(store.path, second.run, "actor")[0]
    assert "alder" not in prompts(store.path, first.run, "actor")[0]


def test_control_arms_read_nothing_of_the_start(store: Store) -> None:
    first = learned(store, "instance", "alder")
    second = run(
        store,
        obeys(),
        reflexion(trials=2),
        safes("blue", max_steps=1),
        start=branch(first),
        arms=("none", "retry", "learned"),
    )
    told = {
        arm: [bool(e.guidance.get("actor")) for e in store.episodes(run=second.run, arm=arm)]
        for arm in second.arms
    }
    assert told == {"none": [False], "retry": [False, False], "learned": [True, True]}


def test_control_arms_have_nothing_of_the_start_in_their_figures(store: Store) -> None:
    first = learned(store, "shared", "alder")
    second = run(
        store,
        obeys(),
        handbook(trials=1),
        safes("blue", test=["green"], max_steps=1),
        curator=curator(),
        start=branch(first),
        arms=("none", "retry", "learned"),
    )
    has = {arm: sum(figures["lessons"].values()) for arm, figures in second.arms.items()}
    assert has == {"none": 0, "retry": 0, "learned": 1}
    for arm in ("none", "retry"):
        made = store.branch(f"{second.run}/{arm}/0")
        assert (made.parent, made.pinned, made.learns) == (None, {}, False)
    assert store.scopes(f"{second.run}/none/0") == ()


def test_arms_and_seeds_of_one_run_do_not_see_each_other(store: Store) -> None:
    words = {0: "alder", 1: "birch"}

    def critic(tried: Any) -> str:
        return f"By {words[tried[-1].seed]} rule press another one."

    run(
        store, obeys(), reflexion(trials=2), safes("blue", max_steps=1), critic=critic, seeds=(0, 1)
    )
    for seed, word in words.items():
        (_, second) = store.episodes(seed=seed)
        lines = [x.instruction for x in second.guidance["actor"].lines]
        assert lines == [f"By {word} rule press another one."]


def test_main_carries_what_was_published_and_is_a_start(store: Store) -> None:
    first = learned(store, "shared", "alder")
    assert store.current_lessons("main") == ()
    counts = asyncio.run(store.publish(branch(first), approve=True))
    assert counts["added"] == 1
    (lesson,) = store.current_lessons("main")
    assert (lesson.status, lesson.instruction) == (Status.ACTIVE, "By alder rule press green.")
    before = rows(store.path, "updates", "lessons", where="WHERE branch = 'main'")
    second = learned(store, "shared", "birch", start="main", learn=False)
    assert "alder" in prompts(store.path, second.run, "actor")[0]
    assert second.arms["learned"]["success_rate"] == 1.0
    assert rows(store.path, "updates", "lessons", where="WHERE branch = 'main'") == before


def test_what_was_not_approved_is_not_read(store: Store) -> None:
    first = learned(store, "shared", "alder")
    asyncio.run(store.publish(branch(first), approve=False))
    (lesson,) = store.current_lessons("main")
    assert lesson.status is Status.QUARANTINED
    second = learned(store, "shared", "birch", start="main", learn=False)
    assert not any("alder" in text for text in prompts(store.path, second.run))


def test_reflections_are_published_when_asked_for(store: Store) -> None:
    first = learned(store, "instance", "alder")
    assert Counter(asyncio.run(store.publish(branch(first), approve=True))).total() == 0
    kinds = (LessonKind.REFLECTION,)
    asyncio.run(store.publish(branch(first), kinds=kinds, approve=True))
    second = learned(store, "instance", "birch", start="main", learn=False)
    assert all("alder" in text for text in prompts(store.path, second.run, "actor"))


def test_a_start_is_pinned(store: Store) -> None:
    first = learned(store, "shared", "alder")
    asyncio.run(store.publish(branch(first), approve=True))
    second = learned(store, "shared", "birch", start="main")
    third = learned(store, "shared", "cedar")
    asyncio.run(store.publish(branch(third), approve=True))
    # What came to main later is not in what started from it before.
    kept = {x.instruction.split()[1] for x in store.current_lessons(branch(second))}
    assert kept == {"alder", "birch"}


def test_an_unknown_start_is_refused_before_anything_is_paid_for(store: Store) -> None:
    with pytest.raises(ConfigurationError, match="unknown branch"):
        learned(store, "shared", "alder", start="mian")
    assert (store.runs(), prompts(store.path)) == ((), [])


def test_a_run_can_only_support_what_a_person_has_approved(store: Store) -> None:
    first = learned(store, "shared", "alder")
    asyncio.run(store.publish(branch(first), approve=True))
    (approved,) = store.current_lessons("main")

    asked: list[str] = []

    def retires(inputs: Any) -> list[dict[str, Any]]:
        asked.extend(x.instruction for x in inputs.lessons)
        return [{"op": "retire", "lessons": [1], "evidence": [1]}]

    task = safes("blue", test=["green"], max_steps=1)
    second = run(store, obeys(), handbook(trials=1), task, curator=retires, start="main")
    (kept,) = store.current_lessons(branch(second))
    assert approved.instruction in asked
    assert (kept.status, kept.body, kept.trust) == (Status.ACTIVE, approved.body, Origin.OPERATOR)
    # What a person does about it.
    asyncio.run(review(store, [approved.id], "retire"))
    assert not any(x.usable for x in store.current_lessons("main"))
