"""Two runs side by side."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks._rows import Sizes, add_run, fill
from tests.store.builders import a_run, an_episode, lane, new_store, open_lane, wait
from verbalrl.cli import main
from verbalrl.errors import ConfigurationError
from verbalrl.records import BranchRecord
from verbalrl.store import open_store
from verbalrl.view.compare import Kept, arms_table, check_alike, compare, differing, read_side
from verbalrl.view.trading import return_pairs

ONE, OTHER = "run_made000001", "run_made000002"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("two")
    arms = ("none", "retry", "learned")
    asyncio.run(fill(place, ONE, Sizes(20, 3, arms, steps=1, lessons=6)))
    with open_store(place) as store:
        asyncio.run(add_run(store, OTHER, Sizes(20, 4, arms, steps=1, lessons=9)))
    return place


def test_a_run_does_not_differ_from_itself(two: Path) -> None:
    with open_store(two) as store:
        side = read_side(store, ONE)
        found = compare(store, side, side)
    # Of 20 instances none differs, so of all at most 16 % do.
    ends = (0.0, -0.1611, 0.1611)
    assert {(pair.difference, pair.low, pair.high) for pair in found.arms} == {ends}
    assert (found.settings, found.only_one, found.only_other) == ((), (), ())


def test_differences_are_paired_and_turn_around(two: Path) -> None:
    with open_store(two) as store:
        one, other = read_side(store, ONE), read_side(store, OTHER)
        there, back = compare(store, one, other), compare(store, other, one)
    for pair, turned in zip(there.arms, back.arms, strict=True):
        assert pair.n == 20
        assert (pair.one, pair.other) == (turned.other, turned.one)
        assert pair.difference == pytest.approx((pair.other or 0) - (pair.one or 0), abs=1e-4)
        assert turned.difference == pytest.approx(-(pair.difference or 0))
    assert ("trials", "3", "4") in there.settings
    assert len(there.both) == 6
    assert len(there.only_other) == 3
    assert there.only_one == ()


def test_the_means_shown_are_those_of_the_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only `i1` is in both: there the second run lost, though it solved more of all it had."""
    asked = {"r1": {"i0": False, "i1": True}, "r2": {"i1": False, "i2": True, "i3": True}}
    with new_store(tmp_path) as store:
        for run, went in asked.items():
            open_lane(store, lane(run))
            for instance, success in went.items():
                wait(store.put_episode(an_episode(lane(run), instance, success=success)))
            store.update_run(run, status="done")
        one, other = (read_side(store, run) for run in asked)
        (pair,) = compare(store, one, other).arms
    assert (pair.n, pair.shared, pair.difference) == (1, (1.0, 0.0), -1.0)
    assert pair.one == 0.5
    assert pair.other == pytest.approx(2 / 3, abs=1e-4)
    assert main(["compare", "r1", "r2", "--store", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "learned 1.00 0.00 -1.00" in " ".join(out.split())
    own = "the first run solved 0.50, the second 0.67; the table is over 1 shared instance"
    assert own in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 100


def test_what_must_not_stand_side_by_side_is_refused(two: Path) -> None:
    with open_store(two) as store:
        record = store.run(ONE)
    with pytest.raises(ConfigurationError, match="compare two of one task"):
        check_alike(record, record.replace(task="else-v1"))
    with pytest.raises(ConfigurationError, match="compare two of a kind"):
        check_alike(record, record.replace(simulated=False))


def test_refusals_fit_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"run_{letter * 10}" for letter in "abc"]  # as long as they are
    with new_store(tmp_path) as store:
        store.create_run(a_run(names[0], status="done"))
        store.create_run(a_run(names[1], status="done", simulated=False))
        store.create_run(a_run(names[2], status="done", task="t-v1"))
    for other in names[1:]:
        assert main(["compare", names[0], other, "--store", str(tmp_path)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert len(line) <= 100, line


def test_the_command_fits_and_says_the_same_as_its_json(
    two: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", ONE, OTHER, "--store", str(two)]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 100
    assert main(["compare", ONE, OTHER, "--store", str(two), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert f"{told['arms']['learned']['difference']:+.2f}" in out
    assert told["settings"]["trials"] == ["3", "4"]


def test_a_setting_that_a_run_repeats_is_told_once() -> None:
    one = {"learn": True, "settings": {"learn": True, "round_size": 8}}
    other = {"learn": False, "settings": {"learn": False, "round_size": 9}}
    assert differing(one, other) == (
        ("learn", "true", "false"),
        ("settings.round_size", "8", "9"),
    )
    # What is another thing of the same name stays.
    apart = differing({"trials": 3, "settings": {"trials": 3}}, {"trials": 4, "settings": {}})
    assert [name for name, *_ in apart] == ["settings.trials", "trials"]


def test_an_arm_that_a_run_lacks_has_no_tokens_there(tmp_path: Path) -> None:
    with new_store(tmp_path) as store:
        for run, arm in (("r1", "learned"), ("r1", "none"), ("r2", "learned")):
            key = lane(run).replace(arm=arm)
            if arm == "learned":
                open_lane(store, key)
            else:
                store.create_branch(BranchRecord(id=key.branch, run=run, arm=arm, seed=0))
            wait(store.put_episode(an_episode(key, success=True)))
            store.update_run(run, status="done")
        found = compare(store, read_side(store, "r1"), read_side(store, "r2"))
    rows = {row[0]: row for row in arms_table(found).rows}
    assert rows["none"][-1] is None
    assert isinstance(rows["none"][-2], int)
    assert isinstance(rows["learned"][-1], int)


def test_tokens_have_separators(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", ONE, OTHER, "--store", str(two), "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)["arms"]["retry"]["tokens"]
    assert first > 999
    assert main(["compare", ONE, OTHER, "--store", str(two)]) == 0
    row = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("retry"))
    assert row.split()[-2:] == [f"{first:,}", f"{second:,}"]


def test_a_run_is_not_compared_with_itself(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", ONE, ONE, "--store", str(two)]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"verbalrl: both are run {ONE}; name two runs, see `verbalrl runs`"
    ]


def test_what_was_cut_short_after_it_acted_has_not_failed_where_nobody_judges(
    tmp_path: Path,
) -> None:
    """Read without its steps, such an attempt looked like one that never began."""
    runs = []
    with new_store(tmp_path) as store:
        for name in ("r1", "r2"):
            open_lane(store, lane(name))
            for i in range(3):
                made = an_episode(lane(name), f"i{i}", success=None, truncated=True)
                wait(store.put_episode(made))
            runs.append(read_side(store, store.update_run(name, status="done").id))
        found = compare(store, runs[0], runs[1])
    assert [(pair.arm, pair.difference, pair.n) for pair in found.arms] == [("learned", None, 0)]


def test_what_is_kept_is_told_again_until_a_run_ends_anew(two: Path) -> None:
    with open_store(two) as store:
        one, other = read_side(store, ONE), read_side(store, OTHER)
        kept = Kept()
        first = compare(store, one, other, kept)
        assert compare(store, one, other, kept) == first == compare(store, one, other)
        assert compare(store, one, other, kept).arms is first.arms
        for record in (
            other.record.replace(status="running"),
            other.record.replace(result={**(other.record.result or {}), "discarded": 1}),
        ):
            again = replace(other, record=record)
            assert compare(store, one, again, kept).arms is not first.arms
            assert compare(store, one, again, kept).arms == first.arms


def test_the_returns_shown_are_those_of_the_difference() -> None:
    def figures(*returns: tuple[str, int, float]) -> dict[str, Any]:
        own = {"returns": returns, "compounded": 0.0, "max_drawdown": 0.0}
        return {"trading": {"arms": {"none": own}}}

    one = figures(("a", 0, 0.5), ("b", 0, 0.25), ("c", 0, 9.0))
    other = figures(("a", 0, 1.0), ("b", 0, 0.5))
    (pair,) = return_pairs(one, other)
    assert pair.shown == (0.375, 0.75)
    assert pair.difference == 0.375
