"""Each house limit fires on the code that breaks it and is silent on the code that does not."""

import re
from pathlib import Path

import pytest

from tools import house

LONG_FUNCTION = "def f():\n" + "    x = 1\n" * house.MAX_FUNCTION_LINES
NINE = "a, b, c, d, e, f, g, h, i"
BLIND = "def {name}():\n    try:\n        g()\n    except {what}:\n        pass\n"
BOUNDARY = BLIND.format(name="boundary", what="Exception")


def rules(text: str, path: str = "src/verbalrl/lanes.py") -> list[str]:
    return [offence.rule for offence in house.check([house.parse(path, text)])]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("file-length", "x = 1\n" * (house.MAX_FILE_LINES + 1)),
        ("function-length", LONG_FUNCTION),
        ("function-length", "class A:\n    async " + LONG_FUNCTION.replace("\n", "\n    ")),
        ("params", f"def f({NINE}): ..."),
        ("params", "def f(a, b, /, c, *args, d, e, g, h, **kwargs): ..."),
        ("params", f"class A:\n    @staticmethod\n    def f({NINE}): ..."),
        ("blind-except", BLIND.format(name="f", what="Exception")),
        ("blind-except", BLIND.format(name="f", what="(ValueError, BaseException)")),
        ("blind-except", BLIND.format(name="f", what="Exception").replace(" Exception", "")),
        ("blind-except", "with contextlib.suppress(Exception):\n    g()"),
        ("blind-except", BOUNDARY),
        ("unsafe", "import pickle"),
        ("unsafe", "from marshal import loads"),
        ("unsafe", "eval('1')"),
        ("unsafe", "yaml.load(text)"),
        ("print", "print('x')"),
        ("prompt-in-code", "TEXT = '{% for lesson in lessons %}'"),
        ("prompt-in-code", "TEXT = 'Goal: {{ goal }}'"),
        ("prompt-in-code", "TEXT = f'You are a critic of {x}'"),
        ("prompt-in-code", "environment.from_string(text)"),
    ],
)
def test_rule_fires_on_offending_source(rule: str, text: str) -> None:
    assert rules(text) == [rule]


@pytest.mark.parametrize(
    "text",
    [
        "x = 1\n" * house.MAX_FILE_LINES,
        f"class A:\n    def f(self, {NINE[3:]}): ...",
        BLIND.format(name="f", what="ValueError"),
        "try:\n    g()\nexcept BaseException:\n    undo()\n    raise",
        "re.compile('x')",
        '"""Say `{{ goal }}`; you are a reader."""',
        "class A:\n    x: int\n    'Reply with JSON is what {{ goal }} asks.'",
        "TEXT = '}} {{'",
        "yaml.safe_load(text)",
    ],
)
def test_rules_leave_good_source_alone(text: str) -> None:
    assert rules(text) == []


LISTENS = "try:\n    g()\nexcept BaseException as error:\n    {does}\n    raise"


@pytest.mark.parametrize("name", ["client", "tee"])
def test_a_wrapped_client_listens_to_errors_and_keeps_none(name: str) -> None:
    path = f"src/verbalrl/wrap/{name}.py"
    assert rules(LISTENS.format(does="call.failed(error)"), path) == []
    assert rules(BLIND.format(name="f", what="BaseException"), path) == ["blind-except"]


def test_an_error_that_is_let_through_now_and_then_is_caught() -> None:
    for leaving in ("return None", "break", "continue"):
        text = LISTENS.format(does=f"if error.args:\n        {leaving}")
        looped = "def f():\n    for _ in g():\n        " + text.replace("\n", "\n        ")
        assert rules(looped) == ["blind-except"], leaving


@pytest.mark.parametrize("path", ["src/verbalrl/cli/main.py", "src/verbalrl/cli.py"])
def test_command_line_may_print(path: str) -> None:
    assert rules("print('x')", path) == []


