"""Inspect as it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.environments.playing import say
from verbalrl import Guidance, Instance, serve
from verbalrl.errors import ConfigurationError, DataError, UnknownNameError
from verbalrl.integrations import load_task
from verbalrl.integrations.inspect_bridge import EPISODE, as_solver, mark_of
from verbalrl.records import Origin
from verbalrl.tasks import check_task, play, random_policy

inspect_ai: Any = pytest.importorskip("inspect_ai", reason="inspect-ai is not installed")

TASKS = """
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser
from inspect_ai.scorer import Score, choice, includes, match, mean, scorer
from inspect_ai.solver import generate, multiple_choice


@task
def sums(limit: int = 20):
    numbers = range(1, limit + 1)
    rows = [Sample(input=f"What is {i} + {i}?", target=str(i + i), id=i) for i in numbers]
    return Task(dataset=rows, solver=generate(), scorer=match())


@task
def animals():
    rows = [
        Sample(input=f"Which is a bird, {n}?", choices=["cat", "owl", "ant"], target="B")
        for n in range(12)
    ]
    return Task(dataset=rows, solver=multiple_choice(), scorer=choice())


@scorer(metrics=[mean()])
def half():
    async def score(state, target):
        if not state.output.completion:
            raise RuntimeError("nothing to score")
        return Score(value=0.5, explanation=f"The target is {target.text}.")
    return score


@task
def talks():
    turns = [ChatMessageSystem(content="Be short."), ChatMessageUser(content="Name a colour.")]
    return Task(dataset=[Sample(input=turns, target="red") for _ in range(6)], scorer=half())


@task
def boxed():
    return Task(dataset=[Sample(input="x", target="y")], scorer=includes(), sandbox="local")


@task
def bare():
    return Task(dataset=[Sample(input="x", target="y")])


def no_task():
    return None
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(TASKS, encoding="utf-8")
    return path


def load(file: Path, name: str) -> Any:
    return load_task(f"inspect:{file}@{name}", trust_code=True)


@pytest.mark.parametrize("name", ["sums", "animals", "talks", "sums?limit=9"])
def test_contract_and_five_episodes(file: Path, name: str) -> None:
    task = load(file, name)
    if name != "talks":
        check_task(task)
    assert (task.id, task.learns) == (f"own-{name}", "both")
    assert task.observations is Origin.TASK
    again = load_task(task.ref, trust_code=True)
    assert again.sha == task.sha
    instances = (*task.instances("train", 0, 5), *task.instances("test", 0, 1))
    for instance in instances[:5]:
        first, second = (play(task, instance, say("owl"), 3) for _ in range(2))
        assert first == second
        assert first.ended
    assert again.instances("train", 0, 5) == task.instances("train", 0, 5)


def test_samples_are_divided_and_scored(file: Path) -> None:
    task = load(file, "sums")
    assert (task.size("train"), task.size("test")) == (14, 6)
    instance = task.instances("train", 0, 1)[0]
    right = play(task, instance, say(instance.answers[0])).results[-1]
    assert (right.success, right.reward, right.feedback) == (True, 1.0, "Right.")
    wrong = play(task, instance, say("0")).results[-1]
    assert (wrong.success, wrong.reward, wrong.terminated) == (False, 0.0, True)


def test_choices_are_actions(file: Path) -> None:
    task = load(file, "animals")
    instance = task.instances("test", 0, 1)[0]
    assert instance.answers == ("owl",)
    for text, success in (("owl", True), ("B", True), ("(b)", True), ("cat", False), ("", False)):
        played = play(task, instance, say(text))
        assert played.steps[0].observation.actions == ("cat", "owl", "ant")
        assert played.success is success
    assert play(task, instance, random_policy(3)).success in (True, False)


def test_part_of_the_marks_is_no_success_and_no_target_is_told(file: Path) -> None:
    task = load(file, "talks")
    instance = task.instances("train", 0, 1)[0]
    played = play(task, instance, say("blue"))
    assert played.steps[0].observation.text == "system: Be short.\n\nuser: Name a colour."
    assert (played.success, played.results[-1].reward) == (False, 0.5)
    assert played.results[-1].feedback == "Not right."
    assert task.oracle(instance) is None


@pytest.mark.parametrize(
    ("value", "mark"),
    [
        ("C", 1.0),
        ("P", 0.5),
        ("I", 0.0),
        ("N", 0.0),
        (True, 1.0),
        (0.25, 0.25),
        ("0.5", 0.5),
        (float("nan"), None),
        ("fine", None),
        ({"a": 1}, None),
    ],
)
def test_marks(value: Any, mark: float | None) -> None:
    assert mark_of(value) == mark


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("sumz", UnknownNameError, "did you mean: sums"),
        ("no_task", UnknownNameError, "unknown task of own.py"),
        ("sums?limits=3", ConfigurationError, "limits"),
        ("boxed", ConfigurationError, "needs a sandbox"),
        ("bare", DataError, "has no scorer"),
        ("sums?limit=0", ConfigurationError, "has no samples"),
    ],
)
def test_what_cannot_work_is_one_line(
    file: Path, name: str, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said) as caught:
        load(file, name)
    assert "\n" not in str(caught.value)


def test_python_of_a_file_needs_trust(file: Path) -> None:
    file.write_text("raise RuntimeError('ran')", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="--trust-code"):
        load_task(f"inspect:{file}@sums")
    with pytest.raises(ConfigurationError, match="RuntimeError: ran"):
        load(file, "sums")
    with pytest.raises(DataError, match="no such file"):
        load_task("inspect:nowhere.py@sums", trust_code=True)


def test_our_agent_solves_with_its_memory(file: Path, tmp_path: Path) -> None:
    seen: list[tuple[str, tuple[str, ...] | None]] = []

    def agent(instance: Instance, guidance: Guidance) -> str:
        seen.append((guidance.text, instance.actions))
        return "owl" if "feathers" in guidance.text else "cat"

    with serve(tmp_path / "store", "birds", gate="none", strict=True) as coach:
        samples = evaluated(file, tmp_path, as_solver(agent, coach)).samples
        assert {sample.scores["choice"].value for sample in samples} == {"I"}
        ids = {sample.metadata[EPISODE] for sample in samples}
        assert len(ids) == 12
        for name in ids:
            assert (
                coach.feedback(name, success=False, text="that is no bird", source="inspect") == 1
            )
        episode = coach.store.episode(next(iter(ids)))
        assert episode is not None
        assert episode.trajectory.steps[0].action.text == "cat"
    assert {actions for _, actions in seen} == {("cat", "owl", "ant")}


def test_an_agent_without_a_coach_answers_too(file: Path, tmp_path: Path) -> None:
    log = evaluated(file, tmp_path, as_solver(lambda situation: "owl"))
    assert {sample.scores["choice"].value for sample in log.samples} == {"C"}


def evaluated(file: Path, folder: Path, solver: Any) -> Any:
    logs = inspect_ai.eval(
        f"{file}@animals",
        model="mockllm/model",
        solver=solver,
        log_dir=str(folder / "logs"),
        display="none",
    )
    assert logs[0].status == "success", logs[0].error
    return logs[0]


def test_a_folder_with_the_sign_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "me@home"
    folder.mkdir()
    (folder / "sums.py").write_text(TASKS, encoding="utf-8")
    task = load_task(f"inspect:{folder / 'sums.py'}@sums", trust_code=True)
    assert load_task(task.ref, trust_code=True).id == task.id
