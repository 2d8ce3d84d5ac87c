"""The loop through the real SDKs over HTTP, answered by the apprentice, is the loop in process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.models.faultd import APIS, Asked, Faultd
from verbalrl import Learner, Limits, load_model, load_task
from verbalrl.agents import ChatAgent
from verbalrl.methods import reflexion
from verbalrl.models import Model, RetryPolicy, run_sync
from verbalrl.records import Lesson
from verbalrl.store import open_store

INSTANCES, TRIALS = 8, 3
TRANSIENT = (
    *("408", "409", "429", "429-seconds", "429-date", "500", "502-html", "503", "529"),
    *("reset-before", "reset-mid-body", "short-body", "truncated-json", "empty-200"),
    *("invalid-utf8", "html-200", "error-200", "wrong-shape", "no-choices", "surrogate-nul"),
)


async def _at_once(_seconds: float) -> None:
    return None


class Seen(NamedTuple):
    """What a run left behind."""

    digests: dict[str, Any]
    injected: Counter[str]
    """By lesson as prompts word it: the steps whose prompt it was to be in."""
    asked: list[Asked]


def learned(folder: Path, model: Model) -> Seen:
    with open_store(folder, create=True) as store:
        learner = Learner(
            ChatAgent(model),
            method=reflexion(),
            critic=model,
            curator=model,
            store=store,
            limits=Limits(concurrency=8),
        )
        result = learner.run_sync(
            load_task("gridnav-v1"), trials=TRIALS, instances=INSTANCES, arms=("retry", "learned")
        )
        run_sync(model.aclose())
        digests = {
            arm: (figures["episodes_digest"], figures["memory_digest"])
            for arm, figures in result.arms.items()
        }
        injected: Counter[str] = Counter()
        for episode in store.episodes():
            for use in (u for g in episode.guidance.values() for u in g.uses):
                lesson = store.lesson(use.lesson)
                assert lesson is not None
                if use.outcome == "injected":
                    injected[worded(lesson)] += len(episode.trajectory.steps)
    return Seen(digests, injected, [])


def worded(lesson: Lesson) -> str:
    """The lesson as `prompts/_shared/lines.jinja` has it."""
    but = f" (not when {lesson.when_not})" if lesson.when_not else ""
    return f"When {lesson.when}{but}: {lesson.instruction}"


def over_http(folder: Path, api: str, each: Sequence[str] = ()) -> Seen:
    with Faultd(each=each) as server:
        model = load_model(
            f"{api}:apprentice",
            base_url=server.url(api),
            offline=True,
            policy=RetryPolicy(sleep=_at_once),
        )
        return learned(folder, model)._replace(asked=server.asked)


@pytest.fixture(scope="module")
def in_process(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return learned(tmp_path_factory.mktemp("in_process"), load_model("offline:apprentice"))


@pytest.fixture(scope="module", params=APIS)
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return over_http(tmp_path_factory.mktemp("over_http"), request.param)


def test_the_loop_over_http_is_the_loop_in_process(in_process: Seen, seen: Seen) -> None:
    assert seen.digests == in_process.digests
    assert seen.injected == in_process.injected
    assert seen.injected


def test_injected_lessons_stand_in_the_bodies_once(seen: Seen) -> None:
    found: Counter[str] = Counter()
    for asked in seen.asked:
        text = "\n".join(text for _, text in asked.messages)
        if asked.schema is not None and "action" in asked.schema["properties"]:
            counts = {line: text.count(line) for line in seen.injected}
            assert max(counts.values()) <= 1
            found.update(line for line, count in counts.items() if count)
    assert found == seen.injected


@pytest.mark.parametrize("api", APIS)
def test_faults_that_pass_leave_no_trace(tmp_path: Path, in_process: Seen, api: str) -> None:
    seen = over_http(tmp_path, api, TRANSIENT)
    assert seen.digests == in_process.digests
    assert len(seen.asked) > 5 * len(TRANSIENT)


def test_answers_that_were_cut_teach_nothing(tmp_path: Path) -> None:
    with Faultd() as server, open_store(tmp_path, create=True) as store:
        server.play("length", always=True)
        critic = load_model("openai:any", base_url=server.url("openai"), offline=True)
        agent = ChatAgent(load_model("offline:apprentice"))
        learner = Learner(agent, method=reflexion(), critic=critic, store=store)
        learner.run_sync(load_task("gridnav-v1"), trials=2, instances=4, arms=("learned",))
        run_sync(critic.aclose())
        critiques = store.critiques()
        assert {c.status for c in critiques} == {"failed"}
        assert all("cut off at its length limit" in c.detail for c in critiques)
        assert not any(c.proposals or c.causes or c.refinement for c in critiques)
        for branch in store.branches():
            assert not any(store.lessons(branch.id, s) for s in store.scopes(branch.id))
