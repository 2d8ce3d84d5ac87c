"""What a person does to lessons on the command line; one line for what cannot be meant."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.filled import BRANCH, RUN, SCOPE
from verbalrl.cli.app import main
from verbalrl.store import open_store

Capture = pytest.CaptureFixture[str]


def said(capsys: Capture, folder: Path, *words: str, code: int = 0) -> Any:
    assert main([*words, "--json", "--store", str(folder)]) == code
    return json.loads(capsys.readouterr().out)


def told(capsys: Capture, folder: Path, *words: str, code: int = 0) -> str:
    assert main([*words, "--store", str(folder)]) == code
    out, err = capsys.readouterr()
    return out + err


def behavior(folder: Path) -> str:
    with open_store(folder) as store:
        return store.behaviors(SCOPE, run=RUN, usable=False)[0].id


def test_history_goes_from_the_critique_to_the_prompts(folder: Path, capsys: Capture) -> None:
    name = behavior(folder)
    found = said(capsys, folder, "history", name)
    assert [v["number"] for v in found["versions"]] == [1]
    assert found["critiques"][0]["id"] == found["lesson"]["evidence"][0]["critique"]
    assert found["changes"][0]["update"]["op"] == "add"
    assert "rests on 1 critique" in told(capsys, folder, "history", name)


def test_edit_rollback_and_diff(folder: Path, capsys: Capture) -> None:
    name = behavior(folder)
    edited = said(capsys, folder, "edit", name, "--instruction", "turn left", "--version", "1")
    assert edited["lesson"]["version"] == 2
    assert "has version 2 by now" in told(
        capsys, folder, "edit", name, "--when", "x", "--version", "1", code=2
    )
    place = ("--branch", BRANCH, "--scope", SCOPE)
    (changed,) = said(capsys, folder, "diff", "1", "2", *place)["changed"]
    assert (changed["before"]["version"], changed["after"]["version"]) == (1, 2)
    assert "+ When at a wall: turn left" in told(capsys, folder, "diff", "1", "2", *place)
    assert said(capsys, folder, "rollback", "1", *place)["revision"] == 3
    with open_store(folder) as store:
        assert store.behaviors(SCOPE, run=RUN)[0].instruction == "turn right"
    assert "has no revision 9" in told(capsys, folder, "rollback", "9", *place, code=2)
    assert "say which --scope" in told(capsys, folder, "rollback", "1", "--branch", BRANCH, code=2)


def test_revoke_and_purge_say_what_they_took(folder: Path, capsys: Capture) -> None:
    name = behavior(folder)
    evidence = said(capsys, folder, "history", name)["lesson"]["evidence"][0]
    done = said(capsys, folder, "revoke", "--critique", evidence["critique"])
    assert name in {n for place in done["places"] for n in place["fallen"]}
    assert "unknown source 'nobody'" in told(capsys, folder, "revoke", "--source", "nobody", code=2)
    assert "name one lesson" in told(capsys, folder, "revoke", code=2)
    assert "say --yes" in told(capsys, folder, "purge", name, "--json", code=2)
    nothing = told(capsys, folder, "purge", code=2)
    assert nothing == "verbalrl: name one lesson, or one source or episode\n"  # before it asks
    gone = said(capsys, folder, "purge", "--episode", evidence["episode"], "--yes")
    assert gone["episodes"] == [evidence["episode"]]
    assert said(capsys, folder, "verify")["ok"]


@pytest.mark.parametrize("stdin", [None, "", "closed"])
def test_purge_that_nobody_can_confirm_is_a_mistake_of_the_call(
    stdin: str | None, folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    piped = None if stdin is None else io.StringIO("")
    if piped is not None and stdin:
        piped.close()
    monkeypatch.setattr(sys, "stdin", piped)
    line = told(capsys, folder, "purge", behavior(folder), code=2).splitlines()[-1]
    assert line.startswith("verbalrl: ")
    assert "say --yes" in line
    assert said(capsys, folder, "verify")["ok"]


def test_export_is_imported_into_quarantine(folder: Path, capsys: Capture, tmp_path: Path) -> None:
    file = tmp_path / "lessons.jsonl"
    wrote = said(capsys, folder, "export", "--branch", BRANCH, "-o", str(file))
    assert (wrote["lessons"], file.stat().st_mode & 0o777) == (2, 0o600)
    assert said(capsys, folder, "import", str(file))["added"] == 2
    assert said(capsys, folder, "import", str(file))["unchanged"] == 2
    listed = said(capsys, folder, "behaviors", "--branch", "main")["behaviors"]
    assert [(x["status"], x["trust"]) for x in listed] == [("quarantined", "untrusted")]
    file.write_text('{"format": "verbalrl-lessons-1", "scope": "s"}\n', encoding="utf-8")
    assert "line 1: kind" in told(capsys, folder, "import", str(file), code=2)


def test_a_table_that_is_not_what_the_updates_make_is_found(folder: Path, capsys: Capture) -> None:
    assert said(capsys, folder, "verify")["findings"] == []
    with open_store(folder) as store:
        store._do(lambda c: c.execute("DELETE FROM lessons WHERE kind = 'behavior'"))
    assert said(capsys, folder, "verify", code=1)["ok"] is False
    assert said(capsys, folder, "rebuild")["lessons"] == 2
    assert said(capsys, folder, "verify")["ok"]


def test_audit_counts_what_a_memory_is_worth(folder: Path, capsys: Capture) -> None:
    found = said(capsys, folder, "memory", "audit", "--branch", BRANCH)
    assert (found["lessons"], found["usable_when"], found["conflicts"]) == (2, 1.0, 0)
    assert found["never_used"] == 1.0
    assert "2 live lessons" in told(capsys, folder, "memory", "audit", "--branch", BRANCH)
    assert said(capsys, folder, "conflicts", "--branch", BRANCH)["conflicts"] == []


@pytest.mark.parametrize("order", ["status", "support", "new", "old", "name"])
def test_lists_can_be_sorted(folder: Path, capsys: Capture, order: str) -> None:
    assert len(said(capsys, folder, "reflections", "--sort", order)["reflections"]) == 1
    assert said(capsys, folder, "beliefs")["beliefs"] == []
