import shutil
from pathlib import Path

import pytest

from verbalrl import integrations
from verbalrl.errors import ConfigurationError, DataError, UnknownNameError, VerbalRLError
from verbalrl.records import Origin, Split
from verbalrl.tasks import FolderTask, Task, check_task, known_tasks, load_task, play, random_policy
from verbalrl.tasks.folder import HEADINGS

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "my_task"
SPLITS: tuple[Split, Split] = ("train", "test")

QUESTIONS = """
id = "quiz-v1"
summary = "A quiz."
learns = "both"
environment = "questions"
[success]
means = "The answer is right."
"""


def folder(path: Path, toml: str, rows: str = "") -> Path:
    (path / "task.toml").write_text(toml)
    (path / "instances.jsonl").write_text(rows or '{"question": "q?", "answer": "a"}\n')
    return path


def one_line(error: pytest.ExceptionInfo[VerbalRLError]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_built_in_tasks_are_tasks() -> None:
    assert known_tasks() == (
        "arithmetic-v1",
        "car-dealer-v1",
        "clarify-v1",
        "codefix-v1",
        "gridnav-v1",
        "household-v1",
        "portfolio-v1",
        "scoped-style-v1",
        "text2sql-v1",
        "trading-v1",
        "triage-v1",
        "twenty-questions-v1",
        "wordle-v1",
    )
    for name in known_tasks():
        task: Task = load_task(name)
        assert isinstance(task, Task)
        assert isinstance(task, FolderTask)
        assert (task.id, task.ref) == (name, name)
        assert task.inline is (name not in ("codefix-v1", "portfolio-v1", "text2sql-v1"))
        assert task.observations is Origin.TASK
        assert task.success_means


@pytest.mark.parametrize("place", [*(ROOT / "tasks").glob("*"), EXAMPLE], ids=lambda p: p.name)
def test_readmes_have_the_fixed_headings(place: Path) -> None:
    lines = (place / "README.md").read_text().splitlines()
    assert tuple(x[3:] for x in lines if x.startswith("## ")) == HEADINGS


@pytest.mark.parametrize("name", known_tasks())
def test_instances_depend_on_task_seed_split_and_index_alone(name: str) -> None:
    for split in SPLITS:
        instances = load_task(name).instances(split, 0, 12)
        assert load_task(name).instances(split, 5, 12) == instances[5:]
        other = load_task(name, task_seed=1).instances(split, 0, 12)
        assert not {i.id for i in instances} & {i.id for i in other}
        assert [i.data for i in instances] != [i.data for i in other]
    assert load_task(name).instances("train", 0, 5) != load_task(name).instances("test", 0, 5)


def test_sha_follows_settings_and_nothing_else() -> None:
    plain = load_task("gridnav-v1")
    assert plain.sha == load_task("gridnav-v1").sha
    assert plain.sha == load_task("gridnav-v1?pits=3").sha
    others = [
        load_task("gridnav-v1", task_seed=1),
        load_task("gridnav-v1", untrusted=True),
        load_task("gridnav-v1?pits=4"),
    ]
    assert len({plain.sha, *(task.sha for task in others)}) == 4


def test_ref_loads_the_same_task_again(tmp_path: Path) -> None:
    refs = ["gridnav-v1", "triage-v1?rule=2&overrides=2", str(folder(tmp_path, QUESTIONS))]
    for ref in refs:
        task = load_task(ref)
        again = load_task(task.ref)
        assert (again.id, again.sha, again.ref) == (task.id, task.sha, task.ref)
        assert again.instances("train", 0, 1) == task.instances("train", 0, 1)


def test_options_stand_in_the_id_only_where_they_change_something() -> None:
    assert load_task("gridnav-v1?pits=3").id == "gridnav-v1"
    assert load_task("gridnav-v1?pits=4&hint=false").id == "gridnav-v1?hint=false&pits=4"


@pytest.mark.parametrize("load", [load_task, integrations.load_task])
@pytest.mark.parametrize(
    ("ref", "kind", "found"),
    [
        ("gridnav", UnknownNameError, "did you mean: gridnav-v1"),
        ("gridnaw-v1", UnknownNameError, "did you mean: gridnav-v1"),
        ("zzz", UnknownNameError, "known: arithmetic-v1, car-dealer-v1"),
        ("zzz", UnknownNameError, "twenty-questions-v1, wordle-v1; a task is"),
        ("", UnknownNameError, "unknown task"),
        ("gridnav-v1?pits=400", ConfigurationError, r"^gridnav-v1\?pits=400: 400 pits do not"),
        ("gridnav-v1?pit=4", UnknownNameError, "did you mean: pits"),
        ("gridnav-v1?pits", ConfigurationError, "name=value"),
        ("gridnav-v1?", None, ""),
        ("./nowhere", DataError, "no such file or folder"),
        ("nowhere/at/all", DataError, "no such file or folder"),
        ("nowhere.jsonl", DataError, "No such file"),
        ("pyproject.toml", DataError, r"only \.jsonl"),
        ("tests", DataError, "no task.toml"),
        ("x" * 300, UnknownNameError, "unknown task"),
        ("gsm8k:" + "x" * 300, DataError, "no such file or folder"),
    ],
)
def test_references(load: object, ref: str, kind: type[Exception] | None, found: str) -> None:
    assert callable(load)
    if kind is None:
        load(ref)
        return
    with pytest.raises(kind, match=found) as caught:
        load(ref)
    assert "\n" not in str(caught.value)


def test_untrusted_folder(tmp_path: Path) -> None:
    assert load_task("gridnav-v1", untrusted=True).observations is Origin.UNTRUSTED
    # A folder from outside vouches for nothing unless it says so.
    assert load_task(folder(tmp_path, QUESTIONS)).observations is Origin.UNTRUSTED


def test_folder_of_questions_needs_no_trust(tmp_path: Path) -> None:
    rows = "".join(f'{{"question": "q{n}?", "answer": "a"}}\n' for n in range(20))
    task = load_task(folder(tmp_path, QUESTIONS, rows))
    check_task(task)
    assert (task.id, task.max_steps, task.default_instances) == ("quiz-v1", 1, 20)
    assert task.default_train == task.size("train")
    assert "20 rows" in task.notes[0]


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ('"quiz-v1"', '"quiz"', "id: give a text like"),
        ('"both"', '"nothing"', "learns: give 'instance', 'shared' or 'both', not 'nothing'"),
        ('summary = "A quiz."', "", "summary: missing; give it"),
        ("[success]", "sucess = 1\n[success]", "sucess: unknown; take it out"),
        ("[success]", "[limits]\nmax_steps = 0\n[success]", "limits.max_steps"),
        ("[success]", "[args]\nfile = '../../etc/passwd'\n[success]", "outside the task folder"),
        ("[success]", "[args]\nfiles = 'x'\n[success]", "no argument 'files'"),
        ('"questions"', '"question"', "did you mean: questions"),
        ('"questions"', '"os:system"', "--trust-code"),
        ('"questions"', '"../x:Y"', "module:Class"),
        ("[success]", "[success", "not a TOML file"),
    ],
)
def test_broken_task_files_are_one_line(tmp_path: Path, old: str, new: str, found: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_task(folder(tmp_path, QUESTIONS.replace(old, new)))
    assert found in one_line(caught)


def test_task_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "task.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="not a TOML file"):
        load_task(tmp_path)


def test_own_python_runs_only_when_trusted(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    toml = QUESTIONS.replace('"questions"', '"evil:Evil"') + "[limits]\nmax_steps = 1\n"
    place = folder(tmp_path, toml, '{"id": "a", "goal": "g"}\n')
    (place / "evil.py").write_text(f"open({str(mark)!r}, 'w').close()\nclass Evil: ...\n")
    with pytest.raises(ConfigurationError, match="--trust-code") as caught:
        load_task(place)
    one_line(caught)
    assert not mark.exists()
    load_task(place, trust_code=True)
    assert mark.exists()


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import no_such_module_at_all", "ModuleNotFoundError"),
        ("def f(:", "SyntaxError"),
        ("1/0", "ZeroDivisionError"),
        ("x = 1", "there is no class 'Own'"),
        ("Own = 1", "there is no class 'Own'"),
        (None, "needs own.py there"),
    ],
)
def test_own_python_that_cannot_be_used_is_one_line(
    tmp_path: Path, code: str | None, found: str
) -> None:
    toml = QUESTIONS.replace('"questions"', '"own:Own"') + "[limits]\nmax_steps = 1\n"
    place = folder(tmp_path, toml, '{"id": "a", "goal": "g"}\n')
    if code is not None:
        (place / "own.py").write_text(code)
    with pytest.raises(ConfigurationError) as caught:
        load_task(place, trust_code=True)
    assert found in one_line(caught)


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ('{"goal": "g"}', "line 2: no id"),
        ('{"id": "b"}', "line 2: no goal"),
        ('{"id": "b", "goal": 5}', "line 2: goal"),
        ('{"id": "b", "goal": "g", "split": "dev"}', "line 2: split"),
        ('{"id": "b", "goal": "g", "more": 1}', "line 2: unknown field 'more'"),
        ('{"id": "house-1", "goal": "g"}', "'house-1' stands on more than one line"),
    ],
)
def test_own_instances_are_checked(tmp_path: Path, row: str, found: str) -> None:
    place = Path(shutil.copytree(EXAMPLE, tmp_path / "mine"))
    file = place / "instances.jsonl"
    file.write_text(file.read_text().splitlines()[0] + "\n" + row + "\n")
    with pytest.raises(DataError) as caught:
        load_task(place, trust_code=True)
    assert found in one_line(caught)