def test_only_the_program_of_the_sandbox_runs_text() -> None:
    text = "try:\n    exec(code)\nexcept Exception:\n    pass\n"
    assert rules(text, "src/verbalrl/sandbox/worker.py") == []
    assert rules("eval(code)", "src/verbalrl/sandbox/worker.py") == ["unsafe"]
    for place in ("sandbox/child.py", "tasks/worker.py"):
        assert sorted(rules(text, f"src/verbalrl/{place}")) == ["blind-except", "unsafe"]


@pytest.mark.parametrize("name", ["rollout.py", "errors.py"])
def test_one_boundary_is_allowed(name: str) -> None:
    assert rules(BOUNDARY, f"src/verbalrl/{name}") == []


def test_second_boundary_is_an_offence() -> None:
    files = [house.parse(f"src/verbalrl/{n}.py", BOUNDARY) for n in ("errors", "rollout")]
    assert [(o.path, o.rule) for o in house.check(files)] == [
        ("src/verbalrl/rollout.py", "one-boundary")
    ]


def test_rollout_without_any_boundary_is_an_offence() -> None:
    assert rules("x = 1", "src/verbalrl/rollout.py") == ["one-boundary"]


def test_deferred_imports_are_counted_over_all_files() -> None:
    text = "def f():\n    from verbalrl import ids\n    from . import x\n    import json\n"
    files = [house.parse(f"src/verbalrl/f{n}.py", text) for n in range(3)]
    assert [o.rule for o in house.check(files)] == ["deferred-imports"] * 2
    assert house.check(files[:2]) == []


@pytest.mark.parametrize(
    "text",
    ["from unittest.mock import Mock", "from unittest import mock", "def test_f(mocker): ..."],
)
def test_mocks_are_refused_in_tests(text: str) -> None:
    assert rules(text, "tests/test_f.py") == ["mock"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("models/apprentice.py", "import pydantic"),
        ("models/apprentice.py", "from verbalrl import ids"),
        ("models/apprentice.py", "from . import retry"),
        ("models/apprentice/read.py", "from .. import retry"),
        ("models/apprentice_words.py", "from verbalrl.models.retry import x"),
    ],
)
def test_apprentice_imports_nothing_else(path: str, text: str) -> None:
    assert rules(text, f"src/verbalrl/{path}") == ["apprentice-imports"]


@pytest.mark.parametrize(
    "text", ["import json", "from . import words", "from verbalrl.models.apprentice import words"]
)
def test_apprentice_imports_itself_and_the_standard_library(text: str) -> None:
    assert rules(text, "src/verbalrl/models/apprentice/read.py") == []


def test_main_prints_place_rule_and_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "src/verbalrl").mkdir(parents=True)
    (tmp_path / "src/verbalrl/lanes.py").write_text("\nprint('x')\n")
    assert house.main(tmp_path) == 1
    assert capsys.readouterr().out.splitlines() == [
        "src/verbalrl/lanes.py:2: print: only cli prints",
        "house: 1 files, 1 offences",
    ]


OFFER = (
    "from .short import Short as Short\nfrom .helper import Help\n"
    'METHODS: Mapping[str, type] = {"short": Short}\n'
)


@pytest.mark.parametrize(("name", "found"), [("short", ["method-length"]), ("helper", [])])
def test_the_file_of_a_method_on_offer_is_short(name: str, found: list[str]) -> None:
    def judged(lines: int) -> list[str]:
        texts = {"__init__": OFFER, name: "x = 1\n" * lines}
        files = [house.parse(f"src/verbalrl/methods/{n}.py", t) for n, t in texts.items()]
        return [offence.rule for offence in house.check(files)]

    assert judged(house.MAX_METHOD_LINES) == []
    assert judged(house.MAX_METHOD_LINES + 1) == found


@pytest.mark.parametrize("word", ["Policy", "Standing"])
def test_a_word_that_had_two_meanings_has_one(word: str) -> None:
    text = "\n".join(
        p.read_text(encoding="utf-8") for p in (Path(__file__).parents[1] / "src").rglob("*.py")
    )
    assert len(re.findall(rf"^(?:class {word}\b|{word} = )", text, re.MULTILINE)) == 1
