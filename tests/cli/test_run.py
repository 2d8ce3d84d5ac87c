"""`run`, `resume` and `demo` with the offline model: a real run, small."""

import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from verbalrl._resources import root
from verbalrl.cli import main
from verbalrl.store import open_store

OFFLINE = ("--model", "offline:apprentice")
SMALL = ("run", "gridnav-v1", *OFFLINE, "--instances", "3", "--trials", "3")
KEYS = {
    "run", "task", "method", "model", "simulated", "seeds", "split", "arms", "memory_digest",
    "wall_s", "stop_reason",
}  # fmt: skip
ARM_KEYS = {
    "episodes", "errors", "unknown", "success_rate", "ci95", "success_by_trial",
    "reward_by_trial", "vs_retry", "tokens", "cost_usd", "memory_digest", "episodes_digest",
    "critiques", "lessons",
}  # fmt: skip


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], str]:
    """The store of one small run, its figures, and what it said on stderr."""
    store = tmp_path_factory.mktemp("ran") / "store"
    command = [sys.executable, "-m", "verbalrl", *SMALL, "--json", "--store", str(store)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return store, json.loads(done.stdout), done.stderr


def test_run_json_has_the_promised_shape(ran: tuple[Path, dict[str, Any], str]) -> None:
    _, figures, _ = ran
    assert figures.keys() >= KEYS
    assert list(figures["arms"]) == ["none", "retry", "learned"]
    for arm in figures["arms"].values():
        assert arm.keys() >= ARM_KEYS
        assert set(arm["tokens"]) == {"actor", "critic", "curator"}
    assert figures["simulated"] is True
    assert figures["split"] == {"train": 3, "test": 0, "reported": "train"}


def test_a_run_that_takes_seconds_says_how_far_it_is(tmp_path: Path) -> None:
    size = ("--instances", "24", "--trials", "5", "--store", str(tmp_path))
    command = [sys.executable, "-m", "verbalrl", "run", "gridnav-v1", *OFFLINE, *size]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert " episodes · solved none " in done.stderr


def test_run_says_where_it_is_and_hints_on_stderr(ran: tuple[Path, dict[str, Any], str]) -> None:
    store, figures, said = ran
    assert said.startswith(f"run {figures['run']} in {store}\n")
    for hint in ("reflections", "critiques", "episodes"):
        assert f"  verbalrl {hint} --run {figures['run']} --store {store}\n" in said


@pytest.mark.parametrize("hint", ["runs", "episodes", "critiques", "reflections", "show"])
def test_readers_read_a_real_run(
    hint: str, ran: tuple[Path, dict[str, Any], str], capsys: pytest.CaptureFixture[str]
) -> None:
    store, figures, _ = ran
    named = [] if hint == "runs" else [figures["run"]]
    run = named if hint == "show" else [part for name in named for part in ("--run", name)]
    assert main([hint, *run, "--store", str(store)]) == 0
    out = capsys.readouterr().out
    assert figures["run"] in out
    assert max(map(len, out.splitlines())) <= 104


def test_reflection_leads_to_its_critique_and_episode(
    ran: tuple[Path, dict[str, Any], str], capsys: pytest.CaptureFixture[str]
) -> None:
    store, _, _ = ran
    assert main(["reflections", "--json", "--store", str(store)]) == 0
    lesson = json.loads(capsys.readouterr().out)["reflections"][0]
    evidence = lesson["evidence"][0]
    for identity in (lesson["id"], evidence["critique"], evidence["episode"]):
        assert main(["show", identity, "--store", str(store)]) == 0
        assert identity in capsys.readouterr().out


def test_resume_of_a_finished_run_changes_nothing(
    ran: tuple[Path, dict[str, Any], str], capsys: pytest.CaptureFixture[str]
) -> None:
    store, figures, _ = ran
    assert main(["resume", figures["run"], "--json", "--store", str(store)]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["arms"] == figures["arms"]
    assert again["memory_digest"] == figures["memory_digest"]


def test_resume_of_a_run_that_another_process_drives_is_refused(
    ran: tuple[Path, dict[str, Any], str], capsys: pytest.CaptureFixture[str]
) -> None:
    store, figures, _ = ran
    with open_store(store) as kept, kept.acquire_lease(f"{figures['run']}/learned/0", "another"):
        assert main(["resume", figures["run"], "--store", str(store)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("verbalrl: the lessons of branch")
    assert not [line for line in said if "once mended" in line]


def test_run_prints_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = tmp_path / "store"
    few = ("--instances", "1", "--trials", "1", "--arms", "retry,none", "--no-learn")
    assert main(["run", "gridnav-v1", *OFFLINE, *few, "--store", str(store)]) == 0
    captured = capsys.readouterr()
    rows = [line.split()[0] for line in captured.out.splitlines()]
    assert rows[:4] == ["gridnav-v1", "arm", "retry", "none"]
    assert "says nothing about LLMs" in captured.out


def test_verbose_logs_events_and_leaves_logging_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = logging.getLogger("verbalrl")
    before = (list(logger.handlers), logger.level)
    few = ("--instances", "1", "--trials", "1", "--arms", "none", "-v")
    assert main(["run", "gridnav-v1", *OFFLINE, *few, "--store", str(tmp_path / "store")]) == 0
    captured = capsys.readouterr()
    assert "episode.finished" in captured.err
    assert "episode.finished" not in captured.out
    assert (list(logger.handlers), logger.level) == before


def test_run_says_the_notes_of_the_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"id": f"q{n}", "question": f"{n} and 1?", "answer": str(n + 1)} for n in range(12)]
    file = tmp_path / "sums.jsonl"
    file.write_text("\n".join([*map(json.dumps, rows), "no json"]), encoding="utf-8")
    few = ("--instances", "1", "--trials", "1", "--arms", "none")
    assert main(["run", str(file), *OFFLINE, *few, "--store", str(tmp_path / "store")]) == 0
    said = capsys.readouterr().err
    assert "70/30" in said
    assert "rejected: 1" in said


def test_a_method_that_learns_per_instance_says_that_it_reads_both_splits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"question": f"{n} and 1?", "answer": n + 1, "split": "test" if n < 2 else "train"}
        for n in range(5)
    ]
    file = tmp_path / "sums.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    few = ("--method", "reflexion", "--trials", "1", "--arms", "none")
    given = ("run", str(file), *OFFLINE, *few, "--json", "--store", str(tmp_path / "store"))
    for instances, split in (
        ("99", {"train": 3, "test": 2, "reported": "all"}),
        ("2", {"train": 2, "test": 0, "reported": "train"}),
    ):
        assert main([*given, "--instances", instances]) == 0
        assert json.loads(capsys.readouterr().out)["split"] == split


