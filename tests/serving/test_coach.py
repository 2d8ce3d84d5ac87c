"""Episodes, feedback, and learning apart from serving, in one process."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.loop.test_resume import ROOT
from tests.serving.worlds import SCOPE, call, case, coach_of, exchange, lessons, user
from verbalrl.errors import ConfigurationError, StorageError, UnknownNameError
from verbalrl.memory.purge import purge
from verbalrl.models import ScriptedModel, run_sync
from verbalrl.records import Origin, Status, StopReason
from verbalrl.serving import Coach, open_end, serve
from verbalrl.store import open_store


def test_an_episode_is_recorded_step_by_step(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach, coach.episode("a ticket", key="t1", source="ann") as episode:
        first = (user("hello"),)
        episode.record(exchange(*first, reply="what is it?"))
        then = (*first, {"role": "assistant", "content": "what is it?"}, user("a refund"))
        episode.record(exchange(*then, reply="granted"))
        episode.__exit__(None, None, None)
        kept = coach.store.episode(episode.id)
        assert kept is not None
        steps = kept.trajectory.steps
        assert [s.observation.text for s in steps] == ["hello", "a refund"]
        assert [s.action.text for s in steps] == ["what is it?", "granted"]
        assert {p.source for s in steps for p in s.observation.parts} == {"ann"}
        assert (kept.instance, kept.answer, kept.success) == ("t1", "granted", None)
        assert kept.usage["actor"].calls == 2


def test_recall_takes_no_thread_and_no_loop_of_its_own(tmp_path: Path) -> None:
    async def guided(coach: Coach) -> str:
        async with coach.episode("a guest comes") as episode:
            return episode.guidance

    with coach_of(tmp_path) as coach:
        with coach.episode("a ticket") as first:
            first.step("a guest came", "ignored")
        coach.feedback(first, text="do greet when a guest comes", origin="operator")
        coach.learn_sync()
        before = set(threading.enumerate())
        with coach.episode("a guest comes") as episode:
            assert "greet" in episode.guidance
        assert "greet" in asyncio.run(guided(coach))
        assert set(threading.enumerate()) == before


def test_ids_are_random_and_states_follow(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach:
        one, other = case(coach), case(coach)
        assert one != other
        assert coach.store.served(one).state == "closed"
        coach.feedback(one, success=False, text="do greet when a guest comes")
        assert coach.store.served(one).state == "pending"
        assert coach.learn_sync().episodes == 1
        assert coach.store.served(one).state == "consumed"
        assert coach.store.served(other).state == "closed"


def test_feedback_while_an_episode_is_open_waits_for_its_end(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach:
        with coach.episode("a ticket") as episode:
            coach.feedback(episode.id, success=False)
            assert coach.store.served(episode.id).state == "open"
            assert coach.learn_sync().episodes == 0
        assert coach.store.served(episode.id).state == "pending"
        kept = coach.store.episode(episode.id)
        assert kept is not None
        assert kept.success is False


def test_feedback_is_append_only_and_idempotent_under_a_key(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach:
        name = case(coach)
        assert coach.feedback(name, reward=0.0, idempotency_key="k") == 1
        assert coach.feedback(name, reward=9.0, idempotency_key="k") == 1
        assert coach.feedback(name, reward=1.0) == 2
        assert [f.reward for f in coach.store.feedback(name)] == [0.0, 1.0]
        kept = coach.store.episode(name)
        assert kept is not None
        assert kept.reward.value == 1.0


def test_the_operators_judgement_stands_over_later_ones(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach:
        name = case(coach)
        coach.feedback(name, success=False, origin="operator")
        coach.feedback(name, success=True, source="ann")
        kept = coach.store.episode(name)
        assert kept is not None
        assert kept.success is False


def test_feedback_that_cannot_be_meant_is_one_line(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach:
        name = case(coach)
        with pytest.raises(UnknownNameError, match="no served episode"):
            coach.feedback("ep_nothing", reward=1.0)
        with pytest.raises(ConfigurationError, match="says nothing"):
            coach.feedback(name)
        with pytest.raises(ConfigurationError, match="finite"):
            coach.feedback(name, reward=float("nan"))
        with pytest.raises(UnknownNameError, match="did you mean: operator"):
            coach.feedback(name, reward=1.0, origin="operater")


@pytest.mark.parametrize(
    "said",
    [
        {"reward": "1"},
        {"reward": [1]},
        {"reward": 10**400},
        {"success": "no"},
        {"text": 5},
        {"text": b"x"},
        {"text": "x", "source": 5},
        {"text": "x", "origin": 5},
        {"text": "x", "idempotency_key": 5},
    ],
)
def test_feedback_of_a_wrong_type_is_one_line(tmp_path: Path, said: dict[str, Any]) -> None:
    with coach_of(tmp_path) as coach:
        name = case(coach)
        with pytest.raises(ConfigurationError) as refused:
            coach.feedback(name, **said)
        assert "\n" not in str(refused.value)
        assert len(str(refused.value)) < 200
        assert coach.store.feedback(name) == ()


def test_an_episode_stands_for_its_id(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach:
        with coach.episode("x") as episode:
            call(episode, "x")
        assert coach.feedback(episode, success=True) == 1
        assert coach.correct(episode, "do wait") == 2
        nothing: Any = None
        with pytest.raises(ConfigurationError, match="an episode or its id"):
            coach.feedback(nothing, success=True)
        with pytest.raises(ConfigurationError, match="text=None"):
            coach.correct(episode.id, nothing)


@pytest.mark.parametrize(
    "given", [{"scope": 5}, {"rules": {"about": "x"}}, {"store": ""}, {"store": 5}]
)
def test_what_serve_cannot_mean_is_one_line(tmp_path: Path, given: dict[str, Any]) -> None:
    asked: dict[str, Any] = {"store": tmp_path, **given}
    with pytest.raises(ConfigurationError, match=next(iter(given))):
        serve(**asked)


@pytest.mark.parametrize("every_s", [0, -1, float("nan"), float("inf"), None, "x", 1e12])
def test_learning_in_a_thread_needs_a_time_to_wait(tmp_path: Path, every_s: Any) -> None:
    with coach_of(tmp_path) as coach, pytest.raises(ConfigurationError, match="every_s"):
        coach.start_learning(every_s)


def test_learning_in_a_thread_needs_a_critic(tmp_path: Path) -> None:
    with (
        coach_of(tmp_path, critic=None, curator=None) as coach,
        pytest.raises(ConfigurationError, match="learning needs a critic"),
    ):
        coach.start_learning()


def test_closing_in_a_coroutine_ends_the_thread_that_learns_first(tmp_path: Path) -> None:
    done = threading.Event()

    class Model(ScriptedModel):
        async def aclose(self) -> None:
            alive = [t for t in threading.enumerate() if t.name == "verbalrl-learner"]
            assert alive == []
            done.set()

    async def run() -> None:
        model = Model(lambda _: "x")
        coach = coach_of(tmp_path, critic=model, curator=model)
        coach.start_learning(0.01)
        await asyncio.sleep(0.05)
        await coach.aclose()

    asyncio.run(run())
    assert done.is_set()


def test_operator_feedback_is_active_at_once_and_in_the_next_prompt(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach:
        name = case(coach)
        coach.feedback(name, reward=0.0, text="do offer a refund when it broke", origin="operator")
        coach.learn_sync()
        learned = lessons(coach)["do offer a refund"]
        assert (learned.status, learned.trust) == (Status.ACTIVE, Origin.OPERATOR)
        with coach.episode("it broke") as episode:
            assert "When it broke: do offer a refund" in call(episode, "it broke")
        kept = coach.store.episode(episode.id)
        assert kept is not None
        assert [u.lesson for u in kept.guidance["actor"].uses] == [learned.id]
        assert kept.revision == {SCOPE: 1}


def test_a_customers_words_wait_and_a_second_customer_confirms_them(tmp_path: Path) -> None:
    text = "do offer a refund when it broke"
    with coach_of(tmp_path) as coach:
        for customer, status in (("ann", Status.QUARANTINED), ("ann", Status.QUARANTINED)):
            coach.feedback(case(coach, source=customer), reward=0.0, text=text, source=customer)
            coach.learn_sync()
            assert lessons(coach)["do offer a refund"].status is status
        with coach.episode("it broke") as episode:
            assert call(episode, "it broke") == ""
        coach.feedback(case(coach, source="bob"), reward=0.0, text=text, source="bob")
        coach.learn_sync()
        learned = lessons(coach)["do offer a refund"]
        assert learned.status is Status.PROVISIONAL
        shown = []
        for _ in range(80):
            with coach.episode("it broke") as episode:
                shown.append(bool(call(episode, "it broke")))
        # A coin of .8, of which only the seed is fixed.
        assert 40 <= sum(shown) < 80


def test_unnamed_and_self_judged_feedback_confirms_nothing(tmp_path: Path) -> None:
    text = "do offer a refund when it broke"
    with coach_of(tmp_path) as coach:
        for customer, by in (("ann", None), ("bob", "agent"), ("cid", None)):
            coach.feedback(case(coach, source=customer), reward=0.0, text=text, source=by)
        coach.learn_sync()
        assert lessons(coach)["do offer a refund"].status is Status.QUARANTINED


@pytest.mark.parametrize("outcome", [{"success": False}, {"reward": 0.0}])
@pytest.mark.parametrize("agent", ["agent", " Agent"])
def test_words_of_others_do_not_make_the_agents_judgement_theirs(
    tmp_path: Path, outcome: dict[str, Any], agent: str
) -> None:
    text = "do offer a refund when it broke"
    with coach_of(tmp_path) as coach:
        for customer in ("ann", "bob"):
            name = case(coach, source=customer)
            coach.feedback(name, source=agent, **outcome)
            coach.feedback(name, text=text, source=customer)
        coach.learn_sync()
        assert lessons(coach)["do offer a refund"].status is Status.QUARANTINED


def test_blanks_make_no_second_source(tmp_path: Path) -> None:
    text = "do offer a refund when it broke"
    with coach_of(tmp_path) as coach:
        for customer in ("ann", " ann ", "  "):
            coach.feedback(case(coach, source=customer), reward=0.0, text=text, source=customer)
        coach.learn_sync()
        assert lessons(coach)["do offer a refund"].status is Status.QUARANTINED


def test_an_empty_key_is_none(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach:
        name = case(coach)
        numbers = [coach.feedback(name, reward=n, idempotency_key="") for n in (0.0, 1.0)]
        assert numbers == [1, 2]


def test_a_goal_of_nobody_confirms_nothing(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach:
        for customer in ("ann", "bob"):
            with coach.episode("a goal of nobody") as episode:
                episode.step("", "done")
            text = "do offer a refund when it broke"
            coach.feedback(episode.id, reward=0.0, text=text, source=customer)
        coach.learn_sync()
        assert lessons(coach)["do offer a refund"].status is Status.QUARANTINED


def test_an_agent_may_be_served_on_the_loop_of_sync_code(tmp_path: Path) -> None:
    async def agent(coach: Coach) -> str:
        async with coach.episode("x") as episode:
            return call(episode, "x")

    with coach_of(tmp_path) as coach:
        coach.feedback(case(coach), text="do greet when a guest comes", origin="operator")
        coach.learn_sync()
        assert "do greet" in run_sync(agent(coach))


def test_a_forked_child_serves_with_a_store_of_its_own(tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from tests.serving.worlds import call, case, coach_of\n"
        "coach = coach_of(Path(sys.argv[1]))\n"
        "case(coach, 'before')\n"
        "with coach.episode('of the parent') as episode:\n"
        "    child = os.fork()\n"
        "    call(episode, 'recorded once' if child else 'not recorded')\n"
        "case(coach, 'in the child' if not child else 'in the parent')\n"
        "if not child:\n"
        "    coach.close()\n"
        "    os._exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "coach.close()\n"
    )
    asked = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    with coach_of(tmp_path) as coach:
        goals = sorted(s.goal for s in coach.store.all_served())
        assert goals == ["before", "in the child", "in the parent", "of the parent"]
        texts = [s.observation.text for e in coach.store.episodes() for s in e.trajectory.steps]
        assert sorted(texts) == ["before", "in the child", "in the parent", "recorded once"]
        assert {s.state for s in coach.store.all_served()} == {"closed"}
        assert len(coach.store.runs()) == 2


def test_guidance_is_pinned_while_lessons_change(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach:
        name = case(coach)
        with coach.episode("x") as episode:
            assert call(episode, "x") == ""
            coach.feedback(name, text="do greet when a guest comes", origin="operator")
            coach.learn_sync()
            assert call(episode, "x") == ""
        with coach.episode("x") as episode:
            assert "do greet" in call(episode, "x")


def test_later_feedback_supersedes_what_was_learned(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach:
        name = case(coach)
        coach.feedback(name, text="do greet when a guest comes", origin="operator")
        coach.learn_sync()
        coach.feedback(name, success=True)
        assert coach.learn_sync().episodes == 1
        assert set(lessons(coach)) == {"do greet"}, "only the operator takes back his words"
        coach.feedback(name, text="do wave when a guest comes", origin="operator")
        coach.learn_sync()
        assert set(lessons(coach)) == {"do wave"}
        assert coach.learn_sync().episodes == 0


def test_what_another_case_supports_stays(tmp_path: Path) -> None:
    text = "do greet when a guest comes"
    with coach_of(tmp_path) as coach:
        names = [case(coach, source=s) for s in ("ann", "bob")]
        for name, source in zip(names, ("ann", "bob"), strict=True):
            coach.feedback(name, success=False, text=text, source=source)
        coach.learn_sync()
        assert lessons(coach)["do greet"].status is Status.PROVISIONAL
        coach.feedback(names[0], success=False, text="do wave when a guest comes", source="ann")
        coach.learn_sync()
        kept = lessons(coach)
        assert {e.episode for e in kept["do greet"].evidence} == {names[1]}
        assert kept["do greet"].votes["support"] == 1
        assert kept["do greet"].status is Status.QUARANTINED, "one source confirms nothing"
        coach.feedback(names[1], success=False, text="nothing", source="bob")
        coach.learn_sync()
        assert set(lessons(coach)) == {"do wave"}


def test_what_came_back_is_a_lesson_again(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach:
        name = case(coach, source="ann")
        for text in (
            "do greet when a guest comes",
            "do wave when a guest comes",
            "do greet when a guest comes",
        ):
            coach.feedback(name, success=False, text=text, source="ann")
            coach.learn_sync()
        assert set(lessons(coach)) == {"do greet"}
        assert lessons(coach)["do greet"].status is Status.QUARANTINED


def test_what_went_well_is_critiqued_now_and_then(tmp_path: Path) -> None:
    rules = {"rules": coach_rules(successes=0.0)}
    with coach_of(tmp_path, **rules) as coach:
        good, bad = case(coach), case(coach)
        coach.feedback(good, success=True, text="do say more when they ask again")
        coach.feedback(bad, reward=0.0, text="do say less when they ask again")
        report = coach.learn_sync()
        assert report.episodes == 2
        assert report.critiques == {"accepted": 1}
        assert set(lessons(coach)) == {"do say less"}


def coach_rules(**changes: object) -> object:
    from tests.serving.worlds import RULES

    return RULES.replace(**changes)


def test_a_broken_memory_leaves_the_agent_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with coach_of(tmp_path, strict=False) as coach:
        name = case(coach)
        coach.store.close()
        with caplog.at_level(logging.WARNING), coach.episode("x") as episode:
            assert call(episode, "x") == ""
        with pytest.raises(StorageError, match="closed"):
            coach.feedback(name, reward=1.0)
        assert any("serving.failed" in r.getMessage() for r in caplog.records)


def _held(folder: Path) -> sqlite3.Connection:
    """The store as another process holds it."""
    other = sqlite3.connect(folder / "verbalrl.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other


def test_a_store_that_others_hold_stops_no_agent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with coach_of(tmp_path, strict=False) as coach:
        with closing(_held(tmp_path)), caplog.at_level(logging.WARNING):
            with coach.episode("x") as episode:
                assert call(episode, "x") == ""
            with pytest.raises(UnknownNameError, match="no served episode"):
                coach.store.served(episode.id)
            (line,) = [r for r in caplog.records if "serving.failed" in r.getMessage()]
            assert "busy" in line.getMessage()

            async def one() -> str:
                async with coach.episode("y") as other:
                    call(other, "y")
                return other.id

            late = asyncio.run(one())
        for name in (episode.id, late):
            assert coach.feedback(name, success=True) == 1
            kept = coach.store.episode(name)
            assert kept is not None
            assert len(kept.trajectory.steps) == 1


def test_what_is_said_is_kept_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verbalrl.serving.coach.FEEDBACK_S", 0.2)
    with coach_of(tmp_path, strict=False) as coach:
        name = case(coach)
        with closing(_held(tmp_path)), pytest.raises(StorageError, match="try again"):
            coach.feedback(name, text="do wait when it is late", origin="operator")
        assert coach.feedback(name, text="do wait when it is late", origin="operator") == 1
        (said,) = coach.store.feedback(name)
        assert said.text == "do wait when it is late", "what was refused is not written later"
    with pytest.raises(StorageError, match="the coach is closed"):
        coach.feedback(name, success=True)


def test_strict_raises_what_breaks(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach:
        coach.store.close()
        with pytest.raises(OSError, match="closed"), coach.episode("x") as episode:
            call(episode, "x")


def test_an_agent_that_raises_leaves_a_failed_episode(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach:
        with pytest.raises(KeyError), coach.episode("x") as episode:
            raise KeyError("no such order")
        kept = coach.store.episode(episode.id)
        assert kept is not None
        assert kept.stop_reason is StopReason.AGENT_ERROR
        assert kept.failure is not None
        assert kept.trajectory.steps[0].observation.text == "x"


def test_episodes_nest_and_go_along_into_threads(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach:
        assert coach.current() is None
        with coach.episode("outer") as outer:
            with coach.episode("inner") as inner:
                assert coach.current() is inner
            assert coach.current() is outer
            with ThreadPoolExecutor(1) as pool:
                assert pool.submit(coach.current).result() is None
                assert pool.submit(outer.bind(coach.current)).result() is outer

            async def here() -> object:
                return coach.current()

            async def run() -> object:
                return await asyncio.create_task(here())

            assert asyncio.run(run()) is outer
            assert coach.current() is outer


def test_async_episodes_run_side_by_side(tmp_path: Path) -> None:
    async def one(coach: object, n: int) -> tuple[str, str]:
        async with coach.episode(f"case {n}") as episode:  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)
            call(coach.current(), f"text {n}")  # type: ignore[attr-defined]
        return episode.id, f"text {n}"

    async def run(coach: object) -> list[tuple[str, str]]:
        return await asyncio.gather(*(one(coach, n) for n in range(20)))

    with coach_of(tmp_path) as coach:
        for name, text in asyncio.run(run(coach)):
            kept = coach.store.episode(name)
            assert kept is not None
            assert [s.observation.text for s in kept.trajectory.steps] == [text]


def test_a_correction_is_the_operators_word_at_its_step(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach:
        with coach.episode("x") as episode:
            call(episode, "one")
            # The recorder is behind: what is under way has its turn first.
            resume = threading.Event()
            coach.recorder.submit(resume.wait)
            call(episode, "two")
            threading.Timer(0.1, resume.set).start()
            assert episode.correct("do wait when it is late") == 1
        (said,) = coach.store.feedback(episode.id)
        assert (said.origin, said.step) == (Origin.OPERATOR, 2)
        coach.learn_sync()
        assert lessons(coach)["do wait"].status is Status.ACTIVE


def test_an_agent_without_a_client_records_its_own_steps(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach:
        with coach.episode("x") as episode:
            episode.step("a door", "open it")
        kept = coach.store.episode(episode.id)
        assert kept is not None
        (step,) = kept.trajectory.steps
        assert (step.observation.text, step.action.text) == ("a door", "open it")


def test_an_episode_may_begin_and_end_in_different_places(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with coach_of(tmp_path) as coach, caplog.at_level(logging.WARNING):
        episode = coach.episode("x")
        episode.step("too", "early")
        episode.begin()
        assert coach.current() is None
        episode.step("a door", "open it")
        episode.end(ValueError("stuck"))
        episode.end()
        episode.step("too", "late")
        kept = coach.store.episode(episode.id)
        assert kept is not None
        assert kept.stop_reason is StopReason.AGENT_ERROR
        assert [s.observation.text for s in kept.trajectory.steps] == ["a door"]
        assert sum("episode.not_open" in r.getMessage() for r in caplog.records) == 2
        with pytest.raises(ConfigurationError, match="entered once"):
            episode.begin()


def test_a_worker_learns_in_the_background(tmp_path: Path) -> None:
    learned = threading.Event()

    def tells(inputs: object) -> object:
        from tests.serving.worlds import curator

        learned.set()
        return curator(inputs)

    with coach_of(tmp_path, curator=tells) as coach:
        coach.start_learning(every_s=0.01)
        coach.feedback(case(coach), text="do greet when a guest comes", origin="operator")
        assert learned.wait(30)
    with coach_of(tmp_path) as coach:
        coach.learn_sync()
        assert set(lessons(coach)) == {"do greet"}


def test_learning_without_a_critic_says_what_is_missing(tmp_path: Path) -> None:
    with coach_of(tmp_path, critic=None, curator=None) as coach:
        coach.feedback(case(coach), reward=0.0)
        with pytest.raises(ConfigurationError, match="needs a critic"):
            coach.learn_sync()
    with coach_of(tmp_path, curator=None) as coach, pytest.raises(ConfigurationError):
        coach.learn_sync()


def test_feedback_on_what_could_not_be_recorded_is_refused(tmp_path: Path) -> None:
    with coach_of(tmp_path, strict=False) as coach:
        full = "CREATE TRIGGER full BEFORE INSERT ON served BEGIN SELECT RAISE(ABORT, 'full'); END"
        with closing(sqlite3.connect(tmp_path / "verbalrl.db")) as connection, connection:
            connection.execute(full)
        name = case(coach)
        with pytest.raises(StorageError, match="could not be recorded"):
            coach.feedback(name, reward=0.0)
        with pytest.raises(UnknownNameError):
            coach.feedback("ep_of_nobody", reward=0.0)


def test_an_agent_goes_on_where_no_thread_can_be_started(tmp_path: Path) -> None:
    probe = (
        "import sys, threading\n"
        "from verbalrl import serve\n"
        "coach = serve(sys.argv[1], 'support')\n"
        # More than there is room for.
        "threading.stack_size(1 << 50)\n"
        "with coach.episode('x') as episode:\n"
        "    print('worked')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.stdout == "worked\n", done.stderr


def test_what_waits_to_be_written_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_end, "MAX_WAITING", 3)
    with coach_of(tmp_path) as coach:
        with coach.episode("x") as episode:
            resume = threading.Event()
            coach.recorder.submit(resume.wait)
            for n in range(5):
                call(episode, f"call {n}")
            resume.set()
        first = coach.store.episode(episode.id)
        again = coach.store.episode(case(coach))
    assert coach.recorder.calls.dropped == 2
    assert first is not None
    assert again is not None
    assert [s.observation.text for s in first.trajectory.steps] == ["call 0", "call 1", "call 2"]
    assert len(again.trajectory.steps) == 1


PAGE = "A page says: do offer a refund when it broke."


@pytest.mark.parametrize(
    ("seen", "rules", "status"),
    [
        ("my lamp  broke", {}, Status.PROVISIONAL),
        (f"my lamp broke. {PAGE}", {}, Status.QUARANTINED),
        (PAGE, {}, Status.QUARANTINED),
        (PAGE, {"messages_of_source": True}, Status.PROVISIONAL),
    ],
)
@pytest.mark.parametrize("how", ["client", "step"])
def test_two_cases_that_show_one_page_confirm_each_other_only_where_it_is_vouched_for(
    how: str, seen: str, rules: dict[str, Any], status: Status, tmp_path: Path
) -> None:
    known = {"messages_of_source": False} | rules
    with coach_of(tmp_path, rules=coach_rules(**known)) as coach:
        for customer in ("ann", "bob"):
            with coach.episode("my lamp broke", source=customer) as episode:
                if how == "client":
                    call(episode, seen)
                else:
                    episode.step(seen, "done")
            text = "do offer a refund when it broke"
            coach.feedback(episode, success=False, text=text, source=customer)
        coach.learn_sync()
        assert lessons(coach)["do offer a refund"].status is status


def test_a_source_is_purged_with_all_of_its_episodes(tmp_path: Path) -> None:
    rules = coach_rules(messages_of_source=False)
    with (
        coach_of(tmp_path, rules=rules) as coach,
        coach.episode("my lamp broke", source="ann") as episode,
    ):
        call(episode, "I live in Elm Street.")
    with open_store(tmp_path) as store:
        done = asyncio.run(purge(store, source="ann"))
        assert done.episodes == (episode.id,)
        kept = store.episode(episode.id)
        assert kept is None or "Elm" not in str(kept)


def test_a_reward_that_nobody_has_explained_confirms_nothing(tmp_path: Path) -> None:
    text = "do offer a refund when it broke"
    for n, (least, status) in enumerate([(None, Status.QUARANTINED), (0.5, Status.PROVISIONAL)]):
        with coach_of(tmp_path / str(n), rules=coach_rules(good_reward=least)) as coach:
            for customer in ("ann", "bob"):
                coach.feedback(case(coach, source=customer), reward=0.0, text=text, source=customer)
            coach.learn_sync()
            assert lessons(coach)["do offer a refund"].status is status


def test_a_call_that_comes_as_its_episode_ends_holds_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verbalrl.serving.open_end.MAX_WAITING", 1)
    with coach_of(tmp_path, strict=False) as coach:
        with coach.episode("it broke") as ep:
            room = coach.recorder.calls

            class Late(type(room)):  # type: ignore[misc]
                """Another thread ends the episode once there is room for its call."""

                def hold(self) -> bool:
                    found = bool(super().hold())
                    ep.end()
                    return found

            room.__class__ = Late
            ep.step("seen", "done")
            room.__class__ = Late.__mro__[1]
        with coach.episode("another") as other:
            other.step("seen", "done")
        assert coach.recorder.calls.dropped == 0


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("harm", ["junk", "newer", "impossible"])
def test_a_store_that_cannot_work_is_raised_at_the_start(
    tmp_path: Path, harm: str, strict: bool
) -> None:
    folder = tmp_path / "store"
    coach_of(folder).close()
    if harm == "junk":
        (folder / "verbalrl.db").write_bytes(b"junk" * 5_000)
    elif harm == "newer":
        with closing(sqlite3.connect(folder / "verbalrl.db")) as other:
            other.execute("PRAGMA user_version = 999")
    else:
        folder = folder / "verbalrl.db" / "within"
    with pytest.raises(StorageError):
        coach_of(folder, strict=strict)


@pytest.mark.skipif(sys.platform == "win32", reason="rights as POSIX has them")
def test_a_store_that_can_only_be_read_still_gives_its_lessons(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    program = f"""
import logging, sys
from pathlib import Path
from tests.rights import as_owner_only
from tests.serving.worlds import call, case, coach_of
logging.basicConfig(level=logging.WARNING, stream=sys.stdout)
folder = Path({str(folder)!r})
with coach_of(folder) as coach:
    named = case(coach, "my lamp")
    coach.feedback(named, success=False, text="do refund when it broke", origin="operator")
    coach.learn_sync()
    with coach.episode("my lamp") as episode:
        call(episode, "my lamp")
coach.episode("imports what a warning needs").record(None)
print("--- now it can only be read")
(folder / "verbalrl.db").chmod(0o444)
folder.chmod(0o555)
as_owner_only()
with coach_of(folder, strict=False) as coach, coach.episode("my cup") as episode:
    call(episode, "my cup")
    print(episode.guidance)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    folder.chmod(0o700)
    said = done.stdout.partition("--- now")[2]
    assert "do refund" in said, done.stderr
    assert "serving.failed" in said
    assert done.stderr == ""
