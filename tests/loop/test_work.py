"""Every kind of episode that a plan can ask for changes what happens: shown by what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.loop.world import (
    COLOURS,
    Player,
    Safe,
    Staged,
    batch,
    episode,
    episodes,
    pressed,
    pressing,
    run,
    safes,
)
from verbalrl import ChatAgent, Learner, Limits, ScriptedModel
from verbalrl.errors import MethodError
from verbalrl.execution import bills
from verbalrl.methods import Selector
from verbalrl.models import Request
from verbalrl.records import (
    Action,
    Batch,
    Episode,
    GuidanceSpec,
    InstanceView,
    Observation,
    Previous,
    Reward,
    SelectCandidate,
    Situation,
    StepResult,
    StopReason,
    Trajectory,
    WriteCritique,
)
from verbalrl.rollout import Annotate, Hook
from verbalrl.store import Store


def sampling() -> ChatAgent:
    """Presses what the sampling seed says."""

    def choose(request: Request) -> dict[str, Any]:
        return {"thought": "", "action": COLOURS[request.sample_seed % 3], "lessons_used": []}

    return ChatAgent(ScriptedModel(choose))


class Candidates(Staged):
    """Three candidates are executed, one is selected, submitted and scored."""

    selector: str = "majority"

    @property
    def selectors(self) -> Mapping[str, Selector]:
        return {"last": lambda found: found[-1].id, "stranger": lambda _: "ep_of_another"}

    def stages(self, view: InstanceView) -> Iterator[Batch]:
        yield batch(*(episode(view, candidate=n, purpose="candidate") for n in (1, 2, 3)))
        tried = view.episodes[:3]
        yield batch(SelectCandidate(candidates=tuple(e.id for e in tried), selector=self.selector))
        chosen = next(e for e in tried if e.id == view.decisions[0].chosen)
        submitted = Action(text=chosen.answer or "")
        yield batch(
            episode(
                view, prefix=(submitted,), selected_from=tuple(e.id for e in tried), max_steps=1
            )
        )


def in_turn(*colours: str) -> Player:
    """One colour per episode."""
    left = iter(colours)
    return Player(lambda _: next(left))


@pytest.mark.parametrize(
    ("selector", "submitted"), [("majority", "green"), ("first", "red"), ("last", "green")]
)
def test_candidates_are_executed_and_the_chosen_one_is_submitted(
    store: Store, selector: str, submitted: str
) -> None:
    agent = in_turn("red", "green", "green")
    result = run(store, agent, Candidates(selector=selector), safes("green"))
    *tried, scored = sorted(episodes(store, result), key=lambda e: e.spec.purpose != "candidate")
    assert [e.answer for e in tried] == ["red", "green", "green"]
    for candidate in tried:
        assert candidate.stop_reason is StopReason.EXECUTED
        assert (candidate.reward, candidate.success) == (Reward(), None)
        assert candidate.trajectory.steps[0].feedback == f"{candidate.answer} would click"
    assert pressed(scored) == [submitted]
    assert scored.trajectory.steps[0].replayed is True
    assert (scored.success, scored.reward.value) == (submitted == "green", submitted == "green")
    assert scored.spec.selected_from == tuple(e.id for e in tried)
    # The agent was asked for candidates only: what is submitted is replayed, not acted again.
    assert len(agent.seen) == 3
    assert result.arms["learned"]["success_rate"] == float(submitted == "green")


class Locked:
    """A safe that can only be tried for good."""

    def __init__(self, code: str) -> None:
        safe = Safe(code)
        self.reset, self.step = safe.reset, safe.step


def test_a_task_that_cannot_execute_says_so(store: Store) -> None:
    class One(Staged):
        def stages(self, view: InstanceView) -> Iterator[Batch]:
            yield batch(episode(view, candidate=1, purpose="candidate"))

    result = run(store, pressing("red"), One(), safes("green", make=Locked))
    (found,) = episodes(store, result)
    assert found.stop_reason is StopReason.TASK_ERROR
    assert found.failure is not None
    assert "cannot execute candidates" in found.failure.message


def test_a_selector_must_choose_a_candidate(store: Store) -> None:
    with pytest.raises(MethodError, match="which is no candidate"):
        run(store, pressing("red"), Candidates(selector="stranger"), safes("green"))


class Judged(Staged):
    """Two scored searches, then a selection of the better one, where its selector may see that."""

    supervision: str = "none"

    @property
    def selectors(self) -> Mapping[str, Selector]:
        return {"best": _best}

    def stages(self, view: InstanceView) -> Iterator[Batch]:
        yield batch(*(episode(view, candidate=n, purpose="search") for n in (1, 2)))
        yield batch(
            SelectCandidate.model_validate(
                {
                    "candidates": [e.id for e in view.episodes],
                    "selector": "best",
                    "supervision": self.supervision,
                }
            )
        )


def _best(found: tuple[Episode, ...]) -> str:
    """By all that could tell: reward, components, success, rewards and feedback of steps."""

    def score(e: Episode) -> float:
        steps = e.trajectory.steps
        told = sum("opens" in s.feedback for s in steps)
        seen = sum(s.reward or 0.0 for s in steps) + sum(e.reward.components.values())
        went = float(e.success is True) - float(e.truncated)
        return (e.reward.value or 0.0) + went + seen + told

    return max(found, key=lambda e: (score(e), -e.spec.candidate)).id


@pytest.mark.parametrize(("supervision", "answer"), [("none", "red"), ("oracle", "green")])
def test_a_selector_sees_rewards_only_as_an_oracle(
    store: Store, supervision: str, answer: str
) -> None:
    agent = in_turn("red", "green")
    result = run(store, agent, Judged(supervision=supervision), safes("green", max_steps=1))
    (decision,) = store.decisions(f"{result.run}/learned/0")
    chosen = store.episode(decision.chosen)
    assert chosen is not None
    assert (chosen.answer, decision.supervision) == (answer, supervision)


class Shows(Safe):
    """A safe that shows that it is open, and only at the end says that it is."""

    def _seen(self) -> Observation:
        seen = super()._seen()
        solved = self.pressed[-len(self.code) :] == self.code
        return seen.model_copy(update={"text": f"{seen.text} Open: {solved}."})


@pytest.mark.parametrize("supervision", ["none", "oracle"])
def test_without_supervision_a_scored_episode_is_its_actions(
    store: Store, supervision: str
) -> None:
    given: list[Episode] = []

    def first(found: tuple[Episode, ...]) -> str:
        given.extend(found)
        return found[0].id

    class Peeks(Judged):
        @property
        def selectors(self) -> Mapping[str, Selector]:
            return {"best": first}

    class Annotator(Hook):
        async def after_step(self, trajectory: Trajectory, /) -> Annotate:
            return Annotate(note=f"Now {trajectory.final}")

    second = iter(("green", None))

    def breaks_once(situation: Situation) -> Any:
        return "red" if situation.step == 1 else next(second)

    learner = Learner(
        breaks_once,
        method=Peeks(supervision=supervision),
        critic=lambda _: "x",
        store=store,
        hooks=Annotator(),
        limits=Limits(concurrency=1),
    )
    learner.run_sync(safes("red green", make=Shows, max_steps=3), arms=("learned",))
    words = " ".join(e.model_dump_json() for e in given)
    ended = ('"terminated":true', '"stop_reason":"terminated"', "agent_error", '"failed"')
    told = [w for w in ("Open: True", "It opens", "A click", "Now ", *ended) if w in words]
    assert told == (
        [] if supervision == "none" else ["Open: True", "It opens", "A click", "Now ", *ended]
    )
    assert sorted(pressed(e) for e in given) == [["red"], ["red", "green"]]
    assert all("Lamp" in e.trajectory.steps[0].observation.text for e in given)


class Refinement(Staged):
    """The second attempt improves on the first one, with what the critic said about it."""

    trials: int = 2

    def stages(self, view: InstanceView) -> Iterator[Batch]:
        yield batch(episode(view))
        yield batch(WriteCritique(episodes=(view.episodes[0].id,)))
        said = Previous(output=view.episodes[0].answer or "", critique=view.critiques[0].refinement)
        yield batch(episode(view, trial=2, revises=said))


def test_a_refinement_sees_its_previous_output_and_the_critique(store: Store) -> None:
    agent = Player(lambda s: s.previous.critique.split()[-1] if s.previous else "red")
    result = run(
        store,
        agent,
        Refinement(),
        safes("green", max_steps=1),
        critic=lambda _: {"refinement": "Do not do that but green"},
    )
    first, second = episodes(store, result)
    assert (pressed(first), pressed(second)) == (["red"], ["green"])
    assert agent.seen[0].previous is None
    assert agent.seen[1].previous == Previous(output="red", critique="Do not do that but green")
    assert second.success is True


def test_a_chat_agent_reads_previous_output_and_critique_in_its_prompt(store: Store) -> None:
    model = ScriptedModel(lambda _: {"thought": "", "action": "red", "lessons_used": []})
    said = {"refinement": "Leave the third wire alone"}
    run(store, ChatAgent(model), Refinement(), safes("green", max_steps=1), critic=lambda _: said)
    first, second = (r.messages[-1].plain for r in model.requests)
    assert "third wire" not in first
    assert "previous_output" not in first
    assert "third wire" in second
    assert "<previous_output>\nred\n" in second


class Replay(Staged):
    """Trial 2 begins with the first action of trial 1, in the world of trial 1 or in its own."""

    same_world: bool = True
    trials: int = 2

    def stages(self, view: InstanceView) -> Iterator[Batch]:
        yield batch(episode(view))
        done = view.episodes[0].trajectory.steps[0].action
        world = 1 if self.same_world else None
        yield batch(episode(view, trial=2, prefix=(done,), world=world))


@pytest.mark.parametrize("same_world", [True, False])
def test_a_prefix_is_replayed_before_the_agent_acts(store: Store, same_world: bool) -> None:
    agent = Player(lambda s: "blue" if s.history else "red")
    result = run(store, agent, Replay(same_world=same_world), safes("red green blue", max_steps=3))
    first, second = episodes(store, result)
    assert pressed(first) == ["red", "blue", "blue"]
    assert pressed(second) == ["red", "blue", "blue"]
    assert [s.replayed for s in second.trajectory.steps] == [True, False, False]
    # Three situations in trial 1, two in trial 2: the first of those stands after the red one.
    assert len(agent.seen) == 5
    assert "Pressed: red." in agent.seen[3].observation.text
    seen = [e.trajectory.steps[1].observation.text for e in (first, second)]
    assert (seen[0] == seen[1]) is same_world


def test_a_prefix_that_ends_the_episode_asks_nobody(store: Store) -> None:
    class Whole(Staged):
        def stages(self, view: InstanceView) -> Iterator[Batch]:
            whole = tuple(Action(text=t) for t in ("red", "green", "blue"))
            yield batch(episode(view, prefix=whole))

    agent = pressing("blue")
    result = run(store, agent, Whole(), safes("red green", max_steps=5))
    (found,) = episodes(store, result)
    assert (pressed(found), found.success, agent.seen) == (["red", "green"], True, [])


@pytest.mark.parametrize(("max_steps", "steps"), [(None, 4), (1, 1), (3, 3)])
def test_max_steps_of_a_spec_cuts_the_episode(
    store: Store, max_steps: int | None, steps: int
) -> None:
    class Cut(Staged):
        def stages(self, view: InstanceView) -> Iterator[Batch]:
            yield batch(episode(view, max_steps=max_steps))

    result = run(store, pressing("red"), Cut(), safes("green", max_steps=4))
    (found,) = episodes(store, result)
    assert len(pressed(found)) == steps
    assert (found.stop_reason, found.truncated) == (StopReason.MAX_STEPS, True)


class Purposes(Staged):
    """An attempt that fails, and an episode of another purpose that succeeds."""

    purpose: str = "search"
    critique: bool = False

    def stages(self, view: InstanceView) -> Iterator[Batch]:
        yield batch(episode(view))
        yield batch(episode(view, trial=2, candidate=1, purpose=self.purpose))
        if self.critique:
            yield batch(WriteCritique(episodes=(view.episodes[1].id,)))


@pytest.mark.parametrize("purpose", ["search", "counterfactual", "probe"])
def test_only_attempts_enter_the_curves(store: Store, purpose: str) -> None:
    agent = in_turn("red", "green")
    result = run(store, agent, Purposes(purpose=purpose, trials=2), safes("green", max_steps=1))
    by_purpose = {e.spec.purpose: e for e in episodes(store, result)}
    assert by_purpose[purpose].success is True  # type: ignore[index]
    figures = result.arms["learned"]
    assert figures["success_by_trial"] == [0.0, 0.0]
    assert figures["reward_by_trial"] == [0.0, 0.0]
    assert figures["episodes"] == 2


@pytest.mark.parametrize("purpose", ["search", "counterfactual"])
def test_other_purposes_may_be_learned_from(store: Store, purpose: str) -> None:
    result = run(store, pressing("red"), Purposes(purpose=purpose, critique=True), safes("green"))
    (written,) = store.critiques(run=result.run)
    assert written.status == "accepted"


def test_a_probe_is_never_learned_from(store: Store) -> None:
    asked: list[object] = []
    method = Purposes(purpose="probe", critique=True)
    with pytest.raises(MethodError, match="probes are never learned from"):
        run(store, pressing("red"), method, safes("green"), critic=asked.append)
    assert (asked, store.critiques()) == ([], ())


def test_an_equal_sample_gives_an_equal_draw(store: Store) -> None:
    class Draws(Staged):
        sample: int | None = None

        def stages(self, view: InstanceView) -> Iterator[Batch]:
            # The guidance leaves the prompts as they are: it is empty.
            nothing = {"actor": GuidanceSpec(source="none")}
            yield batch(
                *(
                    episode(
                        view, candidate=n, purpose="search", sample=self.sample, guidance=nothing
                    )
                    for n in range(6)
                )
            )

    own = run(store, sampling(), Draws(), safes("red red red", max_steps=3))
    equal = run(store, sampling(), Draws(sample=0), safes("red red red", max_steps=3))
    assert len({tuple(pressed(e)) for e in episodes(store, own)}) > 1
    assert len({tuple(pressed(e)) for e in episodes(store, equal)}) == 1
    # The override takes the place of the candidate's number, so draw 0 is candidate 0's.
    assert pressed(episodes(store, equal)[5]) == pressed(episodes(store, own)[0])


def test_the_world_depends_on_the_trial_unless_overridden(store: Store) -> None:
    class Worlds(Staged):
        trials: int = 3

        def stages(self, view: InstanceView) -> Iterator[Batch]:
            yield batch(episode(view, trial=1), episode(view, trial=2))
            yield batch(episode(view, trial=3, world=1))

    result = run(store, pressing("red"), Worlds(), safes("green"), seeds=(0, 1))
    lamps = [e.trajectory.steps[0].observation.text for e in episodes(store, result)]
    assert lamps[0] == lamps[2] != lamps[1]
    # Sampling seeds move draws, never worlds.
    assert lamps[:3] == lamps[3:]


def test_a_bound_on_repetitions_holds_in_every_arm(store: Store) -> None:
    """The lamp alone is seen, so that pressing the same again is a repetition."""

    class Dark(Safe):
        def _seen(self) -> Observation:
            return Observation(text="A safe.", actions=COLOURS)

    task = safes("red", make=Dark, max_steps=9)
    arms = ("retry", "learned")
    result = run(store, pressing("blue"), Once(), task, limits=Limits(repeats=2), arms=arms)
    for found in episodes(store, result):
        assert (found.stop_reason, pressed(found)) == (StopReason.HOOK, ["blue", "blue"])
    # Whoever resumes it, the bound is that of the run.
    assert bills.course(store.run(result.run), Limits()).repeats == 2


class Losing(Safe):
    """Each press costs something."""

    def step(self, action: Action, /) -> StepResult:
        return super().step(action).model_copy(update={"reward": -0.5})


def test_a_control_of_risk_holds_in_every_arm(store: Store) -> None:
    task = safes("red", make=Losing, max_steps=3)
    arms = ("none", "retry", "learned")
    result = run(store, pressing("blue"), Once(), task, limits=Limits(control="cvar"), arms=arms)
    tried = episodes(store, result)
    assert {e.arm for e in tried} == set(arms)
    for found in tried:
        authors = [[n.author for n in s.notes] for s in found.trajectory.steps]
        assert authors == [[], ["cvar"], ["cvar"]]
    # Whoever resumes it, it stays under control.
    assert bills.course(store.run(result.run), Limits()).control == "cvar"


class Once(Staged):
    def stages(self, view: InstanceView) -> Iterator[Batch]:
        yield batch(episode(view))
