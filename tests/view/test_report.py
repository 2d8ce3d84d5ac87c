"""The report: its figures are those of `run --json`, and what is stored stays text."""

import asyncio
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from benchmarks._rows import ARMS, Sizes, fill
from tests.cli import filled
from verbalrl.cli import main
from verbalrl.result.figures import curves
from verbalrl.store import open_store
from verbalrl.view.report import report_html
from verbalrl.view.rows import read_run


class Tables(HTMLParser):
    """The cells of all tables, by caption."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[list[str]]] = {}
        self._rows: list[list[str]] = []
        self._in = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._in = tag
        if tag == "caption":
            self._rows = []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in == "caption":
            self.found[data.strip()] = self._rows
        elif self._in in ("td", "th"):
            self._rows[-1][-1] += data.strip()


def tables(html: str) -> dict[str, dict[str, list[str]]]:
    parser = Tables()
    parser.feed(html)
    return {name: {row[0]: row[1:] for row in rows[1:]} for name, rows in parser.found.items()}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A store with a run of the offline model, and what `run --json` said of it."""
    place = tmp_path_factory.mktemp("real") / "store"
    said = place.parent / "said.json"
    with said.open("w", encoding="utf-8") as out, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        words = ["run", "gridnav-v1", "--model", "offline:apprentice", "--method", "reflexion"]
        sizes = ["--instances", "6", "--trials", "3", "--seeds", "2"]
        assert main([*words, *sizes, "--store", str(place), "--json"]) == 0
    return place, json.loads(said.read_text(encoding="utf-8"))


def test_the_figures_are_those_of_run_json(real: tuple[Path, dict[str, Any]]) -> None:
    place, said = real
    with open_store(place) as store:
        html = report_html(read_run(store, said["run"]))
    told = tables(html)
    assert list(told["Arms"]) == ["none", "retry", "learned"]
    curve = told["Share of instances solved at or before each trial [95 % interval]"]
    for arm, facts in said["arms"].items():
        row = told["Arms"][arm]
        assert float(row[0]) == facts["success_rate"]
        assert json.loads(row[1]) == facts["ci95"]
        assert [int(row[n].replace(",", "")) for n in (2, 5, 6)] == [
            facts["solved_by_trial"][-1],
            facts["episodes"],
            facts["errors"],
        ]
        shown = [cell for cell in curve[arm] if cell != "–"]
        assert [float(cell.split()[0]) for cell in shown] == facts["success_by_trial"]
        assert json.loads(shown[-1].split(" ", 1)[1]) == facts["ci95"]
    versus = said["arms"]["learned"]["vs_retry"]
    trial, diff, pair, chance, n, of = told["Paired differences"]["learned"]
    assert (int(trial), float(diff)) == (versus["trial"], versus["diff"])
    assert [float(v) for v in pair.strip("[]").split(",")] == versus["ci95"]
    assert chance == f"{versus['p']:.3f}".removeprefix("0")
    assert f"(p={chance})." in html
    assert (int(n), int(of)) == (versus["n"], versus["of"])


def test_the_report_tells_a_lesson_from_critique_to_prompt(
    real: tuple[Path, dict[str, Any]],
) -> None:
    place, said = real
    with open_store(place) as store:
        rows = read_run(store, said["run"])
    lessons = [x for found in rows.lessons.values() for x in found]
    assert lessons
    carried = next(x for x in lessons if x.uses.injected)
    html = report_html(rows)
    for name in (carried.id, carried.sources[0].critique, carried.carriers[0].episode):
        assert name in html
    assert "verbalrl run gridnav-v1 --method reflexion" in html
    # A reason that only says the quote again is told once, and no space stands before a comma.
    assert "<q>" in html
    assert not re.search(r"<q>([^<]+)</q>\W*\1", html)
    assert not re.search(r"trial \d+\s+,", html)


