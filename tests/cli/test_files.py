"""Lessons in files that people have: AGENTS.md and skills, out of a store and into another's."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.filled import BRANCH, RUN, SCOPE
from verbalrl.cli.app import main
from verbalrl.store import open_store

Capture = pytest.CaptureFixture[str]


def said(capsys: Capture, folder: Path, *words: str) -> Any:
    assert main([*words, "--json", "--store", str(folder)]) == 0
    return json.loads(capsys.readouterr().out)


def told(capsys: Capture, folder: Path, *words: str, code: int = 0) -> str:
    assert main([*words, "--store", str(folder)]) == code
    out, err = capsys.readouterr()
    return out + err


@pytest.fixture
def approved(folder: Path, capsys: Capture) -> Path:
    """The store, its one behavior active."""
    with open_store(folder) as store:
        name = store.behaviors(SCOPE, run=RUN, usable=False)[0].id
    told(capsys, folder, "approve", name)
    return folder


def test_agents_md_keeps_what_is_not_ours(approved: Path, capsys: Capture, tmp_path: Path) -> None:
    file, link = tmp_path / "AGENTS.md", tmp_path / "CLAUDE.md"
    own = "# Rules\r\n\r\nRun the tests.\r\n"
    file.write_bytes(own.encode())
    file.chmod(0o664)
    link.symlink_to(file)
    words = ("export", "agents-md", "--branch", BRANCH, "-o", str(link))
    assert said(capsys, approved, *words)["lessons"] == 1
    wrote = file.read_bytes()
    assert wrote.startswith(own.rstrip().encode())
    assert b"verbalrl:begin" in wrote
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o664
    before = file.stat().st_ino
    assert "1 lesson of branch" in told(capsys, approved, *words)
    assert (file.read_bytes(), file.stat().st_ino) == (wrote, before)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize("form", ["agents-md", "skills"])
def test_what_was_written_is_imported_into_quarantine(
    form: str, approved: Path, capsys: Capture, tmp_path: Path
) -> None:
    place, other = tmp_path / "out", tmp_path / "other"
    assert said(capsys, approved, "export", form, "--branch", BRANCH, "-o", str(place))
    with open_store(other, create=True):
        pass
    for _ in range(2):
        done = said(capsys, other, "import", str(place))
    assert (done["added"], done["unchanged"], done["approved"]) == (0, 1, 0)
    (listed,) = said(capsys, other, "behaviors", "--branch", "main")["behaviors"]
    assert (listed["status"], listed["trust"]) == ("quarantined", "untrusted")
    assert said(capsys, other, "import", str(place), "--approve")["approved"] == 1
    (listed,) = said(capsys, other, "behaviors", "--branch", "main")["behaviors"]
    assert (listed["status"], listed["trust"]) == ("active", "operator")


@pytest.mark.parametrize("form", ["agents-md", "skills"])
def test_what_was_retired_leaves_the_files(
    form: str, approved: Path, capsys: Capture, tmp_path: Path
) -> None:
    place = tmp_path / "out"
    words = ("export", form, "--branch", BRANCH, "-o", str(place))
    assert said(capsys, approved, *words)["lessons"] == 1
    with open_store(approved) as store:
        name = store.behaviors(SCOPE, run=RUN, usable=False)[0].id
    told(capsys, approved, "retire", name)
    assert said(capsys, approved, *words)["lessons"] == 0
    files = [p for p in (place, *place.rglob("*")) if p.is_file()]
    assert not any("verbalrl:begin" in p.read_text(encoding="utf-8") for p in files)


def test_an_export_that_writes_no_file_names_none(
    folder: Path, capsys: Capture, tmp_path: Path
) -> None:
    target = tmp_path / "A.md"
    said = told(capsys, folder, "export", "agents-md", "--branch", "main", "-o", str(target))
    assert said == "0 lessons of branch main → nothing to write\n"
    assert not target.exists()


def test_what_cannot_be_meant_is_one_line(approved: Path, capsys: Capture, tmp_path: Path) -> None:
    words = ("export", "agents-md", "--branch", BRANCH)
    assert "name it with -o" in told(capsys, approved, *words, code=2)
    broken = tmp_path / "AGENTS.md"
    broken.write_text('<!-- verbalrl:begin {"scope":"a"} -->\n', encoding="utf-8")
    assert "line 1: this section" in told(capsys, approved, *words, "-o", str(broken), code=2)
    broken.write_bytes(b"\xff")
    assert "is no UTF-8 text" in told(capsys, approved, *words, "-o", str(broken), code=2)
    assert "is no UTF-8 text" in told(capsys, approved, "import", str(broken), code=2)
    assert "no */SKILL.md" in told(capsys, approved, "import", str(tmp_path), code=2)
    assert "cannot be written" in told(
        capsys, approved, *words, "-o", str(tmp_path / "no" / "A.md"), code=2
    )


def test_a_file_is_imported_into_a_new_store(
    approved: Path, capsys: Capture, tmp_path: Path
) -> None:
    file, new = tmp_path / "lessons.jsonl", tmp_path / "new"
    said(capsys, approved, "export", "-o", str(file))
    told(capsys, new, "import", str(file), "--branch", "other", code=2)
    assert not new.exists(), "there is no other branch in a new store"
    assert said(capsys, new, "import", str(file))["added"] == 2


def test_an_error_of_import_names_its_file(approved: Path, capsys: Capture, tmp_path: Path) -> None:
    file, new = tmp_path / "broken.jsonl", tmp_path / "new"
    file.write_text("{}\n")
    assert f"{file}: line 1" in told(capsys, new, "import", str(file), code=2)
    assert not new.exists(), "nothing is made for what cannot be read"
