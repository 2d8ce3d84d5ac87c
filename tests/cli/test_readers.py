"""The readers against a store that was filled through the store's own doors."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cli import filled
from tests.cli.filled import BRANCH, FIGURES, INSTANCE, RUN, SCOPE, critique, episode
from tests.store.builders import lane, open_lane
from verbalrl.cli import main
from verbalrl.cli.commands.episodes import shared_place
from verbalrl.errors import LeaseError
from verbalrl.store import open_store

ROOT = Path(__file__).parents[2]
FAILED = episode(1, success=False)
SOLVED = episode(2, success=True)


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command on the filled store; gives (exit code, stdout, stderr)."""

    def call(*arguments: str, code: int = 0) -> str:
        assert main([*arguments, "--store", str(folder)]) == code
        captured = capsys.readouterr()
        return captured.err if code else captured.out

    return call


READERS = [
    ["runs"],
    ["episodes"],
    ["critiques"],
    ["behaviors"],
    ["reflections"],
    ["why", FAILED.id],
    ["why", SOLVED.id],
    ["show", RUN],
    ["show", BRANCH],
    ["show", "main"],
    ["show", FAILED.id],
    ["show", critique(1, FAILED).id],
    ["show", "cu_behavior"],
    ["show", "fr_1"],
    ["tasks"],
    ["methods"],
]