def test_the_example_keeps_the_contract_and_is_hard_by_chance() -> None:
    task = load_task(EXAMPLE, trust_code=True)
    check_task(task)
    assert (task.id, task.inline, task.default_instances) == ("doors-v1", False, 8)
    wins = [
        play(task, i, random_policy(s)).success for i in task.instances("train") for s in range(3)
    ]
    assert sum(win is True for win in wins) <= 4


def test_example_options_reach_the_class() -> None:
    task = load_task(f"{EXAMPLE}?traps_end_it=false", trust_code=True)
    assert task.id == "doors-v1?traps_end_it=false"
    assert len(play(task, task.instances("train")[0], random_policy()).steps) > 3


def test_two_folders_may_have_modules_of_one_name(tmp_path: Path) -> None:
    places = [Path(shutil.copytree(EXAMPLE, tmp_path / name)) for name in ("one", "two")]
    code = (places[1] / "doors.py").read_text().replace("You are in ", "Now you are in ")
    (places[1] / "doors.py").write_text(code)
    tasks = [load_task(place, trust_code=True) for place in places]
    texts = [t.environment(t.instances("train")[0]).reset(0).text for t in tasks]
    assert texts[1] == texts[0].replace("You", "Now you")
    assert tasks[0].sha != tasks[1].sha
