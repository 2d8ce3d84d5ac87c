"""Memos in a run: what a manager is shown of earlier days, what it cites, and where it goes on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.loop.world import Safes, Staged, batch, episode, episodes
from tests.memory.embedding_server import EmbeddingServer
from verbalrl import ChatAgent, Learner, Memory, ScriptedModel, Team, load_model, load_task
from verbalrl.cli import main
from verbalrl.errors import MethodError, UnknownNameError
from verbalrl.memory import HashEmbedder
from verbalrl.memory.memos import FINMEM, Chain, candidates
from verbalrl.methods import Cvrf
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
    # Of earlier days the history keeps the manager's own account alone; the record keeps all.
    assert "step 1 | observation: Day 1. | action: buy" in prompts[4]
    assert "analyst: oil is dear" in found.trajectory.steps[0].observation.text
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


def test_a_team_without_recall_is_shown_none(store: Store) -> None:
    manager = citing(1)
    (found,) = ran(store, team(manager, None), Attempts(trials=1))
    prompts = [r.messages[-1].text for r in manager.requests]
    assert not any("memos" in text for text in prompts)
    assert "step 1 | observation: Day 1. News analyst: oil is dear" in prompts[1]
    assert not any(s.memos for s in found.trajectory.steps)
    with pytest.raises(UnknownNameError, match="rules for memos 'fincom'"):
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


def test_an_embedder_behind_a_server_is_asked_once_a_text_and_not_again(tmp_path: Path) -> None:
    with EmbeddingServer() as server:
        memory = Memory(tmp_path, "openai:tiny", base_url=server.url)

        def learner() -> Learner:
            own = team(citing(1))
            return Learner(own, method=Attempts(trials=1), critic=lambda _: "", store=memory)

        result = learner().run_sync(days(), arms=("learned",))
        # With a memo to choose from: the day, and what was not embedded yet.
        asked = [len(a["input"]) for a in server.asked]
        assert asked == [2, 3, 2, 3]
        with open_store(tmp_path) as store:
            (found,) = store.episodes()
        assert found.usage["actor"].input > 7 * sum(asked)
        learner().resume_sync(result.run, days())
        assert len(server.asked) == 4


@pytest.mark.parametrize("goes_on", [True, False])
def test_rounds_of_cvrf_go_on_from_each_other_if_asked_and_the_test_does_not(
    store: Store, goes_on: bool
) -> None:
    model = load_model("offline:apprentice")
    analysts = {role: ChatAgent(model) for role in ("news", "filing")}
    own = Team(ChatAgent(model), analysts, recall="fincon")
    method = Cvrf(trials=3, overlap=1.0, memos=goes_on)
    learner = Learner(own, method=method, store=store)
    task = load_task("trading-v1?horizon=4")
    result = learner.run_sync(task, arms=("learned",), train_instances=1, instances=1)
    found = {(e.spec.split, e.trial): e for e in episodes(store, result)}
    first = {key: e.trajectory.steps[0].memos for key, e in found.items()}
    assert first["train", 1] == first["test", 1] == ()
    for trial in (2, 3):
        assert bool(first["train", trial]) is goes_on
        assert all(m.ago for m in first["train", trial])


PERIOD = ("run", "trading-v1?horizon=5", "--model", "offline:apprentice", "--team", "all")


def test_a_run_and_its_resume_recall_as_they_were_told_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*PERIOD, "--memos", "finmem", "--control", "cvar", "--arms", "retry", "--json"]
    command += ["--instances", "2", "--trials", "1"]
    cut = ("--store", str(tmp_path / "cut"))
    assert main([*command, "--dry-run"]) == 0
    said = json.loads(capsys.readouterr().out)["arms"]["retry"]
    assert main([*command, "--store", str(tmp_path / "whole")]) == 0
    whole = json.loads(capsys.readouterr().out)["arms"]["retry"]
    took = sum(
        sum(t[kind] for kind in ("input", "cached", "output")) for t in whole["tokens"].values()
    )
    assert said["tokens"][0] <= took <= said["tokens"][1]
    assert main([*command, *cut, "--max-tokens", "6000"]) == 0
    stopped = json.loads(capsys.readouterr().out)
    assert stopped["arms"]["retry"]["finished"] < 2
    assert main(["resume", stopped["run"], *cut, "--max-tokens", "9000000", "--json"]) == 0
    resumed = json.loads(capsys.readouterr().out)
    assert resumed["arms"]["retry"]["episodes_digest"] == whole["episodes_digest"]
    with open_store(tmp_path / "cut") as store:
        found = store.episodes()[-1]
    assert any(m.source == "actor" for s in found.trajectory.steps for m in s.memos)
    assert main(["show", found.id, *cut]) == 0
    assert re.search(r"recalled: [^;]+; .*step 1, you yourself", capsys.readouterr().out)


def test_memos_of_nobody_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*PERIOD[:4], "--memos", "fincon"]) == 2
    assert "--memos is for the manager of a team: give --team too" in capsys.readouterr().err
