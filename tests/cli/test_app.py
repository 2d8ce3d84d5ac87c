"""The group itself: help, close matches, one line per error, exit codes, no heavy imports."""

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import pytest

from verbalrl.cli import main
from verbalrl.cli.app import COMMANDS, Commands, check_once, cli, exit_code
from verbalrl.errors import (
    ConfigurationError,
    DataError,
    LeaseError,
    MethodError,
    PromptError,
    SchemaVersionError,
    StorageError,
    StoreHeldError,
    UnknownNameError,
    VerbalRLError,
)

HEAVY = {"anthropic", "chromadb", "httpx", "httpx2", "numpy", "openai", "rich", "structlog"}


def _loaded_after(*arguments: str) -> set[str]:
    code = (
        "import json, sys\nfrom verbalrl.cli import main\n"
        f"main({list(arguments)!r})\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []])
def test_help_imports_neither_sdk_nor_command(arguments: Sequence[str]) -> None:
    loaded = _loaded_after(*arguments)
    assert loaded & HEAVY == set()
    assert not [name for name in loaded if name.startswith("verbalrl.cli.commands.")]


def test_help_lists_every_command_in_100_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    for name, entry in COMMANDS.items():
        assert any(line.split()[:1] == [name] and entry.summary in line for line in lines), name


@pytest.mark.parametrize("name", COMMANDS)
def test_command_help_opens_with_its_line_in_the_table(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"Usage: verbalrl {name} ")
    assert COMMANDS[name].summary in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_does(name: str) -> None:
    command = Commands.get_command(cli, click.Context(cli), name)
    assert command is not None
    silent = [p.name for p in command.params if isinstance(p, click.Option) and not p.help]
    assert silent == []


def test_unknown_command_gets_close_matches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["episode"]) == 2
    captured = capsys.readouterr()
    assert captured.err == "verbalrl: unknown command 'episode'; did you mean episodes?\n"
    assert captured.out == ""


@pytest.mark.parametrize(
    "arguments",
    [["run"], ["run", "x", "--modle", "y"], ["episodes", "--seed", "x"], ["--nope"], ["data"]],
)
def test_usage_error_is_one_line_and_2(
    arguments: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("verbalrl: ")
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_an_option_without_its_value_names_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["edit", "le_x", "--instruction"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("verbalrl: edit: Option '--instruction' requires an argument")
    assert said.endswith("(see `verbalrl edit --help`)\n")


@pytest.mark.parametrize(("group", "known"), [("data", "check"), ("memory", "audit")])
def test_a_group_without_a_command_names_those_it_has(
    group: str, known: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([group]) == 2
    said = capsys.readouterr().err
    assert said == f"verbalrl: {group}: Missing command: {known}. (see `verbalrl {group} --help`)\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError, 2),
        (UnknownNameError, 2),
        (PromptError, 2),
        (DataError, 2),
        (SchemaVersionError, 2),
        (StorageError, 2),
        (StoreHeldError, 1),
        (LeaseError, 1),
        (MethodError, 1),
    ],
)
def test_exit_code_of_an_error(error: type[VerbalRLError], code: int) -> None:
    assert exit_code(error("x")) == code


def test_commands_module_of_every_entry_exists() -> None:
    for entry in COMMANDS.values():
        module, attribute = entry.place.split(":")
        found = getattr(importlib.import_module(f"verbalrl.cli.commands.{module}"), attribute)
        assert isinstance(found, click.Command)


@pytest.mark.skipif(not hasattr(signal, "SIGPIPE"), reason="no pipes of that kind")
def test_broken_pipe_ends_quietly() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "verbalrl", "methods", "--json"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_without_a_command_it_prints_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    help_text = capsys.readouterr().out
    assert main([]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == (help_text, "")
    assert "\n  run " in help_text


@pytest.mark.parametrize("command", ["runs", "demo", "publish x"])
def test_an_empty_name_of_a_store_is_refused(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command.split(), "--store", ""]) == 2
    captured = capsys.readouterr()
    assert "'--store': an empty text names no folder" in captured.err
    assert (captured.out, captured.err.count("\n")) == ("", 1)


@pytest.mark.parametrize("module", ["click", "verbalrl.cli.commands.run"])
def test_ctrl_c_during_imports_is_one_line(module: str) -> None:
    code = (
        "import sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from verbalrl.__main__ import run\n"
        "sys.argv = ['verbalrl', 'run', '--help']\n"
        "sys.exit(run())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    # A terminal shows ^C first, after which click ends the line.
    assert (done.returncode, done.stdout, done.stderr.lstrip("\n")) == (
        130,
        "",
        "verbalrl: interrupted\n",
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["q.jsonl?x=1"], "q.jsonl?x=1: a file of questions takes no options; write q.jsonl"),
        (["?pits=100"], "?pits=100: options follow the name of a task, such as gridnav-v1"),
        (["gridnav-v1", "--instances", "(5, 9)"], "write the range (5, 9) as 5:9"),
        (["gridnav-v1", "--instances", "5-9"], "write the range 5-9 as 5:9"),
    ],
)
def test_what_is_written_wrong_is_shown_right(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *arguments, "--model", "offline:apprentice"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "gridnav-v1", "--method", "expel", "--method", "handbook"], "--method"),
        (["run", "gridnav-v1", "--model=a:b", "--model", "c:d", "--seeds", "2"], "--model"),
        (["runs", "--limit", "3", "--limit=3"], "--limit"),
        (["data", "check", "x.jsonl", "--as", "math", "--as", "sql"], "--as"),
        (["report", "-o", "a.html", "--output", "b.html"], "--output"),
    ],
)
def test_an_option_of_one_value_is_given_once(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    line = capsys.readouterr().err.splitlines()
    assert len(line) == 1
    assert f"{said} is given 2 times; give it once" in line[0]


@pytest.mark.parametrize(
    "arguments",
    [
        ["runs", "--json", "--json"],
        ["runs", "--sort", "new", "--sort", "old", "--help"],
        ["methods", "--sort"],
    ],
)
def test_flags_help_and_what_click_refuses_itself_are_left_to_click(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    main(arguments)
    assert "times" not in capsys.readouterr().err


def test_every_option_that_may_be_repeated_says_so() -> None:
    repeated = ["run", "x", "--set", "a=1", "--set", "b=2"]
    check_once(cli, click.Context(cli), "verbalrl", repeated)
