"""The FinCon example runs in one command, on a drawn market and on files of one's own."""

import re
import runpy
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.test_prices import plain, written
from verbalrl.cli import main as verbalrl
from verbalrl.records import RunRecord, Status
from verbalrl.store import Store, open_store
from verbalrl.view.rows import read_run

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "fincon.py"
QUICK = ("--analysts", "news,momentum", "--trials", "2")


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the file defines, with a folder of its own to write in."""
    monkeypatch.chdir(tmp_path)
    return runpy.run_path(str(EXAMPLE))["main"]


def traded(run: RunRecord) -> Any:
    assert run.result is not None
    return run.result["trading"]


def reporting(store: Store, episode: str) -> list[str]:
    found = store.episode(episode)
    assert found is not None
    return [report.role for report in found.trajectory.steps[-1].reports]


def test_without_a_file_it_draws_a_market(
    example: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    days = ("--train", "..2024-02-15", "--test", "2024-02-16..2024-03-08")
    assert example((*QUICK, *days)) == 0
    said, noted = capsys.readouterr()
    assert "trading DRAWN: 1 period of 15 days, costs 0.10%" in said
    assert "says nothing about LLMs" in said
    assert "fincon.html: run run_" in said
    # How many are done by the first line depends on the machine.
    assert re.search(r" in \.verbalrl\n[0-4] of ≤4 episodes", noted)
    html = (tmp_path / "fincon.html").read_text(encoding="utf-8")
    for title in ("Capital and drawdown", "Positions", "Beliefs by training episode"):
        assert f">{title}</title>" in html
    with open_store(tmp_path / ".verbalrl") as store:
        (run,) = store.runs()
        shown = traded(run)["shown"]
        first, second = read_run(store, run.id).beliefs
        (compared,) = (d for d in store.decisions(f"{run.id}/learned/0") if d.overlap)
        assert (first.overlap, first.held) == (None, 0)
        assert second.overlap == compared.overlap.share()  # type: ignore[union-attr]
        assert second.held == second.added > 0
        assert run.method == "cvrf"
        assert reporting(store, shown["learned"]["episode"]) == ["news", "momentum"]
        # The team without beliefs has its control of risk, too.
        assert all(shown[arm]["alerts"] for arm in ("none", "learned"))
    # What it drew is still there.
    assert verbalrl(["resume", run.id]) == 0


def test_days_costs_and_the_report_are_named(
    example: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gap = [row for row in plain() if not "2022-01-10" <= row[0][:10] < "2022-01-24"]
    prices = written(tmp_path / "AAPL.csv", gap)
    days = ("--train", "2022-01-03..2022-01-31", "--test", "2022-02-01..2022-02-28")
    more = ("--cost", "0", "--report", "aapl.html", "--store", "kept", "--without-control")
    assert example((f"{prices}?max_gap=60", "--trials", "2", *days, *more)) == 0
    said = capsys.readouterr().out
    assert said.count("trading AAPL: 1 period of 19 days, costs 0.00%") == 2
    for name in ("aapl.html", "aapl-without-control.html"):
        assert (tmp_path / name).exists()
    with open_store(tmp_path / "kept") as store:
        one, other = (run.id for run in store.runs())
    # Both have the team without beliefs, so that both arms are paired.
    assert f"{one} (cvrf), then {other} (cvrf)" in " ".join(said.split())
    earned = said.partition("Compounded return by arm")[2].splitlines()
    assert [row.split()[0] for row in earned[2:4]] == ["none", "learned"]
    assert [row.split()[5] for row in earned[2:4]] == ["1", "1"]
    with open_store(tmp_path / "kept") as store:
        controlled, free = (traded(run)["shown"]["learned"] for run in store.runs())
        # A csv has no news and no filings, so that nobody reports on them.
        assert reporting(store, free["episode"]) == ["momentum", "volatility", "risk"]
    assert controlled["alerts"]
    assert free["alerts"] == []


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("nowhere.csv",), "nowhere.csv: no such file or folder"),
        (("AAPL.csv", "--train", "2021-01-01..2021-02-01"), "no day of the file"),
        (("AAPL.csv", "--analysts", "news,moon"), "unknown analyst 'moon'"),
        (
            ("AAPL.csv", "--analysts", "news"),
            "nothing for an analyst 'news'; name some of momentum",
        ),
        (("AAPL.csv", "--analysts", "momentum,momentum"), "'momentum' is named twice"),
        (("AAPL.csv", "--cost", "abc"), "--cost: invalid float value: 'abc'"),
        (("AAPL.csv", "--memos", "foo"), "--memos: invalid choice: 'foo'"),
        (("AAPL.csv", "--report", "gone/x.html"), "there is no folder gone; make it first"),
        (("BAD.csv",), "BAD.csv: line 10: 2022-01-12 stands twice"),
    ],
)
def test_what_cannot_work_is_one_line_and_exit_2(
    words: tuple[str, ...],
    line: str,
    example: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    written(tmp_path / "AAPL.csv", plain())
    written(tmp_path / "BAD.csv", [*plain()[:9], plain()[8], *plain()[9:]])
    assert example(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("fincon: ")
    assert error.count("\n") == 1
    assert line in error
    assert not (tmp_path / ".verbalrl").exists()


def begun(tmp_path: Path, *more: str) -> "subprocess.Popen[str]":
    """The example on its own, once its first line of progress is there."""
    command = [sys.executable, str(EXAMPLE), *more]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("run run_")
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_says_how_to_go_on(tmp_path: Path, number: signal.Signals) -> None:
    process = begun(tmp_path)
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + number
    assert "interrupted; go on with: verbalrl resume run_" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_ends_it_quietly(tmp_path: Path) -> None:
    process = begun(tmp_path, *QUICK)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    assert "Traceback" not in process.communicate(timeout=200)[1]
    assert process.returncode == 0


@pytest.mark.slow
def test_it_runs_as_its_reader_would_run_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    assert "beliefs: " in done.stdout
    assert "Beliefs by training episode" in (tmp_path / "fincon.html").read_text("utf-8")


def test_of_a_file_that_nobody_vouches_for_beliefs_wait(
    example: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    days = ("--train", "..2024-02-15", "--test", "2024-02-16..2024-03-08")
    assert example((*QUICK, *days, "--untrusted")) == 0
    with open_store(tmp_path / ".verbalrl") as store:
        (run,) = store.runs()
        beliefs = store.current_lessons(f"{run.id}/learned/0")
        prompts = [e.guidance["actor"] for e in store.episodes(run=run.id, arm="learned")]
    assert {x.status for x in beliefs} == {Status.QUARANTINED}
    assert not any(given.lines for given in prompts)
    waiting = f"beliefs: 0; {len(beliefs)} in quarantine, see `verbalrl beliefs --run {run.id}`"
    assert waiting in capsys.readouterr().out
    assert verbalrl(["resume", run.id]) == 0
