"""Memos in a run: what a manager is shown of earlier days, what it cites, and where it goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.loop.world import Safes, Staged, batch, episode, episodes
from verbalrl import ChatAgent, Learner, ScriptedModel, Team
from verbalrl.errors import MethodError, UnknownNameError
from verbalrl.memory import HashEmbedder
from verbalrl.memory.memos import FINMEM, Chain, candidates
from verbalrl.models import Request
from verbalrl.records import (
    Action,
    Batch,
    Episode,
    GuidanceSpec,
    InstanceView,
    Observation,
    Origin,
    Situation,
    Step,
    StepResult,
)
from verbalrl.store import Store, open_store
from verbalrl.tasks.base import Card, WorldTask

GOAL = "Open the safe."
NEWS = ("oil is dear", "oil is cheap", "steel is dear", "rain will fall", "oil is dear")
FILING = ("profit rose", "profit rose", "debt fell", "debt fell", "staff left")
RESULTS = (0.01, 0.02, -0.01, 0.02, 0.01)


class Days:
    """Five days with two sources; what is decided does not matter."""

    roles = ("news", "filing")

    def __init__(self, code: str) -> None:
        self.day = 1

    def reset(self, seed: int, /) -> Observation:
        self.day = 1
        return self.left(())

    def left(self, roles: Sequence[str], /) -> Observation:
        return Observation(text=f"Day {self.day}.", actions=("buy", "hold"))

    def preview(self, role: str, step: int, /) -> Observation:
        return Observation(text={"news": NEWS, "filing": FILING}[role][step - 1])

    def step(self, action: Action, /) -> StepResult:
        self.day += 1
        over = self.day > 5
        reward = RESULTS[self.day - 2]
        return StepResult(observation=self.left(()), reward=reward, terminated=over, success=over)


def days() -> WorldTask:
    card = Card(
        id="days-v1",
        summary="Days.",
        learns="both",
        observations=Origin.TASK,
        max_steps=5,
        inline=True,
        default_train=1,
        default_instances=1,
    )
    return WorldTask(card, Safes(("x",), (), Days))


async def telling(situation: Situation) -> str:
    return situation.observation.text


def shown_in(text: str) -> list[str]:
    """The lines of the block of memos in a prompt."""
    found = re.search(r"<memos>\n(.*?)</memos>", text, re.DOTALL)
    return found[1].splitlines() if found else []


def citing(*numbers: int) -> ScriptedModel:
    """A manager that cites these wherever it is shown memos."""

    def reply(request: Request) -> dict[str, Any]:
        text = request.messages[-1].text
        said = {"thought": "So be it.", "action": "buy", "lessons_used": [], "credits": []}
        return {**said, "memos_used": list(numbers)} if shown_in(text) else said

    return ScriptedModel(reply)


def team(manager: ScriptedModel, recall: str | None = "fincon", ahead: bool = True) -> Team:
    analysts = dict.fromkeys(Days.roles, telling)
    return Team(ChatAgent(manager), analysts, ahead=ahead, recall=recall)


class Attempts(Staged):
    """Three attempts, each of which goes on from the memos of those in `continued`."""

    trials: int = 3
    continued: bool = True

    def stages(self, view: InstanceView) -> Iterator[Batch]:
        for trial in range(1, self.trials + 1):
            before = tuple(range(1, trial)) if self.continued else ()
            guidance = {"actor": GuidanceSpec(memos=before)}
            yield batch(episode(view, trial=trial, guidance=guidance))


def ran(store: Store | Path, agent: Team, method: Staged) -> tuple[Episode, ...]:
    learner = Learner(agent, method=method, critic=lambda _: "", store=store)
    result = learner.run_sync(days(), arms=("learned",))
    if isinstance(store, Path):
        with open_store(store) as opened:
            return episodes(opened, result)
    return episodes(store, result)


def test_a_manager_reads_earlier_days_and_says_what_it_rested_on(store: Store) -> None:
    manager = citing(2, 9, 2)
    (found,) = ran(store, team(manager), Attempts(trials=1))
    prompts = [r.messages[-1].text for r in manager.requests]
    assert [len(shown_in(text)) for text in prompts] == [0, 1, 3, 4, 5]
    # The filing of day 1 is said again on day 2: it is read today, not recalled.
    assert shown_in(prompts[1]) == ["[1] step 1, news analyst: oil is dear"]
    assert "memos_used" not in prompts[0]
    for step, text in zip(found.trajectory.steps, prompts, strict=True):
        lines = [f"[{n}] {m.said}: {m.text}" for n, m in enumerate(step.memos, start=1)]
        assert lines == shown_in(text)
        assert not {m.text for m in step.memos} & {r.text for r in step.reports}
    used = [(s.action.memos_used, s.action.memos_unknown) for s in found.trajectory.steps]
    assert used == [((), 0), ((), 2), ((2,), 1), ((2,), 1), ((2,), 1)]


def by_hand(steps: Sequence[Step], today: int) -> list[str]:
    """The texts that FinCon shows on day `today`, the best first, by its formulas."""
    past, now = steps[: today - 1], steps[today - 1]
    said: dict[tuple[str, str], list[int]] = {}
    for step in past:
        for report in step.reports:
            said.setdefault((report.role, report.text), []).append(step.n)
    embedder = HashEmbedder()
    (seen,) = embedder.rows([f"{GOAL}\n{now.observation.text}"])
    scored = []
    for (role, text), on in said.items():
        if (role, text) in {(r.role, r.text) for r in now.reports}:
            continue
        initial, fades = (60.0, 0.96) if role == "filing" else (50.0, 0.92)
        importance = initial * fades ** (today - on[0])
        if len(on) > 1:  # said again: it begins anew, unless citations made it more than that
            raised = initial * fades ** (on[-1] - on[0]) + boost(
                past[: on[-1] - 1], text, on[-1], fades
            )
            importance = max(initial, raised) * fades ** (today - on[-1])
            importance += boost(past[on[-1] - 1 :], text, today, fades)
        else:
            importance += boost(past, text, today, fades)
        cosine = float(embedder.rows([text])[0] @ seen)
        scored.append((-(max(cosine, 0.0) + min(importance, 100) / 100), -on[-1], text))
    return [text for *_, text in sorted(scored)][:5]


def boost(steps: Sequence[Step], text: str, today: int, fades: float) -> float:
    """Five for each profitable decision that cited `text`, faded since."""
    return sum(
        5 * fades ** (today - step.n)
        for step in steps
        if (step.reward or 0) > 0
        and text in [step.memos[n - 1].text for n in step.action.memos_used]
    )


@pytest.mark.parametrize("cites", [(), (1,), (2,), (1, 3)])
def test_what_is_cited_on_profitable_days_is_shown_earlier(
    store: Store, cites: tuple[int, ...]
) -> None:
    (found,) = ran(store, team(citing(*cites)), Attempts(trials=1))
    steps = found.trajectory.steps
    shown = [[m.text for m in step.memos] for step in steps]
    assert shown == [by_hand(steps, today) for today in range(1, 6)]
    # Day 4 earned: what it cited first stands before what nobody cited.
    raised = shown[4].index("profit rose") < shown[4].index("debt fell")
    assert raised == (1 in cites)


def test_memos_go_on_from_earlier_attempts_where_the_spec_says_so(store: Store) -> None:
    manager = citing(1)
    first, second, third = ran(store, team(manager, "finmem"), Attempts())
    opening = [r.messages[-1].text for r in manager.requests][5::5]
    assert any("the attempt before, step 4, news analyst: rain" in x for x in shown_in(opening[0]))
    assert any(
        "the attempt before, step 5, you yourself: So be it." in x for x in shown_in(opening[0])
    )
    chain = Chain(FINMEM, (0, first.instance))
    left = chain.fold([(e.trial, e.trajectory.steps) for e in (first, second)])
    assert left is not None
    kept = {x.id for x in candidates(left, [])}
    memos = third.trajectory.steps[0].memos
    assert memos
    assert {m.id for m in memos} <= kept
    assert {m.ago for m in memos} == {1}


def test_attempts_begin_anew_where_it_does_not(store: Store) -> None:
    found = ran(store, team(citing(1)), Attempts(continued=False))
    assert [e.trajectory.steps[0].memos for e in found] == [(), (), ()]
    shown = [[[m.text for m in s.memos] for s in e.trajectory.steps] for e in found]
    assert shown[0] == shown[1] == shown[2]


def test_memos_of_a_trial_that_has_not_been_are_refused(store: Store) -> None:
    class Early(Staged):
        def stages(self, view: InstanceView) -> Iterator[Batch]:
            yield batch(episode(view, guidance={"actor": GuidanceSpec(memos=(3,))}))

    with pytest.raises(MethodError, match="memos of trial 3 are asked for, and it has not been"):
        ran(store, team(citing()), Early())


def test_a_team_without_a_policy_is_shown_none(store: Store) -> None:
    manager = citing(1)
    (found,) = ran(store, team(manager, None), Attempts(trials=1))
    assert not any("memos" in r.messages[-1].text for r in manager.requests)
    assert not any(s.memos for s in found.trajectory.steps)
    with pytest.raises(UnknownNameError, match="recall policy 'fincom'"):
        team(manager, "fincom")


@pytest.mark.parametrize("recall", ["fincon", "finmem"])
@pytest.mark.parametrize("dies_at", [3, 8])
def test_a_resumed_run_recalls_what_the_whole_one_did(
    tmp_path: Path, recall: str, dies_at: int
) -> None:
    class Killed(BaseException):
        pass

    whole, calls = citing(1, 2), 0

    def dying(request: Request) -> Any:
        nonlocal calls
        calls += 1
        if calls == dies_at:
            raise Killed
        return whole._function(request) if whole._function else None

    def learner(manager: ScriptedModel, folder: str) -> Learner:
        own = team(manager, recall)
        return Learner(own, method=Attempts(), critic=lambda _: "", store=tmp_path / folder)

    expected = learner(citing(1, 2), "whole").run_sync(days(), arms=("learned",))
    with pytest.raises(Killed):
        learner(ScriptedModel(dying), "cut").run_sync(days(), arms=("learned",))
    with open_store(tmp_path / "cut") as store:
        run = store.runs()[0].id
    rest = citing(1, 2)
    result = learner(rest, "cut").resume_sync(
        run,
        days(),
    )
    assert len(rest.requests) == 15 - (dies_at - 1)
    digests = [r.arms["learned"]["episodes_digest"] for r in (expected, result)]
    assert digests[0] == digests[1]


def test_running_ahead_recalls_the_same(store: Store) -> None:
    ahead, beside = (ran(store, team(citing(1), ahead=a), Attempts()) for a in (True, False))
    memos = [[[s.memos for s in e.trajectory.steps] for e in found] for found in (ahead, beside)]
    assert memos[0] == memos[1]