@pytest.mark.parametrize("arguments", READERS, ids=" ".join)
def test_reader_prints_100_harmless_columns(
    arguments: Sequence[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = [] if arguments[0] in ("tasks", "methods") else ["--store", str(folder)]
    assert main([*arguments, *place]) == 0
    out = capsys.readouterr().out
    assert out
    assert max(map(len, out.splitlines())) <= 100
    assert not set("\x1b\r\u202e\x9b") & set(out)


LISTS = ("runs", "episodes", "critiques", "behaviors", "beliefs", "reflections", "conflicts")
LONG = "a-task-with-a-name-as-long-as-a-line-" * 4
LONG_NAMES = {
    "SCOPE": f"{LONG}v1",
    "INSTANCE": f"{LONG}v1/train/{LONG}",
    "RUN": f"run_{LONG}",
    "BRANCH": f"run_{LONG}/learned/0",
}


@pytest.mark.parametrize("arguments", [[name] for name in LISTS] + [["show", LONG_NAMES["RUN"]]])
def test_lists_of_long_names_fit_in_100_columns(
    arguments: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in LONG_NAMES.items():
        monkeypatch.setattr(filled, name, value)
    many = {"success_by_trial": [n / 20 for n in range(20)]}
    told = {"task": f"{LONG}v1", "method": LONG, "model": f"openai:{LONG}", "seeds": [0] * 60}
    arms = {arm: {**filled.ARM, **many} for arm in ("none", "retry", "raw_failures", "learned")}
    monkeypatch.setattr(filled, "FIGURES", {**filled.FIGURES, **told, "arms": arms})
    monkeypatch.setenv("COLUMNS", "100")
    asyncio.run(filled.fill(tmp_path))
    with open_store(tmp_path) as store:
        record = store.run(LONG_NAMES["RUN"])
        store._do(lambda c: c.execute("UPDATE runs SET method = ?, model = ?", (LONG, LONG)))
        asyncio.run(store.put_episode(filled.episode(3, success=False)))
        assert record.task.startswith(LONG)
    assert main([*arguments, "--store", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert out
    assert [line for line in out.splitlines() if len(line) > 100] == []
    assert "a-task-with" in out


@pytest.mark.parametrize("arguments", READERS, ids=" ".join)
def test_reader_prints_json_alone(
    arguments: Sequence[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = [] if arguments[0] in ("tasks", "methods") else ["--store", str(folder)]
    assert main([*arguments, "--json", *place]) == 0
    captured = capsys.readouterr()
    assert isinstance(json.loads(captured.out), dict)
    assert captured.err == ""


def test_runs_shows_rates(run: Any) -> None:
    row = run("runs").splitlines()[1]
    assert row.split()[:4] == [RUN, "done", SCOPE, "reflexion"]
    assert "1.00" in row


def test_runs_explain_a_star_only_where_there_is_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(rate: float | None) -> str:
        arm: dict[str, Any] = {"success_rate": rate, "finished": 1, "planned": 2}
        with open_store(folder) as store:
            store.update_run(RUN, result={"arms": {"learned": arm}})
        assert main(["runs", "--store", str(folder)]) == 0
        out, err = capsys.readouterr()
        return out + err

    whole = told(0.5)
    assert "0.50*" in whole
    assert "cut short" in whole
    assert "*" not in told(None)


def test_episodes_filter(run: Any) -> None:
    def outcomes(*filters: str) -> list[tuple[int, int]]:
        found = json.loads(run("episodes", "--json", *filters))["episodes"]
        return [(e["seed"], e["trial"]) for e in found]

    assert outcomes() == [(0, 1), (0, 2), (1, 1)]
    assert outcomes("--failed") == [(0, 1)]
    assert outcomes("--seed", "1") == [(1, 1)]
    assert outcomes("--branch", BRANCH) == [(0, 1), (0, 2)]
    assert outcomes("--instance", "train/0", "--arm", "learned", "--seed", "0") == [(0, 1), (0, 2)]
    assert outcomes("--instance", "0", "--seed", "1", "--failed") == []


def test_critiques_say_why_they_were_refused(run: Any) -> None:
    out = run("critiques")
    assert "1 accepted, 1 refused (1 absent_quote), 1 failed" in out
    assert "refused: absent_quote (look\\x1b[2J\\x0dhere\\u202e)" in out
    assert "“a wall” it never turned" in out


def test_critiques_say_what_became_of_them(run: Any) -> None:
    out = " ".join(run("critiques", "--uptake").split())
    assert "criticised steps on the next trial: 0 changed, 0 done again, 1 not met again" in out
    told = json.loads(run("critiques", "--uptake", "--json"))["uptake"]
    assert told["steps"] == {"changed": 0, "repeated": 0, "unmet": 1, "rate": None}
    assert told["refined"] == {"fixed": 0, "broken": 0, "right": 0, "wrong": 0}
    of_branch = run("critiques", "--uptake", "--json", "--branch", "run_aaaa000001/learned/0")
    assert json.loads(of_branch)["uptake"] == told
    assert "uptake" not in json.loads(run("critiques", "--json"))


def test_critiques_filter(run: Any) -> None:
    found = json.loads(run("critiques", "--status", "refused", "--json"))["critiques"]
    assert [c["refusal"] for c in found] == ["absent_quote"]
    assert len(json.loads(run("critiques", "--instance", "0", "--json"))["critiques"]) == 3


@pytest.mark.parametrize("command", ["behaviors", "reflections"])
def test_lessons_lead_back_to_the_step(command: str, run: Any) -> None:
    out = run(command)
    assert f": 1 active, on branch {BRANCH} (latest run, arm learned, seed 0)" in out
    assert f"other seeds: --branch {RUN}/learned/1" in out
    assert "When at a wall: turn right" in out
    assert f"{critique(1, FAILED).id} ← {FAILED.id} ← {INSTANCE} trial 1 step 1" in " ".join(
        out.split()
    )


def test_lessons_filter(run: Any) -> None:
    assert json.loads(run("behaviors", "--status", "retired", "--json"))["behaviors"] == []
    assert len(json.loads(run("reflections", "--instance", "0", "--json"))["reflections"]) == 1
    assert len(json.loads(run("behaviors", "--scope", SCOPE, "--json"))["behaviors"]) == 1


def test_lessons_read_main_once_it_has_some(run: Any) -> None:
    assert json.loads(run("publish", RUN, "--json"))["added"] == 1
    shown = json.loads(run("behaviors", "--json"))
    assert (shown["branch"], shown["why"]) == ("main", "it has lessons")
    assert [lesson["status"] for lesson in shown["behaviors"]] == ["quarantined"]
    assert json.loads(run("reflections", "--json"))["branch"] == BRANCH
    assert json.loads(run("behaviors", "--run", RUN, "--json"))["branch"] == BRANCH


def test_publish_with_approval_activates_and_takes_reflections(run: Any) -> None:
    out = run("publish", RUN[:8], "--approve", "--reflections")
    assert out.startswith(f"{BRANCH} → main: 2 added")
    shown = json.loads(run("reflections", "--branch", "main", "--json"))["reflections"]
    assert [(r["status"], r["trust"]) for r in shown] == [("active", "operator")]


def test_publishing_again_with_approval_says_that_they_are_active(
    run: Any, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("publish", RUN)
    for count, said in (("1 merged", "active on main now"), ("1 unchanged", "")):
        assert main(["publish", RUN, "--approve", "--store", str(folder)]) == 0
        out, err = capsys.readouterr()
        assert count in out
        assert said in err
        assert bool(said) is ("prompts may carry them: 1 lesson" in err)


def test_a_lesson_that_waits_is_approved_and_retired_by_a_person(
    run: Any, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("publish", RUN)
    assert main(["behaviors", "--store", str(folder)]) == 0
    said = capsys.readouterr().err
    assert said.startswith("1 quarantined (no prompt carries them); to make one active: verbalrl ")
    lesson = said.split()[-3]
    assert f"{lesson}  quarantined → active on branch main" in run("approve", lesson)
    assert "active already on branch main" in run("approve", lesson[:12])
    after = json.loads(run("retire", lesson, "--json"))["lessons"][0]
    assert (after["before"], after["status"], after["branch"]) == ("active", "retired", "main")
    assert "cannot become active any more" in run("approve", lesson, code=2)
    assert "retired by a person" in run("show", lesson)
    assert "no lesson in" in run("approve", "le_none", code=2)
    assert "is not unique" in run("retire", "le_", code=2)


def test_tasks_say_which_options_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks"]) == 0
    out = capsys.readouterr().out
    assert "options, such as gridnav-v1?side=5: side=5, pits=3, hint=true, min_safe=0.05" in out
    assert "reasoning:leg_counting  (questions of reasoning-gym; extra reasoning)" in out
    assert main(["tasks", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["environments"][0]["prefix"] == "gym"
    for item in listed["tasks"]:
        readme = (ROOT / "tasks" / item["id"] / "README.md").read_text("utf-8")
        assert [o for o in item["options"] if not re.search(rf"`{o}`|\?{o}=", readme)] == []


def test_publish_of_another_seed(
    run: Any, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("publish", RUN, "--seed", "1").startswith(f"{RUN}/learned/1 → main: 0 added")
    assert main(["publish", RUN, "--seed", "1", "--store", str(folder)]) == 0
    assert "nothing to publish: branch run_aaaa000001/learned/1 has no lessons" in (
        capsys.readouterr().err
    )


def test_publish_says_what_it_leaves_out(
    run: Any, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert json.loads(run("publish", RUN, "--json"))["left_out"] == {"reflection": 1}
    assert main(["publish", RUN, "--store", str(folder)]) == 0
    assert "left out: 1 reflection; --reflections copies them too" in capsys.readouterr().err
    assert json.loads(run("publish", RUN, "--reflections", "--json"))["left_out"] == {}


def test_episodes_keep_the_names_of_their_instances(run: Any) -> None:
    title, heads, *rows = run("episodes").splitlines()
    assert title.endswith("3 episodes, arm learned, instances toy-v1/train/…")
    assert heads.split()[:3] == ["episode", "seed", "instance"]
    assert [row.split()[2] for row in rows] == ["0"] * 3


def test_names_share_whole_parts_of_their_paths_only() -> None:
    assert shared_place(["toy-v1/train/10", "toy-v1/train/1"]) == "toy-v1/train/"
    assert shared_place(["toy-v1/train/1", "toy-v1/test/1"]) == "toy-v1/"
    assert shared_place(["a/1", "b/1"]) == ""


def test_a_run_whose_process_is_gone_is_interrupted(folder: Path, run: Any) -> None:
    def statuses() -> tuple[str, str, str]:
        listed = json.loads(run("runs", "--json"))["runs"][0]["status"]
        shown = json.loads(run("show", RUN, "--json"))["status"]
        return run("runs").splitlines()[1].split()[1], listed, shown

    with open_store(folder) as store:
        store.update_run(RUN, status="running")
        with store.acquire_lease(BRANCH, RUN):
            assert set(statuses()) == {"running"}
    assert set(statuses()) == {"interrupted"}


def test_publish_while_another_writes_says_so(folder: Path, run: Any) -> None:
    with open_store(folder) as store, store.acquire_lease("main", "somebody"):
        assert LeaseError.__name__ not in run("publish", RUN, code=1)


@pytest.mark.parametrize("command", ["reflections", "behaviors"])
def test_lessons_of_a_task_by_its_scope(command: str, run: Any) -> None:
    assert len(json.loads(run(command, "--scope", SCOPE, "--json"))[command]) == 1
    assert "did you mean: toy-v1" in run(command, "--scope", SCOPE[:-1], code=2)


@pytest.mark.parametrize("identity", ["run_a", "cu_b", "le_", "cr_00000000000000000001"])
def test_show_takes_the_start_of_an_id(identity: str, run: Any) -> None:
    if identity == "le_":
        assert "is not unique; it may be: le_" in run("show", identity, code=2)
    else:
        assert json.loads(run("show", identity, "--json"))["id"].startswith(identity)


def test_show_run_has_its_table(run: Any) -> None:
    out = run("show", "run_aaaa")
    assert "learned  1.00            .00 1.0 " in out
    assert f"branch {BRANCH}: 2 lessons" in out
    assert json.loads(run("show", RUN, "--json"))["result"] == FIGURES


def test_show_run_has_its_arms_in_the_order_of_the_run(run: Any, folder: Path) -> None:
    with open_store(folder) as store:
        record = store.run(RUN)
        assert record.result is not None
        arms = dict.fromkeys(("learned", "none", "retry"), FIGURES["arms"]["learned"])
        config: dict[str, Any] = {**record.config, "arms": ["none", "retry", "learned"]}
        store.update_run(RUN, config=config, result={**record.result, "arms": arms})
    lines = run("show", RUN).splitlines()
    heads = [x.split()[0] for x in lines if x.startswith(("none ", "retry ", "learned "))]
    assert heads == ["none", "retry", "learned"]


def test_show_run_has_its_settings_as_other_faces_do(run: Any, folder: Path) -> None:
    many = {f"key{n}": n for n in range(7)}
    plain = {"arms": ["none"], "learn": True, "start": None, "role": ""}
    config: dict[str, Any] = {**plain, "settings": many}
    with open_store(folder) as store:
        store.update_run(RUN, config=config)
    lines = [line.strip() for line in run("show", RUN).splitlines()]
    settings = ['arms: ["none"]', "learn: true", "start: null", "role: –"]
    assert {*settings, "settings: 7 of them; --json has all"} <= set(lines)


def test_show_branch_says_where_it_stands_and_what_it_started_from(run: Any, folder: Path) -> None:
    with open_store(folder) as store:
        copy = open_lane(store, lane("run_copy"), parent=BRANCH)
    shown = run("show", BRANCH)
    assert f"branch {BRANCH}\n  of {RUN}: toy-v1 · reflexion, arm learned, seed 0\n" in shown
    assert "  scope toy-v1, revision 1: 1 lesson: 1 active\n" in shown
    run("retire", behavior(run), "--branch", BRANCH)
    assert "  scope toy-v1, revision 2: 1 lesson: 1 retired\n" in run("show", BRANCH)
    whence = f"  started from {BRANCH}: toy-v1 at revision 1, toy-v1/train/0 at revision 1\n"
    assert whence in run("show", copy)
    assert "it has no lessons yet" in run("show", "main")
    told = json.loads(run("show", copy, "--json"))
    assert (told["kind"], told["parent"]) == ("branch", BRANCH)
    assert told["scopes"][0] == {"scope": SCOPE, "revision": 1, "lessons": {"active": 1}}


def behavior(run: Any) -> str:
    name: str = json.loads(run("behaviors", "--json"))["behaviors"][0]["id"]
    return name


def test_show_episode_has_trajectory_guidance_and_critiques(run: Any) -> None:
    out = run("show", FAILED.id[:9])
    assert "→ go left  (followed [1])" in out
    assert "← a wall" in out
    assert "accepted" in out
    solved = episode(2, success=True)
    assert "[1] le_x" in run("show", solved.id)


def test_show_lesson_has_its_history(run: Any) -> None:
    identity = json.loads(run("behaviors", "--json"))["behaviors"][0]["id"]
    assert "because seen once" in run("show", identity[:8])
    shown = json.loads(run("show", identity, "--json"))
    assert (shown["kind"], shown["history"][0]["update"]["op"]) == ("lesson", "add")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "cr_0"], "is not unique; it may be: cr_"),
        (["show", "ep_zzz"], "nothing in"),
        (["show", f"{RUN}/learned/7"], f"unknown branch '{RUN}/learned/7'; did you mean: {RUN}"),
        (["show", ""], "an empty text is no id; see `verbalrl runs`"),
        (
            ["behaviors", "--status", "activ"],
            "is not one of 'quarantined', 'provisional', 'active'",
        ),
        (["behaviors", "--scope", "toy"], "unknown scope 'toy'; did you mean: toy-v1"),
        (["reflections", "--scope", "nothere"], "unknown scope 'nothere'; known: toy-v1"),
        (["reflections", "--instance", "9"], "unknown instance '9'; known: toy-v1/train/0"),
        (["critiques", "--instance", "train/9"], "unknown instance 'train/9'"),
        (["episodes", "--instance", "9"], "unknown instance '9'; known: toy-v1/train/0"),
        (["episodes", "--arm", "learnd"], "unknown arm 'learnd'; did you mean: learned"),
        (["episodes", "--seed", "9"], "unknown seed '9'; known: 0, 1"),
        (["episodes", "--run", "run_b"], "unknown run 'run_b'"),
        (["conflicts", "--scope", "toy"], "unknown scope 'toy'"),
        (["export", "--scope", "toy"], "unknown scope 'toy'"),
        (["memory", "audit", "--scope", "toy"], "unknown scope 'toy'"),
        (["behaviors", "--run", "run_x"], "unknown run 'run_x'"),
        (["behaviors", "--branch", "mian"], "did you mean: main"),
        (["behaviors", "--branch", "main", "--run", RUN], "not both"),
        (["episodes", "--branch", "main"], "no episodes ran on branch 'main'"),
        (["publish", RUN, "--arm", "retry"], "unknown branch"),
        (["publish", RUN, "--seed", "9"], "unknown branch"),
        (["resume", RUN], "cannot"),
    ],
)
def test_reader_refuses_in_one_line(arguments: Sequence[str], words: str, run: Any) -> None:
    said = run(*arguments, code=2)
    assert said.startswith("verbalrl: ")
    assert said.count("\n") == 1
    if arguments[0] != "resume":
        assert words in said


@pytest.mark.parametrize("command", ["runs", "episodes", "critiques", "behaviors", "show x"])
def test_store_that_is_not_there_is_not_made(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "none"
    assert main([*command.split(), "--store", str(place)]) == 2
    assert "there is no store in" in capsys.readouterr().err
    assert not place.exists()


def test_store_of_another_kind_is_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "verbalrl.db").write_text("not a database at all, but long enough to look at")
    assert main(["runs", "--store", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_store_comes_from_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VERBALRL_STORE", str(folder))
    assert main(["runs"]) == 0
    assert RUN in capsys.readouterr().out


def test_empty_store_reads_as_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_store(tmp_path, create=True).close()
    assert main(["behaviors", "--store", str(tmp_path)]) == 0
    assert "0 behaviors on branch main" in capsys.readouterr().out
    assert main(["episodes", "--store", str(tmp_path)]) == 2


def test_readers_import_nothing_heavy(folder: Path) -> None:
    code = (
        "import json, sys\nfrom verbalrl.cli import main\n"
        f"for name in ('runs', 'episodes', 'critiques', 'behaviors', 'reflections'):\n"
        f"    assert main([name, '--store', {str(folder)!r}]) == 0\n"
        f"assert main(['show', {RUN!r}, '--store', {str(folder)!r}]) == 0\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert loaded & {"anthropic", "chromadb", "httpx", "numpy", "openai", "rich"} == set()


def test_why_gives_rank_parts_and_reasons(run: Any) -> None:
    out = run("why", SOLVED.id)
    assert "actor: 1 in (9 tokens), 3 left out" in out
    assert "1  injected, volatile: in the prompt; 9 tokens; le_x version 1" in out
    assert "When at a wall: turn" in out
    assert "score 0.400 = bm25 0.500 + diversity -0.100" in out
    assert "2  trust, probability 0.8: untrusted text fills its share already" in out
    assert "and 2 more left out" in out


def test_why_as_json_holds_all_of_it(run: Any) -> None:
    told = json.loads(run("why", SOLVED.id[:12], "--json"))["guidance"]["actor"]
    assert told["left_out"] == 3
    assert told["left_out_not_listed"] == 2
    assert [use["outcome"] for use in told["uses"]] == ["injected", "trust"]
    assert told["uses"][0]["parts"]["bm25"] == 0.5


def test_why_without_lessons_or_episode_says_so(run: Any) -> None:
    assert "no lesson was asked for" in run("why", FAILED.id)
    assert "has the id 'ep_nothing'; see `verbalrl episodes`" in run("why", "ep_nothing", code=2)


def test_a_step_shows_its_reward_and_who_cites_it(run: Any, folder: Path) -> None:
    out = run("show", FAILED.id)
    assert "step 1 ◂ cited" in out
    assert f"◂ {critique(1, FAILED).id}: “a wall” it never turned" in out
    paid = FAILED.trajectory.steps[0].replace(reward=-0.5)
    with open_store(folder) as store:
        body = paid.model_dump_json()
        store._do(lambda c: c.execute("UPDATE steps SET body = ?", (body,)))
    assert "step 1, reward -0.5" in run("show", SOLVED.id)


def test_lists_are_cut_and_say_how_to_go_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["episodes", "--limit", "1", "--offset", "1", "--store", str(folder)]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"run {RUN}: 3 episodes")
    assert len(captured.out.splitlines()) == 3
    assert "rows 2 to 2 of 3; --offset 2 goes on" in captured.err
    assert main(["critiques", "--limit", "2", "--json", "--store", str(folder)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["total"], len(told["critiques"])) == (3, 2)


def test_a_list_that_begins_after_its_end_says_so(run: Any) -> None:
    assert "episodes, none after the first 999" in run("episodes", "--offset", "999")


def test_lists_are_filtered_by_words(run: Any) -> None:
    assert "1 behavior" in run("behaviors", "--match", "TURN wall")
    assert "0 behaviors" in run("behaviors", "--match", "swim")
    assert "1 accepted, 1 refused" in run(
        "critiques", "--match", "it never turned", "--sort", "new"
    )


def test_runs_are_filtered(run: Any, folder: Path) -> None:
    assert RUN in run("runs", "--task", SCOPE, "--sort", "new")
    assert RUN not in run("runs", "--method", "handbook")
