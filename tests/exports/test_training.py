"""Rows for trainers: their columns, what they hold, where they come from, what is left out.

Columns are held against TRL 1.16.0: `trl/data_utils.py` (is_conversational: a list of messages with
role and content under prompt, chosen, rejected, completion or messages), the columns of
`trl/trainer/{sft,dpo,kto}_trainer.py`, and `_signature_columns` of
`trl/experimental/sdpo/sdpo_trainer.py` and `trl/experimental/sdft/sdft_trainer.py`, the second of
which raises on a `privileged_context` of None.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.methods.world import acts
from verbalrl import ChatAgent, Learner, ScriptedModel, load_task
from verbalrl.cli import main
from verbalrl.exports import FORMATS, Source, dataset, write
from verbalrl.methods import reflexion
from verbalrl.records import (
    Action,
    Cause,
    Critique,
    Episode,
    EpisodeSpec,
    Guidance,
    GuidanceLine,
    Observation,
    Previous,
    RunRecord,
    Span,
    Step,
    StopReason,
    Trajectory,
)

KEYS = ("brass key", "iron key")
COLUMNS = {
    "trl-sft": {"messages"},
    "trl-dpo": {"prompt", "chosen", "rejected"},
    "trl-kto": {"prompt", "completion", "label"},
    "trl-sdpo": {"prompt", "privileged_context", "instance"},
    "trl-sdft": {"prompt", "privileged_context", "instance"},
    "steps": {"prompt", "completions", "labels"},
    "spans": {"id", "prompt", "response", "spans"},
}
RUN = RunRecord(id="run_1", task="doors-v1", method="own", model="m", simulated=False, config={})


def episode(name: str, *actions: str, success: bool | None, **spec: Any) -> Episode:
    steps = tuple(
        Step(
            n=n,
            observation=Observation(text=f"door {n}", actions=KEYS),
            action=Action(text=action),
            feedback=f"after {n}",
        )
        for n, action in enumerate(actions, start=1)
    )
    return Episode(
        id=name,
        run=RUN.id,
        arm="learned",
        seed=0,
        spec=EpisodeSpec(**({"instance": "i0"} | spec)),
        trajectory=Trajectory(steps=steps),
        success=success,
        stop_reason=StopReason.TERMINATED,
    )


def critique(name: str, of: str, step: int = 2, **more: Any) -> Critique:
    cause = Cause(
        step=step,
        trial=1,
        episode=of,
        quote="iron",
        why="iron bends",
        span=Span(part="action", start=0, end=4),
    )
    fields: dict[str, Any] = {
        "status": "accepted",
        "verdict": "failure",
        "causes": (cause,),
        "refinement": "Take brass.",
    }
    return Critique(
        id=name,
        episodes=(of,),
        instance="i0",
        trial=1,
        template="critic/critique",
        **(fields | more),
    )


WON = episode("ep_won", "brass key", "brass key", success=True, trial=2)
LOST = episode("ep_lost", "brass key", "iron key", success=False)
GOAL = {"i0": "Open both doors."}


def source(*episodes: Episode, critiques: Sequence[Critique] = (), **more: Any) -> Source:
    return Source(episodes or (LOST, WON), critiques, GOAL, **more)


def bodies(form: str, given: Source) -> list[dict[str, Any]]:
    return [dict(row.body) for row in FORMATS[form](given)]


def content(messages: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(m["role"], m["content"]) for m in messages]


FIRST = ("user", "Open both doors.\n\ndoor 1\n\nActions:\n- brass key\n- iron key")
SECOND = ("user", "after 1\n\ndoor 2\n\nActions:\n- brass key\n- iron key")
START = [FIRST, ("assistant", "brass key"), SECOND]


@pytest.mark.parametrize("form", FORMATS)
def test_columns_are_those_that_the_trainers_read(form: str) -> None:
    rows = bodies(form, source(critiques=[critique("cr_1", "ep_lost")]))
    assert rows
    assert set(COLUMNS) == set(FORMATS)
    for row in rows:
        assert set(row) == COLUMNS[form]
        for key in {"messages", "prompt", "chosen", "rejected", "completion"} & set(row):
            if form.startswith("trl"):
                assert all(set(m) == {"role", "content"} for m in row[key])
        json.dumps(row)


def test_sft_holds_successes_alone() -> None:
    (row,) = bodies("trl-sft", source())
    assert content(row["messages"]) == [*START, ("assistant", "brass key")]


def test_dpo_forks_where_both_saw_the_same() -> None:
    (row,) = bodies("trl-dpo", source())
    assert content(row["prompt"]) == START
    assert content(row["chosen"]) == [("assistant", "brass key")]
    assert content(row["rejected"]) == [("assistant", "iron key")]
    steps = (WON.trajectory.steps[0].replace(observation=Observation(text="another door")),)
    elsewhere = WON.replace(trajectory=Trajectory(steps=steps))
    assert bodies("trl-dpo", source(LOST, elsewhere)) == []
    assert bodies("trl-dpo", source(LOST, LOST.replace(id="ep_x", success=True))) == []


def test_kto_labels_the_blamed_action_of_a_failure() -> None:
    blamed = source(LOST, critiques=[critique("cr_1", "ep_lost", step=1)])
    (row,) = bodies("trl-kto", blamed)
    assert (content(row["prompt"]), row["label"]) == ([FIRST], False)
    assert content(row["completion"]) == [("assistant", "brass key")]
    (last,) = bodies("trl-kto", source(LOST))
    assert content(last["prompt"]) == START
    assert [r["label"] for r in bodies("trl-kto", source(WON))] == [True, True]
    assert bodies("trl-kto", source(WON.replace(success=None))) == []


def test_privileged_context_is_critique_and_behaviors() -> None:
    line = GuidanceLine(alias=1, lesson="le_1", when="a door is old", instruction="use brass")
    gone = GuidanceLine(alias=2, lesson="le_2", when="it rains", instruction="wait")
    told = LOST.replace(guidance={"actor": Guidance(volatile=(line, gone))})
    given = source(told, WON, critiques=[critique("cr_1", "ep_lost")], barred=frozenset({"le_2"}))
    rows = bodies("trl-sdpo", given)
    assert [r["privileged_context"] for r in rows] == [
        "- [1] When a door is old: use brass\niron bends\nTake brass.",
        None,
    ]
    assert content(rows[0]["prompt"]) == START
    assert bodies("trl-sdft", given) == rows[:1]


def test_steps_and_spans() -> None:
    given = source(critiques=[critique("cr_1", "ep_lost")])
    lost, won = bodies("steps", given)
    assert (lost["completions"], lost["labels"]) == (["brass key", "iron key"], [True, False])
    assert won["labels"] == [True, True]
    (row,) = bodies("spans", given)
    (span,) = row["spans"]
    assert row["response"][span["start"] : span["end"]] == "iron"
    assert (span["type"], span["score"], span["critique_id"]) == ("flaw", -1.0, "cr_1")
    assert row["id"] == "ep_lost/2"
    # Of a failure that nobody has judged no step is known to be wrong.
    assert bodies("steps", source(LOST)) == []


def test_instances_are_never_divided_and_the_test_split_is_kept_apart() -> None:
    many = [
        episode(f"ep_{n}_{t}", KEYS[t], success=bool(t), instance=f"i{n}", trial=t + 1)
        for n in range(60)
        for t in (0, 1)
    ]
    tested = episode("ep_t", "brass key", success=True, instance="t0", split="test")
    goals = {f"i{n}": f"Goal {n}." for n in range(60)}
    given = Source((*many, tested), (), goals)
    made = dataset("trl-kto", given, 0.3, ())
    train, test = ({r.instance for r in made.rows[name]} for name in ("train", "test"))
    assert not train & test
    assert "t0" in test
    assert len(train) + len(test) == 61
    assert 8 <= len(test) <= 29
    again = {r.instance for r in dataset("trl-sft", given, 0.3, ()).rows["test"]}
    assert again == test
    assert {r.instance for r in dataset("trl-sft", given, 0.0, ()).rows["test"]} == {"t0"}


def test_revealing_and_synthetic_rows_are_there_on_request_only() -> None:
    tells = critique("cr_r", "ep_lost", status="refused", reveals_answer=True)
    refined = episode(
        "ep_ref", "brass key", success=True, revises=Previous(output="x", critique="Take brass.")
    )
    edited = episode("ep_cf", "iron key", success=True, purpose="counterfactual")
    chosen = episode("ep_ch", "brass key", "iron key", success=True, selected_from=("ep_cf",))
    given = source(LOST, refined, edited, chosen, critiques=[tells])
    none = dataset("trl-sft", given, 0.0, ())
    assert (none.rows["train"], none.left_out) == ((), {"revealing": 1, "synthetic": 2})
    some = dataset("trl-sft", given, 0.0, ("revealing",))
    assert [r.episodes for r in some.rows["train"]] == [("ep_ref",)]
    # What it says is left out as privileged context too.
    context = dataset("trl-sdft", source(LOST, critiques=[tells]), 0.0, ())
    assert context.left_out == {"revealing": 1}


def test_candidates_probes_and_what_broke_give_no_rows() -> None:
    found = [
        episode("ep_c", "brass key", success=None, purpose="candidate"),
        episode("ep_p", "brass key", success=True, purpose="probe"),
        WON.replace(id="ep_b", status="failed"),
    ]
    assert all(not bodies(form, source(*found)) for form in FORMATS)


def test_provenance_stands_beside_and_names_every_row(tmp_path: Path) -> None:
    made = dataset("trl-sft", source(WON, WON.replace(id="ep_z")), 0.0, ())
    assert made.left_out == {"repeated": 1}
    write(made, tmp_path, RUN, {"format": "trl-sft"})
    said = json.loads((tmp_path / "provenance.json").read_text("utf-8"))
    assert said["run"] == "run_1"
    rows = said["files"]["train.jsonl"]["rows"]
    assert rows == [{"instance": "i0", "episodes": ["ep_won"], "critiques": []}]
    assert len((tmp_path / "train.jsonl").read_text("utf-8").splitlines()) == 1
    assert (tmp_path / "train.jsonl").stat().st_mode & 0o777 == 0o600


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a small run of scripted models."""
    folder = tmp_path_factory.mktemp("played")
    agent = ChatAgent(ScriptedModel(lambda _: acts("hand to billing team")))
    learner = Learner(agent, method=reflexion(trials=2), critic=lambda _: None, store=folder)
    learner.run_sync(load_task("triage-v1"), instances=6, arms=("learned",))
    return folder


