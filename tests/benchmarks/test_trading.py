import re

import pytest

from benchmarks import trading
from verbalrl.tasks import load_task
from verbalrl.tasks.trading_controls import CONTROLS


def test_the_table_has_a_line_per_control(capsys: pytest.CaptureFixture[str]) -> None:
    assert trading.main(["--instances", "3", "--seeds", "0-1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "trading-v1, 3 periods of each of 2 task seeds"
    assert [row.split()[0] for row in lines[2:]] == list(CONTROLS)
    # Whoever is compared with itself differs in nothing.
    assert re.fullmatch(r"buy-and-hold .* 1\.000", lines[2])


def test_random_trading_turns_over_more_than_holding() -> None:
    task = load_task("trading-v1?rule=none")
    held, random = (trading.earned([task], name, 30) for name in ("buy-and-hold", "random"))
    assert held.traded == pytest.approx(1 / 20)
    assert random.traded > 10 * held.traded
    assert len(random.days) == len(held.days) == 600
