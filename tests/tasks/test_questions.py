import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verbalrl.errors import DataError
from verbalrl.records import Action, Origin, RewardSupplier, StepResult
from verbalrl.tasks import WorldTask, check_task, load_task, play, random_policy
from verbalrl.tasks.questions import load_questions

CAPITAL = {"question": "What is the capital of France?", "answer": "Paris"}


def write(path: Path, *rows: object) -> Path:
    file = path / "questions.jsonl"
    text = "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows)
    file.write_text(text, encoding="utf-8")
    return file


def hundred(path: Path) -> Path:
    rows = [{"question": f"What is {n} plus {n}?", "answer": 2 * n} for n in range(100)]
    return write(path, *rows)


def step(task: WorldTask, text: str, index: int = 0) -> StepResult:
    instances = (*task.instances("train", 0, 999), *task.instances("test", 0, 999))
    environment = task.environment(instances[index])
    environment.reset(0)
    return environment.step(Action(text=text))


def reasons(path: Path) -> str:
    return load_task(path).notes[-1]


def test_a_file_of_questions_is_a_task(tmp_path: Path) -> None:
    task = load_task(hundred(tmp_path))
    check_task(task)
    assert (task.id, task.learns, task.max_steps) == ("questions", "both", 1)
    assert task.observations is Origin.TASK
    assert task.reward_supplier is RewardSupplier.CHECK
    train, test = task.size("train"), task.size("test")
    assert train is not None
    assert test is not None
    assert train + test == 100 == task.default_instances
    assert 60 <= train <= 80
    assert task.notes == (
        f"questions.jsonl: 100 rows, {train} train, {test} test "
        "(divided 70/30 by a hash of the id)",
        "scored by numeric 100",
    )


def test_untrusted_is_only_a_matter_of_saying_so(tmp_path: Path) -> None:
    file = hundred(tmp_path)
    assert load_task(file, untrusted=True).observations is Origin.UNTRUSTED
    assert load_questions(file, untrusted=True).observations is Origin.UNTRUSTED


def test_the_division_is_stable_when_rows_come_or_move(tmp_path: Path) -> None:
    rows = [{"question": f"Question {n}?", "answer": "yes"} for n in range(50)]
    before = load_task(write(tmp_path, *rows))
    after = load_task(write(tmp_path, {"question": "New?", "answer": "no"}, *reversed(rows)))
    for split in ("train", "test"):
        old = {i.id for i in before.instances(split, 0, 99)}
        assert old <= {i.id for i in after.instances(split, 0, 99)}
    assert before.sha != after.sha


def test_declared_splits_and_ids_are_kept(tmp_path: Path) -> None:
    rows = [{**CAPITAL, "id": 7, "split": "test"}, {**CAPITAL, "id": "b", "split": "train"}]
    task = load_task(write(tmp_path, *rows))
    assert [i.id for i in task.instances("test")] == ["questions/7"]
    assert [i.id for i in task.instances("train")] == ["questions/b"]
    assert "as the rows say" in task.notes[0]


@pytest.mark.parametrize("count", [2, 3, 4])
def test_neither_side_of_a_small_file_is_empty(tmp_path: Path, count: int) -> None:
    for variant in range(12):
        rows = [{"question": f"{variant} {n}?", "answer": "x"} for n in range(count)]
        task = load_task(write(tmp_path, *rows))
        assert 0 < (task.size("train") or 0) < count


def test_one_row_is_a_train_row(tmp_path: Path) -> None:
    task = load_task(write(tmp_path, CAPITAL))
    assert (task.size("train"), task.size("test")) == (1, 0)


def test_feedback_says_right_or_wrong_and_never_the_answer(tmp_path: Path) -> None:
    task = load_task(write(tmp_path, CAPITAL))
    right, wrong, empty = (step(task, text) for text in ("paris", "Rome", ""))
    assert (right.feedback, right.success, right.reward) == ("Correct.", True, 1.0)
    assert (wrong.feedback, wrong.success, wrong.reward) == ("Wrong.", False, 0.0)
    assert empty.feedback == "Wrong: the answer is empty."
    assert right.terminated
    assert wrong.terminated


