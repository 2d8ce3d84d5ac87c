"""Reflexion step by step, as the paper's algorithm 1 and the strategies of its code have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.loop.test_keeping import NUMBERS, line
from tests.loop.world import Player, episodes, pressed, pressing, run, safes
from tests.methods.test_plans import episode, view_of
from verbalrl.methods import plans, reflexion
from verbalrl.records import Critique, Episode, Observation, Reward, Situation, StepResult
from verbalrl.store import Store

TASK = safes("green", max_steps=1)


class Diary:
    """A critic and an agent that write down in which order they were asked, and what they saw."""

    def __init__(self, *colours: str) -> None:
        self.pages: list[str] = []
        self.colours = colours
        self.agent = Player(self.act)

    def act(self, situation: Situation) -> str:
        said = [word for word in NUMBERS if f"the {word} rule" in situation.guidance.text]
        shown = situation.guidance.text.count("An earlier attempt")
        self.pages.append(" ".join(["act", *said, *["+attempt"] * shown]))
        return self.colours[min(len(self.agent.seen) - 1, len(self.colours) - 1)]

    def write(self, tried: Sequence[Episode]) -> dict[str, Any]:
        (last,) = tried
        self.pages.append(f"reflect {last.trial}")
        return {"lessons": [{"instruction": line(last.trial), "step": 1}]}


def played(store: Store, diary: Diary, **settings: Any) -> list[str]:
    how = reflexion(**({"trials": 5, "carry": False} | settings))
    run(store, diary.agent, how, TASK, critic=diary.write)
    return diary.pages


def test_the_fifth_trial_sees_the_reflections_two_to_four_only(store: Store) -> None:
    assert played(store, Diary("red")) == [
        "act",
        "reflect 1",
        "act first",
        "reflect 2",
        "act first second",
        "reflect 3",
        "act first second third",
        "reflect 4",
        "act second third fourth",
    ]


def test_it_stops_once_solved_and_never_reflects_on_a_success(store: Store) -> None:
    diary = Diary("red", "red", "green", "red")
    assert played(store, diary) == [
        "act",
        "reflect 1",
        "act first",
        "reflect 2",
        "act first second",
    ]
    assert [e.success for e in store.episodes()] == [False, False, True]


def test_solved_instances_are_not_run_again(store: Store) -> None:
    agent = Player(lambda s: "green" if s.guidance else "red")
    task = safes("red", "green", "blue", max_steps=1)
    result = run(store, agent, reflexion(trials=3), task)
    tries = [len(episodes(store, result, instance=f"safes-v1/train/{n}")) for n in range(3)]
    assert tries == [1, 2, 3]


@pytest.mark.parametrize(
    ("strategy", "pages"),
    [
        ("none", ["act", "act", "act"]),
        ("last_attempt", ["act", "act +attempt", "act +attempt"]),
        ("reflexion", ["act", "reflect 1", "act first", "reflect 2", "act first second"]),
        ("both", ["act", "reflect 1", "act first +attempt", "reflect 2", "act second +attempt"]),
    ],
)
def test_the_strategies_of_the_papers_code(store: Store, strategy: str, pages: list[str]) -> None:
    assert played(store, Diary("red"), trials=3, strategy=strategy) == pages


def test_the_last_attempt_is_shown_word_for_word(store: Store) -> None:
    agent = pressing("red", "blue")
    how = reflexion(trials=3, strategy="last_attempt")
    run(store, agent, how, safes("green"))
    seen = [s for s in agent.seen if not s.history]
    for before, now in zip(store.episodes(), seen[1:], strict=False):
        for step in before.trajectory.steps:
            assert f"observation: {step.observation.text} | action: {step.action.text}" in (
                now.guidance.text
            )
    assert [pressed(e) for e in store.episodes()] == [["red", "blue"]] * 3


def critique(trial: int) -> Critique:
    return Critique(
        id=f"cr_{trial}",
        episodes=(episode(trial, False).id,),
        instance="i0",
        trial=trial,
        template="critic/critique",
        status="accepted",
    )


def test_the_credit_of_a_reflection_is_what_the_next_trial_earned_more() -> None:
    tried = [
        episode(n, False).replace(reward=Reward(value=v)) for n, v in ((1, -5), (2, -3), (3, -4))
    ]
    view = view_of(*tried, critiques=tuple(critique(n) for n in (1, 2, 3)))
    # The third has no next trial yet.
    assert plans.credits_of(view) == {"cr_1": 2.0, "cr_2": -1.0}
    *first, last = tried
    broken = view_of(*first, last.replace(status="failed"), critiques=view.critiques)
    assert plans.credits_of(broken) == {"cr_1": 2.0}


class Graded:
    """Opens for nothing, and pays what the trial is to earn."""

    def __init__(self, code: str) -> None:
        self.returns = [float(text) for text in code.split()]

    def reset(self, seed: int, /) -> Any:
        return Observation(text="A safe.")

    def step(self, action: Any, /) -> Any:
        number = int(action.text) - 1
        return StepResult(
            observation=Observation(text="A safe."),
            feedback="No.",
            reward=self.returns[number],
            terminated=True,
            success=False,
        )


@pytest.mark.parametrize(
    ("prune", "last"), [(False, ["first", "second", "third"]), (True, ["first", "third"])]
)
def test_a_line_after_which_less_was_earned_is_pruned(
    store: Store, prune: bool, last: list[str]
) -> None:
    seen: list[Situation] = []

    async def agent(situation: Situation) -> str:
        seen.append(situation)
        return str(len(seen))

    task = safes("-5 -3 -4 -4", make=Graded, max_steps=1)
    how = reflexion(trials=4, carry=False, prune=prune)
    run(store, agent, how, task, critic=Diary().write)
    text = seen[-1].guidance.text
    assert [word for word in NUMBERS if f"the {word} rule" in text] == last
    uses = {u.outcome for u in store.episodes()[-1].guidance["actor"].uses}
    assert uses == ({"injected", "withheld"} if prune else {"injected"})
