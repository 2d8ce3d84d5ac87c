"""A run that gets nowhere stops and says why; mended, it goes on as if nothing had happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.loop.world import episodes, pressing, rows, run, safes
from verbalrl import ChatAgent, Learner, Limits, ScriptedModel, load_task
from verbalrl.errors import CallRefused, CallTimedOut, ModelError, ProviderDown, QuotaSpent
from verbalrl.execution.alarms import IN_A_ROW, CallAlarm, LearningAlarm
from verbalrl.methods import handbook, reflexion
from verbalrl.models import Model, OfflineModel, Reply, Request
from verbalrl.store import Store


def refused(status: int, text: str = "refused: no such model") -> CallRefused:
    error = CallRefused(text)
    error.status = status
    return error


def told(*ends: ModelError | None, model: str = "m") -> list[str]:
    """What the alarm says to each end, None for an answer."""
    alarm = CallAlarm()
    said = []
    for error in ends:
        if error is None:
            alarm.answered(model)
        else:
            said.append(alarm.failed(model, error))
    return said


def test_five_equal_failures_in_a_row() -> None:
    again = [refused(404)] * 4
    assert not any(told(*again))
    assert told(*again, refused(404))[-1] == (
        "5 calls in a row failed alike: refused: no such model"
    )
    assert not any(told(*again, None, *again))
    assert not any(told(*again, refused(404, "refused: another one"), *again))
    assert not any(told(*again, ModelError("refused: no such model")))


def test_an_outage_says_now_this_now_that() -> None:
    ends = [ProviderDown("503"), ProviderDown("502"), CallTimedOut("late"), ProviderDown("reset")]
    assert not any(told(*ends))
    assert told(*ends, ProviderDown("503"))[-1].endswith("alike: 503")
    assert not any(told(*ends, None, *ends))


@pytest.mark.parametrize(
    "error",
    [
        QuotaSpent("no quota or credit is left: 429"),
        refused(401, "refused: 401"),
        refused(0, "refused: an error in a 200 authentication_error no"),
    ],
)
def test_what_concerns_the_whole_account_stops_at_once(error: ModelError) -> None:
    assert told(error) == [str(error)]


def test_models_fail_apart() -> None:
    alarm = CallAlarm()
    for _ in range(IN_A_ROW - 1):
        assert alarm.failed("critic", refused(404)) == ""
        alarm.answered("actor")
        assert alarm.failed("actor", refused(404)) == ""
    assert alarm.failed("critic", refused(404))


def learned(*failed: bool) -> list[bool]:
    """Whether the alarm goes off at each."""
    alarm = LearningAlarm()
    return [bool(alarm.ended("critic", "no JSON" if f else "")) for f in failed]


def test_more_than_a_fifth_of_the_last_twenty() -> None:
    fine, bad = (False,) * 16, (True,) * 4
    assert not any(learned(*fine, *bad, *fine, *bad))
    assert learned(*fine, *bad, *fine[:15], True).count(True) == 1
    assert learned(*bad, True) == [False] * 4 + [True]
    alarm = LearningAlarm()
    for _ in range(4):
        alarm.ended("critic", "no JSON")
    # Each for itself.
    assert alarm.ended("curator", "no JSON") == ""
    said = alarm.ended("critic", "no JSON")
    assert said == "the critic failed 5 times of its last 5; the last time: no JSON"


class Breaking(Model):
    """The offline model, until something is wrong; counts what it was asked."""

    name, simulated = "offline:apprentice", True

    def __init__(self, answers: int, make: Callable[[], Exception]) -> None:
        self.left, self.make = answers, make
        self.keys: list[str] = []
        self._inner = OfflineModel()

    async def complete(self, request: Request, /) -> Reply:
        self.keys.append(request.call_key)
        if len(self.keys) > self.left:
            raise self.make()
        return await self._inner.complete(request)


PRESS_RED: dict[str, Any] = {
    "verdict": "failure",
    "causes": [],
    "lessons": [{"when": "the lamp is lit", "instruction": "Press another colour first."}],
}
GRID: dict[str, Any] = {"instances": 4, "arms": ("retry", "learned")}


def learner(store: Store, model: Model, slots: int = 1) -> Learner:
    limits = Limits(concurrency=slots)
    return Learner(ChatAgent(model), method=reflexion(trials=2), store=store, limits=limits)


def digests(figures: dict[str, Any]) -> list[Any]:
    return [(a["memory_digest"], a["episodes_digest"]) for a in figures["arms"].values()]


@pytest.mark.parametrize("slots", [1, 8])
@pytest.mark.parametrize(
    "make", [lambda: QuotaSpent("no credit is left: 402"), lambda: refused(401, "refused: 401")]
)
def test_mended_it_goes_on_as_if_nothing_had_happened(
    store: Store, make: Callable[[], Exception], slots: int
) -> None:
    task = load_task("gridnav-v1")
    whole = Breaking(10**6, make)
    there = learner(store, whole).run_sync(task, **GRID)
    broken = Breaking(20, make)
    first = learner(store, broken, slots).run_sync(task, **GRID)
    assert first.figures["status"] == "failed"
    assert str(make()) in str(first.figures["stop_reason"])
    assert store.run(first.run).status == "failed"
    # Of those in flight each may have been refused; nothing was asked after that.
    assert len(broken.keys) <= 20 + slots
    assert {e.status for e in store.episodes(run=first.run)} <= {"finished"}
    mended = Breaking(10**6, make)
    last = learner(store, mended).resume_sync(first.run, task)
    assert digests(last.figures) == digests(there.figures)
    assert not set(broken.keys[:20]) & set(mended.keys)
    assert len(broken.keys[:20]) + len(mended.keys) == len(whole.keys)


def test_equal_refusals_stop_after_five_requests(store: Store) -> None:
    broken = Breaking(0, lambda: refused(400, "refused: 400 unknown parameter"))
    result = learner(store, broken).run_sync(load_task("gridnav-v1"), **GRID)
    assert result.figures["status"] == "failed"
    assert len(broken.keys) == IN_A_ROW
    # What failed before anybody could know is a failure; the last one is tried again.
    assert [e.status for e in store.episodes(run=result.run)] == ["failed"] * 4


def test_failures_that_differ_stop_nothing(store: Store) -> None:
    count = iter(range(10**6))
    broken = Breaking(0, lambda: refused(400, f"refused: 400 request {next(count)} is too long"))
    result = learner(store, broken).run_sync(load_task("gridnav-v1"), **GRID)
    assert result.figures["status"] == "done"
    assert len(broken.keys) == 16


@pytest.mark.parametrize("slots", [1, 8])
def test_a_critic_that_fails_too_often_stops_the_run(store: Store, slots: int) -> None:
    task = safes(*["blue"] * 12, max_steps=1)
    awake: list[bool] = []
    critic = ScriptedModel(lambda _: PRESS_RED if awake else "I would rather not.")
    limits = Limits(concurrency=slots)
    first = run(store, pressing("green"), reflexion(trials=2), task, critic=critic, limits=limits)
    assert first.figures["status"] == "failed"
    assert "the critic failed 5 times of its last 5" in str(first.figures["stop_reason"])
    failed = len(store.critiques(run=first.run))
    assert 5 <= failed <= 5 + slots
    # The failures stay; the rest is tried again, and counted anew.
    awake.append(True)
    better = Learner(pressing("green"), method=reflexion(trials=2), critic=critic, store=store)
    last = better.resume_sync(first.run, task)
    assert last.figures["status"] == "done"
    assert last.arms["learned"]["critiques"]["failed"] == failed
    assert last.arms["learned"]["critiques"]["useful"] == 12 - failed
    assert len(episodes(store, last)) == 24


def test_a_curator_that_fails_too_often_stops_the_run(store: Store) -> None:
    task = safes(*["red"] * 6, test=["green"], max_steps=1)
    curator = ScriptedModel(lambda _: "No operations today.")
    method = handbook(trials=1, round_size=1)
    result = run(store, pressing("green"), method, task, curator=curator)
    assert result.figures["status"] == "failed"
    assert "the curator failed 5 times" in str(result.figures["stop_reason"])
    assert len(rows(store.path, "commits")["commits"]) == 5
