"""One episode of an agent that is served: what its prompts get, what it did, how it ended."""

from __future__ import annotations

import asyncio
import base64
import functools
import os
import secrets
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from contextlib import nullcontext
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, cast

from ..errors import AgentError, ConfigurationError, StorageError, first_line
from ..models import clean, is_async
from ..records import (
    SERVED,
    Episode,
    EpisodeSpec,
    Failure,
    Served,
    Step,
    StopReason,
    Usage,
)
from ..wrap.base import Blocks, Exchange
from .messages import Transcript, first_text, shortened
from .open_end import FEEDBACK_S, PATIENCE_S, STRICT_S, awaited, chained, forgiving, log
from .saying import named

if TYPE_CHECKING:
    from .coach import Coach
    from .recalling import Recalled

F = TypeVar("F", bound=Callable[..., Any])

_stack: ContextVar[tuple[ServedEpisode, ...]] = ContextVar("verbalrl_served", default=())
_NOTHING = Blocks("", "")


def innermost(coach: Coach) -> ServedEpisode | None:
    """The episode of `coach` in this context that was entered last."""
    return next((e for e in reversed(_stack.get()) if e.coach is coach), None)


def random_id(prefix: str) -> str:
    """An id that nobody can guess or repeat: two cases that are alike are two."""
    return f"{prefix}_{base64.b32encode(secrets.token_bytes(15)).decode('ascii').lower()[:20]}"


