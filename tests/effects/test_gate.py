"""The gate `measured`, in the loop, while serving, and as a rule of its own."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

import verbalrl as vrl
from tests.serving.worlds import SCOPE, coach_of
from verbalrl.effects import Effect
from verbalrl.memory import gate
from verbalrl.memory.trial import AUDITED, audited, toss
from verbalrl.records import (
    Commit,
    GuidanceSpec,
    Lesson,
    LessonBody,
    LessonKind,
    MemoryUpdate,
    Operation,
    Origin,
    Situation,
    Status,
)
from verbalrl.store import Store
from verbalrl.store.reduce import lesson_id
from verbalrl.store.tried import key

RIGHT, IDLE, WRONG = "say yes", "stand still", "say no"


def body(instruction: str) -> LessonBody:
    return LessonBody(kind=LessonKind.BEHAVIOR, when="always", instruction=instruction)


def lesson(instruction: str, **changes: Any) -> Lesson:
    known: dict[str, Any] = {"status": Status.PROVISIONAL, "trust": Origin.TASK}
    return Lesson(id=f"le_{instruction}", scope="s", body=body(instruction), **known | changes)


def effect(finding: Any, role: str = "actor", text: str = RIGHT) -> dict[str, Effect]:
    name = key(body(text).content, role)
    return {name: Effect(name, 80, 20, 0, 0.5, 0.5, 0.1, 0.0, 0.2, 0.0, 0.0, 100, finding)}


async def plant(store: Store, scope: str, *texts: str | LessonBody) -> None:
    bodies = [body(x) if isinstance(x, str) else x for x in texts]
    updates = tuple(
        MemoryUpdate(
            op=Operation.ADD,
            lesson=lesson_id("main", scope, made, "planted"),
            body=made,
            status=Status.PROVISIONAL,
            trust=Origin.TASK,
        )
        for made in bodies
    )
    with store.acquire_lease("main", "test") as lease:
        commit = Commit(id=f"co_{scope}", branch="main", scope=scope, base=0, updates=updates)
        await store.put_commit(commit, lease.fence)


@pytest.mark.parametrize(
    ("finding", "status", "becomes"),
    [
        ("helps", Status.PROVISIONAL, Status.ACTIVE),
        ("harms", Status.PROVISIONAL, Status.RETIRED),
        ("harms", Status.ACTIVE, Status.RETIRED),
        ("idle", Status.PROVISIONAL, Status.RETIRED),
        ("idle", Status.ACTIVE, None),
        ("helps", Status.ACTIVE, None),
        ("undecided", Status.PROVISIONAL, None),
        ("harms", Status.RETIRED, None),
    ],
)
def test_what_becomes_of_a_lesson(finding: str, status: Status, becomes: Status | None) -> None:
    made = gate.decisions([lesson(RIGHT, status=status)], effect(finding))
    assert [u.status for u in made] == ([] if becomes is None else [becomes])
    assert all(u.reason.startswith("measured: ") for u in made)


def test_what_a_person_vouches_for_only_a_person_retires() -> None:
    mine = lesson(RIGHT, status=Status.ACTIVE, trust=Origin.OPERATOR)
    assert gate.decisions([mine], effect("harms")) == ()


def test_untrusted_text_needs_more_than_an_effect_to_rise() -> None:
    theirs = lesson(RIGHT, trust=Origin.UNTRUSTED)
    assert gate.decisions([theirs], effect("helps")) == ()
    (gone,) = gate.decisions([theirs], effect("harms"))
    assert (gone.status, gone.trust) == (Status.RETIRED, Origin.UNTRUSTED)


def test_a_team_drops_what_harms_one_of_its_roles() -> None:
    both = effect("helps") | effect("harms", role="risk")
    (made,) = gate.decisions([lesson(RIGHT)], both)
    assert made.status is Status.RETIRED
    assert made.reason.startswith("measured for risk: ")


def test_reflections_are_not_judged_by_coins() -> None:
    line = Lesson(
        id="le_r",
        scope="s",
        body=LessonBody(kind=LessonKind.REFLECTION, instruction=RIGHT),
        status=Status.PROVISIONAL,
        trust=Origin.TASK,
    )
    found = effect("harms")
    named = {key(line.body.content, "actor"): next(iter(found.values()))}
    assert gate.decisions([line], named) == ()


def test_a_few_active_lessons_are_tested_again_and_leave_the_stable_block() -> None:
    active = [lesson(f"do {n}", status=Status.ACTIVE) for n in range(6)]
    chosen = [audited(active, revision) for revision in range(40)]
    assert all(len(c) == AUDITED for c in chosen)
    assert len(frozenset().union(*chosen)) == len(active)
    assert audited(active, None) == frozenset()
    spec = GuidanceSpec(source="recall", scopes=("s",), chance=0.8)
    tossed = toss(active, spec, "here", (0, "i", 1), revision=3)
    assert tossed.eligible == chosen[3]
    assert {*tossed.spec.force_in, *tossed.spec.force_out} == chosen[3]
    assert toss(active, spec.replace(chance=1.0), "here", (0, "i", 1), revision=3).spec.chance == 1


def test_what_a_person_wrote_is_never_withheld_to_be_tested() -> None:
    said = [lesson(f"say {n}", status=Status.ACTIVE, trust=Origin.OPERATOR) for n in range(3)]
    learned = lesson("do it", status=Status.ACTIVE)
    for revision in range(20):
        assert audited([*said, learned], revision) == {learned.id}


def obedient(situation: Situation) -> str:
    """Does what the lessons say, and finds the answer by itself half of the time."""
    text = situation.guidance.text
    if WRONG in text or RIGHT in text:
        return "yes" if RIGHT in text else "no"
    return "yes" if random.Random(situation.observation.text).random() < 0.5 else "no"


def questions(folder: Path, count: int) -> Any:
    file = folder / "questions.jsonl"
    rows = [
        f'{{"question": "{split} {n}?", "answer": "yes", "split": "{split}"}}'
        for split, many in (("train", count), ("test", 2))
        for n in range(many)
    ]
    file.write_text("\n".join(rows), encoding="utf-8")
    return vrl.load_task(str(file))


def run(folder: Path, text: str, **changes: Any) -> tuple[Any, list[Lesson]]:
    task = questions(folder, 160)
    method = vrl.methods.handbook(trials=1, round_size=40, gate="measured")
    place = folder / "store"
    with vrl.open_store(place, create=True) as store:
        asyncio.run(plant(store, task.id, text))
    learner = vrl.Learner(obedient, method=method.replace(writes=False), store=place)
    known: dict[str, Any] = {"arms": ("learned",), "instances": 2, "start": "main"}
    result = learner.run_sync(task, **known | changes)
    with vrl.open_store(place) as store:
        branch = f"{result.run}/learned/0"
        return result, list(store.lessons(branch, task.id))


@pytest.mark.parametrize(
    ("text", "status"),
    [(RIGHT, Status.ACTIVE), (IDLE, Status.PROVISIONAL), (WRONG, Status.RETIRED)],
)
def test_a_run_keeps_what_helps_and_drops_what_harms(
    tmp_path: Path, text: str, status: Status
) -> None:
    _, (found,) = run(tmp_path, text)
    assert found.status is status


def test_looks_are_commits_that_say_why(tmp_path: Path) -> None:
    result, (found,) = run(tmp_path, RIGHT)
    with vrl.open_store(tmp_path / "store") as store:
        updates = store.updates(f"{result.run}/learned/0", found.scope)
    (said,) = [u.reason for _, u in updates if u.op is Operation.ACTIVATE]
    assert said.startswith("measured: helps: +")


def test_outcomes_while_serving_decide_at_learn(tmp_path: Path) -> None:
    with vrl.open_store(tmp_path, create=True) as store:
        asyncio.run(plant(store, SCOPE, WRONG))
    with coach_of(tmp_path, gate="measured") as coach:
        for n in range(60):
            with coach.episode(f"case {n}", source=f"c{n}") as episode:
                told = WRONG in str(episode.guidance)
                episode.step("seen", "said")
            coach.feedback(episode.id, success=not told, origin="operator", text="seen it")
        report = coach.learn_sync()
    assert report.updates.get("retire") == 1
    with vrl.open_store(tmp_path) as store:
        (found,) = store.lessons("main", SCOPE)
        assert found.status is Status.RETIRED
        assert store.served_trials("another") == []


def test_what_an_agent_says_of_itself_shows_nothing(tmp_path: Path) -> None:
    with vrl.open_store(tmp_path, create=True) as store:
        asyncio.run(plant(store, SCOPE, WRONG))
    with coach_of(tmp_path, gate="measured") as coach:
        with coach.episode("a case", source="c") as episode:
            episode.step("seen", str(episode.guidance))
        coach.feedback(episode.id, success=True, source="agent")
    with vrl.open_store(tmp_path) as store:
        (trial,) = store.served_trials(SCOPE)
    assert trial.outcome is None
