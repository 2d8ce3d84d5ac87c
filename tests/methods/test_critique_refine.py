"""Critique-refine and critique-and-revise: order, prompts, selection, and what is barred."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.loop.world import Safes, safes
from tests.methods.world import Told, acts, roles, tell
from verbalrl import ChatAgent, Learner, ScriptedModel, growth
from verbalrl.critics import Transitions, transitions
from verbalrl.errors import ConfigurationError, MethodError
from verbalrl.methods import (
    CritiqueRefine,
    check_method,
    critique_refine,
    critique_revise,
    plans,
)
from verbalrl.records import (
    Batch,
    ClosedRound,
    CurateLessons,
    Episode,
    Instance,
    InstanceView,
    LessonKind,
    OpenRound,
    PastCritique,
    Previous,
    Refusal,
    SharedView,
)
from verbalrl.store import open_store
from verbalrl.tasks.base import Problem, WorldTask


def in_turn(*colours: str, then: str = "") -> Any:
    """These colours for fresh outputs; `then` whenever there is something to revise."""
    left = itertools.chain(colours, itertools.repeat(colours[-1]))
    return lambda text: acts(then if then and "previous_output" in text else next(left))


def faulting(text: str) -> dict[str, Any]:
    return {
        "verdict": "failure",
        "causes": [{"step": 1, "quote": "", "why": "that colour does not open it"}],
        "lessons": [],
        "refinement": "Take the third colour.",
    }


def searches(told: Told) -> list[str]:
    found = (e for e in told.episodes if e.spec.purpose == "search")
    return [str(e.answer) for e in sorted(found, key=lambda e: e.spec.candidate)]


def attempt(told: Told) -> Episode:
    (found,) = (e for e in told.episodes if e.spec.purpose == "attempt")
    return found


def test_fresh_outputs_then_critique_then_refinement_then_the_best_is_submitted(
    tmp_path: Path,
) -> None:
    told = tell(tmp_path, critique_refine(fresh=3), in_turn("red", "blue", then="green"), faulting)
    assert roles(told) == ["actor"] * 3 + ["critic", "actor"]
    assert searches(told) == ["red", "blue", "blue", "green"]
    last = told.asked[-1][1]
    assert "<previous_output>\nred\n" in last
    assert "that colour does not open it\nTake the third colour." in last
    done = attempt(told)
    assert (done.answer, done.success, len(done.spec.selected_from)) == ("green", True, 4)
    assert told.result.arms["learned"]["success_rate"] == 1.0


def test_the_papers_numbers_are_the_defaults() -> None:
    made = critique_refine()
    assert (made.fresh, made.refinements, made.critic) == (7, 1, "text")


def test_a_unique_best_that_is_not_the_first_is_chosen(tmp_path: Path) -> None:
    told = tell(tmp_path, critique_refine(fresh=3), in_turn("red", "green", "blue"), faulting)
    assert attempt(told).answer == "green"
    with open_store(tmp_path) as store:
        chosen = next(e for e in told.episodes if e.spec.candidate == 2)
        decisions = store.decisions(chosen.branch)
    assert [(d.chosen, d.supervision) for d in decisions] == [(chosen.id, "oracle")]
    assert "learned (oracle-selected)" in told.result.table()


def test_the_verdict_alone_is_said_by_no_model(tmp_path: Path) -> None:
    method = critique_refine(fresh=2, critic="verdict")
    told = tell(tmp_path, method, in_turn("red", then="green"), faulting)
    assert roles(told) == ["actor"] * 3
    assert "<critique_of_previous>\nThe answer is wrong.\n</critique" in told.asked[-1][1]
    assert told.critiques[0].status == "accepted"


class Graded(Safes):
    """Safes whose codes are known to graders."""

    def problem(self, split: str, index: int, /) -> Problem:
        made = super().problem(split, index)
        return made._replace(answers=(str(made.data["code"]),))


def answered() -> WorldTask:
    task = safes("green", max_steps=1)
    return WorldTask(task.card, Graded(("green",), ()))


def test_what_was_refined_with_the_answer_is_marked_and_never_evaluated(tmp_path: Path) -> None:
    method = critique_refine(fresh=2, critic="answer")
    told = tell(tmp_path, method, in_turn("red", then="green"), faulting, answered())
    assert "The right answer is: green" in told.asked[-1][1]
    (critique,) = told.critiques
    assert (critique.status, critique.refusal, critique.reveals_answer) == (
        "refused",
        "revealing",
        True,
    )
    refined = next(e for e in told.episodes if e.spec.revises)
    assert refined.success is True
    done = attempt(told)
    assert (done.answer, done.success) == ("red", False)
    assert refined.id not in done.spec.selected_from


def test_the_critic_that_tells_answers_needs_some(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="critique_refine shows reference answers"):
        tell(tmp_path, critique_refine(critic="answer"), in_turn("red"), faulting)


def test_a_plan_cannot_evaluate_or_learn_from_what_reveals_the_answer(tmp_path: Path) -> None:
    method = critique_refine(fresh=1, critic="answer")
    told = tell(tmp_path, method, in_turn("red", then="green"), faulting, answered())
    refined = next(e for e in told.episodes if e.spec.revises)
    view = InstanceView(
        Instance(id=refined.instance, goal=""),
        "safes-v1",
        "safes-v1/own",
        round=OpenRound(instances=(refined.instance,)),
        episodes=tuple(e for e in told.episodes if e.spec.purpose == "search"),
        critiques=told.critiques,
    )
    smuggled = plans.submit(view, refined, (refined,))
    direct = plans.attempt(
        view, 1, revises=Previous(output="red", critique=plans.said(told.critiques[0]))
    )
    for batch in (smuggled, direct):
        with pytest.raises(MethodError, match="with the answer in sight"):
            growth.check_batch(batch, view)
    kept = CurateLessons(
        critiques=(told.critiques[0].id,), scope="safes-v1/own", kind=LessonKind.REFLECTION
    )
    with pytest.raises(MethodError, match="reveals the answer"):
        growth.check_batch(Batch(work=(kept,)), view)
    honest = next(e for e in view.episodes if not e.spec.revises)
    growth.check_batch(plans.submit(view, honest, (honest,)), replace(view, critiques=()))


def test_the_shared_stream_cannot_learn_from_it_either() -> None:
    past = PastCritique(
        id="cr_1",
        episodes=("ep_1",),
        instance="i0",
        trial=1,
        template="check:answer",
        sample=0,
        status="refused",
        refusal=Refusal.REVEALING,
        verdict="failure",
    )
    closed = ClosedRound(1, OpenRound(instances=("i0",)), 0, critiques=(past,))
    view = SharedView(scope="task-v1", train=("i0",), rounds=(closed,))
    work = CurateLessons(critiques=("cr_1",), scope="task-v1", kind=LessonKind.BEHAVIOR)
    with pytest.raises(MethodError, match="reveals the answer"):
        growth.check_shared_batch(Batch(work=(work,)), view)


def test_a_critic_that_only_proposes_lessons_is_heard_too(tmp_path: Path) -> None:
    agent = ChatAgent(ScriptedModel(lambda _: acts("red")))
    said = "When the lamp is lit take the third colour."
    learner = Learner(
        agent, method=critique_revise(trials=2), critic=lambda _: said, store=tmp_path
    )
    learner.run_sync(safes("green", max_steps=1), arms=("learned",))
    with open_store(tmp_path) as store:
        revised = [e.spec.revises for e in store.episodes()]
    assert revised == [None, Previous(output="red", critique=said)]


def test_transitions_count_what_refining_mended_and_broke(tmp_path: Path) -> None:
    method = CritiqueRefine(fresh=3, refinements=3, refine="all")
    told = tell(tmp_path, method, in_turn("red", "green", "blue", then="blue"), faulting)
    assert transitions(told.episodes) == Transitions(fixed=0, broken=1, right=0, wrong=2)


def test_diverse_picks_leave_out_what_is_nearly_the_same() -> None:
    method = CritiqueRefine(fresh=3, refinements=2, pick="diverse")
    outputs = tuple(output(n, t) for n, t in enumerate(("go up", "go up", "wait"), start=1))
    assert [e.spec.candidate for e in method._picked(outputs)] == [1, 3]
    first = CritiqueRefine(fresh=3, refinements=2)
    assert [e.spec.candidate for e in first._picked(outputs)] == [1, 2]


def output(candidate: int, text: str) -> Episode:
    from tests.methods.test_plans import episode

    made = episode(1, False, "search")
    spec = made.spec.replace(candidate=candidate)
    step = made.trajectory.steps[0]
    action = step.action.replace(text=text)
    trajectory = made.trajectory.replace(steps=(step.replace(action=action),))
    return made.replace(spec=spec, trajectory=trajectory)


@pytest.mark.parametrize("critic", ["text", "verdict"])
def test_they_keep_the_contract_of_plans(critic: Any) -> None:
    check_method(critique_refine(fresh=2, refinements=2, critic=critic, trials=2))
    check_method(critique_revise(trials=3))


def test_critique_and_revise_shows_the_last_output_alone_and_stops_when_solved(
    tmp_path: Path,
) -> None:
    actor = in_turn("red", "blue", "green")
    told = tell(tmp_path, critique_revise(), actor, faulting)
    assert roles(told) == ["actor", "critic", "actor", "critic", "actor"]
    assert [e.spec.purpose for e in told.episodes] == ["attempt"] * 3
    second, third = told.asked[2][1], told.asked[4][1]
    assert "<previous_output>\nred\n" in second
    assert "<previous_output>\nblue\n" in third
    assert "red" not in third.split("<previous_output>")[1].split("</previous_output>")[0]
    assert "guidance" not in third
    # The critic of this baseline is told how it went, as that of reflexion.
    assert "success: false" in told.asked[1][1]
    assert told.result.arms["learned"]["success_by_trial"] == [0.0, 0.0, 1.0, 1.0, 1.0]


def test_without_a_usable_critique_the_next_attempt_is_a_plain_one(tmp_path: Path) -> None:
    told = tell(
        tmp_path, critique_revise(trials=2), in_turn("red"), lambda _: {"verdict": "failure"}
    )
    assert told.critiques[0].status == "refused"
    assert "previous_output" not in told.asked[-1][1]


def test_searches_do_not_enter_the_curve(tmp_path: Path) -> None:
    told = tell(tmp_path, critique_refine(fresh=2), in_turn("red"), faulting)
    arm = told.result.arms["learned"]
    assert (arm["instances"], arm["success_by_trial"]) == (1, [0.0])
    assert len(told.episodes) == 4
