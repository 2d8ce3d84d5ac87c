import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import verbalrl as vrl
from tests.tasks import files
from verbalrl.cli import main
from verbalrl.errors import ConfigurationError, DataError, UnknownNameError
from verbalrl.models import Request, ScriptedModel
from verbalrl.records import Action
from verbalrl.sandbox import run_queries
from verbalrl.tasks import Task, check_task, load_task, play
from verbalrl.tasks.datasets import NAMES
from verbalrl.tasks.datasets.load import KINDS, check_data, read_dataset
from verbalrl.tasks.datasets.math import boxed


def made(kind: str, folder: Path) -> str:
    """A file of `kind` as a reference to a task."""
    if kind == "gsm8k":
        return f"gsm8k:{files.lines(folder / 'gsm.jsonl', files.gsm8k())}"
    if kind.startswith("hotpotqa"):
        rows = files.hotpot(hub="hub" in kind)
        return f"hotpotqa:{files.array(folder / 'hotpot.json', rows)}"
    return f"{kind}:{files.sql_folder(folder / kind, bird=kind == 'bird')}"


def everything(task: Task) -> list[Any]:
    return [i for s in ("train", "test") for i in task.instances(s, 0, 5000)]


@pytest.mark.parametrize(
    ("kind", "count"),
    [("gsm8k", 1000), ("hotpotqa", 100), ("hotpotqa, hub", 100), ("spider", 20), ("bird", 20)],
)
def test_own_solutions_solve_all_and_empty_answers_none(
    kind: str, count: int, tmp_path: Path
) -> None:
    task = load_task(made(kind, tmp_path))
    found = everything(task)
    assert len(found) == count
    for instance in found:
        assert play(task, instance, task.oracle(instance) or _says("")).success is True
        assert play(task, instance, _says("")).success is not True


def _says(text: str) -> Any:
    return lambda _: Action(text=text)


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("gsm8k", 20),
        ("hotpotqa", 20),
        ("spider", 5),
        *(
            pytest.param(kind, count, marks=[pytest.mark.slow, pytest.mark.timeout(600)])
            for kind, count in [("gsm8k", 1000), ("hotpotqa", 100), ("spider", 20)]
        ),
    ],
)
def test_a_scripted_model_runs_them_through_the_loop(kind: str, count: int, tmp_path: Path) -> None:
    task = load_task(made(kind, tmp_path))
    answers = {task.environment(i).reset(0).text: i.answers[0] for i in everything(task)}

    def model(request: Request) -> Mapping[str, Any]:
        text = "\n".join(m.text for m in request.messages)
        shown = text.rsplit("<observation>\n", 1)[1].split("\n</observation>")[0]
        answer = answers[shown]
        return {"action": f"finish[{answer}]" if kind == "hotpotqa" else answer}

    def rate(scripted: Any) -> float:
        agent = vrl.ChatAgent(ScriptedModel(scripted))
        learner = vrl.Learner(agent, method=vrl.methods.reflexion())
        arms = learner.run_sync(task, instances=count, trials=1, arms=("none",)).arms
        assert arms["none"]["episodes"] == count
        return float(arms["none"]["success_rate"])

    assert rate(model) == 1.0
    assert rate(lambda _: {"action": ""}) == 0.0


@pytest.mark.parametrize(
    "kind",
    [
        "hotpotqa",
        pytest.param("spider", marks=pytest.mark.slow),
        pytest.param("bird", marks=pytest.mark.slow),
    ],
)
def test_they_keep_the_contract(kind: str, tmp_path: Path) -> None:
    check_task(load_task(made(kind, tmp_path)))


@pytest.mark.parametrize(
    ("name", "rows", "layout"),
    [
        ("humaneval", files.humaneval(), "prompt with a test"),
        ("mbpp", files.mbpp(), "original"),
        ("mbpp", files.multipl(), "MultiPL-E"),
    ],
)
def test_files_of_programs_are_known_by_their_rows(
    name: str, rows: list[Any], layout: str, tmp_path: Path
) -> None:
    found = check_data(files.lines(tmp_path / "code.jsonl", rows))
    assert (found.kind, len(found.rows), found.rejected) == (name, len(rows), ())
    assert found.layout.startswith(layout)