class ServedEpisode:
    """An episode as a context manager, sync or async; an `EpisodeDoor` for wrapped clients.

    Its guidance is chosen at the first call and stays; its steps are recorded as they come.
    """

    def __init__(self, coach: Coach, goal: str, key: str | None, source: str | None) -> None:
        self.coach = coach
        self.id = random_id("ep")
        """For `coach.feedback`, now or later."""
        self.goal = shortened(str(goal))
        self.instance = clean(str(key)) if key else self.id
        self.source = named(source)
        rules = coach.rules
        self._transcript = Transcript(
            self.source, rules.trusted_tools, self.goal, rules.messages_of_source
        )
        self._lock = threading.Lock()
        self._situation: str | None = None
        self._recalled: Recalled | None = None
        self._tried = False
        self._usage = Usage()
        self._tokens: list[Token[tuple[ServedEpisode, ...]]] = []
        self._broken: BaseException | None = None
        self._state: Literal["new", "open", "ended"] = "new"
        self._session = ""
        """The run that it belongs to, once it is begun in the store."""
        self._pid = coach.pid
        self._is_kept = True
        """False where there was no room for it."""

    # As a context manager

    def __enter__(self) -> Self:
        self._begin()
        self._tokens.append(_stack.set((*_stack.get(), self)))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()
        self.end(error)

    async def __aenter__(self) -> Self:
        await self.ready()
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()
        ended = self._end(error)
        if ended is None:
            return
        with forgiving("ending an episode", strict=self.coach.strict):
            waiting = asyncio.wrap_future(ended)
            # Whoever looks at it is us, below: the loop is not to say that nobody did.
            waiting.add_done_callback(lambda f: f.cancelled() or f.exception())
            await asyncio.wait({waiting}, timeout=self._patience)
            self._ended(ended)
        self._settle()

    def begin(self) -> Self:
        """Begin it where no `with` block can, such as in the hooks of a framework; see `end`.

        The context does not know of it: give it to clients by hand, with `for_episode`.
        """
        self._begin()
        return self

    def end(self, error: BaseException | None = None) -> None:
        """End it, with what the agent raised, if it did; then its steps are on the disk."""
        ended = self._end(error)
        if ended is None:
            return
        with forgiving("ending an episode", strict=self.coach.strict):
            wait([ended], self._patience)
            self._ended(ended)
        self._settle()

    def bind(self, function: F) -> F:
        """`function` as it runs in this episode wherever it is called: in a thread of a pool."""
        if is_async(function):

            @functools.wraps(function)
            async def bound_async(*args: Any, **named: Any) -> Any:
                token = _stack.set((*_stack.get(), self))
                try:
                    return await function(*args, **named)
                finally:
                    _stack.reset(token)

            return cast(F, bound_async)

        @functools.wraps(function)
        def bound(*args: Any, **named: Any) -> Any:
            token = _stack.set((*_stack.get(), self))
            try:
                return function(*args, **named)
            finally:
                _stack.reset(token)

        return cast(F, bound)

    # What people and agents say

    def correct(self, text: str) -> int:
        """A person's word on what should be done otherwise; feedback of the operator's.

        It does not change the prompts of this episode, only what is learned from it.
        """
        step = self._transcript.count
        if self._is_ours:
            # Calls that ended before are counted by the recorder, in their order.
            count = self.coach.recorder.submit(lambda: self._transcript.count)
            step = awaited(count, FEEDBACK_S)
        return self.coach.correct(self.id, text, step=step or None)

    def step(self, observation: str, action: str) -> None:
        """Record a step of an agent that has no wrapped client."""
        self._take(lambda: self._own(str(observation), str(action)))

    def answered(self, observation: str, action: str) -> None:
        """Record a whole answer, unless calls of a wrapped client are recorded already."""
        self._take(lambda: None if self._transcript.count else self._own(observation, action))

    @property
    def guidance(self) -> str:
        """The lessons of this episode as lines, for agents that write their own prompts."""
        self.blocks()
        return self._recalled.guidance.text if self._recalled else ""

    # As a door for wrapped clients

    def see(self, request: tuple[Mapping[str, Any], ...]) -> None:
        """Take note of the first call's text, which lessons are recalled for."""
        with self._lock if self._is_ours else nullcontext():
            if self._situation is None:
                with forgiving("reading a request", strict=self.coach.strict):
                    self._situation = first_text(request)

    async def ready(self) -> None:
        """Wait until recall takes no longer than it always does; `async with` does so.

        A thread reads and embeds the lessons that are new to this process; the loop goes on.
        """
        if self._is_ours and not self._tried:
            with forgiving("recall", strict=self.coach.strict):
                await self.coach.recall.ready()

    def blocks(self) -> Blocks:
        """What every prompt of the episode gets."""
        if not self._is_ours:
            return self._recalled.blocks if self._recalled else _NOTHING
        with self._lock:
            if not self._tried:
                self._tried = True
                with forgiving("recall", strict=self.coach.strict):
                    self._recall()
            return self._recalled.blocks if self._recalled else _NOTHING

    def record(self, exchange: Exchange) -> None:
        """Take a call that ended; a failed one is no step.

        Where the disk is far behind it is dropped and counted.
        """
        self._take(lambda: self._exchange(exchange))

    # Its life

    def _begin(self) -> None:
        if self._state != "new":
            raise ConfigurationError(
                "an episode is entered once; begin another with coach.episode(…)"
            )
        self._state = "open"
        if not self._is_ours:
            return
        room = self.coach.recorder.episodes
        self._is_kept = room.hold()
        if self._is_kept:
            self._submit(lambda: room.until(self._store_begin))
        else:
            self.coach.lost.append(self.id)
            log.error("episode.dropped", episode=self.id, what="episode", dropped=room.dropped)

    def _store_begin(self) -> Future[None]:
        coach = self.coach
        self._session = coach.session()
        made = Served(
            episode=self.id,
            run=self._session,
            scope=coach.scope,
            instance=self.instance,
            source=self.source,
            goal=self.goal,
        )
        begun = coach.store.begin_served(made, self._episode())
        self._wait(begun)
        return begun

    def _recall(self) -> None:
        situation = "\n".join(filter(None, (self.goal, self._situation)))
        found = self.coach.recall.choose(situation, self.id)
        self._recalled = found
        if found.guidance.uses:
            self._submit(lambda: self._wait(self.coach.store.update_served(self._episode())))

    def _take(self, write: Callable[[], Future[None] | None]) -> None:
        """Give what may be a step to the recorder, unless too much waits there."""
        room = self.coach.recorder.calls
        held = self._state == "open" and self._is_recorded
        if held and not room.hold():
            log.error("episode.dropped", episode=self.id, what="call", dropped=room.dropped)
        elif not self._submit(lambda: room.until(write)) and held:
            # It ended meanwhile, in another thread.
            room.release()

    def _exchange(self, exchange: Exchange) -> Future[None] | None:
        self._usage = self._usage + exchange.usage
        if exchange.reply is None:
            return None
        given, reply = exchange.request, exchange.reply
        return self._add(self._transcript.add(given, reply, exchange.tools, exchange.ran))

    def _own(self, observation: str, action: str) -> Future[None]:
        return self._add(self._transcript.own(observation, action))

    def _add(self, step: Step) -> Future[None]:
        future = self.coach.store.add_step(self.id, step)
        self._wait(future)
        return future

    def _leave(self) -> None:
        if self._tokens:
            try:
                _stack.reset(self._tokens.pop())
            except ValueError:
                # Left in another context than it was entered in: that one has its own stack.
                log.debug("episode.left_elsewhere", episode=self.id)

    def _end(self, error: BaseException | None) -> Future[bool] | None:
        """What will be done when it is recorded to the end; None where nobody records it."""
        if self._state != "open" or not self._is_recorded:
            return None
        self._state = "ended"
        return chained(self.coach.recorder.submit(lambda: self._store_end(error)))

    def _store_end(self, error: BaseException | None) -> Future[bool]:
        return self.coach.store.end_served(self._episode(ended=True, error=error))

    @property
    def _patience(self) -> float:
        return STRICT_S if self.coach.strict else PATIENCE_S

    def _episode(self, *, ended: bool = False, error: BaseException | None = None) -> Episode:
        """The episode as it stands, without its steps."""
        if not self._session:
            why = first_line(str(self._broken))
            raise StorageError(
                f"episode {self.id} could not be begun, nothing is kept on it: {why}"
            )
        found, coach = self._recalled, self.coach
        broke = error is not None and isinstance(error, Exception)
        status: Literal["finished", "failed", "abandoned"] = "finished"
        if not ended or (error is not None and not broke):
            status = "abandoned"
        elif broke:
            status = "failed"
        reasons = {"finished": StopReason.TERMINATED, "failed": StopReason.AGENT_ERROR}
        return Episode(
            id=self.id,
            run=self._session,
            arm=SERVED,
            seed=0,
            spec=EpisodeSpec(
                instance=self.instance, guidance={"actor": found.spec} if found else {}
            ),
            status=status,
            terminated=status == "finished",
            stop_reason=reasons.get(status, StopReason.ABANDONED),
            guidance={"actor": found.guidance} if found else {},
            revision={coach.scope: found.revision} if found else {},
            usage={"actor": self._usage} if self._usage != Usage() else {},
            failure=_failure(error) if broke else None,
        )

    def _submit(self, job: Callable[[], object]) -> bool:
        """Give `job` to the recorder; False where it is not to be done."""
        if self._state != "open":
            log.warning("episode.not_open", episode=self.id, state=self._state)
            return False
        if self._is_recorded:
            self._wait(self.coach.recorder.submit(job))
        return self._is_recorded

    @property
    def _is_ours(self) -> bool:
        """False in a forked child: the threads that record and recall are its parent's.

        Also where the child could open no store of its own.
        """
        return os.getpid() == self._pid

    @property
    def _is_recorded(self) -> bool:
        return self._is_ours and self._is_kept

    def _wait(self, future: Future[Any]) -> None:
        """Hear of what fails. Nobody waits here: the end of the episode comes after all of it."""
        future.add_done_callback(self._heard)

    def _heard(self, future: Future[Any]) -> None:
        error = None if future.cancelled() else future.exception()
        if error is not None and self._broken is None:
            self._broken = error
            self.coach.lost.append(self.id)
            why = first_line(str(error))
            log.warning("serving.failed", what="recording", episode=self.id, why=why)

    def _ended(self, ended: Future[Any]) -> None:
        """Hear how it ended; where the store is busy, it may end in the background."""
        if ended.done():
            ended.result()
            return
        ended.add_done_callback(self._heard)
        why = f"the store is busy: it is not recorded after {self._patience:g} s, and may be later"
        if self.coach.strict:
            raise StorageError(f"episode {self.id}: {why}")
        log.warning("serving.failed", what="ending an episode", episode=self.id, why=why)

    def _settle(self) -> None:
        if self._broken is not None and self.coach.strict:
            raise self._broken


def _failure(error: BaseException | None) -> Failure:
    kind = error.kind if isinstance(error, AgentError) else AgentError.kind
    return Failure(kind=kind, message=clean(first_line(f"{type(error).__name__}: {error}")))