def test_run_options_reach_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = tmp_path / "store"
    given = (
        *("--method", "handbook", "--set", "max_lessons=5", "--gate", "review"),
        *("--seed", "4", "--seeds", "2", "--instances", "2:4", "--train-instances", "3"),
        *("--trials", "1", "--arms", "none,learned", "--concurrency", "3"),
        *("--critic", "offline:apprentice", "--curator", "offline:apprentice#1"),
    )
    assert main(["run", "triage-v1", *OFFLINE, *given, "--json", "--store", str(store)]) == 0
    run = json.loads(capsys.readouterr().out)["run"]
    with open_store(store) as kept:
        config = kept.run(run).config
    expected = {
        "method": "handbook", "seeds": [4, 5], "instances": [2, 4], "train_instances": 3,
        "arms": ["none", "learned"], "trials": 1,
    }  # fmt: skip
    assert {key: config[key] for key in expected} == expected
    settings, limits = config["settings"], config["limits"]
    assert isinstance(settings, dict)
    assert (settings["max_lessons"], settings["gate"]) == (5, "review")
    assert isinstance(limits, dict)
    assert limits["concurrency"] == 3


def test_a_control_of_risk_stays_when_a_run_is_resumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", "trading-v1?horizon=6", *OFFLINE, "--control", "cvar", "--json"]
    command += ["--arms", "none,retry", "--instances", "2", "--trials", "2"]
    whole, cut = (("--store", str(tmp_path / name)) for name in ("whole", "cut"))
    assert main([*command, *whole]) == 0
    expected = json.loads(capsys.readouterr().out)
    assert main([*command, *cut, "--max-tokens", "3000"]) == 0
    stopped = json.loads(capsys.readouterr().out)
    assert sum(arm["finished"] for arm in stopped["arms"].values()) < 6
    assert main(["resume", stopped["run"], *cut, "--max-tokens", "9000000", "--json"]) == 0
    resumed = json.loads(capsys.readouterr().out)
    for name, figures in resumed["arms"].items():
        assert figures["episodes_digest"] == expected["arms"][name]["episodes_digest"]
    with open_store(tmp_path / "cut") as store:
        for episode in store.episodes():
            steps = episode.trajectory.steps
            lost = [s.n + 1 for s in steps if (s.reward or 0) < 0 and s.n < len(steps)]
            assert lost
            assert set(lost) <= {s.n for s in steps if [n.author for n in s.notes] == ["cvar"]}


