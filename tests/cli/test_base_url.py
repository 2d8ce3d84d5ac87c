"""`run --base-url` asks all models of a run at one server, and `resume` finds it again."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.models.faultd import APIS, Faultd, apprentice
from verbalrl import Learner, Limits, load_model, load_task
from verbalrl.agents import ChatAgent
from verbalrl.cli import main
from verbalrl.errors import ConfigurationError
from verbalrl.methods import reflexion
from verbalrl.store import open_store

TASK = ("gridnav-v1", "--instances", "3", "--trials", "2", "--arms", "learned", "--json")


def figures(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(arguments) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def digests(found: dict[str, Any]) -> tuple[Any, Any]:
    learned = found["arms"]["learned"]
    return learned["episodes_digest"], learned["memory_digest"]


def config(folder: Path) -> dict[str, Any]:
    with open_store(folder) as store:
        return dict(store.runs()[-1].config)


@pytest.mark.parametrize("api", APIS)
def test_one_address_serves_agent_critic_and_curator(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], api: str
) -> None:
    expected = figures(
        capsys, "run", *TASK, "--model", "offline:apprentice", "--store", str(tmp_path / "a")
    )
    with Faultd() as server:
        # The address as people copy it: with /v1, which the SDK of anthropic adds by itself.
        address = f"http://127.0.0.1:{server.port}/v1"
        found = figures(
            capsys, "run", *TASK, "--model", f"{api}:any", "--critic", "openai:other",
            "--base-url", address, "--offline-server", "--store", str(tmp_path / "b"),
        )  # fmt: skip
        asked = {(a.api, a.body["model"]) for a in server.asked}
    assert asked == {(api, "any"), ("openai", "other")}
    assert digests(found) == digests(expected)
    assert found["simulated"] is True
    kept = config(tmp_path / "b")["servers"]
    shown = address.removesuffix("/v1") if api == "anthropic" else address
    assert kept["agent"] == {"base_url": shown, "offline": True}
    assert kept["critic"] == kept["curator"] == {"base_url": address, "offline": True}


def interrupted(folder: Path, url: str) -> str:
    """The id of a run that was stopped after its first batches."""

    async def run() -> str:
        model = load_model("openai:any", base_url=url, offline=True)
        learner = Learner(
            ChatAgent(model), method=reflexion(), store=folder, limits=Limits(concurrency=1)
        )
        work = asyncio.ensure_future(
            learner.run(load_task("gridnav-v1"), trials=2, instances=3, arms=("learned",))
        )
        while (state := learner.progress()) is None or not state.episodes_done:
            await asyncio.sleep(0.001)
        learner.stop("enough")
        result = await work
        await learner.aclose()
        return result.run

    return asyncio.run(run())


def test_resume_goes_where_the_run_went_and_remembers_a_move(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = figures(
        capsys, "run", *TASK, "--method", "reflexion", "--model", "offline:apprentice",
        "--store", str(tmp_path / "whole"),
    )  # fmt: skip
    with Faultd() as server:
        run = interrupted(tmp_path / "a", server.url("openai"))
        before = len(server.asked)
        found = figures(capsys, "resume", run, "--json", "--store", str(tmp_path / "a"))
        assert len(server.asked) > before
        assert digests(found) == digests(whole)
        run = interrupted(tmp_path / "b", server.url("openai"))
    with Faultd() as other:
        moved = ("resume", run, "--json", "--store", str(tmp_path / "b"))
        found = figures(capsys, *moved, "--base-url", other.url("openai"))
        assert other.asked
        assert digests(found) == digests(whole)
        kept = config(tmp_path / "b")["servers"]
        assert {at["base_url"] for at in kept.values()} == {other.url("openai")}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--model", "openai:any", "--base-url", "http://u:sesame@h/v1"), "a key belongs in"),
        (("--model", "openai:any", "--base-url", "http://h/v1?key=sesame"), "must hold no key"),
        (("--model", "offline:apprentice", "--base-url", "http://h"), "means nothing to"),
        (("--model", "openai:any", "--offline-server"), "give that too"),
    ],
)
def test_what_cannot_work_is_one_line_and_leaves_no_store(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], said: str
) -> None:
    assert main(["run", *TASK, *options, "--store", str(tmp_path / "s")]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert "sesame" not in error
    assert not (tmp_path / "s").exists()


def test_a_run_for_tests_is_not_resumed_with_real_models(tmp_path: Path) -> None:
    with Faultd(apprentice) as server:
        run = interrupted(tmp_path, server.url("openai"))
        real = load_model("openai:any", base_url=server.url("openai"))
        learner = Learner(ChatAgent(real), method=reflexion(), store=tmp_path)
        with pytest.raises(ConfigurationError, match="answered by a model for tests"):
            learner.resume_sync(run, load_task("gridnav-v1"))


def test_a_run_that_its_alarm_stopped_says_how_its_failures_are_tried_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = figures(
        capsys, "run", *TASK, "--model", "offline:apprentice", "--store", str(tmp_path / "a")
    )
    at = ("--store", str(tmp_path / "b"))
    with Faultd() as server:
        given = ("--model", "openai:any", "--base-url", server.url("openai"), "--offline-server")
        server.play("404", always=True)
        assert main(["run", *TASK, *given, "--concurrency", "1", *at]) == 1
        stopped = capsys.readouterr()
        run = json.loads(stopped.out)["run"]
        assert json.loads(stopped.out)["arms"]["learned"]["errors"] == 4
        said = f"go on with: verbalrl resume {run} --retry-failed --store {tmp_path / 'b'}"
        assert said in stopped.err
        server.play()
        # Without it what failed stays so, and the run says what there is to do.
        kept = figures(capsys, "resume", run, "--json", *at)
        assert kept["arms"]["learned"]["errors"] == 4
        assert main(["resume", run, *at]) == 0
        shown = capsys.readouterr().err
        assert f"4 failures recorded\nto try again: verbalrl resume {run} --retry-failed" in shown
        mended = figures(capsys, "resume", run, "--retry-failed", "--json", *at)
    assert digests(mended) == digests(expected)
    assert mended["arms"]["learned"]["errors"] == 0
