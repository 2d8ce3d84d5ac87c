"""What report, page and comparison show of a run that traded."""

import base64
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from selenium.webdriver import Chrome
from starlette.testclient import TestClient

import verbalrl as vrl
from tests.tasks.test_prices import plain, written
from tests.view.browser import NARROW, WIDE, browser, resize
from tests.view.test_report import tables
from verbalrl.cli import main
from verbalrl.records import Trajectory
from verbalrl.result.beliefs import BeliefRound
from verbalrl.result.trading_plots import equity
from verbalrl.rollout.hooks import Annotate, Hook
from verbalrl.store import Store, open_store
from verbalrl.view.page.app import application
from verbalrl.view.page.guard import Keys
from verbalrl.view.report import report_html
from verbalrl.view.rows import read_run
from verbalrl.view.trading import CAVEATS


class Alert(Hook):
    """Warns after each third day."""

    name = "cvar"

    def after_step(self, trajectory: Trajectory, /) -> Annotate | None:  # type: ignore[override]
        return Annotate(note="Be careful.") if trajectory.steps[-1].n % 3 == 0 else None


def traded(place: Path, action: str) -> str:
    task = vrl.load_task(f"prices:{place.parent / 'AAPL.csv'}?horizon=500")
    agent = vrl.ChatAgent(vrl.ScriptedModel(lambda _: {"action": action}))
    learner = vrl.Learner(agent, method=vrl.methods.reflexion(), store=place, hooks=Alert())
    return learner.run_sync(task, trials=1, arms=("retry", "none"), instances=1).run


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("traded") / "store"
    written(found.parent / "AAPL.csv", plain())
    return found


@pytest.fixture(scope="module")
def runs(place: Path) -> tuple[str, str]:
    return traded(place, "buy"), traded(place, "sell")


@pytest.fixture(scope="module")
def store(place: Path, runs: tuple[str, str]) -> Iterator[Store]:
    with open_store(place) as opened:
        yield opened


def test_the_report_has_measures_and_plots_with_their_data(
    store: Store, runs: tuple[str, str]
) -> None:
    rows = read_run(store, runs[0])
    html = report_html(rows)
    told = tables(html)
    found = rows.figures["trading"]
    measures = told["Trading AAPL: 1 period of 41 days, costs 0.10%"]
    assert list(measures)[:3] == ["retry", "none", "buy-and-hold, equal-weight, mean-variance, "
                                  "minimum-variance"]  # fmt: skip
    assert measures["none"][2] == f"{found['arms']['none']['compounded']:+.3f}"
    capital = next(of for name, of in told.items() if name.startswith("Capital after each day"))
    assert list(capital) == [str(day) for day in range(42)]
    last = f"{found['capital']['none'][-1]:.4f} ({found['drawdown']['none'][-1]:.1%})"
    assert capital["41"][1] == last
    held = next(of for name, of in told.items() if name.startswith("Share of the capital held"))
    assert [held[day][0] for day in ("2022-01-04", "2022-01-05", "2022-01-06")] == [
        "+1.00", "+1.00", "+1.00, alert",
    ]  # fmt: skip
    for title in ("Capital and drawdown", "Positions"):
        assert f">{title}</title>" in html


def test_alerts_stand_on_the_days_whose_prompt_had_them(
    store: Store, runs: tuple[str, str]
) -> None:
    shown = read_run(store, runs[0]).figures["trading"]["shown"]["none"]
    # A note of the third day is read on the fourth.
    assert shown["alerts"] == list(range(4, 42, 3))
    assert store.episode(shown["episode"]) is not None


def test_the_paper_s_caveats_stand_once_beside_a_real_model(
    store: Store, runs: tuple[str, str]
) -> None:
    rows = read_run(store, runs[0])
    assert "training cut-off" not in report_html(rows)
    html = report_html(replace(rows, figures={**rows.figures, "simulated": False}))
    for line in CAVEATS:
        assert html.count(line.partition(" (")[0].replace("'", "&#39;")) == 1


