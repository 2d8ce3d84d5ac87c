"""Price files of the user's own: what is read, what is refused in one line, buy-and-hold."""

import json
import math
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

import verbalrl as vrl
from verbalrl.cli import main
from verbalrl.errors import ConfigurationError, DataError, UnknownNameError
from verbalrl.records import Action
from verbalrl.tasks import WorldTask, check_task, load_task, play
from verbalrl.tasks import trading_measures as measured
from verbalrl.tasks.base import follow
from verbalrl.tasks.datasets.load import check_data
from verbalrl.tasks.datasets.prices import PriceWorld, periods
from verbalrl.tasks.market import described, looks_ahead
from verbalrl.tasks.trading_controls import CONTROLS, control

Rows = list[list[str]]
HEADER = ["Date", "Open", "High", "Low", "Close", "Volume"]
DAYS = 60


def closes(count: int = DAYS, start: float = 100.0) -> list[float]:
    return [round(start * (1 + 0.02 * math.sin(n) + 0.002 * n), 2) for n in range(count)]


def days(count: int = DAYS) -> list[date]:
    found = (date(2022, 1, 3) + timedelta(n) for n in range(2 * count))
    return [day for day in found if day.weekday() < 5][:count]


def plain(start: float = 100.0) -> Rows:
    rows = [HEADER]
    for day, close in zip(days(), closes(start=start), strict=True):
        rows.append([str(day), *(f"{close * by:.4f}" for by in (1, 1.01, 0.99)), str(close), "5"])
    return rows


def yahoo(ticker: str = "AAPL", index: bool = True) -> Rows:
    rows = [["Price", "Close", "High", "Low", "Open", "Volume"], ["Ticker", *[ticker] * 5]]
    if index:
        rows.append(["Date", *[""] * 5])
    return rows + [[r[0], r[4], r[2], r[3], r[1], r[5]] for r in plain()[1:]]


def with_column(name: str, value: Callable[[int], str], rows: Rows | None = None) -> Rows:
    rows = rows or plain()
    return [[*rows[0], name]] + [[*row, value(n)] for n, row in enumerate(rows[1:])]


def written(path: Path, rows: Rows) -> Path:
    path.write_text("".join(",".join(row) + "\n" for row in rows), encoding="utf-8")
    return path


def bench(ticker: str = "") -> dict[str, Any]:
    return {
        str(day): {
            "prices": {ticker: close} if ticker else close,
            "news": [f"News of day {n}."] if n % 2 else [],
            "10k": ["The year was fine."] if n == 5 else [],
            "10q": [],
        }
        for n, (day, close) in enumerate(zip(days(), closes(), strict=True))
    }


def world(task: WorldTask) -> PriceWorld:
    assert isinstance(task.world, PriceWorld)
    return task.world


@pytest.mark.parametrize(
    ("rows", "layout"),
    [
        (plain(), "plain header, AAPL, closes as given"),
        (yahoo(), "yfinance's header, AAPL, closes as given"),
        (yahoo(index=False), "yfinance's header, AAPL, closes as given"),
        (with_column("Adj Close", lambda n: str(closes()[n])), "plain header, AAPL, adjusted"),
        (with_column("Ticker", lambda n: "AAPL"), "plain header, AAPL, closes as given"),
    ],
)
def test_layouts_of_csv_give_the_same_closes(rows: Rows, layout: str, tmp_path: Path) -> None:
    path = written(tmp_path / "aapl_2022.csv", rows)
    found = check_data(path)
    assert found.layout.startswith(layout)
    assert [day.closes[0] for day in found.rows] == closes()
    assert [day.day for day in found.rows] == [str(day) for day in days()]
    check_task(load_task(f"prices:{path}"))


def test_the_json_of_investor_bench_brings_news_and_filings(tmp_path: Path) -> None:
    path = tmp_path / "tsla.json"
    rows = bench("TSLA")
    rows["2022-01-12"]["news"] = [{"date": "2022-01-12", "text": "News of day 7."}]
    path.write_text(json.dumps(rows))
    found = check_data(path)
    assert (found.kind, len(found.rows)) == ("prices", DAYS)
    assert "days without news: 30" in found.notes
    market = world(load_task(f"prices:{path}")).market
    assert described(market, 7, ("news", "filing")) == (
        "News: News of day 7. Latest filing: 10-K: The year was fine."
    )
    assert described(market, 4, ("filing",)) == ""
    assert looks_ahead(market, range(1, 58), described) == ()
    check_task(load_task(f"prices:{path}"))


