"""A judge of conditions that fails: words decide, the episode says so, and is tried again if asked.

Tried again, it ends as if nothing had failed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.loop.test_retrying import digests
from tests.loop.world import Player, episodes, run, safes
from tests.store import builders
from tests.store.builders import wait
from verbalrl import ChatAgent, Learner, Limits, ScriptedModel
from verbalrl.cli import main
from verbalrl.cli.drive import _failures
from verbalrl.errors import ProviderDown
from verbalrl.methods import handbook
from verbalrl.models import Request
from verbalrl.records import Situation, StopReason
from verbalrl.result import RunResult
from verbalrl.store import Store
from verbalrl.view.facts import failures_table

WORDS = "nothing was pressed"
"""Holds by words; the judge says that it does not."""
WHOLE = handbook(trials=1, condition="model")


class Judge:
    """Says no to every condition, but where `broken` gives something else for a numbered call."""

    def __init__(self, broken: Callable[[int], Any] = lambda _: None) -> None:
        self.broken = broken
        self.asked: list[str] = []
        self.model = ScriptedModel(self._answer)

    def _answer(self, request: Request) -> Any:
        if request.role != "recall":
            return RuntimeError("no critic today")
        self.asked.append(request.call_key)
        assert request.output_schema is not None
        numbers: Any = request.output_schema["required"]
        return self.broken(len(self.asked)) or dict.fromkeys(numbers, False)


def down(*calls: int) -> Callable[[int], Any]:
    return lambda n: ProviderDown("503: down") if n in calls else None


@pytest.fixture
def taught(store: Store) -> Store:
    body = builders.body("", name="first").replace(
        when=WORDS, instruction="Press green.", conditional=True
    )
    made = builders.add("le_1", body=body, evidence=())
    wait(store.put_commit(builders.a_commit("main", 0, made, scope="safes-v1")))
    return store


def act(request: Request) -> dict[str, Any]:
    told = any("Press green." in message.plain for message in request.messages)
    return {"thought": "", "action": "green" if told else "red", "lessons_used": []}


def obey(situation: Situation) -> str:
    return "green" if "Press green." in situation.guidance.text else "red"


TASK = safes("green", "red", test=("green", "red"), max_steps=1)
ALONE = Limits(concurrency=1)


def played(store: Store, judge: Judge, agent: Any = None, **settings: Any) -> RunResult:
    settings = {"start": "main", "learn": False, "limits": ALONE} | settings
    return run(store, agent or Player(obey), WHOLE, TASK, critic=judge.model, **settings)


def resumed(
    store: Store, name: str, judge: Judge, agent: Any = None, *, retry_failed: bool = False
) -> RunResult:
    learner = Learner(
        agent or Player(obey), method=WHOLE, critic=judge.model, store=store, limits=ALONE
    )
    return learner.resume_sync(name, TASK, retry_failed=retry_failed)


def whole(store: Store, result: RunResult) -> list[str]:
    return [e.lacking for e in episodes(store, result)]


def test_an_episode_without_its_judgement_is_tried_again(
    taught: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    there = played(taught, Judge())
    assert (whole(taught, there), _failures(there)) == (["", ""], 0)
    assert there.arms["learned"]["success_rate"] == 0.5
    first = played(taught, Judge(down(2)))
    why = "provider_down: 503: down"
    assert whole(taught, first) == ["", why]
    assert (first.arms["learned"]["lacking"], first.arms["learned"]["errors"]) == (1, 0)
    assert _failures(first) == 1
    assert "episodes that failed in part: learned 1; a call failed" in first.table()
    assert failures_table(first.figures).rows == (
        (1, "in part: a call that asks which lessons apply"),
    )
    assert not failures_table(there.figures).rows
    assert digests(first) != digests(there)
    broken = episodes(taught, first)[1].id
    assert main(["show", broken, "--store", str(taught.path)]) == 0
    assert f"failed in part, words decided which lessons apply: {why}\n" in capsys.readouterr().out
    # Final, unless somebody asks for it.
    idle, mended = Judge(), Judge()
    assert digests(resumed(taught, first.run, idle)) == digests(first)
    last = resumed(taught, first.run, mended, retry_failed=True)
    assert (idle.asked, len(mended.asked)) == ([], 1)
    assert digests(last) == digests(there)
    assert (whole(taught, last), last.arms["learned"]["lacking"]) == (["", ""], 0)
    assert taught.damage() == ()


def test_a_judge_that_is_still_down_leaves_it_as_it_was(taught: Store) -> None:
    first = played(taught, Judge(down(1, 2)))
    still = Judge(down(1, 2))
    again = resumed(taught, first.run, still, retry_failed=True)
    assert (len(still.asked), again.arms["learned"]["lacking"]) == (2, 2)
    assert digests(again) == digests(first)


def test_a_judgement_of_no_use_is_asked_for_anew_once(taught: Store) -> None:
    there = played(taught, Judge())
    first = played(taught, Judge(lambda _: "I would rather not."))
    assert all(why.startswith("model_error: ") for why in whole(taught, first))
    still = Judge(lambda _: "I would rather not.")
    same = resumed(taught, first.run, still, retry_failed=True)
    assert len(still.asked) == 6, "two answers, each mended twice"
    assert digests(same) == digests(first)
    last = resumed(taught, first.run, Judge(), retry_failed=True)
    assert digests(last) == digests(there)


def test_what_the_agent_was_asked_without_the_judgement_is_asked_again(taught: Store) -> None:
    there = played(taught, Judge(), ChatAgent(ScriptedModel(act)))
    first = played(taught, Judge(down(1)), ChatAgent(ScriptedModel(act)))
    assert digests(first) != digests(there)
    acting = ScriptedModel(act)
    last = resumed(taught, first.run, Judge(), ChatAgent(acting), retry_failed=True)
    assert digests(last) == digests(there)
    assert (len(acting.requests), last.figures["discarded"]) == (1, 1)
    assert [e.generation for e in episodes(taught, last)] == [1, 0]


def test_a_limit_of_tokens_is_no_failure_of_the_judge(taught: Store) -> None:
    judge = Judge(lambda _: "I would rather not.")
    agent, limits = ChatAgent(ScriptedModel(act)), ALONE.replace(max_tokens=1)
    few = played(taught, judge, agent, limits=limits)
    assert (len(judge.asked), whole(taught, few)) == (2, ["", ""])
    assert [e.stop_reason for e in episodes(taught, few)] == [StopReason.TOKENS] * 2
