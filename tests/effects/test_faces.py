"""What commands, the report and the page say of effects."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

import verbalrl as vrl
from benchmarks.gate import plant
from tests.cli.test_care import Capture, said, told
from tests.effects.test_gate import IDLE, RIGHT, body, run
from verbalrl.cli.app import DONE, FAILED
from verbalrl.cli.commands.selftest import _told
from verbalrl.effects import Claims, Rules, claims
from verbalrl.proving import loser
from verbalrl.records import Proof
from verbalrl.view.rows import read_run


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("lived")
    result, _ = run(folder, RIGHT)
    return folder / "store", result.run


def test_lists_by_effect_say_what_is_known(lived: tuple[Path, str], capsys: Capture) -> None:
    folder, name = lived
    text = told(capsys, folder, "behaviors", "--run", name, "--sort", "effect")
    assert "measured: helps: +" in text
    (row,) = said(capsys, folder, "behaviors", "--run", name, "--sort", "effect")["behaviors"]
    effect = row["effects"]["actor"]
    assert effect["finding"] == "helps"
    assert effect["low"] > 0
    assert effect["n_in"] + effect["n_out"] == 40
    (plain,) = said(capsys, folder, "behaviors", "--run", name)["behaviors"]
    assert "effects" not in plain


def test_the_report_tells_effects(lived: tuple[Path, str]) -> None:
    folder, name = lived
    with vrl.open_store(folder) as store:
        (told_of,) = read_run(store, name).lessons[f"{name}/learned/0"]
    (line,) = told_of.measured
    assert line.startswith("helps: +")
    assert line.endswith("tokens a prompt")


def test_blame_names_what_an_episode_had(lived: tuple[Path, str], capsys: Capture) -> None:
    folder, name = lived
    with vrl.open_store(folder) as store:
        first, *_ = store.episodes(run=name)
        had = next(e for e in store.episodes(run=name) if e.guidance["actor"].lines)
        bare = next(e for e in store.episodes(run=name) if not e.guidance["actor"].lines)
    assert RIGHT in told(capsys, folder, "blame", had.id)
    (row,) = said(capsys, folder, "blame", had.id)["lessons"]
    assert row["effects"]["actor"]["finding"] == "helps"
    assert "no lesson was in its prompt" in told(capsys, folder, "blame", bare.id)
    assert "has the id 'ep_none'; see `verbalrl episodes`" in told(
        capsys, folder, "blame", "ep_none", code=2
    )
    assert first.run == name


def test_selftest_counts_claims_where_there_is_nothing(tmp_path: Path, capsys: Capture) -> None:
    asked = ("selftest", "--model", "offline:apprentice", "--seeds", "2", "--draws", "20")
    found = said(capsys, tmp_path, *asked)
    assert (found["episodes"], found["draws"], found["level"]) == (120, 20, 0.05)
    assert max(found["helps"], found["harms"]) <= 0.2
    few = told(capsys, tmp_path, *asked[:3], "--instances", "5", "--seeds", "1", code=2)
    assert "5 outcomes are known, and a look needs 32" in few


def test_placebos_are_told_from_what_is_there() -> None:
    outcomes = [(f"i{n}", float(n % 2)) for n in range(320)]
    found = claims(outcomes, draws=60)
    assert found.draws == 60
    assert max(found.helps, found.harms) <= 9
    # One that claims on less is seen to claim more.
    rash = claims(outcomes, draws=60, rules=Rules(level=1.0))
    assert rash.helps > found.helps
    assert rash.harms > found.harms


def test_what_was_claimed_at_any_look_is_claimed() -> None:
    draw = random.Random(3)
    outcomes = [(f"i{n}", float(draw.random() < 0.5)) for n in range(32 * 8)]
    rash = Rules(level=1.0)
    found = [claims(outcomes[: 32 * looks], draws=40, rules=rash) for looks in range(1, 9)]
    for side in ("helps", "harms"):
        counts = [getattr(one, side) for one in found]
        assert counts == sorted(counts)
        assert counts[-1] > 0


def test_a_gate_that_claims_too_much_fails_its_test(capsys: Capture) -> None:
    assert _told("run", 100, Claims(draws=100, helps=3, harms=9), as_json=False) == DONE
    assert _told("run", 100, Claims(draws=100, helps=3, harms=10), as_json=False) == FAILED
    assert "do not let the gate decide" in capsys.readouterr().err


def proof(finding: Any, against: str) -> Proof:
    return Proof(
        lesson="le_a", version=1, content="c", run="r", instances=2, passes=1, smallest=0.5,
        off=0.0, on=1.0, difference=1.0, low=1.0, high=1.0, p=0.01, covered=1.0,
        finding=finding, against=against,
    )  # fmt: skip


def test_the_loser_of_two_lessons() -> None:
    assert loser(proof("helps", "le_b")) == "le_b"
    assert loser(proof("harms", "le_b")) == "le_a"
    assert loser(proof("undecided", "le_b")) == ""
    assert loser(proof("harms", "")) == ""


def test_two_that_disagree_are_tried_and_one_retires(tmp_path: Path, capsys: Capture) -> None:
    task: Any = vrl.load_task("triage-v1")
    cue, team = task.world.cells()[0].cue.split(" ", 1)[1], task.world.cells()[0].team
    texts = (f"choose hand to {team} team", IDLE)
    when = f'the text mentions "{cue}"'
    with vrl.open_store(tmp_path, create=True) as store:
        asyncio.run(
            plant(store, task.id, *(body(t).replace(when=when, conditional=True) for t in texts))
        )
        good, idle = sorted(store.lessons("main", task.id), key=lambda x: x.instruction == IDLE)
    asked = ("prove", idle.id, "--against", good.id, "--model", "offline:apprentice")
    text = told(capsys, tmp_path, *asked, "--instances", "12")
    assert f"{idle.id} is retired" in text
    assert f"harms (against {good.id})" in text


def test_effects_are_looked_for_where_a_coin_was_tossed(lived: tuple[Path, str]) -> None:
    folder, name = lived
    with vrl.open_store(folder) as store:
        (found,) = store.lessons(f"{name}/learned/0", "questions")
        assert store.tossed(found.id)
        assert not store.tossed("le_another")
