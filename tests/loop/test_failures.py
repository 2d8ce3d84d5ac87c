"""Whatever breaks is recorded where it broke; the run goes on and loses nothing."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.loop.test_guidance import GENERAL, curator
from tests.loop.world import UNKNOWN, Player, Safe, episodes, pressed, pressing, rows, run, safes
from verbalrl import ChatAgent, Learner, Limits, ScriptedModel
from verbalrl.errors import ModelError, StuckThreadsError
from verbalrl.methods import handbook, reflexion
from verbalrl.models import Request
from verbalrl.records import Action, Episode, Situation, StepResult, StopReason
from verbalrl.result import RunResult
from verbalrl.store import Store

CODES = ("green", "red", "green")
"""What is wrong goes wrong with the red safe, at trial 1 to 3; the green ones are opened."""


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Lets blocked threads go at the end."""
    event = threading.Event()
    yield event
    event.set()


def goes_on(store: Store, result: RunResult, reason: StopReason, kind: str) -> list[Episode]:
    """Checks that the green safes were opened and the red ones failed; gives these."""
    found = episodes(store, result)
    good = [e for e in found if not e.instance.endswith("/1")]
    bad = [e for e in found if e.instance.endswith("/1")]
    assert [e.success for e in good] == [True, True]
    assert [e.trial for e in bad] == [1, 2, 3]
    assert {e.stop_reason for e in bad} == {reason}
    assert {e.failure.kind if e.failure else "" for e in bad} == {kind}
    figures, broken = result.arms["learned"], 3 if kind else 0
    assert (figures["episodes"], figures["errors"]) == (5, broken)
    # An error is a failure in rates, not a missing value.
    assert figures["success_by_trial"] == [0.6667] * 3
    assert (figures["instances"], figures["unknown"]) == (3, 0)
    assert result.figures["status"] == "done"
    return bad


def with_safe(misbehave: Callable[[Safe], Any]) -> Callable[[str], Safe]:
    """Safes of which the red one does `misbehave` at its second press."""

    class Bad(Safe):
        def step(self, action: Action, /) -> StepResult:
            if self.code == ["red"] and self.pressed:
                misbehave(self)
            return super().step(action)

    return Bad


def never_red(situation: Situation) -> str:
    return "green"


def test_an_environment_that_blocks(store: Store, release: threading.Event) -> None:
    task = safes(*CODES, make=with_safe(lambda _: release.wait()), inline=False)
    result = run(
        store, Player(never_red), reflexion(trials=3), task, limits=Limits(step_timeout_s=1.5)
    )
    assert not release.is_set()
    bad = goes_on(store, result, StopReason.TASK_ERROR, "task_error")
    assert all("took longer than 1.5 s" in e.failure.message for e in bad if e.failure)
    # What happened before is kept, also the action that blocked.
    assert [pressed(e) for e in bad] == [["green", "green"]] * 3


def test_an_environment_that_raises(store: Store) -> None:
    task = safes(*CODES, make=with_safe(lambda safe: safe.code.remove("violet")))
    bad = goes_on(
        store,
        run(store, Player(never_red), reflexion(trials=3), task),
        StopReason.TASK_ERROR,
        "task_error",
    )
    assert all(e.failure and "ValueError" in e.failure.message for e in bad)
    # An error is nobody's to learn from.
    assert store.critiques() == ()


def test_an_environment_that_never_ends(store: Store) -> None:
    task = safes(*CODES, max_steps=7)
    result = run(store, Player(never_red), reflexion(trials=3), task)
    bad = goes_on(store, result, StopReason.MAX_STEPS, "")
    assert [len(pressed(e)) for e in bad] == [7, 7, 7]
    # To take too long is the agent's own doing: it is criticised.
    assert len(store.critiques()) == 2


def agent(bad: Callable[[], Any]) -> Player:
    """Opens the green safes; does `bad` at the red one."""

    def act(situation: Situation) -> Any:
        assert situation.instance is not None
        return bad() if situation.instance.id.endswith("/1") else "green"

    return Player(act)


def raises() -> None:
    raise KeyError("no idea")


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (raises, "KeyError"),
        (lambda: None, "returned NoneType"),
        (lambda: 42, "returned int"),
        (lambda: {"action": "green"}, "returned dict"),
        (lambda: "x" * 2_000_000, "2000000 characters"),
    ],
    ids=["raises", "none", "int", "dict", "endless"],
)
def test_an_agent_that_breaks(store: Store, bad: Callable[[], Any], said: str) -> None:
    result = run(store, agent(bad), reflexion(trials=3), safes(*CODES))
    found = goes_on(store, result, StopReason.AGENT_ERROR, "agent_error")
    assert all(e.failure and said in e.failure.message for e in found)