def test_two_runs_are_compared_by_what_they_earned(
    store: Store, place: Path, runs: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    earned = [read_run(store, r).figures["trading"]["arms"]["none"]["compounded"] for r in runs]
    assert main(["compare", *runs, "--store", str(place), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)["trading"]["none"]
    assert (found["one"], found["other"]) == pytest.approx(tuple(earned))
    assert found["difference"] == pytest.approx(earned[1] - earned[0])
    assert (found["n"], found["p"]) == (1, 1.0)
    assert "arm" not in found
    assert main(["compare", *runs, "--store", str(place)]) == 0
    said = capsys.readouterr().out
    assert "Compounded return by arm" in said


def test_the_page_has_both_tables(store: Store, runs: tuple[str, str]) -> None:
    keys = Keys()
    reader = TestClient(application(store, keys, 8123), base_url="http://127.0.0.1:8123")
    reader.get(f"/?token={keys.token}")
    assert "Trading AAPL: 1 period of 41 days" in reader.get(f"/runs/{runs[0]}").text
    said = reader.get(f"/compare?one={runs[0]}&other={runs[1]}").text
    assert "Compounded return by arm" in said


def test_parts_of_trading_are_absent_from_other_reports(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    target = tmp_path / "r.html"
    assert main(["report", "-o", str(target), "--store", str(folder), "--json"]) == 0
    html = target.read_text(encoding="utf-8")
    for part in ("Trading", "Capital and drawdown", "Positions"):
        assert part not in html


_AMISS = """
const found = [];
for (const svg of document.querySelectorAll("figure svg")) {
  const edge = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll("text")];
  const boxes = texts.map(e => [e.textContent, e.getBoundingClientRect()]);
  for (const [said, box] of boxes)
    if (box.left < edge.left - 1 || box.right > edge.right + 1 || box.top < edge.top - 1
        || box.bottom > edge.bottom + 1) found.push("cut: " + said);
  boxes.forEach(([one, a], n) => boxes.slice(n + 1).forEach(([other, b]) => {
    if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
        && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1)
      found.push(one + " on " + other);
  }));
}
return found;
"""


def test_arms_that_earned_alike_are_all_seen() -> None:
    same, other = [1.0, 1.1, 1.05], [1.0, 0.9, 0.95]
    capital = {"none": same, "retry": same, "shuffled": other, "learned": list(same)}
    found = {"arms": dict.fromkeys(capital), "controls": {}, "capital": capital}
    figure = equity({**found, "drawdown": {arm: [0.0, 0.0, 0.0] for arm in capital}})
    for axes in figure.axes:
        dashes = {line.get_label(): line._unscaled_dash_pattern for line in axes.lines}  # type: ignore[attr-defined]
        assert dashes["none"] == dashes["shuffled"] == (0, None)
        assert dashes["retry"] == (0.0, (4.0, 4.0))
        assert dashes["learned"] == (0.0, (2.0, 6.0))


@pytest.mark.slow
def test_no_text_of_the_plots_is_cut_or_covered(
    store: Store, runs: tuple[str, str], tmp_path: Path
) -> None:
    changes = tuple(
        BeliefRound(number=n, added=n, revised=1, retired=n - 1, held=9, overlap=n / 4)
        for n in range(1, 5)
    )
    target = tmp_path / "report.html"
    rows = replace(read_run(store, runs[0]), beliefs=changes)
    target.write_text(report_html(rows), encoding="utf-8")
    with browser(tmp_path / "profile") as driver:
        for width in (WIDE, NARROW):
            resize(driver, width)
            driver.get(target.as_uri())
            assert len(driver.find_elements("css selector", "figure svg text")) > 30
            assert driver.execute_script(_AMISS) == []
            whole = driver.execute_script("return document.documentElement.scrollWidth")
            assert whole <= width


_PARTED = """
return [...document.querySelectorAll(".scroll")].filter(e => e.scrollWidth > e.clientWidth)
  .map(e => e.getAttribute("aria-label"));
"""
_BOX = """
const box = document.querySelector("#trading-head ~ .scroll");
box.scrollLeft = arguments[0] ? box.scrollWidth : 0;
const at = box.getBoundingClientRect();
return [at.left, at.right, at.bottom].map((n, i) => n + (i < 2 ? scrollX : scrollY));
"""


def _edges(driver: Chrome, end: bool) -> tuple[int, int]:
    """How bright the left and the right edge of the box of the trading table are."""
    left, right, bottom = driver.execute_script(_BOX, end)
    taken = driver.execute_cdp_cmd(
        "Page.captureScreenshot",
        {
            "captureBeyondViewport": True,
            "clip": {"x": 0, "y": bottom - 60, "width": NARROW, "height": 16, "scale": 1},
        },
    )
    with Image.open(io.BytesIO(base64.b64decode(taken["data"]))) as picture:
        grey = picture.convert("L")
        # The picture is laid out without the bar of the page: the edge is within some pixels.
        sides = (range(round(left), round(left) + 4), range(round(right) - 4, NARROW - 16))
        first, last = (min(_middle(grey, x) for x in side) for side in sides)
    return first, last


def _middle(grey: Image.Image, x: int) -> int:
    """How bright most of a column is, whatever text crosses it."""
    column = grey.crop((x, 0, x + 1, grey.height)).tobytes()
    return sorted(column)[len(column) // 2]


@pytest.mark.slow
def test_a_box_that_scrolls_shows_it_and_none_does_on_a_screen(
    store: Store, runs: tuple[str, str], tmp_path: Path
) -> None:
    rows = read_run(store, runs[0])
    figures = json.loads(json.dumps(rows.figures))
    for of in (*figures["trading"]["arms"].values(), *figures["trading"]["controls"].values()):
        of["ci95"] = [-0.1544, 0.1271]
    target = tmp_path / "report.html"
    target.write_text(report_html(replace(rows, figures=figures)), encoding="utf-8")
    with browser(tmp_path / "profile") as driver:
        resize(driver, WIDE)
        driver.get(target.as_uri())
        assert driver.execute_script(_PARTED) == []
        resize(driver, NARROW)
        assert any(name.startswith("Trading") for name in driver.execute_script(_PARTED))
        first, last = _edges(driver, end=False)
        assert first > 245
        assert last < 220
        first, last = _edges(driver, end=True)
        assert first < 220
        assert last > 245
