"""The gate `measured`, in the loop, while serving, and as a rule of its own."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

import verbalrl as vrl
from benchmarks.gate import plant
from tests.serving.worlds import SCOPE, coach_of
from verbalrl.effects import Effect
from verbalrl.memory import gate
from verbalrl.memory.recall import recall
from verbalrl.memory.revoke import revoke
from verbalrl.memory.trial import AUDITED, Toss, audited, toss
from verbalrl.prompts import PromptLibrary
from verbalrl.records import (
    Action,
    Guidance,
    GuidanceSpec,
    Instance,
    Lesson,
    LessonBody,
    LessonKind,
    Observation,
    Operation,
    Origin,
    Situation,
    Status,
    StepResult,
)
from verbalrl.store.tried import key
from verbalrl.tasks.base import Card, Problem, WorldTask

RIGHT, IDLE, WRONG = "say yes", "stand still", "say no"


def body(instruction: str) -> LessonBody:
    return LessonBody(kind=LessonKind.BEHAVIOR, when="always", instruction=instruction)


def lesson(instruction: str, **changes: Any) -> Lesson:
    known: dict[str, Any] = {"status": Status.PROVISIONAL, "trust": Origin.TASK}
    return Lesson(id=f"le_{instruction}", scope="s", body=body(instruction), **known | changes)


def effect(finding: Any, role: str = "actor", text: str = RIGHT) -> dict[str, Effect]:
    name = key(body(text).content, role)
    return {name: Effect(name, 80, 20, 0, 0.5, 0.5, 0.1, 0.0, 0.2, 0.0, 0.0, 100, finding)}


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


def test_a_lesson_stays_while_one_role_may_still_need_it() -> None:
    idle = effect("idle") | effect("undecided", role="risk")
    assert gate.decisions([lesson(RIGHT)], idle) == ()
    (gone,) = gate.decisions([lesson(RIGHT)], effect("idle") | effect("idle", role="risk"))
    assert gone.status is Status.RETIRED


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
    active = [lesson(f"do {n}", status=Status.ACTIVE) for n in range(20)]
    chosen = [audited(active, revision) for revision in range(60)]
    assert all(len(c) == AUDITED for c in chosen)
    assert len(frozenset().union(*chosen)) == len(active)
    assert audited(active, None) == frozenset()
    assert audited(active[:9], 3) == frozenset()
    mine = [x.replace(trust=Origin.OPERATOR) for x in active]
    assert audited(mine, 3) == frozenset()
    spec = GuidanceSpec(source="recall", scopes=("s",), chance=0.8)
    tossed = toss(active, spec, "here", (0, "i", 1), revision=3)
    assert tossed.eligible == chosen[3]
    assert {*tossed.spec.force_in, *tossed.spec.force_out} == chosen[3]
    assert toss(active, spec.replace(chance=1.0), "here", (0, "i", 1), revision=3).spec.chance == 1


def lived(count: int, budget: int, **changes: Any) -> tuple[Toss, Guidance]:
    lessons = [lesson(f"do {n}", **changes) for n in range(count)]
    spec = GuidanceSpec(source="recall", scopes=("s",), chance=0.8, budget=budget)
    tossed = toss(lessons, spec, "here", (0, "j", 1), revision=3)
    found = recall(lessons, tossed.spec, situation="here", prompts=PromptLibrary())
    return tossed, tossed.recorded(found)


def test_all_that_were_tossed_for_are_recorded_whether_or_not_there_was_room() -> None:
    tossed, guidance = lived(200, budget=30)
    by_lesson = {u.lesson: u for u in guidance.uses}
    assert by_lesson.keys() == tossed.eligible
    assert {u.probability for u in guidance.uses} == {0.8}
    assert {x for x, u in by_lesson.items() if u.outcome == "withheld"} == {*tossed.spec.force_out}
    assert [u.rank for u in guidance.uses] == list(range(1, 201))


def test_lessons_of_other_scopes_are_not_tossed_for() -> None:
    spec = GuidanceSpec(source="recall", scopes=("another",), chance=0.8)
    assert toss([lesson(RIGHT)], spec, "here", (0, "i", 1)).eligible == frozenset()


@pytest.mark.parametrize(
    ("budget", "trust", "there"),
    [
        (100, Origin.TASK, 2),
        (15, Origin.TASK, 1),
        (0, Origin.TASK, 0),
        (40, Origin.UNTRUSTED, 0),
    ],
)
def test_testing_again_passes_by_no_bound(budget: int, trust: Origin, there: int) -> None:
    tossed, guidance = lived(20, budget, status=Status.ACTIVE, trust=trust)
    assert (len(tossed.eligible), tossed.spec.force_out) == (2, ())
    assert len(tossed.spec.force_in) == there
    assert guidance.tokens <= budget


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
        asyncio.run(plant(store, task.id, body(text)))
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


class Slow:
    """Takes two steps, and says after the first that nothing is solved yet."""

    def __init__(self) -> None:
        self.steps = 0

    def reset(self, seed: int, /) -> Observation:
        return Observation(text="a case")

    def step(self, action: Action, /) -> StepResult:
        self.steps += 1
        over = self.steps == 2
        seen = Observation(text="a case")
        return StepResult(observation=seen, reward=0.0, success=over, terminated=over)


async def stuck(situation: Situation) -> str:
    """Is too late for its second step where it was told what to do."""
    if situation.history and situation.guidance.text:
        await asyncio.sleep(60)
    return "yes"


def test_who_was_too_late_shows_nothing(tmp_path: Path) -> None:
    class World:
        def size(self, split: str, /) -> int:
            return 12 if split == "train" else 2

        def problem(self, split: str, index: int, /) -> Problem:
            return Problem("Answer.", {})

        def environment(self, instance: Instance, /) -> Slow:
            return Slow()

    card = Card(
        id="slow-v1", summary="s", learns="shared", observations=Origin.TASK, max_steps=2,
        default_train=12, default_instances=2,
    )  # fmt: skip
    with vrl.open_store(tmp_path, create=True) as store:
        asyncio.run(plant(store, card.id, body(RIGHT)))
        method = vrl.methods.handbook(trials=1, gate="measured").replace(writes=False)
        limits = vrl.Limits(step_timeout_s=1.0)
        learner = vrl.Learner(stuck, method=method, store=store, limits=limits)
        result = learner.run_sync(WorldTask(card, World()), arms=("learned",), start="main")
        found = store.trials(result.run, "learned", 0)
    assert {(t.inside, t.outcome) for t in found} == {(True, None), (False, 1.0)}


def test_looks_are_commits_that_say_why(tmp_path: Path) -> None:
    result, (found,) = run(tmp_path, RIGHT)
    with vrl.open_store(tmp_path / "store") as store:
        updates = store.updates(f"{result.run}/learned/0", found.scope)
    (said,) = [u.reason for _, u in updates if u.op is Operation.ACTIVATE]
    assert said.startswith("measured: helps: +")


def test_outcomes_while_serving_decide_at_learn(tmp_path: Path) -> None:
    with vrl.open_store(tmp_path, create=True) as store:
        asyncio.run(plant(store, SCOPE, body(WRONG)))
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


def test_what_was_revoked_decides_no_longer(tmp_path: Path) -> None:
    with vrl.open_store(tmp_path, create=True) as store:
        asyncio.run(plant(store, SCOPE, body(WRONG)))
    with coach_of(tmp_path, gate="measured") as coach:
        for n, (who, by) in enumerate((("a", "a"), ("mallory", "a"), ("b", "mallory"), ("b", "b"))):
            with coach.episode(f"case {n}", source=who) as episode:
                episode.step("seen", str(episode.guidance))
            coach.feedback(episode.id, success=False, source=by)
    with vrl.open_store(tmp_path) as store:
        assert len(store.served_trials(SCOPE)) == 4
        asyncio.run(revoke(store, source="mallory"))
        kept = [x.unit for x in store.served_trials(SCOPE)]
        assert len(kept) == 2
        asyncio.run(revoke(store, episode=kept[0]))
        assert [x.unit for x in store.served_trials(SCOPE)] == kept[1:]


def test_what_an_agent_says_of_itself_shows_nothing(tmp_path: Path) -> None:
    with vrl.open_store(tmp_path, create=True) as store:
        asyncio.run(plant(store, SCOPE, body(WRONG)))
    with coach_of(tmp_path, gate="measured") as coach:
        with coach.episode("a case", source="c") as episode:
            episode.step("seen", str(episode.guidance))
        coach.feedback(episode.id, success=True, source="agent")
    with vrl.open_store(tmp_path) as store:
        (trial,) = store.served_trials(SCOPE)
    assert trial.outcome is None


@pytest.mark.parametrize(
    ("others", "outcome"),
    [
        ([{"success": False, "origin": "operator"}], 0.0),
        ([{"reward": 7.0, "origin": "operator"}], 1.0),
        ([{"success": True, "source": "c"}, {"success": False, "source": "c"}], 0.0),
        ([{"success": False, "origin": "operator"}, {"success": True, "source": "c"}], 0.0),
    ],
)
def test_what_an_agent_says_takes_nothing_from_what_others_said(
    tmp_path: Path, others: list[Any], outcome: float
) -> None:
    with vrl.open_store(tmp_path, create=True) as store:
        asyncio.run(plant(store, SCOPE, body(WRONG)))
    with coach_of(tmp_path, gate="measured") as coach:
        with coach.episode("a case", source="c") as episode:
            episode.step("seen", str(episode.guidance))
        for said in others:
            coach.feedback(episode.id, **said)
        coach.feedback(episode.id, reward=0.5, source="agent")
        coach.feedback(episode.id, success=True, source="agent")
    with vrl.open_store(tmp_path) as store:
        (trial,) = store.served_trials(SCOPE)
    assert trial.outcome == outcome


def served(coach: Any, people: list[str], *, angry: str = "") -> None:
    """A case of each of `people`, told by its guidance; `angry` lies about all that helped."""
    for n, who in enumerate(people):
        with coach.episode(f"case {n}", source=who) as episode:
            helped = RIGHT in str(episode.guidance)
            episode.step("seen", "said")
        coach.feedback(episode.id, success=helped != (who == angry), source=who)


def test_one_who_floods_feedback_does_not_move_the_gate(tmp_path: Path) -> None:
    """Ninety lies of one person had retired what helped forty others."""
    with vrl.open_store(tmp_path, create=True) as store:
        asyncio.run(plant(store, SCOPE, body(RIGHT)))
    people = [f"c{n}" for n in range(40)] + ["mallory"] * 90
    with coach_of(tmp_path, gate="measured") as coach:
        served(coach, people, angry="mallory")
        coach.learn_sync()
    with vrl.open_store(tmp_path) as store:
        (found,) = store.lessons("main", SCOPE)
        assert found.status is Status.ACTIVE
        assert len(store.served_trials(SCOPE)) == 40 + 4


@pytest.mark.parametrize(
    ("said", "counted"),
    [
        ({"source": "mallory"}, 3),
        ({}, 3),
        ({"source": "mallory", "origin": "operator"}, 6),
    ],
)
def test_who_judges_is_whose_trial_it_is(tmp_path: Path, said: Any, counted: int) -> None:
    with vrl.open_store(tmp_path, create=True) as store:
        asyncio.run(plant(store, SCOPE, body(WRONG)))
    with coach_of(tmp_path, gate="measured") as coach:
        for n in range(6):
            # Who says nothing else is who the case is of.
            with coach.episode(f"case {n}", source=f"c{n}" if said else "mallory") as episode:
                episode.step("seen", str(episode.guidance))
            coach.feedback(episode.id, success=False, **said)
        with coach.episode("of nobody who is known") as episode:
            episode.step("seen", str(episode.guidance))
    with vrl.open_store(tmp_path) as store:
        assert sum(x.outcome is not None for x in store.served_trials(SCOPE)) == counted
