"""`learn`, `feedback`, `correct`, and the readers on what was served."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.models.faultd import Faultd
from tests.serving.worlds import case, coach_of, lessons
from verbalrl import load_model
from verbalrl.cli import main
from verbalrl.records import RunRecord
from verbalrl.serving import serve
from verbalrl.store import open_store

Say = Callable[..., str]


@pytest.fixture
def say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    """Calls a command on the store; what it printed."""

    def call(*arguments: str, code: int = 0) -> str:
        capsys.readouterr()
        assert main([*arguments, "--store", str(tmp_path)]) == code
        captured = capsys.readouterr()
        return captured.out if code == 0 else captured.err

    return call


def served(folder: Path, **changes: Any) -> str:
    with coach_of(folder, **changes) as coach:
        return case(coach, "it broke", source="ann")


def test_feedback_and_correct_append(tmp_path: Path, say: Say) -> None:
    name = served(tmp_path)
    for _ in range(2):
        said = say("feedback", name[:8], "--reward", "0", "--text", "bad", "--key", "k", "--json")
        assert json.loads(said)["seq"] == 1
    assert "feedback 2" in say("feedback", name, "--failure", "--source", "ann")
    assert "feedback 3" in say("correct", name, "do offer a refund when it broke")
    with coach_of(tmp_path) as coach:
        coach.learn_sync()
        assert set(lessons(coach)) == {"do offer a refund"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("feedback", "ep_none", "--reward", "1"), "no served episode"),
        (("feedback", "ep_"), "says nothing"),
        (("feedback", "ep_", "--reward", "nan"), "finite"),
        (("feedback", "ep_", "--success", "--failure"), "not both"),
        (("correct", "ep_", " "), "without words"),
        (("learn", "--scope", "other"), "nothing was served under that name"),
    ],
)
def test_what_cannot_be_meant_is_one_line(
    tmp_path: Path, say: Say, arguments: tuple[str, ...], words: str
) -> None:
    served(tmp_path)
    said = say(*arguments, code=2)
    assert words in said
    assert said.count("\n") == 1


def test_learn_uses_the_model_that_serving_named(tmp_path: Path, say: Say) -> None:
    with serve(tmp_path, "support", model="offline:apprentice", strict=True) as coach:
        with coach.episode("choose a knot", key="k1", source="ann") as episode:
            episode.step("A thin wet line has to be joined to a thick one.", "clove hitch")
        coach.feedback(episode.id, success=False, text="It slipped.", source="ann")
    assert "learned from 1 episode;" in say("learn")
    found = json.loads(say("learn", "--json"))
    assert found["scopes"] == {}
    say("feedback", episode.id, "--failure", "--text", "It slipped again.")
    found = json.loads(say("learn", "--json", "--model", "offline:apprentice"))
    assert found["scopes"]["support"]["episodes"] == 1


def test_readers_show_what_was_asked_for(tmp_path: Path, say: Say) -> None:
    with coach_of(tmp_path) as coach:
        plain = case(coach, "a lamp that came broken " * 9, source="ann")
    said = say("episodes")
    assert said.count(plain) == 1
    assert "scope support" in said
    assert "a lamp that came broken" in said
    assert all(len(line) < 200 for line in said.splitlines())
    assert "there is no run yet" not in say("behaviors")
    say("feedback", plain, "--reward", "-5", "--source", "ann")
    shown = say("show", plain)
    assert "source ann; goal: a lamp that came broken" in shown
    assert "reward -5 from user" in shown
    assert "by user ann (untrusted)" in shown
    with coach_of(tmp_path) as coach:
        case(coach, "a vase", key="ticket-17")
    assert "ticket-17" in say("episodes")


def test_what_is_said_again_under_a_key_is_not_kept_and_says_so(
    tmp_path: Path, say: Say, capsys: pytest.CaptureFixture[str]
) -> None:
    name = served(tmp_path)
    say("feedback", name, "--text", "first", "--key", "k1")
    for text, differs in (("first", False), ("second", True)):
        asked = ["feedback", name, "--text", text, "--key", "k1", "--store", str(tmp_path)]
        assert main(asked) == 0
        shown = capsys.readouterr()
        assert "said already under the key 'k1'" in shown.err
        assert ("not kept" in shown.err) is differs
    with coach_of(tmp_path) as coach:
        assert [f.text for f in coach.store.feedback(name)] == ["first"]


def test_learn_names_a_critic_that_failed_and_tries_again_when_told_to(
    tmp_path: Path, say: Say
) -> None:
    def breaks(episodes: object) -> None:
        raise KeyError("no room")

    with coach_of(tmp_path, critic=breaks) as coach:
        name = case(coach)
        coach.feedback(name, success=False, text="It slipped.")
        coach.learn_sync()
    said = say("learn", "--model", "offline:apprentice")
    assert "learned from 0 episodes" in said
    assert re.search("1 kept, critic failed .*no room", " ".join(said.split()))
    assert max(map(len, said.splitlines())) <= 100
    again = say("learn", "--model", "offline:apprentice", "--retry-failed", "--json")
    found = json.loads(again)["scopes"]["support"]
    assert (found["episodes"], found["failed"]) == (1, {})


def test_a_scope_without_a_model_keeps_no_other_waiting(tmp_path: Path, say: Say) -> None:
    say("feedback", served(tmp_path), "--failure")
    with serve(tmp_path, "knots", model="offline:apprentice", strict=True) as coach:
        with coach.episode("choose a knot") as episode:
            episode.step("A thin wet line has to be joined to a thick one.", "clove hitch")
        coach.feedback(episode.id, success=False, text="It slipped.")
    assert "for 'support'; give --model" in say("learn", code=2)
    with coach_of(tmp_path) as coach:
        states = {s.scope: s.state for s in coach.store.all_served()}
    assert states == {"support": "pending", "knots": "consumed"}


def test_readers_show_what_was_served(tmp_path: Path, say: Say) -> None:
    name = served(tmp_path)
    say("feedback", name, "--failure", "--text", "do offer a refund when it broke")
    assert "pending" in say("episodes")
    with coach_of(tmp_path) as coach:
        coach.learn_sync()
        (lesson,) = lessons(coach).values()
        with coach.episode("it broke") as other:
            coach.feedback(other.id, success=True)
            assert "still open" in say("show", other.id, code=2)
    listed = json.loads(say("episodes", "--branch", "main", "--json"))["episodes"]
    assert {e["id"]: e["state"] for e in listed} == {name: "consumed", other.id: "pending"}
    shown = say("show", name)
    assert "feedback 1 by user (untrusted), failed: do offer a refund when it broke" in shown
    assert "accepted" in shown
    assert "failed, says user; no reward" in shown
    assert json.loads(say("show", name, "--json"))["served"]["state"] == "consumed"
    assert lesson.id in say("behaviors", "--status", "quarantined")
    assert "1 accepted" in say("critiques")
    assert "quarantined → active" in say("approve", lesson.id)
    assert "done" in say("runs")


def test_why_and_approve_after_quarantine(tmp_path: Path, say: Say) -> None:
    name = served(tmp_path)
    say("feedback", name, "--failure", "--text", "do offer a refund when it broke")
    with coach_of(tmp_path) as coach:
        coach.learn_sync()
        (lesson,) = lessons(coach).values()
        say("approve", lesson.id)
        found = say("why", case(coach, "it broke"))
        assert lesson.id in found
        assert "in the prompt" in found


def test_a_session_is_no_run_to_resume(tmp_path: Path, say: Say) -> None:
    served(tmp_path)
    with coach_of(tmp_path) as coach:
        (run,) = {r.id for r in coach.store.runs()}
        assert "verbalrl learn" in say("resume", run, code=2)
        assert "serve" in say("show", run)


def test_a_session_says_whether_it_lives(tmp_path: Path, say: Say) -> None:
    with coach_of(tmp_path) as coach:
        case(coach)
        assert json.loads(say("runs", "--json"))["runs"][0]["status"] == "running"
    assert json.loads(say("runs", "--json"))["runs"][0]["status"] == "done"


@pytest.mark.parametrize("how", ["model", "environment"])
def test_learn_asks_where_serving_asked(
    how: str, tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Faultd() as server:
        url = server.url("openai")
        if how == "environment":
            monkeypatch.setenv("OPENAI_BASE_URL", url)
        model = "openai:any" if how == "environment" else load_model("openai:any", base_url=url)
        with serve(tmp_path, "support", model=model, strict=True) as coach:
            with coach.episode("choose a knot", source="ann") as episode:
                episode.step("choose a knot", "clove hitch")
            coach.feedback(episode, success=False, text="It slipped.", source="ann")
        monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
        assert "learned from 1 episode;" in say("learn")
        assert {a.body["model"] for a in server.asked} == {"any"}
        (kept,) = (r.config["servers"] for r in coach_runs(tmp_path))
        where = {"base_url": url, "offline": False}
        assert kept == {"critic": where, "curator": where}


def test_no_session_keeps_an_address_with_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    with serve(tmp_path, "support", model="openai:any", strict=True) as coach:
        monkeypatch.setenv("OPENAI_BASE_URL", "https://me:a-key@127.0.0.1/v1")
        case(coach)
    (run,) = coach_runs(tmp_path)
    assert run.config["servers"] == {}
    assert "a-key" not in str(run)


def coach_runs(folder: Path) -> tuple[RunRecord, ...]:
    with open_store(folder) as store:
        return store.runs()


def test_history_shows_all_when_asked(
    tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verbalrl.cli.commands.history._SHOWN", 2)
    with coach_of(tmp_path) as coach:
        for _ in range(3):
            text = "do greet when a guest comes"
            coach.feedback(case(coach), success=False, text=text, origin="operator")
        coach.learn_sync()
        name = lessons(coach)["do greet"].id
        had = [case(coach) for _ in range(3)]
    cut, whole = say("history", name), say("history", name, "--all")
    assert cut.count("and 1 more; --all has them") == 2, "critiques and prompts"
    assert "more" not in whole
    assert all(episode in whole for episode in had)
