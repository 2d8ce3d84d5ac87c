"""A run that is repeated with `--cache` pays nothing and leads to the same memory."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.models.faultd import Asked, Faultd
from verbalrl import Learner, Limits, load_model, load_task
from verbalrl.agents import ChatAgent
from verbalrl.cli import main
from verbalrl.methods import Method, handbook, reflexion
from verbalrl.models import run_sync
from verbalrl.models.apprentice import answer
from verbalrl.result import RunResult

ARMS = ("none", "retry", "learned")
GRIDNAV: tuple[str, Method, dict[str, Any]] = (
    "gridnav-v1", reflexion(), {"trials": 2, "instances": 4},
)  # fmt: skip
TRIAGE: tuple[str, Method, dict[str, Any]] = (
    "triage-v1", handbook(round_size=4), {"trials": 2, "instances": 4, "train_instances": 8},
)  # fmt: skip


class Moody:
    """Answers like the apprentice, never twice with the same seed: as a real model does."""

    def __init__(self) -> None:
        self._count = itertools.count()

    def __call__(self, asked: Asked) -> str:
        given = answer(asked.messages, asked.schema, next(self._count))
        return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)


def run(
    server: Faultd,
    cache: Path | None,
    case: tuple[str, Method, dict[str, Any]],
    arms: Sequence[str] = ARMS,
) -> tuple[RunResult, int]:
    """A run in a store of its own, and how many requests it sent."""
    task, method, settings = case
    model = load_model("openai:any", base_url=server.url("openai"))
    server.play("ok")
    learner = Learner(ChatAgent(model), method=method, limits=Limits(concurrency=4, cache=cache))
    result = learner.run_sync(load_task(task), arms=arms, **settings)
    run_sync(model.aclose())
    return result, len(server.asked)


def digests(result: RunResult) -> dict[str, Any]:
    return {a: (f["episodes_digest"], f["memory_digest"]) for a, f in result.arms.items()}


def tokens(result: RunResult, name: str) -> int:
    return sum(role[name] for arm in result.arms.values() for role in arm["tokens"].values())


@pytest.mark.parametrize("case", [GRIDNAV, TRIAGE], ids=["gridnav", "triage"])
def test_a_repeated_run_is_the_same_and_sends_nothing(
    tmp_path: Path, case: tuple[str, Method, dict[str, Any]]
) -> None:
    with Faultd(Moody()) as server:
        first, sent = run(server, tmp_path, case)
        again, more = run(server, tmp_path, case)
    # Every call was asked for: arms, trials and candidates got no answer of each other.
    assert sent == tokens(first, "calls") == tokens(again, "calls")
    assert tokens(first, "reused") == 0
    assert more == 0
    assert digests(again) == digests(first)
    for name in ("input", "cached", "output"):
        assert tokens(again, name) == tokens(first, name)
    total = sum(tokens(again, name) for name in ("input", "cached", "output"))
    assert tokens(again, "reused") == total
    assert f"{total:,} of the tokens are answers of earlier runs" in again.table()
    assert "earlier runs" not in first.table()


def test_an_arm_does_not_depend_on_which_arms_ran_before(tmp_path: Path) -> None:
    with Faultd(Moody()) as server:
        first, _ = run(server, tmp_path, GRIDNAV, arms=("learned",))
        both, sent = run(server, tmp_path, GRIDNAV, arms=("retry", "learned"))
    assert digests(both)["learned"] == digests(first)["learned"]
    assert sent == both.arms["retry"]["tokens"]["actor"]["calls"]


def test_no_cache_no_memory_of_answers(tmp_path: Path) -> None:
    with Faultd(Moody()) as server:
        _, sent = run(server, None, GRIDNAV, arms=("none",))
        _, again = run(server, None, GRIDNAV, arms=("none",))
    assert sent > 0
    assert again > 0


def test_run_and_resume_take_it_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache, task = tmp_path / "cache", ("gridnav-v1", "--instances", "2", "--trials", "2")
    with Faultd() as server:
        options = ("--model", "openai:any", "--base-url", server.url("openai"), "--cache")
        for name in ("a", "b"):
            asked = len(server.asked)
            store = str(tmp_path / name)
            assert main(["run", *task, *options, str(cache), "--store", store]) == 0
        assert asked == len(server.asked) > 0
    assert "of the tokens are answers of earlier runs" in capsys.readouterr().out
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "answers.db").write_text("not a cache " * 200)
    code = main(["run", *task, *options, str(bad), "--store", str(tmp_path / "c")])
    error = capsys.readouterr().err
    assert code == 2
    assert error.count("\n") == 1
    assert "cannot be used as a cache" in error
    assert not (tmp_path / "c").exists()
