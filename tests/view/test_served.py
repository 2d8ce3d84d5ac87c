"""What was recorded while serving: on the page, in paged lists, and where figures are asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.serving.worlds import case, coach_of, lessons
from verbalrl.cli import main
from verbalrl.serving import Coach
from verbalrl.view.page.app import application
from verbalrl.view.page.guard import Keys

PORT = 8124
SAID = "do offer a <b>refund</b> when it broke"


@pytest.fixture
def coach(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Coach]:
    """A session: of its first episode something was said, its second one was given the lesson."""
    with coach_of(tmp_path) as opened:
        first = case(opened, "it broke", source="ann")
        opened.feedback(first, success=False, reward=-1, text=SAID, source="ann")
        opened.learn_sync()
        (lesson,) = lessons(opened).values()
        assert main(["approve", lesson.id, "--store", str(tmp_path)]) == 0
        case(opened, "it broke")
        capsys.readouterr()
        yield opened


@pytest.fixture
def reader(coach: Coach) -> TestClient:
    """A browser that has opened the address with the token."""
    keys = Keys()
    app = application(coach.store, keys, PORT)
    client = TestClient(app, base_url=f"http://127.0.0.1:{PORT}", follow_redirects=False)
    assert client.get(f"/?token={keys.token}").status_code == 303
    return client


def called(words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    assert main([*words, "--json", "--store", str(folder)]) == 0
    return json.loads(capsys.readouterr().out)


def test_every_link_from_a_session_leads_somewhere(reader: TestClient, coach: Coach) -> None:
    seen: set[str] = set()
    open_ones = ["/", f"/runs/{coach.session()}"]
    while open_ones and len(seen) < 120:
        address = open_ones.pop().replace("&amp;", "&").partition("#")[0]
        if address and address not in seen:
            seen.add(address)
            answer = reader.get(address)
            assert answer.status_code == 200, address
            open_ones += re.findall(r'<a [^>]*href="(/[^"]*)"', answer.text)
    for episode in coach.store.all_served():
        assert f"/episodes/{episode.episode}" in seen
    (lesson,) = lessons(coach).values()
    assert f"/lessons/{lesson.id}?branch=main" in seen


def test_a_session_is_no_run_to_do_again(reader: TestClient, coach: Coach) -> None:
    told = reader.get(f"/runs/{coach.session()}").text
    assert "/lessons?branch=main" in told
    assert "running" in told
    assert "do it again" not in told
    assert "verbalrl report" not in told
    assert coach.session() not in reader.get("/compare").text


def test_a_session_shows_what_was_said_of_an_episode(reader: TestClient, coach: Coach) -> None:
    first, second = (s.episode for s in coach.store.all_served())
    told = reader.get(f"/episodes/{first}").text
    assert "do offer a &lt;b&gt;refund&lt;/b&gt; when it broke" in told
    assert "consumed, with ann; learned from feedback up to 1" in told
    assert "reward -1" in told
    assert "What critics said" in told
    told = reader.get(f"/episodes/{second}").text
    assert "Nothing yet." in told
    assert "What the actor was given" in told
    listed = reader.get(f"/runs/{coach.session()}/episodes?sort=old").text
    assert listed.index("consumed") < listed.index("closed")


def test_outcomes_that_arrive_later_are_counted(coach: Coach, tmp_path: Path) -> None:
    session, second = coach.session(), coach.store.all_served()[-1].episode
    coach.close()
    with coach_of(tmp_path) as later:
        keys = Keys()
        app = application(later.store, keys, PORT)
        client = TestClient(app, base_url=f"http://127.0.0.1:{PORT}")
        client.get(f"/?token={keys.token}")
        cells = r'<td class="n">(\d+)</td>'
        before = re.findall(cells, client.get(f"/runs/{session}").text)
        later.feedback(second, success=True)
        after = re.findall(cells, client.get(f"/runs/{session}").text)
    # Seed, episodes, solved, broke, instances.
    assert (before[2], after[2]) == ("0", "1")


def test_an_open_episode_is_not_there_yet(reader: TestClient, coach: Coach) -> None:
    with coach.episode("it broke") as episode:
        coach.feedback(episode.id, success=True)
        answer = reader.get(f"/episodes/{episode.id}")
    assert answer.status_code == 404
    assert "still open" in answer.text


@pytest.mark.parametrize("word", ["report", "compare"])
def test_a_session_has_no_figures(
    word: str, coach: Coach, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.html"
    words = ["report", coach.session(), "-o", str(out)]
    if word == "compare":
        with coach_of(tmp_path) as later, later.episode("again"):
            words = ["compare", coach.session(), later.session()]
    assert main([*words, "--store", str(coach.store.path)]) == 2
    said = capsys.readouterr().err
    assert "recorded while serving" in said
    assert said.count("\n") == 1
    assert not out.exists()


def test_lists_page_through_what_was_served(
    coach: Coach, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (s.episode for s in coach.store.all_served())
    words = ["episodes", "--branch", "main", "--sort", "new", "--limit", "1"]
    for offset, name, state in ((0, second, "closed"), (1, first, "consumed")):
        found = called([*words, "--offset", str(offset)], tmp_path, capsys)
        assert found["total"] == 2
        assert [(e["id"], e["state"]) for e in found["episodes"]] == [(name, state)]
    failed = called(["episodes", "--failed"], tmp_path, capsys)
    assert [e["id"] for e in failed["episodes"]] == [first]
    found = called(["critiques", "--match", "refund"], tmp_path, capsys)
    assert (found["branch"], found["total"]) == ("main", 1)
    assert called(["critiques", "--match", "parcel"], tmp_path, capsys)["total"] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["episodes", "--arm", "learned"], "unknown arm 'learned'; did you mean: served"),
        (["episodes", "--seed", "7"], "unknown seed '7'; known: 0"),
        (["episodes", "--instance", "none"], "unknown instance 'none'"),
        (["critiques", "--instance", "none"], "unknown instance 'none'"),
    ],
    ids=str,
)
def test_filters_that_name_nothing_are_refused(
    words: list[str], said: str, coach: Coach, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--store", str(coach.store.path)]) == 2
    assert said in capsys.readouterr().err