@pytest.mark.parametrize(
    ("choices", "answer"),
    [
        (["right", "wrong"], "right"),
        (["correct", "not correct", "wrong"], "wrong"),
        (["a", "b"], "a"),
    ],
)
def test_feedback_names_no_choice(tmp_path: Path, choices: list[str], answer: str) -> None:
    row = {"question": "Is it so?", "choices": choices, "answer": answer}
    task = load_task(write(tmp_path, row))
    check_task(task)
    instance = task.instances("train")[0]
    assert task.environment(instance).reset(0).actions == tuple(choices)
    for text in (*choices, "something else"):
        said = f" {step(task, text).feedback.lower().strip('.')} "
        assert not any(f" {choice} " in said for choice in choices)


def test_a_list_of_answers_and_a_scorer_of_its_own(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"question": "Name a primary colour.", "answer": ["red", "blue"], "id": "a"},
        {"question": "Which agent?", "answer": "007", "scorer": "numeric", "id": "b"},
        {"question": "Which word?", "answer": "/colou?r/i", "id": "c"},
    ]
    task = load_task(write(tmp_path, *(row | {"split": "train"} for row in rows)))
    assert "exact 1, numeric 1, regex 1" in task.notes[1]
    assert [step(task, t, 0).success for t in ("red", "Blue", "green")] == [True, True, False]
    assert step(task, "7", 1).success
    assert step(task, "Color", 2).success
    assert task.oracle(task.instances("train")[2]) is None


def test_execute_tells_how_an_answer_is_read(tmp_path: Path) -> None:
    task = load_task(hundred(tmp_path))
    environment = task.environment(task.instances("train")[0])
    assert environment.execute(Action(text="it is 3")) == "It would be read as the number 3."  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"answer": "x"}, "no question (line 11)"),
        ({"question": " ", "answer": "x"}, "no question: its text is empty"),
        ({"question": 5, "answer": "x"}, "the question is a number; give a text in quotes"),
        ({"question": ["q"], "answer": "x"}, "the question is a list; give a text in quotes"),
        ({"question": True, "answer": "x"}, "the question is true or false; give a text"),
        ({"question": "q"}, "no answer"),
        ({"question": "q", "answer": None}, "no answer"),
        ({"question": "q", "answer": []}, "no answer"),
        ({"question": "q", "answer": ["x", ""]}, "no answer"),
        ({"question": "q", "answer": {"a": 1}}, "no answer: an object is neither a text nor a n"),
        ({"question": "q", "answer": [["x"]]}, "no answer: a list is neither a text nor a num"),
        ({"question": "q", "answer": " .. "}, "the answer is empty"),
        ({"question": "q", "answer": "x", "split": "dev"}, "split"),
        ({"question": "q", "answer": "x", "id": [1]}, "id is neither"),
        ({"question": "q", "answer": "x", "scorer": "judge"}, "scorer is none of exact"),
        ({"question": "q", "answer": "x", "scorer": ["exact"]}, "scorer is none of exact"),
        ({"question": "q", "answer": "x", "scorer": "numeric"}, "no number"),
        ({"question": "q", "answer": "x", "scorer": "regex"}, "between slashes"),
        ({"question": "q", "answer": "/(a+)+/"}, "repeats a repeat"),
        ({"question": "q", "answer": "/(/"}, "does not compile"),
        ({"question": "q", "answer": "x", "choices": ["y", "z"]}, "not among the choices"),
        ({"question": "q", "answer": "x", "choices": ["x", "X."]}, "two different"),
        ({"question": "q", "answer": "x", "choices": "x or y"}, "two different"),
        ({"question": "q", "answer": "x", "choices": []}, "no choices"),
        ({"question": "Question 3?", "answer": "y"}, "as on an earlier line"),
        ('{"question": "q", "answer": NaN}\n', "NaN is not JSON"),
        ('{"question": "q", "answer": "\\ud800"}\n', "not valid Unicode"),
        ('["q", "a"]\n', "not a JSON object"),
        ("[" * 100_000 + "\n", "not JSON"),
        ("oops\n", "not JSON"),
    ],
)
def test_unusable_rows_are_counted_with_the_reason(
    tmp_path: Path, row: object, reason: str
) -> None:
    good = [{"question": f"Question {n}?", "answer": "x"} for n in range(10)]
    note = reasons(write(tmp_path, *good, row))
    assert note.startswith("rows rejected: 1: ")
    assert reason in note
    assert "line 11" in note
    assert "\n" not in note


