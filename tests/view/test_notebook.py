"""What a notebook shows of a value."""

import asyncio
from pathlib import Path

import pytest

from benchmarks._rows import Sizes, fill
from verbalrl.errors import ConfigurationError
from verbalrl.memory.rollback import differences
from verbalrl.result import RunResult
from verbalrl.store import open_store

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def result(tmp_path: Path) -> RunResult:
    sizes = Sizes(5, 3, ("none", "retry", "learned"), steps=1, lessons=3)
    record = asyncio.run(fill(tmp_path, sizes=sizes))
    assert record.result is not None
    return RunResult(figures=record.result)


def test_a_result_shows_its_arms_and_caveats(result: RunResult) -> None:
    html = result._repr_html_()
    for name, arm in result.arms.items():
        assert f">{name}<" in html
        assert f">{arm['success_rate']}<" in html
        assert str(arm["ci95"]) in html
    assert "says nothing about LLMs" in html


def test_a_result_is_plotted(result: RunResult) -> None:
    axes = result.plot().axes[0]
    drawn = {
        line.get_label(): list(line.get_ydata())  # type: ignore[arg-type]
        for line in axes.get_lines()
        if not str(line.get_label()).startswith("_")
    }
    assert drawn == {name: list(result.success_by_trial(name)) for name in result.arms}


def test_a_plot_without_the_extra_is_one_line(
    result: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'verbalrl\[report\]'"):
        result.plot()


def test_records_are_shown_and_stay_text(tmp_path: Path, result: RunResult) -> None:
    with open_store(tmp_path) as store:
        episode = store.episodes(run=result.run, arm="learned")[-1]
        lesson = store.current_lessons(f"{result.run}/learned/0")[0]
    step = episode.trajectory.steps[0].replace(feedback=EVIL)
    trajectory = episode.trajectory.replace(steps=(step,))
    other = lesson.replace(body=lesson.body.replace(instruction=EVIL))
    (diff,) = differences([lesson], [other])
    for shown in (episode.replace(trajectory=trajectory), other, diff):
        html = shown._repr_html_()
        assert EVIL not in html
        assert "&lt;script&gt;" in html
    assert lesson.evidence[0].critique in lesson._repr_html_()
    assert "knock first and wait" in diff._repr_html_()