def test_an_agent_that_answers_nonsense_is_answered(store: Store) -> None:
    result = run(store, agent(lambda: "colourless\x00 green"), reflexion(trials=3), safes(*CODES))
    bad = goes_on(store, result, StopReason.MAX_STEPS, "")
    assert pressed(bad[0]) == ["colourless green"] * 2


def test_an_agent_that_never_answers(store: Store) -> None:
    class Sleeper(Player):
        async def __call__(self, situation: Situation, /) -> Any:
            answer = await super().__call__(situation)
            return await asyncio.Event().wait() if answer == "asleep" else answer

    sleeper = Sleeper(agent(lambda: "asleep").policy)
    limits = Limits(step_timeout_s=0.1)
    result = run(store, sleeper, reflexion(trials=3), safes(*CODES), limits=limits)
    goes_on(store, result, StopReason.TIMEOUT, "")


def test_a_model_that_fails_for_good(store: Store) -> None:
    def act(request: Request) -> Any:
        if "<history>" in request.messages[-1].plain:
            raise ModelError("out of quota")
        return {"thought": "", "action": "green", "lessons_used": []}

    result = run(store, ChatAgent(ScriptedModel(act)), reflexion(trials=3), safes(*CODES))
    bad = goes_on(store, result, StopReason.MODEL_ERROR, "model_error")
    # The press that was paid for is there.
    assert [pressed(e) for e in bad] == [["green"]] * 3


def critic_that_raises(_: Any) -> str:
    raise RuntimeError("no paper left")


@pytest.mark.parametrize(
    ("critic", "said"),
    [
        (critic_that_raises, "RuntimeError"),
        (lambda _: 7, "not int"),
        (lambda _: {"keeps": "all"}, "keeps"),
        (lambda _: {"lessons": [{"when": "always"}]}, "instruction"),
        (ScriptedModel(lambda _: "I would rather not."), ""),
        (ScriptedModel(lambda _: ModelError("overloaded")), "overloaded"),
    ],
    ids=["raises", "int", "wrong type", "no instruction", "no json", "model error"],
)
def test_a_critic_that_breaks(store: Store, critic: Any, said: str) -> None:
    task = safes("green", "red", max_steps=1)
    result = run(store, Player(never_red), reflexion(trials=3), task, critic=critic)
    written = store.critiques(run=result.run)
    assert [c.status for c in written] == ["failed", "failed"]
    assert all(said in c.detail for c in written)
    assert [e.success for e in episodes(store, result)] == [True, False, False, False]
    figures = result.arms["learned"]["critiques"]
    assert (figures["written"], figures["useful"], figures["failed"]) == (2, 0, 2)
    assert rows(store.path, "lessons") == {"lessons": []}
    assert result.figures["status"] == "done"


def curator_that_raises(_: Any) -> None:
    raise RuntimeError("no shelf left")


@pytest.mark.parametrize(
    "bad",
    [
        curator_that_raises,
        lambda _: "add a lesson",
        lambda _: [{"op": 3}],
        ScriptedModel(lambda _: "No operations today."),
        ScriptedModel(lambda _: ModelError("overloaded")),
    ],
    ids=["raises", "text", "wrong type", "no json", "model error"],
)
def test_a_curator_that_breaks(store: Store, bad: Any) -> None:
    task = safes("red", "red", test=["green"], max_steps=1)

    def critic(tried: Any) -> str:
        return f"After trial {tried[-1].trial} press another one then."

    result = run(store, Player(never_red), handbook(trials=2), task, critic=critic, curator=bad)
    commits = [store.commit(row[1]) for row in rows(store.path, "commits")["commits"]]
    assert len(commits) == 2
    assert all(c and c.failure and not c.updates for c in commits)
    assert result.arms["learned"]["critiques"]["failed_curations"] == 2
    assert result.arms["learned"]["success_rate"] == 1.0
    assert len(store.critiques(run=result.run, status="accepted")) == 4