def changed(line: int, column: int, value: str, rows: Rows | None = None) -> Rows:
    rows = [list(row) for row in (rows or plain())]
    rows[line - 1][column] = value
    return rows


def swapped() -> Rows:
    rows = plain()
    rows[5], rows[6] = rows[6], rows[5]
    return rows


FUTURE = "2999-01-01"
BAD: dict[str, tuple[Rows, str]] = {
    "gap in days": (plain()[:20] + plain()[40:], "line 21: prices have a gap: 29 days from"),
    "gap in cells": (changed(9, 4, ""), "line 9: no close: prices have a gap"),
    "nan": (changed(9, 4, "NaN"), "line 9: no close: prices have a gap"),
    "duplicate": ([*plain()[:9], plain()[8], *plain()[9:]], "line 10: 2022-01-12 stands twice"),
    "unsorted": (swapped(), "line 7: 2022-01-07 comes after 2022-01-10: sort the file by day"),
    "future": ([*plain(), [FUTURE, *plain()[-1][1:]]], f"line 62: {FUTURE} is in the future"),
    "zero": (changed(7, 4, "0"), "line 7: the close is 0; prices must be above zero"),
    "negative": (changed(7, 4, "-3"), "line 7: the close is -3; prices must be above zero"),
    "negative open": (changed(7, 1, "-3"), "line 7: the open is -3; prices must be above zero"),
    "infinite": (changed(7, 4, "inf"), "line 7: the close inf is no price"),
    "no number": (changed(7, 4, "x"), "line 7: the close 'x' is no number; write it with"),
    "unsorted far": (
        [*plain()[:2], *plain()[30:40], *plain()[2:30]],
        "line 13: 2022-01-04 comes after 2022-02-24: sort the file by day",
    ),
    "thousands": (changed(7, 4, '"1,234.5"'), "line 7: the close '1,234.5' is no number; write"),
    "semicolons": (
        [[";".join(row)] for row in plain()],
        "line 1: no commas between columns; save the file with commas",
    ),
    "no header": (plain()[1:], "line 1: no header but 2022-01-03, 100.0000, 101.0000"),
    "no such day": (
        changed(7, 0, "2022-13-45"),
        "line 7: '2022-13-45' is no day of the form 2022-01-31; write it so, or",
    ),
    "no day": (changed(7, 0, "07/01/2022"), "line 7: '07/01/2022' is no day of the form"),
    "no close": (
        [r[:4] for r in plain()],
        "no column close; the header has Date, Open, High, Low; rename",
    ),
    "no date": ([r[1:] for r in plain()], "no column date; the header has Open"),
    "two tickers": (
        with_column("Symbol", lambda n: "AAPL" if n else "MSFT"),
        "2 tickers in one file: AAPL, MSFT",
    ),
    "two tickers above": (
        [*changed(2, 3, "MSFT", yahoo())],
        "2 tickers in one file: AAPL, MSFT",
    ),
    "two closes": (
        with_column("close", lambda n: str(2 * closes()[n])),
        "2 columns close: two assets or sources in one file; keep one",
    ),
    "two currencies": (
        with_column("Currency", lambda n: "USD" if n else "EUR"),
        "2 currencies in one file: EUR, USD",
    ),
    "another ticker": (yahoo("TSLA"), "the ticker in the file is TSLA, but the file name"),
    "mixed within": (changed(7, 4, "50"), "line 7: the close 50 is not between low"),
    "mixed by holes": (
        with_column("Adj Close", lambda n: "" if n == 3 else "90"),
        "line 5: no close: prices have a gap",
    ),
    "too large": (changed(7, 4, "1e400"), "line 7: the close 1e400 is no price: too large; mend"),
    "a name of its own": (
        [["Date", "Price_Of"], ["2022-01-03", "1"]],
        "no column close; the header has Date, Price_Of; rename the one that is meant",
    ),
    "an open quote": (
        [*plain()[:3], ['"2022-01-05', "1"], *plain()[4:]],
        "line 4: not csv: a quote opens in this row and is never closed; close it",
    ),
    "few": (plain()[:6], "only 5 days; at least 10 are wanted"),
    "empty": ([], "the file is empty"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_clear_line_and_exit_2(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, line = BAD[name]
    path = written(tmp_path / "AAPL.csv", rows)
    run = ["run", f"prices:{path}", "--method", "reflexion", "--model", "offline:apprentice"]
    for arguments in (["data", "check", str(path)], [*run, "--store", str(tmp_path / "s")]):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert f"{path}: {line}" in error


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"2022-01-04": {"prices": 0}}, "2022-01-04: the prices is 0"),
        ({"2022-01-04": {"news": []}}, "2022-01-04: no prices: prices have a gap"),
        ({"2022-01-04": {"prices": {"A": 1, "B": 2}}}, "2 tickers in one file: A, B"),
        ({"2022-01-04": 5}, "2022-01-04: not an object with prices"),
        (
            {"2022-01-04": {"prices": 1, "news": [{"date": "2022-01-05", "text": "Soon."}]}},
            "2022-01-04: a text of 2022-01-05 stands under an earlier day",
        ),
        ({"2021-12-31": {"prices": 1}}, "2021-12-31 comes after 2022-03-25"),
    ],
)
def test_bad_days_of_investor_bench_are_one_line(
    change: dict[str, Any], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tsla.json"
    path.write_text(json.dumps(bench() | change))
    assert main(["data", "check", str(path)]) == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1


def test_a_day_that_stands_twice_in_json_is_found(tmp_path: Path) -> None:
    path = tmp_path / "tsla.json"
    path.write_text('{"2022-01-03": {"prices": 1}, ' + json.dumps(bench())[1:])
    with pytest.raises(DataError, match="2022-01-03 stands twice"):
        check_data(path)


def test_adjusted_and_unadjusted_closes_are_chosen_never_mixed(tmp_path: Path) -> None:
    rows = with_column("Adj Close", lambda n: str(closes()[n] / 2))
    path = written(tmp_path / "AAPL.csv", rows)
    adjusted = world(load_task(f"prices:{path}")).market.assets[0].closes
    given = world(load_task(f"prices:{path}?price=close")).market.assets[0].closes
    assert list(adjusted) == [close / 2 for close in closes()]
    assert list(given) == closes()
    written(tmp_path / "MSFT.csv", plain(50))
    with pytest.raises(DataError, match="adjusted and unadjusted prices must not be mixed"):
        load_task(f"prices:{tmp_path}")


def test_options_name_the_ticker_and_allow_gaps(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.csv", yahoo("BRK-B"))
    with pytest.raises(DataError, match=r"pass \?ticker=BRK-B"):
        load_task(f"prices:{path}")
    assert world(load_task(f"prices:{path}?ticker=BRK-B")).market.names == ("BRK-B",)
    gap = written(tmp_path / "GAP.csv", plain()[:20] + plain()[40:])
    assert load_task(f"prices:{gap}?max_gap=30").size("train")
    with pytest.raises(UnknownNameError, match="did you mean: horizon"):
        load_task(f"prices:{gap}?horison=3")
    with pytest.raises(
        ConfigurationError, match="horizon=1: give a whole number of days, at least 2"
    ):
        load_task(f"prices:{gap}?horizon=1")
    with pytest.raises(ConfigurationError, match=r"cost=abc: give a share from 0 to below 0\.1"):
        load_task(f"prices:{gap}?cost=abc")
    with pytest.raises(ConfigurationError, match=r"cost: .*, not 'abc'"):
        load_task("trading-v1?cost=abc")
    with pytest.raises(DataError, match="no such file"):
        load_task("prices:nowhere.csv")


def test_no_path_is_not_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path / "AAPL.csv", plain())
    written(tmp_path / "MSFT.csv", plain())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"prices: names no file; write prices:PATH"):
        load_task("prices:")
    assert main(["data", "check", "prices:"]) == 2
    assert "prices: names no file" in capsys.readouterr().err
    assert main(["data", "check", "prices:."]) == 0
    assert "run it as: verbalrl run prices:. --model P:NAME" in capsys.readouterr().out


