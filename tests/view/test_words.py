"""What report, page and commands say in words of their own."""

import asyncio
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.cli import filled
from verbalrl.cli import output
from verbalrl.cli.drive import _hints
from verbalrl.records import (
    BranchRecord,
    Cause,
    Commit,
    LessonBody,
    LessonKind,
    MemoryUpdate,
    Operation,
    Origin,
    Reward,
    RewardSupplier,
    Status,
    Usage,
)
from verbalrl.result import reporting
from verbalrl.store import lesson_id, open_store
from verbalrl.view.facts import caveats
from verbalrl.view.page.app import application
from verbalrl.view.page.guard import Keys
from verbalrl.view.templating import breakable
from verbalrl.view.wording import judged, quoted, reader_word, supplied, tokens_text


def test_an_analyst_is_called_one() -> None:
    assert reader_word("news") == "news analyst"
    assert reader_word("risk_of_all") == "risk of all analyst"
    assert reader_word("actor") == "actor"


def test_a_quote_that_is_the_reason_stands_once() -> None:
    assert quoted(Cause(step=1, trial=1, quote="a wall", why="a  wall")) == ""
    assert quoted(Cause(step=1, trial=1, quote="a wall", why="it never turned")) == "a wall"


def test_who_judged_is_said_with_a_reward_and_without() -> None:
    made = filled.episode(1, success=False)
    assert supplied(made) == "reward 0 from environment"
    said = made.replace(reward=Reward(supplier=RewardSupplier.OPERATOR))
    assert supplied(said) == "failed, says operator; no reward"
    assert supplied(said.replace(success=None)) == "judged by nobody"


def test_a_comparison_names_all_trials_that_it_speaks_of() -> None:
    made = filled.critique(1, filled.episode(1, success=False))
    assert judged(made) == "toy-v1/train/0 trial 1"
    causes = tuple(Cause(step=1, trial=trial, quote="", why="x") for trial in (2, 1, 3))
    both = made.replace(episodes=("ep_1", "ep_2", "ep_3"), causes=causes)
    assert judged(both) == "toy-v1/train/0 trials 1, 2 and 3"


def test_a_title_breaks_between_the_parts_of_an_address() -> None:
    told = breakable("prices-a?cost=0.001&horizon=100000")
    assert told == "prices-a?<wbr>cost=0.001&amp;<wbr>horizon=100000"
    assert "<b>" not in breakable("a/<b>")


def test_a_column_that_is_whole_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    when = "2026-11-26 03:26"
    names = ["run_" + "x" * 40, "task" * 12, "method" * 9, when]
    output.table(("run", "task", "method", "begun"), [names], flexible=1, whole=(3,))
    lines = capsys.readouterr().out.splitlines()
    assert when in lines[1]
    assert max(map(len, lines)) <= 100


def test_a_team_of_one_is_one_analyst() -> None:
    worth = {"news": {"decisive": 0, "some": 0, "none": 0}}
    team = {"decisions": 2, "messages": 2, "worth": worth}
    assert reporting.said({"learned": {"team": team}}) == [
        "team: 1 analyst sent 2 reports before 2 decisions"
    ]


def test_a_run_names_how_to_look_at_beliefs_and_the_report(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = LessonBody(kind=LessonKind.BELIEF, instruction="Trends last.")
    scope, branch = filled.SCOPE, filled.BRANCH
    update = MemoryUpdate(
        op=Operation.ADD,
        lesson=lesson_id(branch, scope, body, "cu_belief"),
        body=body,
        status=Status.ACTIVE,
        trust=Origin.TASK,
    )
    made = Commit(id="cu_belief", branch=branch, scope=scope, base=1, updates=(update,))
    with open_store(folder) as store:
        asyncio.run(store.put_commit(made))
    _hints(filled.RUN, folder)
    told = capsys.readouterr().err
    for way in ("beliefs --run", "critiques --run", "report run_"):
        assert f"verbalrl {way}" in told


def test_the_life_of_a_lesson_begins_before_its_branch_did(folder: Path) -> None:
    with open_store(folder) as store:
        child = BranchRecord(id="later", parent=filled.BRANCH, pinned={filled.SCOPE: 1})
        store.create_branch(child)
        lesson = store.current_lessons("later", scope=filled.SCOPE)[0]
        keys = Keys()
        reader = TestClient(application(store, keys, 8123), base_url="http://127.0.0.1:8123")
        reader.get(f"/?token={keys.token}")
        page = reader.get(f"/lessons/{lesson.id}?branch=later").text
        life = page.partition("<h2>Its life</h2>")[2].partition("<h2>")[0]
        assert "seen once" in life
        assert f'of <span class="id">{filled.BRANCH}</span>' in life
        assert reader.get("/favicon.ico").status_code == 204


def test_one_is_no_plural() -> None:
    assert tokens_text(Usage(input=1_000, output=2, calls=1)) == "1,000 in, 2 out, 1 call"
    assert tokens_text(Usage(calls=2)).endswith("2 calls")
    one = {"unknown": 1, "success_rate": 1.0, "vs_retry": None}
    figures = {"simulated": False, "status": "done", "leaks": {"count": 1}, "discarded": 1}
    said = caveats({**figures, "arms": {"none": one}})
    assert said == (
        "1 episode of none of unknown success: left out.",
        "1 lesson with words that only test instances hold.",
        "1× work was done again: its journal held other requests.",
    )
