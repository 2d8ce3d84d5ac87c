"""Two runs side by side."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks._rows import Sizes, add_run, fill
from tests.store.builders import an_episode, lane, new_store, open_lane, wait
from verbalrl.cli import main
from verbalrl.errors import ConfigurationError
from verbalrl.store import open_store
from verbalrl.view.compare import Kept, check_alike, compare, read_side

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
    assert {(pair.difference, pair.low, pair.high) for pair in found.arms} == {(0.0, 0.0, 0.0)}
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


def test_what_must_not_stand_side_by_side_is_refused(two: Path) -> None:
    with open_store(two) as store:
        record = store.run(ONE)
    with pytest.raises(ConfigurationError, match="only runs of one task"):
        check_alike(record, record.replace(task="else-v1"))
    with pytest.raises(ConfigurationError, match="never stand side by side"):
        check_alike(record, record.replace(simulated=False))


def test_the_command_fits_and_says_the_same_as_its_json(
    two: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", ONE, OTHER, "--store", str(two)]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 100
    assert main(["compare", ONE, OTHER, "--store", str(two), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert f"{told['arms']['learned']['difference']:+.4f}" in out
    assert told["settings"]["trials"] == ["3", "4"]


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