def test_a_report_of_five_arms_is_small(tmp_path: Path) -> None:
    asyncio.run(fill(tmp_path, sizes=Sizes(steps=1)))
    with open_store(tmp_path) as store:
        rows = read_run(store, "run_made")
    html = report_html(rows)
    assert len(html.encode()) < 3_000_000
    told = tables(html)
    assert tuple(told["Arms"]) == ARMS
    assert list(told["Paired differences"]) == ["raw_failures", "shuffled", "learned"]
    assert any(name == "learned" and row[0] == "refused: absent_quote" for name, row in (
        (cells[0], cells[1:]) for cells in _rows_of(html, "Critiques")
    ))  # fmt: skip
    for curve in curves(rows.figures, rows.outcomes):
        means = [p.mean for p in curve.points]
        assert means == rows.figures["arms"][curve.arm]["success_by_trial"]


def _rows_of(html: str, caption: str) -> list[list[str]]:
    parser = Tables()
    parser.feed(html)
    return parser.found[caption][1:]


def test_a_report_reaches_for_nothing_and_is_the_same_again(tmp_path: Path) -> None:
    asyncio.run(fill(tmp_path, sizes=Sizes(instances=4, trials=2, lessons=3, steps=1)))
    with open_store(tmp_path) as store:
        one, two = (report_html(read_run(store, "run_made")) for _ in range(2))
    assert one == two
    assert not re.search(r"<script|<link|<img|@import|url\((?!#)|(src|href)=\"(?!#)", one)
    # Anything with `style=` would be barred by the file's own policy.
    assert not re.search(r"\sstyle=", one)
    ids = re.findall(r'\sid="([^"]+)"', one)
    assert len(ids) == len(set(ids))


def test_stored_text_stays_text(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    evil = "<script>alert(1)</script>"
    with open_store(folder) as store:
        lesson = store.current_lessons(filled.BRANCH)[0].id
    target = tmp_path / "r.html"
    assert main(["edit", lesson, "--when", evil, "--store", str(folder)]) == 0
    assert main(["report", "-o", str(target), "--store", str(folder), "--json"]) == 0
    html = target.read_text(encoding="utf-8")
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_parts_without_data_are_absent(tmp_path: Path) -> None:
    bare = Sizes(instances=2, trials=2, arms=("retry",), lessons=0, critiques=0, steps=1)
    asyncio.run(fill(tmp_path, sizes=bare))
    with open_store(tmp_path) as store:
        html = report_html(read_run(store, "run_made"))
    assert "Learning curves" in html
    for part in ("Against retry", "What was learned", "Episodes that broke", ">Critiques<"):
        assert part not in html


def test_a_run_that_goes_on_has_the_figures_so_far(tmp_path: Path) -> None:
    asyncio.run(fill(tmp_path, sizes=Sizes(instances=4, trials=2, lessons=2, steps=1)))
    with open_store(tmp_path) as store:
        rows = read_run(store, "run_made")
        done = rows.figures["arms"]["learned"]
        store._do(lambda c: c.execute("UPDATE runs SET result = NULL, status = 'running'"))
        so_far = read_run(store, "run_made")
    assert so_far.record.status == "interrupted"
    told = so_far.figures["arms"]["learned"]
    assert told["success_by_trial"] == done["success_by_trial"]
    assert told["tokens"]["critic"] == done["tokens"]["critic"]
    assert "These are the figures so far" in report_html(so_far)


def test_without_the_extra_one_line_says_how_to_get_it(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["report", "--store", str(folder)]) == 2
    assert capsys.readouterr().err.strip() == (
        "verbalrl: plots need matplotlib; install it with `pip install 'verbalrl[report]'`"
    )


def test_a_disk_without_room_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no device that is full")
    assert main(["report", "-o", str(full), "--store", str(folder)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"verbalrl: {full}: cannot be written (")


def test_a_place_that_takes_no_file_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    assert main(["report", "-o", str(gone / "x.html"), "--store", str(folder)]) == 2
    assert capsys.readouterr().err.strip() == (
        f"verbalrl: {gone / 'x.html'}: there is no folder {gone}; make it first"
    )
