import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import verbalrl as vrl
from tools.docs import blocks
from verbalrl.errors import ConfigurationError
from verbalrl.tasks import Task, play

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "tasks.md").read_text("utf-8")
SECTION = DOCS.split("## A task of your own\n")[1].split("\n## ")[0]
DOORS = ("open the red door", "open the blue door")
ROWS: list[dict[str, Any]] = [{"id": f"n{n}", "way": [DOORS[n % 2], DOORS[0]]} for n in range(9)]


def house(row: Any) -> Any:
    said = ""
    for room, door in enumerate(row["way"], 1):
        seen = vrl.Observation(text=f"This is room {room}.", actions=DOORS)
        taken = yield (seen, said) if said else seen
        if taken != door:
            return False, "Wrong: that was a trap."
        said = "You come into another room."
    return True, "You are out: a success."


def says(*texts: str) -> Any:
    return lambda situation: vrl.Action(text=texts[len(situation.history)])


def test_ten_lines_of_the_docs_are_a_task(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
    body = [line for line in code.splitlines() if line and "import" not in line]
    assert len(body[:-2]) <= 10
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "learned" in done.stdout


@pytest.mark.slow
def test_the_folder_of_the_docs_is_checked_and_run(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", "".join(b.text for b in blocks(SECTION) if b.mark == "sh")],
        cwd=ROOT,
        env={**os.environ, "PATH": path, "VERBALRL_STORE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "doors-v1" in done.stdout


def test_rows_and_a_function_are_a_task_that_keeps_the_contract() -> None:
    task = vrl.task("house-v1", ROWS, house, goal="Get out.", max_steps=3)
    assert isinstance(task, Task)
    vrl.check_task(task, instances=9)
    assert (task.size("train") or 0) + (task.size("test") or 0) == 9
    instance = next(i for i in task.instances("train") if i.id.endswith("n0"))
    played = play(task, instance, says(DOORS[0], DOORS[0]))
    assert (played.success, played.ended) == (True, True)
    feedback = ["You come into another room.", "You are out: a success."]
    assert [s.feedback for s in played.steps] == feedback
    lost = play(task, instance, says(DOORS[1]))
    assert (lost.success, lost.steps[-1].reward) == (False, 0.0)


def test_what_decides_a_task_decides_its_hash() -> None:
    def other(row: Any) -> Any:
        yield "Nothing."
        return False

    made = [
        vrl.task("house-v1", rows, episode, max_steps=steps).sha
        for rows, episode, steps in (
            (ROWS, house, 3),
            (ROWS, house, 3),
            (ROWS[1:], house, 3),
            (ROWS, other, 3),
            (ROWS, house, 4),
        )
    ]
    assert made[0] == made[1]
    assert len(set(made)) == 4


def test_splits_may_be_said_and_texts_take_any_answer() -> None:
    def ask(row: Any) -> Any:
        said = yield row["question"]
        return said == row["answer"]

    rows = [
        {"question": "1 + 1?", "answer": "2", "split": "test", "goal": "Add."},
        {"question": "2 + 2?", "answer": "4", "split": "train"},
    ]
    task = vrl.task("sum-v1", rows, ask, learns="shared")
    (test,), (train,) = task.instances("test"), task.instances("train")
    assert (test.goal, train.goal) == ("Add.", "Do what is wanted.")
    assert play(task, test, says("2")).success is True
    assert play(task, test, says("3")).success is False


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": []}, "there are no rows"),
        ({"rows": [{"id": "a"}, {"id": "a"}]}, "'a' stands on more than one row"),
        ({"rows": [{"split": "dev"}]}, "split is 'dev'"),
        ({"rows": [7]}, "a mapping is wanted"),
        ({"rows": [{"x": object()}]}, "row 0: data"),
        ({"episode": len}, "no function that yields"),
        ({"learns": "all"}, "learns"),
        ({"name": 3}, "a name is wanted"),
    ],
)
def test_what_cannot_work_is_one_line(change: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {"name": "house-v1", "rows": ROWS, "episode": house, **change}
    with pytest.raises(ConfigurationError) as caught:
        vrl.task(**given)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