def test_run_stops_at_its_time_and_resumes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(tmp_path / "store")
    given = ("--instances", "8", "--arms", "learned", "--max-seconds", "0.01")
    assert main(["run", "gridnav-v1", *OFFLINE, *given, "--json", "--store", store]) == 0
    captured = capsys.readouterr()
    figures = json.loads(captured.out)
    assert figures["status"] == "stopped"
    (arm,) = figures["arms"].values()
    assert arm["finished"] < arm["planned"] == 8
    assert f"go on with: verbalrl resume {figures['run']}" in captured.err
    assert main(["resume", figures["run"], "--json", "--store", store]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "done"


@pytest.mark.slow
def test_a_run_that_outlasts_its_time_before_it_begins_is_given_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    given = ("--instances", "90000", "--max-seconds", "0.01")
    assert main(["run", "gridnav-v1", *OFFLINE, *given, "--store", str(store)]) == 2
    assert "was over before the run began" in capsys.readouterr().err
    assert not store.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gridnav-v9", *OFFLINE], "unknown task 'gridnav-v9'; did you mean"),
        (["gridnav-v1"], "Missing option '--model'"),
        (["gridnav-v1", "--model", "offline:x"], "unknown model"),
        (["gridnav-v1", *OFFLINE, "--critic", "offline:x"], "unknown model"),
        (["gridnav-v1", *OFFLINE, "--arms", "lerned"], "did you mean: learned"),
        (["gridnav-v1", *OFFLINE, "--arms", "none,none"], "'none' is named twice"),
        (["gridnav-v1", *OFFLINE, "--method", "reflex"], "did you mean: reflexion"),
        (["gridnav-v1", *OFFLINE, "--method", "reflexion", "--gate", "none"], "has no gate"),
        (["gridnav-v1", *OFFLINE, "--method", "reflexion", "--set", "windw=2"], "window"),
        (["gridnav-v1", *OFFLINE, "--instances", "4:2"], "holds no instance"),
        (["gridnav-v1", *OFFLINE, "--instances", "999999999999"], "more than one run holds"),
        (["gridnav-v1", *OFFLINE, "--instances", f"0:{'9' * 18}"], "more than one run holds"),
        (["gridnav-v1", *OFFLINE, "--instances", "9" * 9999], "neither a number nor a range"),
        (["triage-v1", *OFFLINE, "--train-instances", "9" * 12], "999,999,999,999 train"),
        (["gridnav-v1", *OFFLINE, "--seeds", "9" * 12], "'--seeds': 999999999999"),
        (["gridnav-v1", *OFFLINE, "--from", "mian"], "there is no store"),
        (["none.jsonl", *OFFLINE], "none.jsonl"),
    ],
)
def test_run_refuses_bad_input_in_one_line(
    arguments: Sequence[str],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["run", *arguments, "--store", str(tmp_path / "store")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("verbalrl: ")
    assert captured.err.count("\n") == 1
    assert words in captured.err


def test_run_refuses_a_store_that_cannot_be_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert main([*SMALL, "--store", str(tmp_path / "file" / "store")]) == 2
    assert "cannot be used as a store" in capsys.readouterr().err


@pytest.mark.slow
def test_demo_shows_tables_lessons_and_banner(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--instances", "6", "--store", str(tmp_path)]) == 0
    out, said = capsys.readouterr()
    assert f"store: {tmp_path}" in out
    for way in ("reflections", "behaviors", "report", "view"):
        assert re.search(rf"^  verbalrl {way}\b.* --store {tmp_path}$", said, re.M)
    assert "gridnav-v1 · reflexion" in out
    assert "triage-v1 · handbook" in out
    assert out.count("critique cr_") == 3
    assert "“" in out
    assert out.splitlines()[-1] == "offline apprentice: tests the loop, says nothing about LLMs"


@pytest.mark.slow
def test_the_table_in_the_readme_is_what_the_demo_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--store", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    shown = re.search(r"```text\n(arm .*?)```", readme, re.S)
    assert shown is not None
    assert shown.group(1) in printed


def test_a_run_of_which_nothing_ends_says_why_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = tmp_path / "desk"
    task.mkdir()
    (task / "task.toml").write_text(
        'id = "desk-v1"\nsummary = "A desk."\nlearns = "instance"\nenvironment = "desk:Desk"\n'
        '[limits]\nmax_steps = 1\n[success]\nmeans = "Never."\n'
    )
    (task / "desk.py").write_text(
        "class Desk:\n"
        "    def __init__(self, instance): pass\n"
        "    def reset(self, seed): raise RuntimeError('no legs')\n"
    )
    (task / "instances.jsonl").write_text('{"id": "a", "goal": "sit"}\n')
    few = ("--trust-code", "--trials", "1", "--arms", "none,retry")
    assert main(["run", str(task), *OFFLINE, *few, "--store", str(tmp_path / "store")]) == 1
    captured = capsys.readouterr()
    assert "2 of 2 episodes broke; most often (2×): task_error: " in captured.out
    assert "RuntimeError: no legs" in captured.out
    assert "no episode came to an end" in captured.err


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_says_how_to_go_on_and_reaches_the_same_memory(
    number: signal.Signals, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(tmp_path / "store")
    run = ["run", "gridnav-v1", *OFFLINE, "--instances", "24", "--arms", "learned", "--json"]
    ends = [str(int(number)), "3", str(tmp_path / "store" / "verbalrl.db")]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.loop.doomed", *ends, *run, "--store", store],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    out, said = process.communicate(timeout=600)
    assert (process.returncode, out) == (128 + number, "")
    identity = said.split()[1]
    assert f"go on with: verbalrl resume {identity} --store {store}" in said
    assert main(["resume", identity, "--json", "--store", store]) == 0
    resumed = json.loads(capsys.readouterr().out)
    assert main([*run, "--store", store]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert resumed["memory_digest"] == whole["memory_digest"]
    assert resumed["status"] == "done"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--base-url", ""], "--base-url: an empty text is no address"),
        (["--prompts", "{empty}"], "prompt files, such as critic/critique.jinja; copy those"),
        (["--prompts", "{other}"], "unknown prompt file 'foo.jinja'; did you mean"),
        (["--prompts", "{wrong}"], "unknown prompt file 'actor/atc.jinja'; did you mean"),
    ],
)
def test_what_would_be_ignored_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    for name in ("empty", "wrong/actor", "other"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("act", "atc"):
        text = (root("prompts") / "actor" / "act.jinja").read_text(encoding="utf-8")
        (tmp_path / "wrong" / "actor" / f"{name}.jinja").write_text(text, encoding="utf-8")
    (tmp_path / "other" / "foo.jinja").write_text("hi", encoding="utf-8")
    given = [a.format(**{n: tmp_path / n for n in ("empty", "wrong", "other")}) for a in arguments]
    base = ["run", "gridnav-v1", "--model", "offline:apprentice", "--store", str(tmp_path / "s")]
    assert main([*base, *given]) == 2
    assert said in capsys.readouterr().err


def test_a_run_that_cannot_learn_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["--model", "offline:apprentice", "--store", str(tmp_path / "s"), "--instances", "1"]
    assert main(["run", "gridnav-v1", "--trials", "1", "--no-learn", *base]) == 0
    assert "learned is a second retry" in capsys.readouterr().err
    rows = tmp_path / "q.jsonl"
    rows.write_text('{"question": "2+2?", "answer": "4", "split": "test"}\n', encoding="utf-8")
    assert main(["run", str(rows), "--method", "handbook", *base]) == 2
    assert "learns from a train split, and q has none" in capsys.readouterr().err


def test_settings_go_to_the_method_that_the_task_chooses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["--model", "offline:apprentice", "--store", str(tmp_path / "s"), "--instances", "2"]
    given = ["--gate", "review", "--set", "trials=1", "--train-instances", "2", "--json"]
    assert main(["run", "triage-v1", *base, *given]) == 0
    assert json.loads(capsys.readouterr().out)["method"] == "handbook"
    assert main(["run", "gridnav-v1", *base, "--gate", "review"]) == 2
    assert "--gate: method 'reflexion' has no gate" in capsys.readouterr().err


def test_less_than_was_asked_for_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, store = tmp_path / "sums.jsonl", str(tmp_path / "store")
    rows = [{"question": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(5)]
    file.write_text("\n".join(map(json.dumps, rows)))
    own = ("--method", "reflexion", "--trials", "1", "--arms", "learned", "--store", store)
    given = ("run", str(file), *OFFLINE, *own)
    for asked, said in (("100", True), ("2:6", True), ("5", False), ("3", False)):
        assert main([*given, "--instances", asked]) == 0
        error = capsys.readouterr().err
        count = asked.rpartition(":")[2]
        line = f"--instances {count}: {file.stem} has 5 instances, no more"
        assert (line in error.splitlines()) is said, error
    assert main(["run", str(file), *OFFLINE, "--instances", "9", "--store", store]) == 0
    assert f"--instances 9: {file.stem} has 1 test instance, no more" in capsys.readouterr().err
    assert main([*given, "--from", "main"]) == 0
    said_once = "--from main: no lesson there is usable, so learned starts with none"
    assert capsys.readouterr().err.splitlines().count(said_once) == 1
    assert main([*given, "--from", "mian"]) == 2
    assert "main" in capsys.readouterr().err
