"""The values of options."""

from pathlib import Path

import click
import pytest

from verbalrl.cli.options import DEFAULT_STORE, Names, Span, command, settings
from verbalrl.errors import ConfigurationError


@pytest.mark.parametrize(("text", "value"), [("24", 24), ("8:24", (8, 24)), ("0:1", (0, 1))])
def test_span_reads_numbers_and_ranges(text: str, value: object) -> None:
    assert Span().convert(text, None, None) == value


@pytest.mark.parametrize("text", ["", "a", "-3", "5:5", "9:2", "1:2:3", "0", ":4"])
def test_span_refuses_what_holds_no_instance(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Span().convert(text, None, None)


def test_names_keep_their_order() -> None:
    assert Names().convert("retry, none,", None, None) == ("retry", "none")


@pytest.mark.parametrize("text", ["", " , ", "none,none", "retry,none, retry"])
def test_names_are_given_and_given_once(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Names().convert(text, None, None)


def test_settings_take_json_and_text() -> None:
    assert settings(("window=2", "gate=none", "learn=false", "x=a=b")) == {
        "window": 2,
        "gate": "none",
        "learn": False,
        "x": "a=b",
    }


@pytest.mark.parametrize("pairs", [("window",), ("=2",), ("a=1", "a=2")])
def test_settings_refuse_what_is_no_pair(pairs: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError):
        settings(pairs)


def test_a_hint_names_the_program_as_the_shell_would_find_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "verbalrl"
    program.touch(mode=0o755)
    monkeypatch.setattr("sys.argv", [str(program)])
    monkeypatch.setenv("PATH", str(tmp_path / "elsewhere"))
    assert command("runs", store=Path(DEFAULT_STORE)) == f"{program} runs"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command("runs", store=Path("a b")) == "verbalrl runs --store 'a b'"