def test_a_file_is_checked_by_the_reference_of_its_task_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "AAPL.csv", plain())
    assert main(["data", "check", f"prices:{path}"]) == 0
    assert capsys.readouterr().out.endswith(f"verbalrl run prices:{path} --model P:NAME\n")
    assert main(["data", "check", f"prices:{path}?cost=0"]) == 2
    error = capsys.readouterr().err
    assert f"leave out ?cost=0: `verbalrl data check prices:{path}`" in error
    assert main(["data", "check", f"gsm8k:{path}", "--as", "prices"]) == 2
    assert "gsm8k: and --as prices are two kinds" in capsys.readouterr().err


def test_periods_follow_one_another_and_time_is_not_shuffled(tmp_path: Path) -> None:
    task = load_task(f"prices:{written(tmp_path / 'AAPL.csv', plain())}")
    spans = [
        [(i.data["first"], i.data["last"]) for i in task.instances(split, 0, 9)]
        for split in ("train", "test")
    ]
    assert spans == [[(0, 20), (20, 40)], [(41, 59)]]
    assert [i.id.split("/")[1] for i in task.instances("train", 0, 9)] == [
        "2022-01-03",
        "2022-01-31",
    ]
    assert periods(0, 41, 20) == ((0, 20), (20, 40))
    again = load_task(task.ref)
    assert (again.id, again.sha) == (task.id, task.sha)
    assert load_task(f"{task.ref}?cost=0").sha != task.sha