def test_a_key_that_looks_like_one_that_is_read_is_told(tmp_path: Path) -> None:
    row = {"question": "Which?", "answer": "x", "choises": ["x", "y"]}
    others = {"question": "Who?", "answer": "x", "idx": 1, "level": 2, "Answer": "y"}
    note = reasons(write(tmp_path, CAPITAL, row, others, row | {"question": "What?"}))
    assert note == "keys that nothing reads: 'choises', did you mean choices? (lines 2, 4)"


def test_rows_that_ask_the_same_with_other_answers_are_told(tmp_path: Path) -> None:
    first = {"id": "a", "question": "Which?", "answer": "x"}
    same = {"id": "b", "question": "Which?", "answer": "x"}
    note = reasons(write(tmp_path, first, same))
    assert note.startswith("scored by")
    note = reasons(write(tmp_path, first, same, first | {"id": "c", "answer": "y"}))
    assert note == "rows that ask the same, with other answers: a and b and c"


def test_many_rejected_rows_stay_one_line(tmp_path: Path) -> None:
    note = reasons(write(tmp_path, CAPITAL, *({"question": f"{n}?"} for n in range(9))))
    assert note == "rows rejected: 9: no answer (lines 2, 3, 4, 5, 6 and 4 more)"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b"{'question': 'q'}\n", "not JSON lines"),
        (b'{"question": "q", "answer": "a"}\n' * 3 + b"oops\n", "1 of 4 lines"),
        (b'{"prompt": "q"}\n', "no usable row: no question"),
        (b'[{"question": "q", "answer": "a"}]', "not a JSON object"),
        (b"\x00\x01\x02", "not JSON lines"),
    ],
)
def test_unusable_files_are_one_clear_line(tmp_path: Path, content: bytes, found: str) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_bytes(content)
    with pytest.raises(DataError, match=found) as caught:
        load_task(file)
    assert "questions.jsonl" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        load_task(tmp_path / "none.jsonl")
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(DataError, match="folder"):
        load_task(tmp_path / "folder.jsonl")


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(CAPITAL).encode() + b"\r\n")
    assert load_task(file).size("train") == 1


def test_line_separators_inside_a_text_do_not_end_the_line(tmp_path: Path) -> None:
    file = write(tmp_path, json.dumps({"question": "a\u2028b?", "answer": "x"}, ensure_ascii=False))
    assert load_task(file).size("train") == 1


def test_random_policy_on_open_questions_fails_in_peace(tmp_path: Path) -> None:
    task = load_task(hundred(tmp_path))
    assert play(task, task.instances("train")[0], random_policy()).success is False


@given(st.text(max_size=80), st.text(max_size=80), st.lists(st.text(max_size=9), max_size=4))
def test_any_row_is_used_or_rejected_and_never_raises(
    tmp_path_factory: pytest.TempPathFactory, question: str, answer: str, choices: list[str]
) -> None:
    row = {"question": question, "answer": answer, "choices": choices or None}
    file = write(tmp_path_factory.mktemp("rows"), CAPITAL, row)
    task = load_task(file)
    for instance in (*task.instances("train", 0, 9), *task.instances("test", 0, 9)):
        policy = task.oracle(instance)
        if policy is not None:
            assert play(task, instance, policy).success
        assert not play(task, instance, lambda _: Action(text="surely not this")).success