def test_the_command_writes_the_folder(
    played: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", "trl-kto", "--store", str(played), "-o", str(tmp_path / "rows")]
    assert main(words) == 2
    assert "simulated model; --with simulated exports it" in capsys.readouterr().err
    assert main([*words, "--with", "simulated", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["simulated"] is True
    lines = (tmp_path / "rows" / "train.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == told["rows"]["train"] > 0
    first = json.loads(lines[0])["prompt"][0]["content"]
    assert load_task("triage-v1").instances("train", 0, 1)[0].goal in first


def test_an_export_says_whose_place_it_took(
    played: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--with", "simulated", "--store", str(played), "-o", str(tmp_path)]
    assert main(["export", "trl-kto", *words]) == 0
    assert "took the place" not in capsys.readouterr().err
    assert main(["export", "steps", *words]) == 0
    told = json.loads((tmp_path / "provenance.json").read_text("utf-8"))
    said = capsys.readouterr().err
    assert f"it took the place of the trl-kto rows of {told['run']}" in said


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["trl-sft"], "is written to a folder"),
        (["trl-sft", "--scope", "x", "-o", "y"], "leave out --scope"),
        (["jsonl", "run_1"], "--branch in place of run_1"),
        (["trl-sft", "-o", "y", "--with", "simulated", "--arm", "nope"], "unknown arm 'nope'"),
    ],
)
def test_what_cannot_be_exported_is_one_line(
    played: Path, capsys: pytest.CaptureFixture[str], words: list[str], why: str
) -> None:
    assert main(["export", *words, "--store", str(played)]) == 2
    assert why in capsys.readouterr().err
