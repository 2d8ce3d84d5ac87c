"""`resume` where there is nothing to go on with, or not with the same."""

from pathlib import Path

import pytest

from tests.tasks.test_prices import plain, written
from verbalrl.cli import main
from verbalrl.store import open_store

SMALL = ("--method", "reflexion", "--instances", "1", "--trials", "1", "--arms", "none")


@pytest.fixture
def prices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A file with a run on it that is done, in a store beside it."""
    path = written(tmp_path / "AAPL.csv", plain())
    given = ("--model", "offline:apprentice", *SMALL, "--store", str(tmp_path / "store"))
    assert main(["run", f"prices:{path}?horizon=8", *given]) == 0
    capsys.readouterr()
    return path


def resumed(prices: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    place = prices.parent / "store"
    with open_store(place) as store:
        run = store.runs()[0].id
    code = main(["resume", run, "--store", str(place)])
    said = capsys.readouterr()
    return code, run, said.err


def test_a_run_that_is_done_says_so_and_shows_no_progress(
    prices: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, run, said = resumed(prices, capsys)
    assert code == 0
    first, *_ = said.splitlines()
    assert first == f"{run} was done already: nothing was asked, and these are its figures"
    assert "episodes, " not in said


def test_a_file_that_changed_is_named(prices: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(prices, plain(50))
    code, _, said = resumed(prices, capsys)
    assert code == 2
    assert said == (
        f"verbalrl: cannot resume: {prices} has changed since the run began; put back what it was, "
        "or start a new run\n"
    )


def test_a_file_that_moved_is_named_with_the_run(
    prices: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prices.rename(prices.with_name("MOVED.csv"))
    code, run, said = resumed(prices, capsys)
    assert code == 2
    (line,) = said.splitlines()
    assert line == (
        f"verbalrl: cannot resume {run}: {prices}: no such file or folder; its task must be there "
        "as it was, at the same place"
    )
