"""Off, on, off, on: the same instances, the same draws, and what that shows."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

import verbalrl as vrl
from benchmarks.gate import bodies, plant
from tests.cli.test_care import Capture, said, told
from tests.models.faultd import Faultd
from tests.store.builders import add, seen
from verbalrl.methods import Prove
from verbalrl.proving import Planned, planned, shown
from verbalrl.records import (
    Batch,
    Commit,
    Episode,
    EpisodeSpec,
    Instance,
    InstanceView,
    LaneKey,
    Lesson,
    LessonBody,
    LessonKind,
    OpenRound,
    Origin,
    Reward,
    RewardSupplier,
    RunEpisode,
    Status,
    StopReason,
)

TASK: Any = vrl.load_task("triage-v1")
STRANGE = LessonBody(
    kind=LessonKind.BEHAVIOR,
    when='the text mentions "zebra crossing"',
    instruction="wait",
    conditional=True,
)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted")
    with vrl.open_store(folder, create=True) as store:
        asyncio.run(plant(store, TASK.id, *chain(*bodies(TASK.world).values()), STRANGE))
    return folder


def named(folder: Path, sort: str) -> str:
    (wanted, *_) = [STRANGE] if sort == "strange" else bodies(TASK.world)[sort]
    with vrl.open_store(folder) as store:
        found = store.lessons("main", TASK.id)
    return next(x.id for x in found if x.body == wanted)


def test_a_lesson_is_not_tried_where_it_stems_from(tmp_path: Path) -> None:
    first, second = (i.id for i in TASK.instances("train", 0, 2))
    made = add("le_a", "wait", evidence=(seen(first),))
    with vrl.open_store(tmp_path, create=True) as store:
        commit = Commit(id="co_a", branch="main", scope=TASK.id, base=0, updates=(made,))
        asyncio.run(store.put_commit(commit))
        found = asyncio.run(planned(store, TASK, "le_a", branch="main", instances=1, passes=2))
    assert (found.instances, found.span) == ((second,), (0, 2))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sort", "finding"), [("right", "helps"), ("empty", "undecided"), ("wrong", "harms")]
)
def test_a_right_an_empty_and_a_wrong_lesson(
    planted: Path, capsys: Capture, sort: str, finding: str
) -> None:
    asked = ("prove", named(planted, sort), "--model", "offline:apprentice")
    found = said(capsys, planted, *asked)
    assert found["finding"] == finding
    assert found["instances"] == 40
    with vrl.open_store(planted) as store:
        (kept,) = store.proofs(found["lesson"])
        probes = store.episodes(run=found["run"])
    assert found.pop("simulated") is True
    assert kept.model_dump(mode="json") == found
    assert {e.spec.purpose for e in probes} == {"probe"}
    assert len(probes) == 160


def test_what_a_budget_stopped_is_kept_once_it_is_resumed(planted: Path, capsys: Capture) -> None:
    lesson = named(planted, "right")
    asked = ("prove", lesson, "--model", "offline:apprentice", "--instances", "8")
    text = told(capsys, planted, *asked, "--max-tokens", "2500")
    assert "not all was tried, so no proof is stored yet" in text
    with vrl.open_store(planted) as store:
        before = store.proofs(lesson)
        run = next(r.id for r in store.runs() if r.status != "done")
    assert run not in {proof.run for proof in before}
    for _ in range(2):
        text = told(capsys, planted, "resume", run, "--max-tokens", "1000000")
        assert f"the proof is stored with {lesson}" in text
    with vrl.open_store(planted) as store:
        (*earlier, proof) = store.proofs(lesson)
    assert tuple(earlier) == before
    assert (proof.run, proof.instances, proof.covered) == (run, 8, 1.0)


@pytest.mark.parametrize("fault", ["400", "401"])
def test_a_proof_whose_calls_all_fail_says_why(planted: Path, capsys: Capture, fault: str) -> None:
    with Faultd() as server:
        server.play(fault, always=True)
        where = ("--base-url", server.url("openai"), "--model", "openai:x", "--instances", "2")
        text = told(capsys, planted, "prove", named(planted, "right"), *where, code=1)
    assert re.search(rf"^failed: .*openai:x: refused: {fault} ", text, re.MULTILINE)
    (run,) = re.findall(r"verbalrl resume (run_\w+) ", text)
    with vrl.open_store(planted) as store:
        assert store.runs()[-1].id == run


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_an_interrupted_proof_names_its_run_and_how_to_go_on(tmp_path: Path) -> None:
    with vrl.open_store(tmp_path, create=True) as store:
        asyncio.run(plant(store, TASK.id, *chain(*bodies(TASK.world).values())))
    number = int(signal.SIGINT)
    ends = [str(number), "1", str(tmp_path / "verbalrl.db")]
    asked = ["prove", named(tmp_path, "right"), "--model", "offline:apprentice"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.loop.doomed", *ends, *asked, "--store", str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (128 + number, "")
    with vrl.open_store(tmp_path) as store:
        run = store.runs()[-1]
    assert run.status == "interrupted"
    assert f"go on with: verbalrl resume {run.id} --store {tmp_path}" in done.stderr


def test_both_sides_meet_the_same_draws_and_worlds_and_one_has_the_lesson() -> None:
    lane = LaneKey(run="r", arm="learned", seed=0)
    method = Prove(lesson="le_a", against="le_b", instances=("i",), trials=2)
    specs = []
    for block in (1, 2, 3, 4):
        view = InstanceView(
            Instance(id="i", goal="g"), "s", "s#i", round=OpenRound(instances=("i",), trial=block)
        )
        step = method.plan(view)
        assert isinstance(step, Batch)
        (work,) = step.work
        assert isinstance(work, RunEpisode)
        specs.append(work.spec)
    forced = [(s.guidance["actor"].force_in, s.guidance["actor"].force_out) for s in specs]
    assert forced == [(("le_b",), ("le_a",)), (("le_a",), ("le_b",))] * 2
    draws = [(s.sample_seed(lane), s.world_seed()) for s in specs]
    assert draws[0] == draws[1] != draws[2] == draws[3]
    assert len({s.id(lane) for s in specs}) == 4


def test_what_it_takes_is_said_first(planted: Path, capsys: Capture) -> None:
    begun = named(planted, "right")[:-4]  # the start of an id is enough, as everywhere
    asked = ("prove", begun, "--model", "offline:apprentice", "--dry-run", "--instances", "10")
    text = told(capsys, planted, *asked)
    assert "planned: 10 instances, off/on 2 times, 40 episodes; can show a difference" in text


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (
            ("--task", "gridnav-v1"),
            "which no prompt of task gridnav-v1 reads",
        ),
        (("--against", "ITSELF"), "cannot stand against itself"),
        (("--branch", "nowhere"), "nowhere"),
        ((), "give --model"),
    ],
)
def test_what_cannot_be_tried_is_said_in_a_line(
    planted: Path, capsys: Capture, arguments: tuple[str, ...], why: str
) -> None:
    lesson = named(planted, "right")
    asked = (x.replace("ITSELF", lesson) for x in arguments)
    text = told(capsys, planted, "prove", lesson, *asked, code=2)
    assert why in text


def test_a_lesson_whose_condition_holds_nowhere(planted: Path, capsys: Capture) -> None:
    asked = ("prove", named(planted, "strange"), "--instances", "2")
    assert "holds in none of 100 train instances" in told(capsys, planted, *asked, code=2)


def probe(
    n: int, side: int, success: bool | None, by: RewardSupplier = RewardSupplier.CHECK
) -> Episode:
    return Episode(
        id=f"ep_{n}_{side}",
        run="r",
        arm="learned",
        seed=0,
        spec=EpisodeSpec(instance=f"i{n}", candidate=side, purpose="probe"),
        success=success,
        reward=Reward(supplier=by),
        stop_reason=StopReason.TERMINATED,
    )


def plan(count: int) -> Planned:
    body = LessonBody(kind=LessonKind.BEHAVIOR, when="w", instruction="i")
    lesson = Lesson(id="le", scope="s", body=body, status=Status.ACTIVE, trust=Origin.TASK)
    return Planned(lesson, "main", tuple(f"i{n}" for n in range(count)), (0, count), 1)


def test_pairs_of_which_a_side_is_missing_count_on_neither() -> None:
    probes = [probe(n, side, bool(side)) for n in range(12) for side in (0, 1)]
    lost = [probe(n, side, None if side else False) for n in range(12, 20) for side in (0, 1)]
    proof = shown(plan(20), "r", probes + lost)
    assert (proof.off, proof.on, proof.difference, proof.covered) == (0.0, 1.0, 1.0, 0.6)
    assert "p<.001, 20 instances" in str(proof)
    assert ", p=1.000, " in str(proof.replace(p=1.0))
    assert (proof.finding, proof.p) == ("helps", 2 / 2**12)
    fewer = shown(plan(20), "r", probes[:20] + lost)
    assert (fewer.finding, fewer.covered) == ("undecided", 0.5)
    assert str(shown(plan(2), "r", [])) == "undecided: nothing was judged"


def test_who_was_too_late_proves_nothing() -> None:
    late = {"stop_reason": StopReason.TIMEOUT}
    said = [probe(n, side, bool(side)) for n in range(12) for side in (0, 1)]
    off = [e if e.spec.candidate else e.replace(**late) for e in said]
    proof = shown(plan(12), "r", off)
    assert (proof.finding, proof.difference, proof.covered) == ("undecided", None, 0.0)


def test_what_an_agent_says_of_itself_proves_nothing() -> None:
    said = [probe(n, side, bool(side), RewardSupplier.AGENT) for n in range(12) for side in (0, 1)]
    proof = shown(plan(12), "r", said)
    assert (proof.finding, proof.difference, proof.covered) == ("undecided", None, 0.0)