@pytest.mark.parametrize(
    ("query", "train", "test"),
    [
        ("train=0.5", (0, 29), (29, 59)),
        ("train=2022-01-04..2022-01-31", (1, 20), (20, 59)),
        ("test=2022-02-01..", (0, 21), (21, 59)),
        ("train=0.5&test=2022-02-01..2022-02-28", (0, 10), (21, 40)),
        # Days without trade, such as a Saturday, stand for the next or the last one within.
        ("train=2022-01-08..2022-02-05&test=2022-02-12..2022-03-12", (5, 24), (30, 49)),
    ],
)
def test_days_of_training_and_test_can_be_named(
    query: str, train: tuple[int, int], test: tuple[int, int], tmp_path: Path
) -> None:
    task = load_task(f"prices:{written(tmp_path / 'AAPL.csv', plain())}?horizon=500&{query}")
    assert world(task).spans == {"train": train, "test": test}
    (instance,) = task.instances("test", 0, 9)
    assert (instance.data["first"], instance.data["last"]) == test
    told = [str(days()[n]) for n in (*train, *test)]
    assert task.notes[-1] == "train {} to {}, test {} to {}".format(*told)
    assert load_task(task.ref).sha == task.sha


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("test=..2022-01-31&train=2022-01-10..2022-03-01", "test begins on 2022-01-03, before"),
        ("train=2022-01-10..2022-03-01&test=2022-02-01..", "test begins on 2022-02-01, before"),
        ("train=2021-01-01..2021-12-31", "no day of the file, which has 2022-01-03 to 2022-03-25"),
        ("train=2022-01-04..2022-01-04", "train: no two days from 2022-01-04 on"),
        ("train=2022-01-04", "train=2022-01-04: give days such as"),
        ("train=1.5", "train=1.5: give days such as"),
        ("test=0.3", "test=0.3: name days, or give the share as train="),
    ],
)
def test_spans_that_cannot_work_are_one_line(
    query: str, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "AAPL.csv", plain())
    run = ["run", f"prices:{path}?{query}", "--model", "offline:apprentice"]
    assert main([*run, "--store", str(tmp_path / "s")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"{path}: " in error
    assert line in error


@pytest.mark.parametrize("rows", [plain(), yahoo()])
def test_buy_and_hold_through_the_task_is_that_of_the_file(rows: Rows, tmp_path: Path) -> None:
    path = written(tmp_path / "AAPL.csv", rows)
    task = load_task(f"prices:{path}?horizon=500&cost=0")
    found = closes()
    for split, first, last in (("train", 0, 41), ("test", 41, 59)):
        (instance,) = task.instances(split, 0, 9)  # type: ignore[arg-type]
        played = play(task, instance, control("buy-and-hold", task, instance))
        results = [r.reward or 0.0 for r in played.results]
        assert len(results) == last - first
        assert measured.compounded(results) == pytest.approx(
            found[last] / found[first] - 1, abs=1e-9
        )
        asked = measured.log_return(found[first : last + 1], [1.0] * len(results))
        assert asked == pytest.approx(math.log(found[last] / found[first]), abs=1e-9)


def test_a_folder_is_a_portfolio(tmp_path: Path) -> None:
    for name, start in (("AAA", 100), ("BBB", 50), ("CCC", 20), ("DDD", 10)):
        written(tmp_path / f"{name}.csv", plain(start))
    task = load_task(f"prices:{tmp_path}?horizon=10")
    assert world(task).market.names == ("AAA", "BBB", "CCC", "DDD")
    assert (task.max_steps, task.inline) == (10, False)
    instance = task.instances("test", 0, 1)[0]
    for name in CONTROLS:
        assert play(task, instance, control(name, task, instance)).ended
    bought = play(task, instance, follow("buy AAA, sell DDD"))
    assert "AAA went up" in bought.steps[1].feedback or "AAA went down" in bought.steps[1].feedback
    assert task.environment(instance).reset(0).actions is None
    check_task(task)


def test_files_of_a_folder_must_go_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path / "AAA.csv", plain())
    for rows, line in (
        (plain()[:-1], "AAA and BBB differ: BBB lacks 2022-03-25"),
        (with_column("Currency", lambda n: "EUR"), "2 currencies: EUR here, none named for AAA"),
        ([], "the file is empty"),
    ):
        written(tmp_path / "BBB.csv", rows)
        assert main(["data", "check", str(tmp_path)]) == 2
        assert line in capsys.readouterr().err
    (tmp_path / "BBB.csv").unlink()
    with pytest.raises(DataError, match="1 price files; a folder needs two"):
        load_task(f"prices:{tmp_path}")


def test_data_check_says_what_a_price_file_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "AAPL.csv", yahoo())
    assert main(["data", "check", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["usable"], found["rejected"]) == ("prices", DAYS, 0)
    assert found["task"] == f"prices:{path}"


def test_a_run_on_a_price_file_goes_through_the_loop(tmp_path: Path) -> None:
    task = load_task(f"prices:{written(tmp_path / 'AAPL.csv', plain())}?horizon=5")
    agent = vrl.ChatAgent(vrl.ScriptedModel(lambda _: {"action": "buy"}))
    learner = vrl.Learner(agent, method=vrl.methods.reflexion())
    arm = learner.run_sync(task, instances=3, trials=1, arms=("none",)).arms["none"]
    assert (arm["episodes"], arm["errors"]) == (3, 0)
    instance = task.instances("test", 0, 1)[0]
    assert task.environment(instance).step(Action(text="buy")).reward is not None


def dotted(where: Path, place: int, close: float) -> Path:
    """Plain closes of which one stands elsewhere."""
    rows = [["Date", "Close"], *([str(d), str(c)] for d, c in zip(days(), closes(), strict=True))]
    rows[place][1] = str(close)
    return written(where, rows)


def test_a_jump_is_told_and_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = dotted(tmp_path / "AAPL.csv", 37, 100_000 * closes()[35] / 100)
    said = load_task(f"prices:{file}").card.notes
    assert any("prices jump: line 38: ×" in note and ", line 39: ÷" in note for note in said)
    assert main(["data", "check", str(file)]) == 0
    assert "in a day" in capsys.readouterr().out
    quiet = dotted(tmp_path / "MSFT.csv", 37, closes()[36] * 2.5)
    assert not any("jump" in note for note in check_data(quiet).notes)


def test_many_jumps_are_counted_and_a_price_that_never_changes_is_told(tmp_path: Path) -> None:
    given = [str(c if n % 10 else c * 1000) for n, c in enumerate(closes(), 1)]
    rows = [["Date", "Close"], *([str(d), c] for d, c in zip(days(), given, strict=True))]
    (jumps,) = (x for x in check_data(written(tmp_path / "A.csv", rows)).notes if "jump" in x)
    assert "line 11: ×" in jumps
    assert "and 8 more" in jumps
    flat = written(tmp_path / "B.csv", [["Date", "Close"], *([str(d), "100"] for d in days())])
    (told,) = (x for x in check_data(flat).notes if "changes" in x)
    assert told == "the price never changes: 100 on all 60 days; is it the right file?"


def test_a_folder_says_which_file_is_strange(tmp_path: Path) -> None:
    dotted(tmp_path / "AAPL.csv", 37, 0.01)
    dotted(tmp_path / "MSFT.csv", 1, closes()[0])
    (told,) = (x for x in check_data(tmp_path).notes if "jump" in x)
    assert told.startswith("AAPL.csv: prices jump: line 38: ÷")
