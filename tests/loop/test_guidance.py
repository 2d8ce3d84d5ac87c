"""What a prompt gets from memory is what its spec asks for, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, Literal

import pytest

from tests.loop.world import (
    Player,
    Staged,
    batch,
    episode,
    episodes,
    pressed,
    pressing,
    run,
    safes,
)
from verbalrl.errors import MethodError
from verbalrl.methods import handbook
from verbalrl.models import Request, ScriptedModel
from verbalrl.records import (
    Batch,
    Done,
    GuidanceSpec,
    InstanceView,
    OpenRound,
    SharedView,
    Situation,
)
from verbalrl.store import Store

GENERAL = ("the lamp is lit", "", "Press green before anything else.")
AFTER_RED = ("red was pressed", "nothing was pressed", "Press green after red now.")


def curator(*lessons: tuple[str, str, str]) -> Any:
    """Adds these lessons (when, when not, instruction) and no others, whatever it reads."""

    def add(_: Any) -> list[dict[str, Any]]:
        return [
            {"op": "add", "evidence": [1], "when": when, "when_not": when_not, "instruction": text}
            for when, when_not, text in lessons
        ]

    return add


def taught(store: Store, *lessons: tuple[str, str, str]) -> tuple[str, dict[str, str]]:
    """A branch with these lessons, and their ids by instruction."""
    result = run(
        store,
        pressing("blue"),
        handbook(trials=1),
        safes("red", test=["red"]),
        curator=curator(*lessons),
    )
    branch = f"{result.run}/learned/0"
    found = store.current_lessons(branch)
    assert len(found) == len(lessons)
    return branch, {lesson.instruction: lesson.id for lesson in found}


class Given(Staged):
    """One attempt with this guidance."""

    guidance: GuidanceSpec = GuidanceSpec()

    def stages(self, view: InstanceView) -> Iterator[Batch]:
        yield batch(episode(view, guidance={"actor": self.guidance}))


def guided(store: Store, start: str | None, code: str = "green", **fields: Any) -> list[str]:
    """The guidance of each situation of one attempt."""
    agent = Player(obedient)
    method = Given(guidance=GuidanceSpec.model_validate(fields))
    run(store, agent, method, safes(code, max_steps=2), start=start)
    return agent.texts()


def obedient(situation: Situation) -> str:
    """Does what its guidance says, else presses red."""
    return "green" if "ress green" in situation.guidance.text else "red"


def test_text_is_given_word_for_word(store: Store) -> None:
    assert (
        guided(store, None, source="text", text="Ask the lamp: {{ x }}")
        == ["Ask the lamp: {{ x }}"] * 2
    )


def test_none_gives_nothing(store: Store) -> None:
    branch, _ = taught(store, GENERAL)
    assert guided(store, branch, source="none", text="not this either") == ["", ""]


def test_a_role_without_an_entry_gets_nothing(store: Store) -> None:
    class Bare(Staged):
        def stages(self, view: InstanceView) -> Iterator[Batch]:
            yield batch(episode(view))

    branch, _ = taught(store, GENERAL)
    agent = Player(obedient)
    run(store, agent, Bare(), safes("green"), start=branch)
    assert agent.texts() == ["", ""]


def test_recall_brings_the_lessons_and_the_agent_obeys(store: Store) -> None:
    branch, _ = taught(store, GENERAL)
    # The safe opens at the first press, so there is one situation only.
    assert guided(store, branch, source="recall") == [
        "- [1] When the lamp is lit: Press green before anything else."
    ]


def test_lessons_are_given_by_id_whatever_their_condition(store: Store) -> None:
    branch, ids = taught(store, GENERAL, AFTER_RED)
    chosen = ids["Press green after red now."]
    (text,) = guided(store, branch, source="lessons", lessons=(chosen,))
    assert "after red" in text
    assert "before anything" not in text


def test_an_unknown_lesson_is_a_method_error(store: Store) -> None:
    branch, _ = taught(store, GENERAL)
    with pytest.raises(MethodError, match="may not be shown here"):
        guided(store, branch, source="lessons", lessons=("le_unknown",))


def test_force_out_withholds_one_lesson_and_records_it(store: Store) -> None:
    other = ("the lamp is lit", "", "Lift the lid and look again.")
    branch, ids = taught(store, GENERAL, other)
    out = ids["Press green before anything else."]
    texts = guided(store, branch, source="recall", force_out=(out,))
    assert texts == ["- [1] When the lamp is lit: Lift the lid and look again."] * 2
    (found,) = store.episodes(run=store.runs()[-1].id)
    uses = {use.lesson: use for use in found.guidance["actor"].uses}
    assert (uses[out].outcome, uses[out].block, uses[out].probability) == ("withheld", None, 0.0)


def test_force_in_overrules_condition_and_budget(store: Store) -> None:
    branch, ids = taught(store, GENERAL, AFTER_RED)
    wanted = ids["Press green after red now."]
    assert guided(store, branch, source="recall", budget=0) == ["", ""]
    (text,) = guided(store, branch, source="recall", budget=0, force_in=(wanted,))
    assert (
        text == "- [1] When red was pressed (not when nothing was pressed): "
        "Press green after red now."
    )


@pytest.mark.parametrize(("recall", "opened"), [("episode", False), ("step", True)])
def test_recall_per_step_selects_again_at_each_step(
    store: Store, recall: Literal["episode", "step"], opened: bool
) -> None:
    branch, _ = taught(store, AFTER_RED)
    texts = guided(store, branch, "red green", source="recall", recall=recall)
    # Before red its condition fails; pinned for the episode it never comes in.
    assert [bool(text) for text in texts] == [False, opened]
    (found,) = store.episodes(run=store.runs()[-1].id)
    assert found.success is opened
    steps = [(use.step, use.outcome) for use in found.guidance["actor"].uses]
    assert steps == ([(1, "condition"), (2, "injected")] if opened else [(0, "condition")])


class Borrowed(Staged):
    """Two rounds: each instance has a text of its own, then `other`'s guidance at trial `asked`."""

    other: int = 0
    asked: int = 1
    purpose: str = "attempt"
    trials: int = 2

    def stages(self, view: InstanceView) -> Iterator[Batch]:
        mine = GuidanceSpec(source="text", text=f"the word of {view.instance.id[-1]}")
        if view.number == 1:
            yield batch(episode(view, guidance={"actor": mine}))
        else:
            other = f"safes-v1/train/{self.other}"
            theirs = GuidanceSpec(source="instance", instance=other, trial=self.asked)
            yield batch(episode(view, trial=2, purpose=self.purpose, guidance={"actor": theirs}))

    def plan_shared(self, view: SharedView, /) -> OpenRound | Done:
        if len(view.rounds) == 2:
            return Done()
        return OpenRound(instances=view.train, trial=len(view.rounds) + 1)


