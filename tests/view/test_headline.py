"""What the first lines of a report say came out."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.cli import filled
from verbalrl.store import open_store
from verbalrl.view.facts import arms_table, caveats, headline
from verbalrl.view.report import report_html
from verbalrl.view.rows import read_run


def figures(**changes: Any) -> dict[str, Any]:
    return {**filled.FIGURES, "arms": {"learned": filled.ARM}, **changes}


def test_what_stands_beside_the_learned_arm_is_named() -> None:
    none = {**filled.ARM, "success_rate": 0.25}
    said = headline(figures(arms={"none": none, "learned": filled.ARM}), ())
    assert "none solved 25%" in said
    assert "nothing stands beside it" not in said
    assert "nothing stands beside it" in headline(figures(), ())


def test_a_run_that_only_read_is_told_by_what_it_was_given() -> None:
    given: dict[str, Any] = {"learn": False, "start": "run_x/learned/0"}
    assert headline(figures(), (), given).startswith("With what it was given the agent solved")
    assert headline(figures(), (), {"learn": False}).startswith("With nothing learned the agent")
    learns = given | {"learn": True}
    assert headline(figures(), (), learns).startswith("With what it learned the agent solved")
    traded = {"arms": {"learned": {"runs": 4, "compounded": 0.1}}}
    assert headline(figures(trading=traded), (), given).startswith("With what it was given the")


def test_of_what_was_traded_the_returns_are_told() -> None:
    learned = {
        "runs": 4,
        "compounded": 0.158,
        "vs_none": {"diff": 0.139, "p": 0.5},
        "vs_buy_and_hold": {"diff": 0.2481, "p": 0.0004},
    }
    said = headline(figures(trading={"arms": {"learned": learned}}), ())
    assert said == (
        "With what it learned the agent earned +15.8% in a period: +13.9 points against none "
        "(p=.500) and +24.8 points against buy-and-hold (p<.001), "
        "over 4 periods, each seed's apart."
    )


def test_columns_of_retry_stand_only_where_it_was_run() -> None:
    heads = arms_table(figures()).heads
    assert "vs retry" not in heads
    assert list(heads).count("95 %") == 1
    versus = {"trial": 1, "diff": 0.5, "ci95": [0.0, 1.0], "p": 0.5, "n": 2}
    both = {"retry": filled.ARM, "learned": {**filled.ARM, "vs_retry": versus}}
    assert arms_table(figures(arms=both)).heads[4:6] == ("vs retry@1", "95 %")


def test_first_attempts_are_explained_beside_the_table() -> None:
    versus = {"trial": 1, "diff": 0.5, "ci95": [0.0, 1.0], "p": 0.5, "n": 2}
    arms: dict[str, Any] = {
        "retry": filled.ARM,
        "learned": {**filled.ARM, "vs_retry": versus},
    }
    assert any(
        line.startswith("vs retry@1: first attempts") for line in caveats(figures(arms=arms))
    )
    arms["learned"]["vs_retry"] = {**versus, "trial": 3}
    assert not any("first attempts" in line for line in caveats(figures(arms=arms)))


def test_one_trial_is_no_curve(folder: Path) -> None:
    with open_store(folder) as store:
        rows = read_run(store, filled.RUN)
    assert "Learning curves" in report_html(rows)
    first = tuple(o for o in rows.outcomes if o.trial == 1)
    one = {**filled.ARM, "success_by_trial": [0.0]}
    cut = replace(rows, outcomes=first, figures=figures(arms={"learned": one}))
    assert "Learning curves" not in report_html(cut)
