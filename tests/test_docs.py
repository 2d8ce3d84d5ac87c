"""What README.md and docs/ show, runs; CONTRIBUTING.md says how blocks are marked."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tools import docs
from tools.docs import BrokenDoc, blocks, play

ROOT = docs.ROOT
FILES = sorted((ROOT / "docs").glob("*.md"), key=lambda path: path.name)
PAGES = [ROOT / "README.md", *FILES]
NOT_RUN = 4
"""Blocks that are not run, all of them with the reason above them."""


def having(mark: str) -> list[Path]:
    return [p for p in PAGES if any(b.mark == mark for b in blocks(p.read_text("utf-8")))]


def name(path: Path) -> str:
    return path.name


SLOW = {"inspecting.md", "methods.md"}


def paced(path: Path) -> object:
    """Pages whose Python runs a learner of its own take their seconds elsewhere."""
    marks = [pytest.mark.slow] if path.name in SLOW else []
    return pytest.param(path, marks=marks, id=path.name)


@pytest.mark.parametrize("path", [paced(p) for p in having("python")])
def test_the_python_of_a_page_runs(path: Path) -> None:
    assert play(path, ["python"]) > 0


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", having("sh"), ids=name)
def test_the_commands_of_a_page_run(path: Path) -> None:
    assert play(path, ["sh"]) > 0


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_every_block_has_a_mark_and_reads(path: Path) -> None:
    text = path.read_text("utf-8")
    found = blocks(text)
    assert len(re.findall(r"^\s*```", text, re.M)) == 2 * len(found)
    for block in found:
        where = f"{path.name}:{block.line}"
        assert block.mark in docs.MARKS, where
        assert block.note in ("", *docs.NOTES), where
        assert (block.mark == "console") == (block.note == "not run"), where
        docs.parse_only(block)


def test_few_blocks_are_not_run_and_each_says_why() -> None:
    found = [b for p in PAGES for b in blocks(p.read_text("utf-8")) if b.note == "not run"]
    assert all(len(block.said.split()) > 3 for block in found)
    assert len(found) == NOT_RUN


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text("utf-8")
    heads = {p: _anchors(p) for p in PAGES}
    for target in re.findall(r"\]\(([^)#\s]*(?:#[^)\s]*)?)\)", text):
        place, _, anchor = target.partition("#")
        there = (path.parent / place).resolve() if place else path
        assert there.exists(), target
        assert not anchor or anchor in heads[there], target


def _anchors(path: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def test_every_page_is_in_the_index_and_the_picture_is_small() -> None:
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    assert [p.name for p in FILES if p.name != "README.md" and f"({p.name})" not in index] == []
    assert (ROOT / "docs" / "report.png").stat().st_size < 150_000


def test_a_block_that_fails_or_prints_something_else_is_told(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    for text, said in (
        ("```sh\necho one\nfalse\n```\n", "page.md:1: false\n.*exit code 1"),
        ("```sh\necho one\n```\n\n```text\ntwo\n```\n", "page.md:5: not printed: .*two"),
        ("```sh\nverbalrl show LESSON\n```\n", "no LESSON was printed before"),
        ("```python\nprint(nothing)\n```\n", "NameError"),
        ("```python\nprint('arm\\nfailed: why')\n```\n", "page.md:1: .* said: failed: why"),
        ("<!-- serves -->\n```sh\nfalse\n```\n", "page.md:2: false"),
    ):
        page.write_text(text, encoding="utf-8")
        with pytest.raises(BrokenDoc, match=re.compile(said, re.S)):
            play(page)


@pytest.mark.parametrize(
    "text",
    [
        "```sh\necho one; sleep 100\n```\n",
        "```python\nimport time\nprint('one', flush=True)\ntime.sleep(100)\n```\n",
        "<!-- serves -->\n```sh\nsleep 100\n```\n",
        # Deaf to a polite signal, and in a session of its own, with our pipe still open.
        "```sh\ntrap '' TERM; echo one; setsid sleep 3; sleep 100\n```\n",
    ],
)
def test_a_command_that_hangs_is_told_and_ended(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    with pytest.raises(BrokenDoc, match=r"not done after 0\.5 s: it waits, or is too slow"):
        play(page, limit=0.5)


@pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")
def test_what_serves_hears_ctrl_c_where_we_do_not(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- serves -->\n```sh\npython -uc 'print(1); import time; time.sleep(100)'\n```\n",
        encoding="utf-8",
    )
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert play(page) == 1
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_names_of_ids_files_and_earlier_blocks_are_there(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- file: kept.json -->\n```json\n[1]\n```\n"
        "```sh\necho le_aaaaaaaaaa le_bbbbbbbbbb \\\n  more\n"
        "echo $(cat kept.json) LESSON LESSON\n```\n"
        "```text\n[1] le_aaaaaaaaaa … le_cccccccccc\n```\n"
        "<!-- before: x = 3 -->\n```python\nprint(x)\n```\n```python\nprint(x + 1)\n```\n"
        "```text\n4\n```\n",
        encoding="utf-8",
    )
    told: list[str] = []
    assert play(page, tell=told.append) == 3
    assert [line.split("s  ", 1)[1] for line in told][-1] == "print(x + 1)"


def run(*arguments: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_own_critics_of_the_page_show_a_gain(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "running.md").read_text("utf-8")
    text = next(b.text for b in blocks(page) if b.mark == "python" and "critic=critic" in b.text)
    (tmp_path / "own.py").write_text(text, encoding="utf-8")
    none, retry, learned = (
        float(re.search(rf"^{arm}\s+([\d.]+)", out, re.M)[1])  # type: ignore[index]
        for out in [run("own.py", folder=tmp_path)]
        for arm in ("none", "retry", "learned")
    )
    assert none == retry  # such a walker does the same again
    assert learned - retry >= 0.2


@pytest.mark.slow
def test_a_plain_function_learns(tmp_path: Path) -> None:
    out = run(str(ROOT / "examples" / "wrap_function.py"), "24", folder=tmp_path)
    none, learned = (
        float(re.search(rf"^{arm}\s+([\d.]+)", out, re.M)[1])  # type: ignore[index]
        for arm in ("none", "learned")
    )
    assert learned - none >= 0.2


@pytest.mark.slow
def test_a_task_of_ones_own_runs(tmp_path: Path) -> None:
    task = str(ROOT / "examples" / "my_task")
    common = ("--model", "offline:apprentice", "--instances", "3", "--trials", "2")
    out = run("-m", "verbalrl", "run", task, "--trust-code", *common, folder=tmp_path)
    assert "learned" in out
