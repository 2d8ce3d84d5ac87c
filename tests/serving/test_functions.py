"""Plain functions, coroutines and objects with `run` or `invoke` as episodes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from pathlib import Path

import pytest

from tests.serving.worlds import call, case, coach_of
from verbalrl.errors import ConfigurationError
from verbalrl.records import StopReason


def test_a_function_learns_through_its_guidance(tmp_path: Path) -> None:
    heard: list[str] = []
    with coach_of(tmp_path) as coach:

        @coach.learns
        def answer(question: str, guidance: str = "") -> str:
            heard.append(guidance)
            return question.upper()

        assert answer("it broke") == "IT BROKE"
        kept = coach.store.episode(coach.last_episode)
        assert kept is not None
        (step,) = kept.trajectory.steps
        assert (step.observation.text, step.action.text) == ("it broke", "IT BROKE")
        coach.feedback(coach.last_episode, text="do say sorry when it broke", origin="operator")
        coach.learn_sync()
        answer("it broke")
        answer("it broke", guidance="mine")
        assert heard[0] == ""
        assert "When it broke: do say sorry" in heard[1]
        assert heard[2] == "mine"


def test_a_coroutine_is_an_episode_and_sees_it(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach:

        @coach.learns
        async def answer(first: str, *, second: int) -> str:
            await asyncio.sleep(0)
            episode = coach.current()
            assert episode is not None
            call(episode, "asked by a client")
            return "x"

        async def ask() -> str:
            assert await answer("a", second=2) == "x"
            return coach.last_episode

        kept = coach.store.episode(asyncio.run(ask()))
        assert kept is not None
        assert [s.observation.text for s in kept.trajectory.steps] == ["asked by a client"]
        assert coach.store.served(kept.id).goal == "first: a\nsecond: 2"


def test_a_function_that_raises_fails_as_before(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach:

        @coach.learns
        def answer(question: str) -> str:
            raise ZeroDivisionError(question)

        with pytest.raises(ZeroDivisionError):
            answer("x")
        kept = coach.store.episode(coach.last_episode)
        assert kept is not None
        assert kept.stop_reason is StopReason.AGENT_ERROR


class Agent:
    name = "mine"

    def run(self, task: str) -> str:
        return task[::-1]

    async def ainvoke(self, task: str) -> str:
        return task * 2


def test_an_object_is_adapted_and_otherwise_the_same(tmp_path: Path) -> None:
    agent = Agent()
    with coach_of(tmp_path) as coach:
        adapted = coach.adapt(agent)
        assert adapted.run("abc") == "cba"
        first = coach.last_episode

        async def ask() -> str:
            assert await adapted.ainvoke("abc") == "abcabc"
            return coach.last_episode

        assert asyncio.run(ask()) not in ("", first)
        assert (adapted.name, adapted.agent) == ("mine", agent)
        kept = coach.store.episode(first)
        assert kept is not None
        assert kept.answer == "cba"
        with pytest.raises(ConfigurationError, match="run or invoke"):
            coach.adapt(object())
        with pytest.raises(ConfigurationError, match=r"coach\.adapt"):
            coach.learns(object())  # type: ignore[type-var]


def test_each_thread_of_control_has_its_own_last_episode(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach:
        case(coach)

        @coach.learns
        async def answer(question: str) -> str:
            await asyncio.sleep(0.01 if question == "slow" else 0)
            return question

        async def ask(question: str) -> str:
            await answer(question)
            return coach.last_episode

        async def both() -> tuple[str, str]:
            return await asyncio.gather(ask("slow"), ask("fast"))

        slow, fast = asyncio.run(both())
        goals = [coach.store.served(name).goal for name in (slow, fast)]
        assert goals == ["slow", "fast"]


def test_guidance_by_place_is_the_callers(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach:

        @coach.learns
        def answer(question: str, guidance: str = "") -> str:
            return f"{question} {guidance}"

        @coach.learns
        async def later(question: str, guidance: str = "") -> str:
            return f"{question} {guidance}"

        assert answer("it broke", "mine") == "it broke mine"
        assert asyncio.run(later("it broke", "mine")) == "it broke mine"
        with pytest.raises(TypeError, match="missing 1 required positional argument"):
            answer()  # type: ignore[call-arg]


class Mute:
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_what_has_no_text_does_not_stop_the_function(tmp_path: Path) -> None:
    with coach_of(tmp_path, strict=False) as coach:
        mute = Mute()
        assert coach.learns(lambda given: given)(mute) is mute
        kept = coach.store.episode(coach.last_episode)
        assert kept is not None
        assert kept.status == "finished"


def test_a_generator_is_refused(tmp_path: Path) -> None:
    def parts() -> Iterator[str]:
        yield "a"

    async def async_parts() -> AsyncIterator[str]:
        yield "a"

    with coach_of(tmp_path) as coach:
        for function in (parts, async_parts):
            with pytest.raises(ConfigurationError, match=r"with coach\.episode"):
                coach.learns(function)


def test_the_last_episode_is_known_after_a_loop_has_ended(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach, coach_of(tmp_path) as other:

        @coach.learns
        async def answer(ticket: str) -> str:
            return coach.last_episode

        @coach.learns
        def plain(ticket: str) -> str:
            return coach.last_episode

        async def nobody() -> str:
            return coach.last_episode

        async def among_others() -> tuple[str, str, str]:
            first = asyncio.create_task(answer("x"))
            await first
            return first.result(), await asyncio.create_task(nobody()), coach.last_episode

        before = plain("a")
        assert coach.last_episode == before
        after = asyncio.run(answer("b"))
        assert coach.last_episode == after != before
        assert other.last_episode == ""
        assert asyncio.run(among_others())[1:] == (before, before), "of no other task on a loop"
        last = plain("c")
        assert coach.last_episode == last
        found: list[str] = []
        thread = threading.Thread(target=lambda: found.append(coach.last_episode))
        thread.start()
        thread.join()
        assert found == [""]


def test_the_last_episode_is_no_other_request_s_of_the_same_thread(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach, ThreadPoolExecutor(1) as pool:

        @coach.learns
        def plain(ticket: str) -> str:
            return coach.last_episode

        @coach.learns
        async def answer(ticket: str) -> str:
            return coach.last_episode

        async def request() -> tuple[str, list[str]]:
            loop, own = asyncio.get_running_loop(), await answer("mine")

            def in_pool(work: Callable[[], str], context: Context) -> asyncio.Future[str]:
                return loop.run_in_executor(pool, lambda: context.run(work))

            found = []
            for other in (lambda: plain("b"), lambda: asyncio.run(answer("c"))):
                await in_pool(other, Context())
                found.append(await in_pool(lambda: coach.last_episode, copy_context()))
            found.append(await in_pool(lambda: asyncio.run(answer("d")), here := copy_context()))
            found.append(await in_pool(lambda: coach.last_episode, here))
            return own, found

        own, found = asyncio.run(request())
        assert found[:2] == [own, own]
        assert found[2] == found[3] != own


def test_a_coach_that_stands_where_another_stood_knows_nothing_of_it(tmp_path: Path) -> None:
    """CPython gives the id of what is gone to what comes next."""
    for n in range(20):
        coach = coach_of(tmp_path / str(n % 2))
        assert coach.last_episode == ""
        coach.learns(lambda ticket: "done")("x")
        assert coach.last_episode.startswith("ep_")
        coach.close()
        del coach