@pytest.mark.parametrize(
    ("kind", "change", "reason"),
    [
        ("humaneval", {"test": ""}, "no test"),
        ("humaneval", {"test": "def check(candidate):\n    pass"}, "the test asserts nothing"),
        ("humaneval", {"test": "assert True"}, "the test defines no check"),
        ("humaneval", {"canonical_solution": "    return ("}, "the solution is not Python"),
        ("humaneval", {"entry_point": "other"}, "the solution defines no other"),
        ("humaneval", {"task_id": "HumanEval/1"}, "the same id as on an earlier row"),
        ("mbpp", {"test_list": []}, "no tests"),
        ("mbpp", {"test_list": ["times(2)"]}, "the test asserts nothing"),
        (
            "mbpp",
            {"test_list": ["assert other(2)"]},
            "the tests call nothing that the code defines",
        ),
        ("gsm8k", {"answer": "It is 4."}, "no final number after ####"),
        ("gsm8k", {"answer": "#### four"}, "the answer is not a number"),
        ("gsm8k", {"question": " "}, "no question"),
        ("hotpotqa", {"context": []}, "no context"),
        ("hotpotqa", {"answer": "the"}, "the answer has no word that counts"),
        ("hotpotqa", {"context": [["title"]]}, "the context is neither pairs nor titles"),
    ],
)
def test_a_bad_row_is_rejected_with_its_reason(
    kind: str, change: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    rows = {
        "humaneval": files.humaneval(6),
        "mbpp": files.mbpp(6),
        "gsm8k": files.gsm8k(6),
        "hotpotqa": files.hotpot(6),
    }[kind]
    rows[3] |= change
    found = read_dataset(kind, files.lines(tmp_path / "data.jsonl", rows))
    assert len(found.rows) == 5
    assert [(item.line, item.reason[: len(reason)]) for item in found.rejected] == [(4, reason)]


@pytest.mark.parametrize(
    ("row", "question", "answer", "layout"),
    [
        ({"problem": "2+2?", "answer": 4.0}, "2+2?", "4", "problem and answer"),
        ({"Body": "Two", "Question": "How many?", "Answer": 2}, "Two. How many?", "2", "Body"),
        (
            {"problem": "Half?", "solution": "So $\\boxed{\\frac{1}{2}}$."},
            "Half?",
            "\\frac{1}{2}",
            "problem and solution",
        ),
        ({"question": "x?", "final_answer": ["$3$"]}, "x?", "3", "question and final_answer"),
        ({"question": "y?", "answer": "7"}, "y?", "7", "question and answer"),
    ],
)
def test_math_sets_come_in_five_layouts(
    row: dict[str, Any], question: str, answer: str, layout: str, tmp_path: Path
) -> None:
    found = check_data(files.lines(tmp_path / "math.jsonl", [row]))
    assert (found.kind, found.rows[0].text, found.rows[0].answers) == ("math", question, (answer,))
    assert found.layout.startswith(layout)


def test_other_keys_of_a_math_set_are_named(tmp_path: Path) -> None:
    path = files.lines(tmp_path / "own.jsonl", [{"frage": "1+1?", "antwort": "2"}] * 2)
    with pytest.raises(DataError, match="of no known kind"):
        check_data(path)
    task = load_task(f"math:{path}?question=frage&answer=antwort")
    assert task.size("train") == 1
    assert "rows rejected: 1: the same id" in " ".join(task.notes)
    with pytest.raises(UnknownNameError, match="option of math"):
        load_task(f"math:{path}?frage=1")


def test_boxed_answers_may_hold_braces() -> None:
    assert boxed(r"first \boxed{1}, then \boxed{\frac{a}{b}} done") == r"\frac{a}{b}"
    assert boxed(r"\boxed{open") == boxed("none") == ""


def test_numbers_are_equal_however_they_are_written(tmp_path: Path) -> None:
    row = {"question": "How much?", "answer": "#### 2,125"}
    task = load_task(f"gsm8k:{files.lines(tmp_path / 'g.jsonl', [row])}")
    instance = task.instances("train", 0, 1)[0]
    for text in ("2125", "$2125", "2,125.00", "That is #### 2125"):
        assert play(task, instance, _says(text)).success is True
    assert play(task, instance, _says("2124")).success is False


def test_packed_files_and_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "HumanEval.jsonl.gz"
    text = "".join(json.dumps(row) + "\n" for row in files.humaneval(5))
    path.write_bytes(gzip.compress(text.encode()))
    assert len(check_data(path).rows) == 5
    for data in (b"", b"\x1f\x8bbroken", b"[1, 2]", b"[", b"\xff\xfe", b"nothing\n"):
        (tmp_path / "bad.json").write_bytes(data)
        with pytest.raises(DataError) as caught:
            check_data(tmp_path / "bad.json")
        assert "\n" not in str(caught.value)


def test_search_shows_a_paragraph_and_lookup_the_next_sentence(tmp_path: Path) -> None:
    task = load_task(made("hotpotqa", tmp_path))
    instance = next(i for i in everything(task) if i.id.endswith("/q7"))
    environment = task.environment(instance)
    environment.reset(0)

    def see(text: str) -> str:
        return environment.step(Action(text=text)).observation.text.split("\n", 1)[1]

    assert see("lookup[river]") == "No paragraph is open yet."
    assert see("search[Town]").endswith("Similar: Town 7.")
    assert see("Search[town 7]").startswith("Town 7 is a town.")
    assert see("lookup[mayor]") == "(Result 1 of 1) Its mayor is Ada Reed the 7th."
    assert see("lookup[mayor]") == "No more sentence of it holds these words."
    half = environment.step(Action(text="finish[Ada Reed]"))
    assert (half.success, half.reward, half.terminated) == (False, 0.0, True)
    assert 0.5 < half.components["f1"] < 1


def test_gold_queries_that_cannot_judge_are_rejected_and_counted(tmp_path: Path) -> None:
    folder = files.sql_folder(tmp_path / "spider")
    rows = json.loads((folder / "dev.json").read_text())
    rows[0]["query"] = "select name from nowhere"
    rows[1]["query"] = "select name from member where age > 500"
    rows[2]["db_id"] = "no_such"
    rows[3]["db_id"] = "../spider"
    rows[4]["query"] = "insert into member values ('x', 1, 'y')"
    files.array(folder / "dev.json", rows)
    found = check_data(folder)
    reasons = {item.line: item.reason for item in found.rejected}
    assert len(found.rows) == 15
    assert reasons[1].startswith("the gold query fails: no such table")
    assert reasons[2].startswith("the gold query returns nothing")
    assert reasons[3] == "no database no_such"
    assert reasons[4] == "the database is outside the folder"
    assert reasons[5] == "the gold query fails: not authorized"
    assert "database club_1: 3 of 4 gold queries can be used" in found.notes


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("delete from member", "not authorized"),
        ("attach database '/tmp/other.sqlite' as o", "not authorized"),
        ("pragma table_info(member)", "not authorized"),
        ("select load_extension('x')", "not authorized"),
        ("select 1; select 2", "one statement"),
        ("with recursive n(i) as (select 1 union all select i + 1 from n) select i from n", "rows"),
        (
            "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n",
            "stopped after",
        ),
        ("select zeroblob(900000000)", "too big"),
        # Within one call of a function no time is looked at, so its size has to be bounded.
        ("select length(printf('%.*c', 2000000000, 'x'))", "stopped after 0.5 s"),
        ("select replace(hex(zeroblob(5000000)), '0', 'abc')", "too big"),
        ("vacuum into '/tmp/other.sqlite'", "authorization denied"),
        ("create temp table t(a)", "not authorized"),
        ("select writefile('/tmp/other', 'x')", "no such function"),
        ("select", "incomplete input"),
    ],
)
def test_hostile_queries_end_with_a_reason(query: str, error: str, tmp_path: Path) -> None:
    folder = files.sql_folder(tmp_path / "s", databases=1)
    database = folder / "database" / "club_0" / "club_0.sqlite"
    before = database.read_bytes()
    answer = run_queries(database, [query], seconds=0.5)[0]
    assert error in answer.error
    assert answer.rows == ()
    assert database.read_bytes() == before


