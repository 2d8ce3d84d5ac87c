"""cvrf as FinCon describes it: who is asked what, in which order, and when learning ends."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.loop.world import safes
from verbalrl import ChatAgent, Learner, ScriptedModel, Team, load_task
from verbalrl.cli import main as cli
from verbalrl.errors import ConfigurationError
from verbalrl.memory.transfer import export_lines, import_lessons, read_lines
from verbalrl.methods import Cvrf, check_method, cvrf
from verbalrl.models import Request, run_sync
from verbalrl.records import Commit, Decision, Episode, Lesson
from verbalrl.store import open_store

DAYS = 5
ROLES = ("news", "momentum")
TASK = load_task(f"trading-v1?horizon={DAYS}&rule=news")
Curate = Callable[[str, int], list[dict[str, Any]]]


class Told(NamedTuple):
    asked: list[tuple[str, str, str]]
    """Role, system text and last message of every request, in order."""
    episodes: tuple[Episode, ...]
    decisions: tuple[Decision, ...]
    commits: tuple[Commit, ...]
    beliefs: tuple[Lesson, ...]
    folder: Path

    def of(self, role: str) -> list[str]:
        """What `role` was asked, with its system text."""
        return [f"{system}\n{text}" for name, system, text in self.asked if name == role]

    @property
    def learning(self) -> list[str]:
        """Who was asked, without analysts, a run of one role told once with its length."""
        found: list[list[Any]] = []
        for role, _, _ in self.asked:
            if role in ROLES:
                continue
            if found and found[-1][0] == role:
                found[-1][1] += 1
            else:
                found.append([role, 1])
        return [f"{role} {count}" for role, count in found]


def cue(text: str) -> str:
    """The last words of the news at the first piece of evidence."""
    said = re.search(r"News analyst: News: (.*?)\. Momentum", " ".join(text.split()))
    assert said is not None
    return " ".join(said[1].split()[-2:])


def one_belief(text: str, edit: int) -> list[dict[str, Any]]:
    """A belief on the news, said to be about momentum; later edits add another one."""
    when = f'the news mention "{cue(text)}"' if edit == 1 else f"the market is calm {edit}"
    return [
        {"op": "add", "evidence": [1], "name": "a cue", "when": when, "aspect": "momentum",
         "instruction": "the price falls the next day, so choose sell"}
    ]  # fmt: skip


def criticise(text: str, call: int) -> Mapping[str, Any]:
    attempt, step = re.findall(r"- attempt (\d+), steps? (\d+)", text)[0]
    lesson = {
        "attempt": int(attempt), "step": int(step), "when": f"the talk of day {call}",
        "instruction": "choose sell", "aspect": "news",
    }  # fmt: skip
    return {
        "verdict": "success",
        "causes": [],
        "lessons": [lesson],
        "refinement": f"The news of step {step} decided.",
    }


def tell(
    folder: Path,
    decide: Callable[[int, int], str],
    curate: Curate = one_belief,
    method: Cvrf | None = None,
    **settings: Any,
) -> Told:
    """One run over one training period; `decide`: from episode and day, from 1, to the decision."""
    asked: list[tuple[str, str, str]] = []

    def hears(role: str, answer: Callable[[Request, int], Any]) -> ScriptedModel:
        def reply(request: Request) -> Any:
            asked.append((role, request.messages[0].plain, request.messages[-1].plain))
            return answer(request, sum(name == role for name, _, _ in asked))

        return ScriptedModel(reply)

    def acts(request: Request, call: int) -> Mapping[str, Any]:
        action = decide((call - 1) // DAYS + 1, (call - 1) % DAYS + 1)
        return {"thought": "", "action": action, "lessons_used": [], "credits": []}

    def edits(request: Request, call: int) -> Mapping[str, Any]:
        return {"operations": curate(request.messages[-1].plain, call)}

    analysts = {
        role: ChatAgent(hears(role, lambda r, n: {"points": [1], "reading": ""})) for role in ROLES
    }
    learner = Learner(
        Team(ChatAgent(hears("actor", acts)), analysts, ahead=False),
        method=method or cvrf(control=False),
        critic=hears("critic", lambda r, n: criticise(r.messages[-1].plain, n)),
        curator=hears("curator", edits),
        store=folder,
    )
    size = {"arms": ("learned",), "instances": 1, "train_instances": 1} | settings
    result = learner.run_sync(TASK, **size)
    with open_store(folder) as store:
        branch = f"{result.run}/learned/0"
        with closing(sqlite3.connect(folder / "verbalrl.db")) as db:
            ids = [name for (name,) in db.execute("SELECT id FROM commits ORDER BY rowid")]
        made = [store.commit(name) for name in ids]
        return Told(
            asked,
            store.episodes(run=result.run),
            store.decisions(branch),
            tuple(c for c in made if c is not None),
            tuple(x for x in store.current_lessons(branch) if x.usable),
            folder,
        )


def drifting(episode: int, day: int) -> str:
    """Buys, then sells, then sells on all days but the last."""
    return ["buy", "sell", "sell" if day < DAYS else "buy"][min(episode, 3) - 1]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return tell(tmp_path_factory.mktemp("cvrf"), drifting)


def test_the_loop_of_the_paper(told: Told) -> None:
    # Two episodes, a comparison, an edit; a third one that agrees on 4 of 5 decisions with the
    # second: a last edit, then the test period with frozen beliefs.
    assert told.learning == [
        "actor 10", "critic 1", "curator 1", "actor 5", "critic 1", "curator 2", "actor 5",
    ]  # fmt: skip
    overlaps = [(d.overlap.same, d.overlap.steps) for d in told.decisions if d.overlap]
    assert sorted(overlaps) == [(0, 5), (4, 5)]
    (freeze,) = (d for d in told.decisions if d.kind == "freeze")
    assert freeze.detail == {"split": "test", "reason": "overlap 0.800"}
    splits = [(e.spec.split, e.trial) for e in told.episodes]
    assert sorted(splits) == [("test", 1), ("train", 1), ("train", 2), ("train", 3)]


def test_the_critic_is_shown_the_trades_of_both_episodes_and_the_better_one_last(
    told: Told,
) -> None:
    first = told.of("critic")[0]
    assert "<aspects>\n- news\n- momentum\n- other\n</aspects>" in first
    by_trial = {e.trial: e for e in told.episodes if e.spec.split == "train"}
    earned = [by_trial[n].reward.value or 0.0 for n in (1, 2)]
    better = "sell" if earned[1] >= earned[0] else "buy"
    lines = re.findall(r"- attempt (\d), steps 1 to 5: (\w+), result (\S+) \((won|lost)\)", first)
    assert [(n, action) for n, action, _, _ in lines][-1] == ("2", better)
    assert [float(r) for _, _, r, _ in lines] == pytest.approx(sorted(earned), abs=1e-6)
    assert [w for _, _, _, w in lines] == ["won" if e > 0 else "lost" for e in sorted(earned)]
    (decision,) = (d for d in told.decisions if d.overlap and not d.overlap.same)
    assert decision.chosen == max(by_trial[1], by_trial[2], key=lambda e: e.reward.value or 0).id


def test_beliefs_go_to_the_manager_and_then_only_to_the_analyst_of_their_aspect(
    told: Told,
) -> None:
    first = told.beliefs[0]
    # The curator said momentum; the words stand in what the news analyst reported.
    assert (first.body.aspect, first.body.audience) == ("news", "news")

    def shown(role: str) -> list[bool]:
        said = told.of(role)
        per_episode = [said[n : n + DAYS] for n in range(0, len(said), DAYS)]
        assert all(len({first.when in text for text in e}) == 1 for e in per_episode)
        return [first.when in e[0] for e in per_episode]

    assert shown("actor") == [False, False, True, True]
    assert shown("news") == [False, False, True, True]
    assert shown("momentum") == [False, False, False, False]


def test_the_curator_edits_beliefs_and_is_told_how_far(told: Told) -> None:
    first, *later = told.of("curator")
    assert "You keep the beliefs" in first
    assert "<directions>\n- The news of step" in first
    assert "one of news, momentum, other" in first
    assert "agreed on" not in first.split("</evidence>")[1], "an empty list is filled freely"
    for text in later:
        assert "agreed on 80 % of the decisions: change at most 20 % of the belief lines" in text
        assert "that is 1 line." in text


def too_many(text: str, edit: int) -> list[dict[str, Any]]:
    """Three beliefs at once, the last with most evidence."""
    numbers = [[1], [1], sorted({1, *map(int, re.findall(r"^\[(\d+)\] outcome", text, re.M))})]
    return [
        {"op": "add", "evidence": n, "name": f"cue {edit}{i}", "when": f"sign {edit} {i} shows",
         "instruction": f"choose hold at {edit} {i}", "aspect": "other"}
        for i, n in enumerate(numbers)
    ]  # fmt: skip


def test_a_larger_edit_is_refused_asked_again_and_then_repaired(tmp_path: Path) -> None:
    told = tell(tmp_path, drifting, too_many)
    first, second = told.commits
    assert len(first.updates) == 3, "an empty list may be filled at once"
    # One group and the merging call, which is asked once more with the reason.
    assert len(told.of("curator")) == 1 + 3
    again = told.of("curator")[-1]
    assert "3 of 3 belief lines would change, and at most 1 may" in again
    assert [u.body.when for u in second.updates if u.body] == ["sign 4 2 shows"]
    assert sum("refused by step" in reason for reason in second.rejected) == 2
    assert not second.failure
    assert len(told.beliefs) == 4


def test_learning_ends_after_the_last_trial_where_runs_never_agree(tmp_path: Path) -> None:
    told = tell(tmp_path, lambda episode, day: ("buy", "sell")[episode % 2])
    assert [e.trial for e in told.episodes if e.spec.split == "train"] == [1, 2, 3, 4]
    (freeze,) = (d for d in told.decisions if d.kind == "freeze")
    assert freeze.detail["reason"] == "overlap 0.000"
    assert told.learning[-1] == f"actor {DAYS}"


def test_without_learning_nobody_but_the_team_is_asked(tmp_path: Path) -> None:
    told = tell(tmp_path, drifting, learn=False)
    assert told.learning == [f"actor {DAYS}"]


def test_the_risk_control_is_asked_for_in_every_episode_unless_it_is_off(tmp_path: Path) -> None:
    told = tell(tmp_path / "on", drifting, method=cvrf(trials=2))
    assert {tuple(h.name for h in e.spec.hooks) for e in told.episodes} == {("cvar",)}
    off = tell(tmp_path / "off", drifting, method=cvrf(trials=2, control=False))
    assert {e.spec.hooks for e in off.episodes} == {()}


@pytest.mark.parametrize(
    "method", [Cvrf(), Cvrf(aspects=("news", "risk")), Cvrf(overlap=0.3), Cvrf(learn=False)]
)
def test_its_plans_keep_their_contract(method: Cvrf) -> None:
    check_method(method, instances=3, worlds=6)


def test_decisions_that_cannot_be_compared_are_told_of_before_the_first_call(
    tmp_path: Path,
) -> None:
    learner = Learner(
        ChatAgent(ScriptedModel([])), method=cvrf(), store=tmp_path, critic=ScriptedModel([])
    )
    with pytest.raises(ConfigurationError, match="at least 3; safes-v1 has 2 here"):
        learner.run_sync(safes("green", "blue", test=["green"], max_steps=1))


def test_commands_tell_what_a_belief_is_about_and_how_far_rounds_agreed(
    told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*arguments: str) -> str:
        assert cli([*arguments, "--store", str(told.folder)]) == 0
        return capsys.readouterr().out

    assert "about news, also for the news analyst" in said("beliefs")
    (first,) = json.loads(said("beliefs", "--json", "--match", "news"))["beliefs"]
    assert (first["body"]["aspect"], first["body"]["audience"]) == ("news", "news")
    assert "about news, also for the news analyst" in said("show", told.beliefs[0].id)
    (last,) = (d for d in told.decisions if d.overlap and d.overlap.same)
    text = said("show", last.id)
    assert "4 of 5 decisions are the same" in text
    assert "overlap: 0.800" in text
    (freeze,) = (d for d in told.decisions if d.kind == "freeze")
    assert "reason: overlap 0.800" in said("show", freeze.id)
    assert f"{last.id}: 4 of 5 decisions are the same" in said("show", told.episodes[0].run)


def test_beliefs_keep_what_they_are_about_when_they_move(told: Told, tmp_path: Path) -> None:
    lines = export_lines(told.beliefs)
    with open_store(tmp_path, create=True) as store:
        run_sync(import_lessons(store, read_lines(lines), "main"))
        moved = store.current_lessons("main")
    about = {(x.when, x.body.aspect, x.body.audience) for x in moved}
    assert about == {(x.when, x.body.aspect, x.body.audience) for x in told.beliefs}
