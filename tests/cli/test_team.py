"""`run --team`: analysts by name, kept for `resume`, shown by `show` and the page."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.tasks.test_prices import bench, plain, written
from verbalrl.cli import main
from verbalrl.execution import roles_of
from verbalrl.store import open_store
from verbalrl.tasks import load_task
from verbalrl.tasks.market import ROLES
from verbalrl.view.page.app import application
from verbalrl.view.page.guard import Keys

TASK = "trading-v1?horizon=3"
OFFLINE = ("--model", "offline:apprentice")
SMALL = ("--method", "reflexion", "--instances", "1", "--trials", "2", "--arms", "learned")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("team") / "store"
    given = ("--team", "news,risk", "--analyst-model", "offline:apprentice#2")
    assert main(["run", TASK, *OFFLINE, *SMALL, *given, "--store", str(folder)]) == 0
    return folder


def test_the_team_is_kept_with_the_run_and_goes_on_with_it(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_store(store) as kept:
        run = kept.runs()[0]
    analyst = "Analyst(offline:apprentice#2)"
    assert run.config["team"] == [["news", analyst], ["risk", analyst]]
    assert main(["resume", run.id, "--json", "--store", str(store)]) == 0
    figures: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert {"news", "risk"} < set(figures["arms"]["learned"]["tokens"])


def test_show_and_the_page_tell_reports_and_tokens_by_role(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_store(store) as kept:
        episode = kept.episodes()[0]
        assert main(["show", episode.id, "--store", str(store)]) == 0
        said = capsys.readouterr().out
        keys = Keys()
        page = TestClient(application(kept, keys, 8123), base_url="http://127.0.0.1:8123")
        page.get(f"/?token={keys.token}")
        shown = page.get(f"/episodes/{episode.id}").text
    first = episode.trajectory.steps[0].reports[0]
    for text in (said, shown):
        assert "News analyst: News: " in text
        assert f"eports: news {first.tokens} tokens; risk " in text
    used = episode.usage["news"]
    assert f"\n  news: {used.input:,} tokens in, " in said
    assert f"{used.input:,} in, {used.output:,} out, 3 calls" in shown


def test_all_is_whoever_the_task_has_something_for(capsys: pytest.CaptureFixture[str]) -> None:
    given = ("--team", "all", "--dry-run", "--json", "--instances", "1", "--arms", "none")
    assert main(["run", TASK, *OFFLINE, "--method", "reflexion", *given]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["arms"]["none"]["calls"] == [18, 18]


def test_a_file_of_prices_alone_has_no_news_and_no_filings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = f"prices:{written(tmp_path / 'AAPL.csv', plain())}?horizon=8"
    given = (*OFFLINE, "--method", "reflexion", "--instances", "1", "--arms", "none", "--dry-run")
    assert main(["run", task, *given, "--json", "--team", "all"]) == 0
    assert json.loads(capsys.readouterr().out)["arms"]["none"]["calls"][1] == 8 * 4
    assert main(["run", task, *given, "--team", "momentum,news"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
    assert "nothing for an analyst 'news'; name some of momentum, volatility, risk" in line
    told = tmp_path / "TOLD.json"
    told.write_text(json.dumps(bench()), encoding="utf-8")
    assert roles_of(load_task(f"prices:{told}")) == tuple(ROLES)


@pytest.mark.parametrize(
    ("task", "given", "said"),
    [
        (TASK, ("--analyst-model", "offline:apprentice"), "give --team too"),
        (TASK, ("--team", "news,gossip"), "nothing for an analyst 'gossip'"),
        (TASK, ("--team", ""), "--team '': no name given; give all, or roles such as"),
        (TASK, ("--team", "news,news"), "--team 'news,news': 'news' is named twice; give all"),
        (TASK, ("--team", "all,news"), "--team all,news: all stands alone; give it without"),
        (TASK, ("--team", "actor"), "'actor' cannot be an analyst's role"),
        ("gridnav-v1", ("--team", "all"), "gridnav-v1 previews nothing"),
        ("gridnav-v1", ("--team", "news"), "gridnav-v1 previews nothing"),
    ],
)
def test_what_is_no_team_is_one_line(
    task: str, given: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", task, *OFFLINE, *given, "--store", str(tmp_path / "store")]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line
    assert not (tmp_path / "store").exists()
