"""Two runs side by side."""

import asyncio
import json
from pathlib import Path

import pytest

from benchmarks._rows import Sizes, add_run, fill
from verbalrl.cli import main
from verbalrl.errors import ConfigurationError
from verbalrl.store import open_store
from verbalrl.view.compare import check_alike, compare, read_side

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
    found = compare(side, side)
    assert {(pair.difference, pair.low, pair.high) for pair in found.arms} == {(0.0, 0.0, 0.0)}
    assert (found.settings, found.only_one, found.only_other) == ((), (), ())


def test_differences_are_paired_and_turn_around(two: Path) -> None:
    with open_store(two) as store:
        one, other = read_side(store, ONE), read_side(store, OTHER)
    there, back = compare(one, other), compare(other, one)
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