def test_critics_and_curators_that_block_are_not_waited_for(
    store: Store, release: threading.Event
) -> None:
    def blocks(_: Any) -> None:
        release.wait()

    limits = Limits(timeout_s=1.5)
    task = safes("red", "green", test=["green"], max_steps=1)
    player = Player(never_red)
    own = {"critic": blocks, "curator": curator(GENERAL)}
    by_critic = run(store, player, handbook(trials=1), task, limits=limits, **own)
    assert [c.status for c in store.critiques(run=by_critic.run)] == ["failed", "failed"]
    assert all("longer than 1.5 s" in c.detail for c in store.critiques())
    by_curator = run(store, player, handbook(trials=1), task, curator=blocks, limits=limits)
    (row,) = rows(store.path, "commits")["commits"]
    commit = store.commit(row[1])
    assert commit is not None
    assert "longer than 1.5 s" in commit.failure
    for result in (by_critic, by_curator):
        assert result.figures["status"] == "done"
        assert result.arms["learned"]["success_rate"] == 1.0


def test_what_a_curator_failed_on_is_evidence_for_the_next_one(store: Store) -> None:
    task = safes("red", "red", test=["green"], max_steps=1)
    read: list[int] = []

    def wakes_up(inputs: Any) -> Any:
        read.append(len(inputs.evidence))
        if len(read) == 1:
            raise RuntimeError("not awake yet")
        return curator(GENERAL)(inputs)

    def critic(tried: Any) -> str:
        return f"After trial {tried[-1].trial} press another one then."

    player = Player(lambda s: "green")
    run(store, player, handbook(trials=2), task, critic=critic, curator=wakes_up)
    assert read == [2, 4]
    assert player.seen[-1].guidance


def test_evidence_of_earlier_rounds_is_shown_from_the_oldest(store: Store) -> None:
    read: list[list[str]] = []

    def curate(inputs: Any) -> Any:
        read.append([p.instruction for item in inputs.evidence for p in item.proposals])
        return curator(GENERAL)(inputs)

    def critic(tried: Any) -> dict[str, Any]:
        said = f"Mind what trial {tried[-1].trial} has shown."
        return {"lessons": [{"when": "the lamp is lit", "instruction": said, "step": 1}]}

    task = safes("blue", test=["blue"], max_steps=1)
    run(store, pressing("red"), handbook(trials=4), task, critic=critic, curator=curate)
    assert read[-1] == [f"Mind what trial {n} has shown." for n in (4, 1, 2, 3)]


def test_four_stuck_threads_stop_the_run_and_say_so(store: Store, release: threading.Event) -> None:
    def blocks(situation: Situation) -> str:
        release.wait()
        return "green"

    task = safes(*(["green"] * 12), max_steps=1)
    learner = Learner(
        blocks,
        method=reflexion(trials=2),
        critic=lambda _: "Press another colour next time.",
        store=store,
        # Once the threads come back, no answer may take that long.
        limits=Limits(step_timeout_s=1.5, concurrency=2),
    )
    with pytest.raises(StuckThreadsError):
        learner.run_sync(task, arms=("learned",))
    (record,) = store.runs()
    assert record.status == "failed"
    assert re.search(r"StuckThreadsError: \d+ timed-out calls", record.stop_reason)
    stuck = store.episodes(run=record.id)
    assert {e.stop_reason for e in stuck} == {StopReason.TIMEOUT}
    assert 4 <= len(stuck) < 12
    # The threads come back, and so does the run.
    release.set()
    resumed = learner.resume_sync(record.id, task)
    assert resumed.figures["status"] == "done"
    assert resumed.arms["learned"]["success_rate"] == 1.0
    kept = store.episodes(run=record.id)
    assert {e.id for e in stuck} <= {e.id for e in kept}


def test_unknown_success_is_left_out_of_rates_and_counted(store: Store) -> None:
    task = safes("green", UNKNOWN, "blue", "green", max_steps=1)
    result = run(
        store, pressing("green"), reflexion(trials=2), task, arms=("none", "retry", "learned")
    )
    for arm, unknown in (("none", 1), ("retry", 2), ("learned", 2)):
        figures = result.arms[arm]
        assert figures["unknown"] == unknown
        assert figures["instances"] == 3
        assert figures["success_rate"] == 0.6667
        assert figures["errors"] == 0
    assert result.arms["learned"]["vs_retry"]["n"] == 3
    # Unknown is no success: it is tried again.
    tried = [e.trial for e in episodes(store, result, arm="learned") if e.success is None]
    assert tried == [1, 2]


def test_nothing_but_unknown_has_no_rate(store: Store) -> None:
    result = run(store, pressing("green"), reflexion(trials=1), safes(UNKNOWN, max_steps=1))
    figures = result.arms["learned"]
    assert (figures["success_rate"], figures["ci95"], figures["unknown"]) == (None, None, 1)
    assert figures["success_by_trial"] == [None]
    assert "unknown" in result.table()
