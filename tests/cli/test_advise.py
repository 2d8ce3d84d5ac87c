"""A person says what is wanted where; the lesson is there, and a run that starts with it asks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.filled import BRANCH
from tests.cli.test_care import Capture, said, told
from verbalrl.cli.app import main
from verbalrl.store import open_store

PRICE = ("--domain", "the customer asks for a price", "--effect", "Name it at once.")
MORE = ("--check", "lacks sorry", "--not-in", "Why did the price rise?")


def test_feedback_is_an_active_conditional_lesson(folder: Path, capsys: Capture) -> None:
    (made,) = said(capsys, folder, "advise", "--scope", "shop", *PRICE, *MORE)["lessons"]
    assert (made["became"], made["status"], made["trust"]) == ("new", "active", "operator")
    body = made["body"]
    assert body["conditional"]
    assert (body["when"], body["check"]) == (PRICE[1], "lacks sorry")
    assert body["examples_not"] == ["Why did the price rise?"]
    again = told(capsys, folder, "advise", "--scope", "shop", *PRICE)
    assert "When the customer asks for a price: Name it at once." in again
    assert "not in: Why did the price rise?\n" in again
    assert "check: lacks sorry\n" in again
    assert "there already in scope shop of branch main" in again
    changed = told(capsys, folder, "advise", "--scope", "shop", *PRICE, "--not-in", "A list.")
    assert "changed in scope shop" in changed


def test_a_file_of_feedback_is_read_before_any_is_stored(
    folder: Path, capsys: Capture, tmp_path: Path
) -> None:
    file = tmp_path / "feedback.jsonl"
    rows = [
        {"domain": "it rains", "effect": "Take the bus.", "scope": "town"},
        {"domain": "it snows", "effect": "Stay.", "examples_not": ["It rains."]},
    ]
    lines = [json.dumps(row) for row in rows]
    asked = ("advise", "--file", str(file), "--scope", "home")
    file.write_text("\n", encoding="utf-8")
    assert "holds no feedback" in told(capsys, folder, *asked, code=2)
    file.write_text("\n".join([*lines, "{}"]), encoding="utf-8")
    assert "line 3: domain: missing; give it" in told(capsys, folder, *asked, code=2)
    with open_store(folder) as store:
        assert store.current_lessons("main") == ()
    file.write_text("\n".join(lines), encoding="utf-8")
    assert {x["scope"] for x in said(capsys, folder, *asked)["lessons"]} == {"home", "town"}
    assert [x["became"] for x in said(capsys, folder, *asked)["lessons"]] == ["there already"] * 2


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (PRICE, "say whose lessons: --scope"),
        (("--scope", "shop", "--domain", "d"), "give --effect, or a --file"),
        (("--scope", "shop", *PRICE, "--file", "-"), "give --domain or --file, not both"),
        (("--scope", "shop", "--file", "no.jsonl"), "no.jsonl"),
        (("--scope", "shop", *PRICE, "--check", "be nice"), "the check 'be nice' is none of"),
        (("--scope", "shop", *PRICE, "--branch", "nobody"), "nobody"),
    ],
)
def test_what_cannot_be_meant_is_one_line(
    folder: Path, capsys: Capture, words: tuple[str, ...], why: str
) -> None:
    assert main(["advise", *words, "--store", str(folder)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert why in err


@pytest.mark.parametrize("line", ["{bad", '{"domain": "d"}', '{"domain": "d", "effect": ""}'])
def test_a_line_that_cannot_be_read_is_named_with_its_file(
    folder: Path, tmp_path: Path, capsys: Capture, line: str
) -> None:
    file = tmp_path / "said.jsonl"
    file.write_text(f"{line}\n", encoding="utf-8")
    assert main(["advise", "--scope", "s", "--file", str(file), "--store", str(folder)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"verbalrl: {file}: line 1: ")


def test_edit_says_where_a_lesson_does_not_apply(folder: Path, capsys: Capture) -> None:
    (made,) = said(capsys, folder, "advise", "--scope", "shop", *PRICE)["lessons"]
    shown = told(capsys, folder, "edit", made["id"], "--not-in", "A price list is torn.")
    assert "version 2" in shown
    assert "not in: A price list is torn.\n" in shown
    assert "says that already" in told(
        capsys, folder, "edit", made["id"], "--not-in", "A price list is torn.", code=2
    )


def test_a_run_of_the_apprentice_asks_about_feedback(folder: Path, capsys: Capture) -> None:
    words = ("--domain", "the ticket names a lamp", "--effect", "Choose cobalt.")
    said(capsys, folder, "advise", "--scope", "triage-v1", *words)
    run = (
        *("run", "triage-v1", "--model", "offline:apprentice", "--from", "main", "--no-learn"),
        *("--instances", "3", "--arms", "learned", "--set", "condition=model"),
    )
    foretold = said(capsys, folder, *run, "--dry-run")["arms"]["learned"]
    # An attempt at each instance, and before it one question about the lesson.
    assert foretold["calls"][0] == 6
    learned = said(capsys, folder, *run)["arms"]["learned"]
    assert learned["tokens"]["recall"]["calls"] == 3


def test_settings_of_curation_are_given_with_set(tmp_path: Path, capsys: Capture) -> None:
    run = (
        *("run", "triage-v1", "--model", "offline:apprentice", "--instances", "2"),
        *("--train-instances", "4", "--trials", "1", "--arms", "learned", "--set", "votes=expel"),
    )
    ran = said(capsys, tmp_path / "store", *run)["run"]
    with open_store(tmp_path / "store") as store:
        found = store.current_lessons(f"{ran}/learned/0")
        assert found
        assert all(x.votes["count"] >= 2 for x in found)
    wrong = told(capsys, tmp_path / "store", *run[:-1], "votes=exple", code=2)
    assert "votes='exple'" in wrong


def test_feedback_for_a_run_that_can_be_resumed_is_refused(folder: Path, capsys: Capture) -> None:
    with open_store(folder) as store:
        store.update_run(store.branch(BRANCH).run or "", status="stopped")
    words = ("advise", "--scope", "shop", *PRICE, "--branch", BRANCH)
    assert "can still be resumed" in told(capsys, folder, *words, code=2)
