"""The poison suite on a tenth of the attacks; `python -m benchmarks.poison` runs all of it."""

import pytest

from benchmarks import poison


@pytest.mark.slow
def test_no_figure_misses_its_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poison, "COUNT", 20)
    rows = {what: figure for what, figure, _, holds in poison.report(3) if holds}
    assert len(rows) == 13
    # Colluding sources do win: that is known, and printed.
    assert rows["two sources"] == 1


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_figure_misses_its_bar_at_full_size() -> None:
    assert poison.main(["--seeds", "1"])
