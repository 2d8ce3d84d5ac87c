"""The plans of the control arms: what they ask for, and what they are shown of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import pytest

from tests.methods.test_plans import LANE, critique, episode, view_of
from verbalrl.errors import ConfigurationError
from verbalrl.execution import RunPlan
from verbalrl.memory.mispairing import mispaired
from verbalrl.methods import (
    ALL_ARMS,
    METHODS,
    Cvrf,
    Expel,
    Handbook,
    Hindsight,
    Reflexion,
    arm,
    check_method,
    handbook,
    method,
    reflexion,
)
from verbalrl.methods.best_of_n import consensus
from verbalrl.methods.shuffled import partner
from verbalrl.records import (
    Action,
    Batch,
    ClosedRound,
    Decision,
    Done,
    Episode,
    Lesson,
    LessonBody,
    LessonKind,
    Observation,
    OpenRound,
    Origin,
    RunEpisode,
    SelectCandidate,
    SharedView,
    Status,
    Step,
    Trajectory,
    Usage,
)
from verbalrl.tasks import load_task

NAMES = tuple(f"i{n}" for n in range(5))


@pytest.mark.parametrize("name", [n for n in ALL_ARMS if n != "learned"])
def test_every_arm_of_cvrf_has_its_control_of_risk(name: str) -> None:
    def hooks(chosen: Cvrf) -> list[str]:
        view = view_of(round=OpenRound(instances=("i",), split="test", evaluate=True))
        work = only(arm(chosen, name).plan(view))
        return [hook.name for hook in work.spec.hooks]

    assert (hooks(Cvrf()), hooks(Cvrf(control=False))) == (["cvar"], [])


def only(step: object) -> RunEpisode:
    assert isinstance(step, Batch)
    (work,) = step.work
    assert isinstance(work, RunEpisode)
    return work


@pytest.mark.parametrize("name", ["reflexion", "handbook"])
@pytest.mark.parametrize("condition", ALL_ARMS[2:5])
def test_the_controls_keep_the_contract_of_plans(name: str, condition: str) -> None:
    check_method(arm(method(name), condition), worlds=4)


def test_raw_failures_shows_the_last_failure_and_asks_no_critic() -> None:
    plan = arm(reflexion(), "raw_failures").plan
    assert only(plan(view_of())).spec.guidance == {}
    twice = view_of(episode(1, False), episode(2, False))
    spec = only(plan(twice)).spec
    assert spec.trial == 3
    assert (spec.guidance["actor"].source, spec.guidance["actor"].attempts) == ("text", (2,))
    assert plan(view_of(episode(1, True))) == Done(reason="solved")


def test_raw_failures_of_a_shared_method_are_those_of_the_nearest_tasks() -> None:
    plan = arm(handbook(trials=1, round_size=2, budget=700), "raw_failures")
    first = plan.plan_shared(SharedView(scope="s", train=("a", "b", "c"), test=("t",)))
    assert first == OpenRound(instances=("a", "b"), split="train", trial=1)
    wanted = only(plan.plan(view_of())).spec.guidance["actor"]
    assert (wanted.examples, wanted.examples_of, wanted.examples_budget) == (3, "failure", 700)


def test_shuffled_attempts_in_odd_rounds_and_learns_in_even_ones() -> None:
    plan = arm(reflexion(), "shuffled").plan
    opened, failed = OpenRound(instances=("i0", "i1")), episode(1, False)
    begun = view_of(round=opened)
    (work,) = plan(begun).work  # type: ignore[union-attr]
    assert isinstance(work, RunEpisode)
    wanted = work.spec.guidance["actor"]
    assert (wanted.scopes, wanted.instance) == (("task-v1/i1",), "i1")
    assert plan(view_of(failed, round=opened)) == Done(reason="round")
    learning = view_of(failed, round=opened, number=2)
    assert [w.work for w in plan(learning).work] == ["write_critique"]  # type: ignore[union-attr]
    written = critique(failed)
    judged = replace(learning, critiques=(written,))
    assert [w.work for w in plan(judged).work] == ["curate_lessons"]  # type: ignore[union-attr]
    done = replace(judged, curated=(written.id,))
    assert plan(done) == Done(reason="round")


def test_shuffled_opens_two_rounds_for_every_trial_but_the_last() -> None:
    plan = arm(reflexion(trials=2), "shuffled")
    view = SharedView(scope="s", train=NAMES)
    opened = []
    while isinstance(step := plan.plan_shared(view), OpenRound):
        opened.append(step.trial)
        closed = check_closed(len(opened), step)
        view = replace(view, rounds=(*view.rounds, closed))
    assert opened == [1, 1, 2]


def check_closed(number: int, opened: OpenRound) -> ClosedRound:
    return ClosedRound(number=number, opened=opened, revision=0)


def test_everybody_gets_the_guidance_of_exactly_one_other() -> None:
    for trial in (1, 2, 3):
        given = {name: partner(name, NAMES, trial) for name in NAMES}
        assert sorted(given.values()) == sorted(NAMES)
        assert all(name != other for name, other in given.items())
    assert len({partner("i0", NAMES, trial) for trial in range(1, 30)}) > 1


def test_who_is_left_alone_gets_nothing() -> None:
    plan = arm(reflexion(), "shuffled").plan
    alone = view_of(round=OpenRound(instances=("i0",)))
    assert only(plan(alone)).spec.guidance["actor"].source == "none"


def lesson(name: str, instruction: str, trust: Origin = Origin.TASK) -> Lesson:
    body = LessonBody(kind=LessonKind.BEHAVIOR, when=f"case {name}", instruction=instruction)
    return Lesson(id=name, scope="s", body=body, status=Status.ACTIVE, trust=trust)


def test_conditions_and_instructions_are_paired_anew() -> None:
    lessons = (lesson("a", "go"), lesson("b", "stop", Origin.UNTRUSTED), lesson("c", "turn"))
    found = mispaired(lessons)
    assert {x.when for x in found} == {x.when for x in lessons}
    assert {x.instruction for x in found} == {x.instruction for x in lessons}
    own = {x.id: x.instruction for x in lessons}
    assert all(own[x.id] != x.instruction for x in found)
    assert mispaired(lessons[::-1]) == found
    # Text that nobody vouches for lends its trust to what it joins.
    assert sum(x.trust is Origin.UNTRUSTED for x in found) == 2


def test_equal_instructions_are_never_given_back_to_their_own() -> None:
    lessons = (*(lesson(n, "go") for n in "abc"), lesson("d", "stop"))
    found = mispaired(lessons)
    assert {x.id: x.instruction for x in found}["d"] == "go"
    assert all(x.instruction == "stop" for x in found if x.id != "d")
    assert mispaired(lessons[:3]) == ()


def test_many_lessons_are_turned_by_the_longest_run_of_one_instruction() -> None:
    said = ("go", "stop", "stop", "turn", "stop", "go", "wait")
    lessons = [lesson(f"{n:03}", said[n % 7]) for n in range(140)]
    own = {x.id: x.instruction for x in lessons}
    found = mispaired(lessons)
    assert {x.id for x in found} == own.keys()
    assert all(own[x.id] != x.instruction for x in found)
    assert sorted(x.instruction for x in found) == sorted(own.values())


def sample(number: int, *actions: str, tokens: int = 100) -> Episode:
    found = episode(1, False, "search")
    steps = [
        Step(n=n, observation=Observation(text="x"), action=Action(text=a))
        for n, a in enumerate(actions, start=1)
    ]
    spec = found.spec.replace(candidate=number)
    return found.replace(
        id=spec.id(LANE),
        spec=spec,
        trajectory=Trajectory(steps=tuple(steps)),
        usage={"actor": Usage(input=tokens)},
    )


def test_best_of_n_samples_while_tokens_last_then_chooses_blindly_and_hands_in() -> None:
    plan = arm(reflexion(), "best_of_n").plan
    view = replace(view_of(), allowance=500)
    first = only(plan(view)).spec
    assert (first.purpose, first.candidate, first.trial) == ("search", 1, 1)
    samples = [sample(1, "a")]
    counts = []
    while True:
        step = plan(replace(view, episodes=tuple(samples)))
        assert isinstance(step, Batch)
        if isinstance(step.work[0], SelectCandidate):
            break
        counts.append(len(step.work))
        samples += [sample(len(samples) + 1 + n, "b", "c") for n in range(len(step.work))]
    # Half of what is left at each time: 400, 200, 100 tokens.
    assert counts == [2, 1, 1]
    assert step.work[0].supervision == "none"
    assert step.work[0].candidates == tuple(e.id for e in samples)
    chosen = Decision(id="d", branch="b", kind="select", chosen=samples[2].id)
    last = only(plan(replace(view, episodes=tuple(samples), decisions=(chosen,)))).spec
    assert (last.purpose, last.candidate) == ("attempt", 0)
    assert [a.text for a in last.prefix] == ["b", "c"]
    assert last.selected_from == tuple(e.id for e in samples)


def test_without_tokens_left_the_one_sample_is_handed_in() -> None:
    view = replace(view_of(sample(1, "a", tokens=300)), allowance=300)
    spec = only(arm(reflexion(), "best_of_n").plan(view)).spec
    assert (spec.purpose, [a.text for a in spec.prefix]) == ("attempt", ["a"])


@pytest.mark.parametrize(
    ("courses", "best"),
    [
        (["x", "y", "y"], 1),
        (["x", "y"], 0),
        (["ab", "ac", "xc"], 1),
        (["a", "abc", "abd", "abc"], 1),
    ],
)
def test_the_course_that_agrees_most_with_the_others_is_chosen(
    courses: list[str], best: int
) -> None:
    candidates = tuple(sample(n, *course) for n, course in enumerate(courses, start=1))
    assert consensus(candidates) == candidates[best].id


def test_best_of_n_needs_learned_beside_it() -> None:
    plan = RunPlan.of(
        load_task("gridnav-v1"),
        reflexion(),
        instances=2,
        train_instances=None,
        seeds=(0,),
        arms=("retry", "best_of_n"),
    )
    with pytest.raises(ConfigurationError, match="name both"):
        plan.send(None)


def test_a_method_may_say_which_controls_mean_something() -> None:
    class Bare(Reflexion):
        controls: ClassVar[tuple[str, ...]] = ("none", "retry", "learned")

    with pytest.raises(ConfigurationError, match="has no arm shuffled"):
        arm(Bare(), "shuffled")


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("condition", ALL_ARMS)
def test_every_method_has_every_control_that_means_something(name: str, condition: str) -> None:
    how: Any = METHODS[name]()
    keeps_memory = isinstance(how, Reflexion | Expel | Handbook | Cvrf | Hindsight)
    # Guidance that is no memory, exchanged, would be the method itself.
    assert keeps_memory == ("shuffled" in how.controls)
    if condition not in how.controls:
        with pytest.raises(ConfigurationError, match=f"has no arm {condition}"):
            arm(how, condition)
        return
    check_method(arm(how, condition), worlds=2)
