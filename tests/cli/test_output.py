"""Plain text in 100 columns, and stored text that cannot steer a terminal."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verbalrl.cli.app import main
from verbalrl.cli.output import clean, emit_json, fitted, note_way, one_line, plural, say, table
from verbalrl.cli.telling import attempt, place, rule
from verbalrl.records import Evidence, LessonBody, LessonKind

EVIL = "a\x1b[2Jb\x9b31mc\rd\u202ee\ud800f\x00\x7f\U000e0041"


def test_clean_writes_controls_as_escapes() -> None:
    assert clean("a\x1b[2J\r\u202e") == "a\\x1b[2J\\x0d\\u202e"
    assert clean("plain – ünï\ncode\t✓") == "plain – ünï\ncode\t✓"


@given(st.text(alphabet=st.characters(codec=None)))
def test_clean_leaves_nothing_that_steers(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    cleaned.encode("utf-8")
    assert not any((ord(c) < 32 and c not in "\t\n") or 127 <= ord(c) < 160 for c in cleaned)


def test_say_indents_every_line_of_stored_text(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"one\nle_fake  active\n{EVIL}", indent=4)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("    ") for line in lines)


def test_say_indents_what_goes_on_by_more(capsys: pytest.CaptureFixture[str]) -> None:
    say("  1  " + "word " * 30, hanging=5)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("  1  word")
    assert second.startswith("     word")


def test_a_remark_and_its_command_are_one_line_where_that_fits(
    capsys: pytest.CaptureFixture[str],
) -> None:
    note_way("interrupted", "go on with: verbalrl resume run_1")
    assert capsys.readouterr().err == "interrupted; go on with: verbalrl resume run_1\n"
    way = f"go on with: verbalrl resume run_1 --retry-failed --store /{'long' * 25}"
    note_way("the critic failed " + "again and " * 20, way)
    *lines, last = capsys.readouterr().err.splitlines()
    assert last == way
    assert max(map(len, lines)) <= 100
    assert [line.startswith("  ") for line in lines] == [False, True, True]


def test_a_served_case_is_not_told_by_one_id_twice() -> None:
    known = {"critique": "cr_1", "episode": "ep_1", "trial": 1, "step": 2}
    assert place(Evidence(**known, instance="ep_1")) == "cr_1 ← ep_1 step 2"
    assert place(Evidence(**known, instance="ticket-7")) == "cr_1 ← ep_1 ← ticket-7 trial 1 step 2"
    assert attempt("ep_1", "ep_1", 1) == "served"
    assert attempt("ep_1", "ticket-7", 1) == "ticket-7 trial 1"


def test_what_was_purged_is_told_as_erased() -> None:
    assert rule(LessonBody(kind=LessonKind.BEHAVIOR)) == "(erased)"
    assert rule(LessonBody(kind=LessonKind.BEHAVIOR, instruction="do x")) == "Always: do x"


def test_json_escapes_controls_without_loss(capsys: pytest.CaptureFixture[str]) -> None:
    emit_json({"text": EVIL})
    out = capsys.readouterr().out
    assert "\x9b" not in out
    assert "\u202e" not in out
    assert json.loads(out) == {"text": EVIL}


def test_table_cuts_its_flexible_column_to_100(capsys: pytest.CaptureFixture[str]) -> None:
    table(("id", "text", "n"), [("a", "word " * 50, 1), ("b", None, 23)], flexible=1)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[1].endswith("…   1")
    assert lines[2].split() == ["b", "–", "23"]


ID = f"serve_{'bmugyxk75o2y7sjv'}abcd"


def test_ids_and_words_are_whole_where_others_give_way(
    capsys: pytest.CaptureFixture[str],
) -> None:
    heads = ("run", "status", "task", "method", "model", "rate", "begun")
    long = "name" * 12
    row = (ID, "interrupted", long, "reflexion", long, "0.50*", "2026-11-26 06:14")
    table(heads, [row], flexible=4, whole=(1, 6), spare=True)
    out = capsys.readouterr().out.splitlines()
    assert max(map(len, out)) <= 100
    assert out[1].split()[:2] == [ID, "interrupted"]
    assert "begun" not in out[0]


def test_a_wide_terminal_is_used(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "160")
    table(("id", "text", "begun"), [(ID, "word" * 25, "2026-11-26")], flexible=1, spare=True)
    assert capsys.readouterr().out.splitlines()[1] == f"{ID}  {'word' * 25}  2026-11-26"
    monkeypatch.setenv("COLUMNS", "60")
    table(("id", "text", "begun"), [(ID, "word" * 25, "2026-11-26")], flexible=1, spare=True)
    out = capsys.readouterr().out.splitlines()
    assert max(map(len, out)) <= 60
    assert out[1].startswith(f"{ID}  wordw")


def test_one_line_folds_and_cuts() -> None:
    assert one_line(" a\n b\tc ") == "a b c"
    assert one_line("abcdef", 4) == "abc…"


def test_plural_counts() -> None:
    assert [plural(n, "run") for n in (0, 1, 1234)] == ["0 runs", "1 run", "1,234 runs"]


def test_table_with_several_long_columns_fits_too(capsys: pytest.CaptureFixture[str]) -> None:
    long = "name" * 20
    table(("id", "task", "method", "n", "model"), [("run_abcdefghij", long, long, 12345, long)])
    head, row = capsys.readouterr().out.splitlines()
    assert max(len(head), len(row)) <= 100
    assert row.startswith("run_abcdefghij  namename")
    assert "  12345  " in row


def test_widths_give_way_widest_first_and_names_of_rows_last() -> None:
    assert fitted([14, 20, 30], [2, 8, 8], 2) == [14, 20, 30]
    assert fitted([14, 90, 30], [2, 8, 8], 2) == [14, 70, 12]
    assert fitted([90, 60, 60], [8, 8, 8], 2) == [80, 8, 8]
    assert fitted([300, 300], [60, 60], 1) == [60, 60]


def test_what_a_task_says_before_a_run_fits_the_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad: list[dict[str, object]] = [
        {"question": 1, "answer": "x"},
        {"question": " ", "answer": "x"},
        {"question": "a?"},
        {"question": "b?", "answer": "x", "split": "dev"},
        {"question": "c?", "answer": "x", "scorer": "near"},
        {"question": "d?", "answer": "x", "choices": ["y", "z"]},
    ]
    good = [{"question": f"Question {n}?", "answer": "x"} for n in range(10)]
    file = tmp_path / "q.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in (*good, *bad)), encoding="utf-8")
    words = ["run", str(file), "--model", "offline:apprentice", "--dry-run"]
    assert main([*words, "--store", str(tmp_path / "store")]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert "q: rows rejected: 6: the question is a number" in "\n".join(lines)
    assert max(map(len, lines)) <= 100
