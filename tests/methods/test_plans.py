"""The plans of reflexion, handbook and the control arms, and the contract that they keep."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from tests.methods.test_hint import past
from verbalrl import growth
from verbalrl.errors import ConfigurationError, MethodError, UnknownNameError
from verbalrl.methods import (
    ARMS,
    Attempts,
    MethodSettings,
    arm,
    check_method,
    handbook,
    method,
    plans,
    reflexion,
)
from verbalrl.records import (
    Action,
    Batch,
    ClosedRound,
    Critique,
    CurateLessons,
    Done,
    Episode,
    EpisodeSpec,
    Evidence,
    Instance,
    InstanceView,
    LaneKey,
    Lesson,
    LessonBody,
    LessonKind,
    Observation,
    OpenRound,
    Origin,
    RunEpisode,
    SharedView,
    Status,
    Step,
    StopReason,
    Trajectory,
    WriteCritique,
)

LANE = LaneKey(run="run", arm="learned", seed=0)
ROUND = OpenRound(instances=("i0",))


def view_of(*episodes: Episode, **changes: object) -> InstanceView:
    view = InstanceView(Instance(id="i0", goal="reach it"), "task-v1", "task-v1/i0", round=ROUND)
    return replace(view, episodes=episodes, **changes)  # type: ignore[arg-type]


def episode(trial: int, success: bool | None, purpose: str = "attempt") -> Episode:
    spec = EpisodeSpec.model_validate({"instance": "i0", "trial": trial, "purpose": purpose})
    step = Step(n=1, observation=Observation(text="here"), action=Action(text="go"))
    return Episode(
        id=spec.id(LANE),
        run="run",
        arm="learned",
        seed=0,
        spec=spec,
        trajectory=Trajectory(steps=(step,)),
        success=success,
        stop_reason=StopReason.TERMINATED,
    )


def critique(of: Episode, status: str = "accepted") -> Critique:
    return Critique.model_validate(
        {
            "id": f"cr_{of.trial}",
            "episodes": (of.id,),
            "instance": "i0",
            "trial": of.trial,
            "template": "critic/critique",
            "status": status,
        }
    )


def asked(step: object) -> list[str]:
    assert isinstance(step, Batch)
    return [work.work for work in step.work]


def test_reflexion_attempts_then_critiques_then_reflects_then_attempts_again() -> None:
    plan = reflexion().plan
    failed = episode(1, False)
    written = critique(failed)
    assert asked(plan(view_of())) == ["run_episode"]
    assert asked(plan(view_of(failed))) == ["write_critique"]
    assert asked(plan(view_of(failed, critiques=(written,)))) == ["curate_lessons"]
    step = plan(view_of(failed, critiques=(written,), curated=(written.id,)))
    assert isinstance(step, Batch)
    work = step.work[0]
    assert isinstance(work, RunEpisode)
    assert work.spec.trial == 2
    assert work.spec.guidance["actor"].scopes == ("task-v1/i0",)


def test_reflexion_goes_on_after_a_refused_critique() -> None:
    failed = episode(1, False)
    view = view_of(failed, critiques=(critique(failed, "refused"),))
    assert asked(reflexion().plan(view)) == ["run_episode"]


@pytest.mark.parametrize(("success", "reason"), [(True, "solved"), (False, "trials")])
def test_reflexion_ends(success: bool, reason: str) -> None:
    assert reflexion(trials=1).plan(view_of(episode(1, success))) == Done(reason=reason)


def test_an_unknown_success_is_not_a_success() -> None:
    assert asked(reflexion().plan(view_of(episode(1, None)))) == ["write_critique"]


def test_a_broken_episode_is_not_critiqued() -> None:
    broken = episode(1, None).replace(status="failed", trajectory=Trajectory())
    assert asked(reflexion().plan(view_of(broken))) == ["run_episode"]


def test_without_learning_reflexion_neither_critiques_nor_commits() -> None:
    frozen = reflexion().replace(learn=False)
    assert asked(frozen.plan(view_of(episode(1, False)))) == ["run_episode"]


def test_handbook_passes_over_train_in_rounds_then_freezes_and_evaluates() -> None:
    plan = handbook(round_size=2, trials=2).plan_shared
    view = SharedView(scope="task-v1", train=("a", "b", "c"), test=("t",))
    opened = []
    while not isinstance(step := plan(view), Done):
        if isinstance(step, OpenRound):
            opened.append((step.instances, step.trial, step.evaluate))
            lanes = dict.fromkeys(step.instances, growth.NOTHING)
            view = growth.close_round(view, step, lanes, lanes)
        else:
            assert asked(step) == ["freeze_memory"]
            view = growth.grow_shared(view, step, [decision(step)])
    assert opened == [
        (("a", "b"), 1, False),
        (("c",), 1, False),
        (("a", "b"), 2, False),
        (("c",), 2, False),
        (("t",), 1, True),
    ]


def inherited(*critiques: str) -> Lesson:
    rests_on = tuple(
        Evidence(critique=c, episode=f"ep_{c}", instance="i0", trial=1) for c in critiques
    )
    return Lesson(
        id="le_1",
        scope="task-v1",
        body=LessonBody(kind=LessonKind.BEHAVIOR, when="here", instruction="go"),
        status=Status.ACTIVE,
        trust=Origin.TASK,
        evidence=rests_on,
    )


def test_a_pass_leaves_out_what_is_solved_and_takes_the_rest_in_rounds() -> None:
    def after(*rounds: ClosedRound) -> SharedView:
        return SharedView(scope="s", train=("a", "b", "c", "d"), rounds=rounds)

    first = ClosedRound(
        1, OpenRound(instances=("a", "b", "c")), 0, episodes=(past("a", True), past("b", False))
    )
    rest = ClosedRound(2, OpenRound(instances=("d",)), 0, episodes=(past("d", True),))
    opened = [plans.next_of_pass(after(*r), 3, 2) for r in ((), (first,), (first, rest))]
    assert [(o.instances, o.trial) for o in opened if o] == [
        (("a", "b", "c"), 1), (("d",), 1), (("b", "c"), 2),
    ]  # fmt: skip
    assert plans.next_of_pass(after(first, rest), 3, 1) is None


def test_handbook_shows_what_inherited_lessons_rest_on_before_its_own_evidence() -> None:
    failed = episode(1, False)
    written = critique(failed)
    lanes = {"i0": growth.kept(view_of(failed, critiques=(written,)))}
    view = SharedView(scope="task-v1", train=("i0",), lessons=(inherited("cr_a", "cr_b"),))
    view = growth.close_round(view, ROUND, {"i0": growth.NOTHING}, lanes)
    batch = handbook().plan_shared(view)
    assert isinstance(batch, Batch)
    work = batch.work[0]
    assert isinstance(work, CurateLessons)
    assert (work.critiques, work.evidence) == ((written.id,), ("cr_a", "cr_b"))
    growth.check_shared_batch(batch, view)
    with pytest.raises(MethodError, match="cr_x"):
        growth.check_shared_batch(Batch(work=(work.replace(evidence=("cr_x",)),)), view)


def decision(batch: Batch) -> growth.Result:
    from verbalrl.records import Decision

    return Decision(id=batch.work[0].id(LANE), branch=LANE.branch, kind="freeze")


def test_handbook_does_not_critique_an_evaluating_round() -> None:
    test_round = OpenRound(instances=("i0",), split="test", evaluate=True)
    view = view_of(episode(1, False), round=test_round)
    assert handbook().plan(view) == Done(reason="round")


def test_retry_has_the_trials_and_the_stop_rule_of_its_method() -> None:
    retry = arm(reflexion(trials=3), "retry")
    assert retry.plan(view_of(episode(1, True))) == Done(reason="solved")
    assert asked(retry.plan(view_of(episode(1, False)))) == ["run_episode"]
    assert retry.plan(view_of(*(episode(k, False) for k in (1, 2, 3)))) == Done(reason="trials")


def test_controls_are_read_where_the_method_is_read() -> None:
    view = SharedView(scope="task-v1", train=("a",), test=("t",))
    shared = arm(handbook(), "none").plan_shared(view)
    own = arm(reflexion(), "none").plan_shared(view)
    assert isinstance(shared, OpenRound)
    assert isinstance(own, OpenRound)
    assert (shared.split, own.split) == ("test", "train")


def test_the_first_sample_is_equal_in_all_arms_and_the_ids_are_not() -> None:
    specs = []
    for name in ARMS:
        step = arm(reflexion(), name).plan(view_of())
        assert isinstance(step, Batch)
        work = step.work[0]
        assert isinstance(work, RunEpisode)
        specs.append((work.spec, LaneKey(run="run", arm=name, seed=3)))
    assert len({spec.sample_seed(lane) for spec, lane in specs}) == 1
    assert len({spec.id(lane) for spec, lane in specs}) == len(ARMS)


@pytest.mark.parametrize("name", ["reflexion", "handbook"])
@pytest.mark.parametrize("condition", ARMS)
def test_the_methods_keep_their_contract(name: str, condition: str) -> None:
    check_method(arm(method(name), condition), worlds=4)


class Counting(MethodSettings):
    """Breaks the contract: its plans depend on how often they were asked."""

    name: str = "counting"
    learns: str = "instance"

    def plan(self, view: InstanceView, /) -> Batch | Done:
        if len(view.attempts) >= 2:
            return Done()
        spec = EpisodeSpec(instance=view.instance.id, trial=next(_COUNTER))
        return Batch(work=(RunEpisode(spec=spec),))

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        return Done() if view.rounds else OpenRound(instances=view.train)


_COUNTER = itertools.count(1)


def test_check_method_finds_state_outside_the_view() -> None:
    with pytest.raises(MethodError, match="differ"):
        check_method(Counting())  # type: ignore[arg-type]


class Endless(Attempts):
    """Breaks the contract: never done."""

    def plan(self, view: InstanceView, /) -> Batch | Done:
        spec = EpisodeSpec(instance=view.instance.id, trial=len(view.attempts) + 1)
        return Batch(work=(RunEpisode(spec=spec),))


def test_check_method_finds_a_plan_that_never_ends() -> None:
    with pytest.raises(MethodError, match="does not end"):
        check_method(Endless(), worlds=1)


def test_an_evaluating_round_may_not_learn() -> None:
    evaluating = OpenRound(instances=("i0",), split="train", evaluate=True)
    ran = episode(1, False)
    view = view_of(ran, round=evaluating)
    batch = Batch(work=(WriteCritique(episodes=(ran.id,)),))
    with pytest.raises(MethodError, match="evaluating"):
        growth.check_batch(batch, view)


def test_probes_are_never_learned_from() -> None:
    probe = episode(1, False, "probe")
    with pytest.raises(MethodError, match="probes"):
        growth.check_batch(Batch(work=(WriteCritique(episodes=(probe.id,)),)), view_of(probe))


def test_a_lane_may_not_commit_to_the_shared_scope() -> None:
    ran = episode(1, False)
    work = CurateLessons(critiques=("cr_1",), scope="task-v1", kind=LessonKind.BEHAVIOR)
    with pytest.raises(MethodError, match="own scope"):
        growth.check_batch(Batch(work=(work,)), view_of(ran, critiques=(critique(ran),)))


def test_an_empty_batch_is_a_stalled_plan() -> None:
    with pytest.raises(MethodError, match="stalled"):
        growth.check_batch(Batch(work=()), view_of())


def test_unknown_names_get_the_close_matches() -> None:
    with pytest.raises(UnknownNameError, match="reflexion"):
        method("reflection")
    with pytest.raises(UnknownNameError, match="window"):
        method("reflexion", {"windo": 2})
    with pytest.raises(ConfigurationError, match="window"):
        method("reflexion", {"window": "three"})