def test_a_query_that_is_stopped_costs_the_others_nothing(tmp_path: Path) -> None:
    endless = "select length(printf('%.*c', 2000000000, 'x'))"
    found = run_queries(None, ["select 1", endless, "select 2"], 0.5, script="create table a(b)")
    assert [answer.rows for answer in found] == [((1,),), (), ((2,),)]
    assert found[1].error == "stopped after 0.5 s"


def test_order_counts_where_the_gold_query_orders(tmp_path: Path) -> None:
    task = load_task(made("spider", tmp_path))
    found = {i.answers[0]: i for i in everything(task)}
    ordered = found["select name from member order by age desc"]
    assert play(task, ordered, _says("select name from member order by age")).success is False
    free = found["select name from member where city = 'Graz'"]
    other = "```sql\nselect name from member where city = 'Graz' order by name desc;\n```"
    assert play(task, free, _says(other)).success is True


def test_partial_rewards_of_queries(tmp_path: Path) -> None:
    folder = files.sql_folder(tmp_path / "s", databases=1)
    query = "select name, age from member where city = 'Graz'"
    for reward, expected in (("strict", 2 / 3), ("paverl", 1.0)):
        task = load_task(f"spider:{folder}?reward={reward}")
        instance = next(i for i in everything(task) if "Graz" in i.answers[0])
        played = play(task, instance, _says(query))
        assert (played.success, played.ended) == (False, True)
        assert played.steps[0].reward == pytest.approx(expected)
    with pytest.raises(ConfigurationError, match="strict or paverl"):
        load_task(f"spider:{folder}?reward=kind")


def test_data_check_says_what_a_file_is_and_what_of_it_is_no_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = files.gsm8k(30)
    rows[4]["answer"] = "no number"
    path = files.lines(tmp_path / "train.jsonl", rows)
    assert main(["data", "check", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["usable"], found["rejected"]) == ("gsm8k", 29, 1)
    assert found["reasons"] == {"no final number after ####": 1}
    assert found["task"] == f"gsm8k:{path}"
    assert main(["data", "check", str(path)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "rows rejected: 1: no final number after #### (line 5)" in out
    assert main(["data", "check", str(path), "--as", "hotpotqa"]) == 2
    error = capsys.readouterr().err
    assert "no usable row of hotpotqa" in error
    assert error.count("\n") == 1


def test_data_check_reads_files_of_ones_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"question": "Red?", "answer": "yes", "choices": ["yes", "no"]}
    path = files.lines(tmp_path / "own.jsonl", [row])
    for how in ([], ["--as", "questions"]):
        assert main(["data", "check", str(path), *how, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["kind"], found["task"]) == ("questions", str(path))
    assert main(["data", "check", str(tmp_path / "none.jsonl")]) == 2
    assert "no such file" in capsys.readouterr().err


def test_the_names_of_kinds_are_the_kinds() -> None:
    assert tuple(KINDS) == NAMES