@pytest.mark.parametrize("purpose", ["attempt", "search"])
def test_guidance_of_another_instance_is_what_it_got(store: Store, purpose: str) -> None:
    agent = pressing("red")
    result = run(
        store, agent, Borrowed(purpose=purpose), safes("green", "green", "green", max_steps=1)
    )
    given = {(e.instance[-1], e.trial): e.guidance["actor"].text for e in episodes(store, result)}
    assert [given[i, 1] for i in "012"] == [f"the word of {i}" for i in "012"]
    assert [given[i, 2] for i in "012"] == ["the word of 0"] * 3


def test_guidance_of_a_round_that_is_open_is_refused(store: Store) -> None:
    # Trial 2 of instance 0 runs in the very round that asks: who is first would decide.
    with pytest.raises(MethodError, match="before its round is closed"):
        run(store, pressing("red"), Borrowed(asked=2), safes("green", "green", max_steps=1))


class Hasty(Borrowed):
    """Instance 1 asks in round 2 for what instance 0 got in it, which has just ended there."""

    quoted: bool = False
    """Whether it asks for the attempt itself, word for word."""

    def stages(self, view: InstanceView) -> Iterator[Batch]:
        text = GuidanceSpec(source="text", text="wait for the other")
        yield batch(episode(view, trial=view.number, guidance={"actor": text}))
        if view.number == 2 and view.instance.id.endswith("/1"):
            theirs = GuidanceSpec(source="instance", instance="safes-v1/train/0", trial=2)
            if self.quoted:
                theirs = theirs.replace(source="text", attempts=(2,), examples_budget=100)
            yield batch(episode(view, trial=3, guidance={"actor": theirs}))


@pytest.mark.parametrize("quoted", [False, True])
def test_guidance_of_this_round_is_refused_even_when_it_is_there(
    store: Store, quoted: bool
) -> None:
    def done() -> bool:
        return any(e.trial == 2 and e.instance.endswith("/0") for e in store.episodes())

    class Waits(Player):
        async def __call__(self, situation: Situation, /) -> Any:
            assert situation.instance is not None
            first, round_2 = situation.instance.id.endswith("/0"), len(store.episodes()) >= 2
            while round_2 and not first and not done():
                await asyncio.sleep(0.005)
            return await super().__call__(situation)

    with pytest.raises(MethodError, match="before its round is closed"):
        run(
            store,
            Waits(lambda _: "red"),
            Hasty(quoted=quoted),
            safes("green", "green", max_steps=1),
        )
    assert done()


def test_guidance_of_an_attempt_that_never_was_is_refused(store: Store) -> None:
    with pytest.raises(MethodError, match="before its round is closed"):
        run(store, pressing("red"), Borrowed(other=7), safes("green", "green", max_steps=1))


def test_what_was_recalled_did_what_it_did(store: Store) -> None:
    branch, _ = taught(store, GENERAL)
    method = Given(guidance=GuidanceSpec(source="recall"))
    blank = Given(guidance=GuidanceSpec(source="none"))
    with_it = run(store, Player(obedient), method, safes("green", max_steps=1), start=branch)
    without = run(store, Player(obedient), blank, safes("green", max_steps=1), start=branch)
    assert [pressed(e) for e in episodes(store, with_it)] == [["green"]]
    assert [pressed(e) for e in episodes(store, without)] == [["red"]]
    assert with_it.arms["learned"]["success_rate"] == 1.0
    assert without.arms["learned"]["success_rate"] == 0.0


def test_a_model_may_say_whether_a_condition_holds(store: Store) -> None:
    lesson = ("blue was pressed", "nothing was pressed", "Press green after blue.")
    branch, _ = taught(store, lesson)

    def answer(request: Request) -> Any:
        return {"1": True} if request.role == "recall" else RuntimeError("no critic today")

    wanted = GuidanceSpec(source="recall", condition="model")
    agent, judge = Player(obedient), ScriptedModel(answer)
    run(
        store,
        agent,
        Given(guidance=wanted),
        safes("green", max_steps=2),
        start=branch,
        critic=judge,
    )
    assert all("Press green after blue." in text for text in agent.texts())
    assert [r.role for r in judge.requests].count("recall") == 1
    (found,) = store.episodes(run=store.runs()[-1].id)
    assert found.usage["recall"].calls == 1
    figures: Any = store.runs()[-1].result
    assert figures["arms"]["learned"]["tokens"]["recall"]["calls"] == 1
    # By words the condition does not hold.
    assert guided(store, branch, source="recall") == ["", ""]
