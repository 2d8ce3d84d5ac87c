"""Progress on stderr, in plain lines."""

import dataclasses
import io
import sys
import time

import pytest

from verbalrl.cli.progress import describe, duration, screen, stages
from verbalrl.execution import ArmProgress, Progress

ARM = ArmProgress(done=6, expected=20, solved=3, instances=4)
STATE = Progress(
    run="run_a",
    phase="stopping",
    by_arm={"retry": ARM, "learned": dataclasses.replace(ARM, solved=4)},
    tokens=123_456,
    in_flight=7,
    seconds_left=75.4,
)


def test_describe_says_all_in_one_line() -> None:
    assert describe(STATE) == (
        "12 of ≤40 episodes · solved retry 3/4, learned 4/4 · 123k tokens · 7 calls in flight · "
        "≤1 min 15 s left · stopping"
    )


def test_describe_leaves_out_what_is_not_known() -> None:
    quiet = dataclasses.replace(STATE, seconds_left=None, phase="running", by_arm={})
    assert describe(quiet) == "0 of ≤0 episodes · 123k tokens · 7 calls in flight"
    one = dataclasses.replace(quiet, in_flight=1)
    assert describe(one).endswith(" · 1 call in flight")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (3725, "1 h 02 min")]
)
def test_duration_reads_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_lines_come_once_per_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    shown = screen()
    for done in range(1, 41):
        arm = dataclasses.replace(ARM, done=done, expected=40)
        shown.show(dataclasses.replace(STATE, by_arm={"learned": arm}))
    shown.close()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert [line.split()[0] for line in captured.err.splitlines()] == [
        str(n) for n in range(4, 41, 4)
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_what_a_long_command_is_at(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    with stages() as at:
        at("storing 20,500\x1b[2J lessons")
        time.sleep(0.3)
    assert "storing 20,500\\x1b[2J lessons" in terminal.getvalue()
    assert "0:00:00" in terminal.getvalue()


def test_a_file_is_told_no_stages(capsys: pytest.CaptureFixture[str]) -> None:
    with stages() as at:
        at("storing")
    assert capsys.readouterr() == ("", "")
