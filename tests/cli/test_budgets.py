"""Bounds from the command line: `run` stops at them, `resume` goes on with larger ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from verbalrl.cli import main
from verbalrl.result.table import table

RUN = ("run", "gridnav-v1", "--model", "offline:apprentice", "--instances", "3", "--trials", "2")
_TOKENS = ("input", "cached", "output")
PRICES = "[foo]\ninput = 1.25\noutput = 10.0\n"


def figures(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_stop_and_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ("--store", str(tmp_path))
    assert main([*RUN, *place, "--max-tokens", "15000", "--json"]) == 0
    said = capsys.readouterr()
    first = json.loads(said.out)
    run = first["run"]
    assert first["status"] == "stopped"
    assert first["stop_reason"].startswith("the budget of 15,000 tokens: ")
    assert first["budget"]["spent"]["tokens"] <= 15_000
    lines = said.err.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("stopped by"))
    stopped, way = lines[at : at + 2]
    assert stopped == f"stopped by {first['stop_reason']}"
    assert len(stopped) <= 100
    assert way.startswith(f"go on with: verbalrl resume {run} --max-tokens N --store")
    tokens = first["arms"].values()
    shown = sum(t[n] for a in tokens for t in a["tokens"].values() for n in _TOKENS)
    spent = first["budget"]["spent"]["tokens"]
    assert spent > shown
    assert f"tokens: {spent:,} spent, {spent - shown:,} of them not in the table" in table(first)
    # The bound stays until another is given.
    for again in ((), ("--max-tokens", "15000"), ("--max-seconds", "9")):
        assert main(["resume", run, *place, *again]) == 2
        refused = capsys.readouterr().err
        assert refused.endswith("the budget of 15,000 tokens; resume it with a larger one\n")
        assert len(refused) <= 101
    assert main(["resume", run, *place, "--max-output", "77"]) == 2
    assert "the output cap of a run stays as it is: 1024 tokens" in capsys.readouterr().err
    assert main(["resume", run, *place, "--max-tokens", "1000000", "--json"]) == 0
    last = figures(capsys)
    assert last["status"] == "done"
    assert last["budget"]["bounds"] == {"tokens": 1_000_000, "max_output": 1_024}
    # Finished: the figures again, and nothing is paid for.
    assert main(["resume", run, *place, "--json"]) == 0
    assert figures(capsys)["budget"]["spent"] == last["budget"]["spent"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--max-cost", "1"), "no price is known for openai:foo"),
        (("--max-tokens", "900"), "has no room for one call"),
        (
            ("--prices", "good.toml", "--max-cost", "0.08"),
            "a budget of $0.08 has no room for one call of openai:foo, whose reply alone may cost"
            " $0.0819213; give more, or a smaller max_output",
        ),
        (("--max-tokens", "0"), "0 is not in the range"),
        (("--prices", "no.toml"), "does not exist"),
        (("--prices", "bad.toml"), "bad.toml: foo.output: missing; give it"),
    ],
)
@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_what_cannot_be_kept_is_refused_before_anything(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    said: str,
    dry: tuple[str, ...],
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.chdir(tmp_path)
    Path("bad.toml").write_text("[foo]\ninput = 1\n")
    Path("good.toml").write_text(PRICES)
    assert main(["run", "gridnav-v1", "--model", "openai:foo", *options, *dry]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.toml", "good.toml"]


def test_dry_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    prices, store = tmp_path / "prices.toml", tmp_path / "store"
    prices.write_text(PRICES)
    given = ("--model", "openai:foo", "--prices", str(prices), "--max-cost", "5")
    asked = ["run", "gridnav-v1", *given, "--instances", "50", "--dry-run", "--store", str(store)]
    assert main(asked) == 0
    out = capsys.readouterr().out
    assert out.startswith("gridnav-v1 · reflexion · openai:foo · 50 instances, seeds [0] · dry run")
    assert "smallest effect it can show: 0.28 in success" in out
    assert max(map(len, out.splitlines())) <= 100
    assert main([*asked, "--json"]) == 0
    found = figures(capsys)
    assert found["dry_run"] is True
    assert found["arms"]["none"]["episodes"] == [50, 50]
    assert 0 < found["total"]["cost_usd"][0] < found["total"]["cost_usd"][1]
    assert found["budget"] == {"cost_usd": 5.0, "max_output": 8192}
    assert not store.exists()


def test_known_costs_stand_in_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "prices.toml").write_text(PRICES)
    prices = ("--prices", str(tmp_path / "prices.toml"))
    assert main([*RUN, *prices, "--store", str(tmp_path / "store")]) == 0
    head, *lines = capsys.readouterr().out.splitlines()[1:]
    arms = [line.split()[0] for line in lines[:3]]
    assert arms == ["none", "retry", "learned"]
    # What is simulated costs nothing.
    ends = ("tokens  cost", "$0.0000") if "cost" in head else ("[95 %]", "$0.0000 cost")
    assert head.endswith(ends[0])
    assert sum(line.endswith(ends[1]) for line in lines) == 3


def test_seconds_are_of_one_session(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ("--store", str(tmp_path))
    assert main([*RUN, *place, "--max-seconds", "0.001", "--json"]) == 0
    first = figures(capsys)
    assert first["stop_reason"] == "the budget of 0.001 seconds"
    assert main(["resume", first["run"], *place, "--json"]) == 0
    assert figures(capsys)["status"] == "done"


@pytest.mark.parametrize("name", ["openai:foo", "openai-responses:foo", "anthropic:foo"])
def test_a_dry_run_needs_no_key(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    for key in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    given = ("gridnav-v1", "--model", name, "--embedder", "openai:bar")
    assert main(["run", *given, "--dry-run", "--json"]) == 0
    assert figures(capsys)["total"]["calls"][0] > 0
    assert main(["run", *given, "--store", str(tmp_path / "store")]) == 2
    assert "needs a key" in capsys.readouterr().err
