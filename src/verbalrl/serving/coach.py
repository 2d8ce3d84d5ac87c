"""The coach: what a program that runs already needs to learn from what becomes of its work."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from ..critics import Critic, adapt_critic
from ..curators import Curator, adapt_curator
from ..errors import ConfigurationError, StorageError, UnknownNameError, first_line
from ..models import Model, run_sync
from ..prompts import PromptLibrary
from ..records import (
    SERVE,
    SERVED,
    BranchRecord,
    Feedback,
    Gate,
    Origin,
    RunRecord,
)
from ..store import Store, open_store
from ..wrap import EpisodeDoor, wrap
from .episode import ServedEpisode, innermost, random_id
from .functions import Adapted, last_of, taught
from .judges import Models as Models
from .learned import Learned
from .learning import LearnPass, Parts
from .open_end import FEEDBACK_S, Recorder, awaited, forgiving, log
from .recalling import Recall
from .saying import check_type, correction_of, said_of, seconds
from .settings import ServeRules

_LOST = 4_096
_opening: dict[int, threading.Lock] = {}
"""By process: a lock that is held while another process forks stays held there for ever."""

C = TypeVar("C")
F = TypeVar("F", bound=Callable[..., Any])


class Coach:
    """Made by `vrl.serve`; a context manager. One is enough for a program and all its threads.

    After a fork the child opens its own store; episodes that are open then belong to the parent.
    Where it cannot, its episodes go on without memory until it can; `strict` raises instead.
    """

    def __init__(
        self,
        store: Store | Path | str,
        scope: str,
        models: Models,
        *,
        gate: Gate,
        strict: bool,
        rules: ServeRules,
        via: str = "",
    ) -> None:
        self.scope, self.gate, self.strict, self.rules = scope, gate, strict, rules
        self.via = via
        self._given, self._models = store, models
        self._prompts = PromptLibrary()
        self._gate = threading.RLock()
        self.lost: deque[str] = deque(maxlen=_LOST)
        """Episodes of which something could not be recorded, the last ones."""
        self._open()

    def _open(self) -> None:
        given = self._given
        self._own = not isinstance(given, Store)
        self.store = given if isinstance(given, Store) else open_store(given, create=True)
        self.recorder = Recorder()
        self.recall = Recall(self.store, self.scope, self.gate, self.rules.tokens, self._prompts)
        self._session = ""
        self.pid = os.getpid()
        """The process that it is open in."""
        self._worker: _Worker | None = None
        self._closed = False
        # A child has what its parent registered.
        atexit.unregister(self._at_exit)
        atexit.register(self._at_exit)

    def _here(self) -> None:
        """After a fork, begin anew: threads and locks of the parent are not there.

        Raises `StorageError` where the store cannot be opened; the next call tries again.
        """
        if os.getpid() == self.pid:
            return
        here = os.getpid()
        with _opening.setdefault(here, threading.Lock()):
            if here != self.pid:
                self._gate = threading.RLock()
                if isinstance(self._given, Store):
                    self._given = self._given.path
                self._open()

    # Serving

    def episode(
        self, goal: str, *, key: str | None = None, source: str | None = None
    ) -> ServedEpisode:
        """One case that the agent works on, as a context manager, sync or async.

        Args:
            goal: What is asked for, such as the text of a ticket.
            key: Names the case, where it may come up more than once; by default each is its own.
            source: Names whoever it comes from, such as a customer. Only what named sources say
                independently confirms a lesson from untrusted text.
        """
        with forgiving("opening the store after a fork", strict=self.strict):
            self._here()
        episode = ServedEpisode(self, goal, key, source)
        if self.pid != os.getpid():
            self.lost.append(episode.id)
        return episode

    def current(self) -> ServedEpisode | None:
        """The episode of this context; None outside of one."""
        return innermost(self)

    @property
    def last_episode(self) -> str:
        """The id of the last episode of a function or adapted object in this context."""
        return last_of(self)

    def wrap(self, client: C, episode: EpisodeDoor | None = None) -> C:
        """A client of the same type whose prompts carry the lessons of their episode.

        The one that is given is left as it is.
        """
        return wrap(client, self, episode)

    def learns(self, function: F) -> F:
        """`function`, each call of which is an episode; as a decorator.

        Its arguments are the goal, its result is the answer; a parameter `guidance` that the caller
        leaves out gets the lessons. `coach.last_episode` is the id for `feedback`.
        """
        return taught(self, function)

    def adapt(self, agent: C) -> Adapted[C]:
        """`agent`, an object with `run` or `invoke`, each call of which is an episode."""
        return Adapted(self, agent)

    # What people say

    def feedback(
        self,
        episode: str | ServedEpisode,
        *,
        reward: float | None = None,
        success: bool | None = None,
        text: str = "",
        origin: Origin | str = Origin.UNTRUSTED,
        source: str | None = None,
        idempotency_key: str | None = None,
    ) -> int:
        """Say what became of an episode: at once, later, repeatedly, from any process.

        Args:
            episode: Its id, or the episode itself.
            reward: A number, larger for better.
            success: Whether it reached what was asked for.
            text: In words.
            origin: `operator` for a person who may change the agent, whose words become lessons at
                once; `untrusted` for everybody else.
            source: Names whoever says it; `agent` where the agent judges itself.
            idempotency_key: What was said under this key is not said twice.

        Returns its number among what was said of the episode.

        Raises:
            UnknownNameError: There is no such episode.
            ConfigurationError: It says nothing, or means no origin.
            StorageError: It is not kept, with or without `strict`: the coach is closed, its store
                cannot be written, or others have held it for ten seconds.
        """
        check_type("idempotency_key", idempotency_key, str | None, "a text")
        name = _id_of(episode)
        said = said_of(
            name, reward=reward, success=success, text=text, origin=origin, source=source
        )
        return self._say(said, idempotency_key)

    def correct(self, episode: str | ServedEpisode, text: str, *, step: int | None = None) -> int:
        """A person's word on what should be done otherwise; see `feedback`."""
        return self._say(correction_of(_id_of(episode), text, step), None)

    def _say(self, said: Feedback, key: str | None) -> int:
        self._here()
        end = time.monotonic() + FEEDBACK_S
        # An episode of ours may not be written yet: what it had to record goes first.
        awaited(self.recorder.submit(lambda: None), FEEDBACK_S)
        try:
            return self.store.put_feedback(said, key, max(end - time.monotonic(), 0.0))
        except UnknownNameError as error:
            if said.episode not in self.lost:
                raise
            raise StorageError(
                f"episode {said.episode} could not be recorded; nothing is kept on it"
            ) from error

    # Learning

    async def learn(self, *, retry_failed: bool = False) -> Learned:
        """Learn from all feedback that waits: critiques, curation, one commit for each batch.

        Args:
            retry_failed: Try again what a critic or curator has failed on; else it stays so, and
                its feedback is kept.

        Raises:
            ConfigurationError: There is no critic or curator, its key is missing, or its budget
                cannot be kept.
        """
        self._here()
        return await LearnPass(self._parts(), retry=retry_failed).learn()

    def learn_sync(self, *, retry_failed: bool = False) -> Learned:
        """`learn` for code that does not await."""
        return run_sync(self.learn(retry_failed=retry_failed))

    def start_learning(self, every_s: float = 60.0) -> None:
        """Learn in a thread from now on, `every_s` seconds after the last time, until `close`.

        Raises:
            ConfigurationError: There is no critic or curator, its key is missing, or `every_s` is
                no time to wait.
        """
        self._here()
        every_s = seconds("every_s", every_s)
        LearnPass(self._parts())
        with self._gate:
            if self._worker is None:
                self._worker = _Worker(self, every_s)

    def _parts(self) -> Parts:
        return Parts(self.store, self.scope, self._critic, self._curator, self.gate, self.rules)

    @cached_property
    def _critic(self) -> Critic:
        if self._models.critic is None:
            raise ConfigurationError("learning needs a critic: give vrl.serve model= or critic=")
        return adapt_critic(self._models.critic, self._prompts)

    @cached_property
    def _curator(self) -> Curator:
        if self._models.curator is None:
            raise ConfigurationError(
                "learning needs a curator: give vrl.serve model= or curator=; a callable critic "
                "curates nothing"
            )
        return adapt_curator(self._models.curator, self._prompts)

    # Its life

    def session(self) -> str:
        """The id of the run that this process serves; begun at its first episode."""
        with self._gate:
            if not self._session:
                run = random_id("serve")
                asked = self._models.critic
                named = self._models.names()
                record = RunRecord(
                    id=run,
                    task=self.scope,
                    method=SERVE,
                    model=named["critic"] or "",
                    simulated=isinstance(asked, Model) and asked.simulated,
                    config={
                        "token": self.store.token(),
                        "gate": self.gate,
                        "via": self.via,
                        "rules": self.rules.model_dump(mode="json"),
                        "servers": self._models.servers(),
                        **named,
                    },
                )
                branch = BranchRecord(
                    id=f"{run}/{SERVED}/0", run=run, arm=SERVED, seed=0, learns=False
                )
                begun = self.store.begin_session(record, branch)
                self._session = run
                begun.add_done_callback(self._session_begun)
            return self._session

    def _session_begun(self, begun: Future[RunRecord]) -> None:
        error = None if begun.cancelled() else begun.exception()
        if error is not None:
            log.warning("serving.failed", what="a session", why=first_line(str(error)))
            with self._gate:
                self._session = ""

    async def aclose(self) -> None:
        """`close` in a coroutine, with the connections of its models on the running loop."""
        if self._worker is not None:
            # It may be asking one of them.
            await asyncio.to_thread(self._worker.stop)
        await self._close_models()
        self._close()

    def close(self) -> None:
        """Record what is under way and close; a second call does nothing."""
        if os.getpid() != self.pid:
            return
        if self._worker is not None:
            self._worker.stop()
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            # Those of `learn_sync`; in a coroutine waiting for them could wait for itself.
            with forgiving("closing", strict=False):
                run_sync(self._close_models())
        self._close()

    async def _close_models(self) -> None:
        parts = [self.__dict__.get(name) for name in ("_critic", "_curator")]
        models = {id(p.model): p.model for p in parts if p is not None and p.model is not None}
        for model in models.values():
            await model.aclose()

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self._at_exit)
        if self._worker is not None:
            self._worker.stop()
        self._end_session()
        self.recall.close()
        if self._own:
            self.store.close()

    def _end_session(self) -> None:
        self.recorder.close()
        with self._gate:
            session, self._session = self._session, ""
        if session:
            with forgiving("closing", strict=False):
                self.store.update_run(session, status="done")

    def _at_exit(self) -> None:
        """End what a program that ends without `close` has served; a learner may be killed."""
        if os.getpid() == self.pid:
            (self._end_session if self._worker else self._close)()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Worker:
    """Learns now and then, in a thread."""

    def __init__(self, coach: Coach, every_s: float) -> None:
        self._coach, self._every = coach, every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="verbalrl-learner", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after what is under way."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            with forgiving("learning", strict=False):
                report = self._coach.learn_sync()
                if report.stopped:
                    log.info("learning.stopped", why=report.stopped)
            self._ended.wait(self._every)


def _id_of(episode: str | ServedEpisode) -> str:
    if isinstance(episode, ServedEpisode):
        return episode.id
    check_type("episode", episode, str, "an episode or its id")
    return episode
