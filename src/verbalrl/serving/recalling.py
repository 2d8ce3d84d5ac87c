"""Guidance for the prompts of one scope of the branch main."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar

from ..errors import EpisodeError
from ..memory import Recaller, served_blocks
from ..memory.trial import toss
from ..methods.plans import on_trial
from ..prompts import PromptLibrary
from ..records import Gate, Guidance, GuidanceSpec, Lesson, LessonKind
from ..store import MAIN, Store
from ..wrap.base import Blocks
from .open_end import forgiving

T = TypeVar("T")

KINDS = (LessonKind.BEHAVIOR, LessonKind.BELIEF)


class Recalled(NamedTuple):
    """What the prompts of one episode get."""

    guidance: Guidance
    spec: GuidanceSpec
    revision: int
    blocks: Blocks


class Recall:
    """Chooses lessons; what is kept between episodes only saves reading it again."""

    def __init__(
        self, store: Store, scope: str, gate: Gate, tokens: int, prompts: PromptLibrary
    ) -> None:
        self._store, self._scope, self._prompts = store, scope, prompts
        self._recaller = Recaller(store)
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._view: tuple[int, tuple[Lesson, ...]] | None = None
        self._ready: int | None = None
        """The revision whose vectors and words are at hand."""
        self._gate = threading.Lock()
        self._making: Future[None] | None = None
        self._spec = GuidanceSpec(
            source="recall",
            scopes=(scope,),
            kinds=KINDS,
            budget=tokens,
            # Until its effect is shown, a lesson is withheld at random, so that it can be.
            chance=on_trial(gate),
        )

    async def ready(self) -> None:
        """Have at hand what `choose` would read and embed; a thread does it, for all who wait.

        Where nothing is new it is there already: a thread costs more than the choice itself.
        """
        if self._ready == self._store.revision(MAIN, self._scope):
            return
        with self._gate:
            making = self._making
            if making is None or making.done():
                making = self._making = Future()
                # Whoever waits for it and is cancelled leaves it as it is.
                making.set_running_or_notify_cancel()
                self._begin(making)
        await asyncio.wrap_future(making)

    def _begin(self, making: Future[None]) -> None:
        name = "verbalrl-recall"
        thread = threading.Thread(target=self._make, args=(making,), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # No room for one more, or the interpreter is ending: whoever chooses does it.
            making.set_result(None)

    def _make(self, making: Future[None]) -> None:
        try:
            # What breaks here is told to those who choose: they meet it again.
            with forgiving("getting lessons ready", strict=False):
                revision, lessons = self._lessons()
                with self._turn:
                    _at_once(self._recaller.ready(lessons, self._spec))
                self.choose("", "")
                self._ready = revision
        finally:
            making.set_result(None)

    def choose(self, situation: str, episode: str) -> Recalled:
        """The guidance of `episode` at the revision at which the scope stands."""
        revision, lessons = self._lessons()
        tossed = toss(lessons, self._spec, situation, (0, episode, 1), revision=revision)
        with self._turn:
            asked = self._recaller.recall(
                lessons, (), tossed.spec, situation, prompts=self._prompts
            )
            found = _at_once(asked)
        guidance = tossed.recorded(found)
        blocks = Blocks(*served_blocks(guidance, self._prompts))
        return Recalled(guidance, tossed.spec, revision, blocks)

    def close(self) -> None:
        """Let go of indexes; a second call does nothing."""
        with self._turn:
            self._recaller.close()

    def _lessons(self) -> tuple[int, tuple[Lesson, ...]]:
        with self._lock:
            revision = self._store.revision(MAIN, self._scope)
            if self._view is None or self._view[0] != revision:
                there = self._store.lessons(MAIN, self._scope, revision=revision)
                self._view = revision, tuple(x for x in there if x.usable)
            return self._view


def _at_once(asked: Coroutine[Any, Any, T]) -> T:
    """The result of `asked`, which has nothing to wait for: hashes and scans are computed.

    A thread and a loop for it would cost a call more than they compute.
    """
    try:
        asked.send(None)
    except StopIteration as end:
        found: T = end.value
        return found
    asked.close()
    raise EpisodeError("recall waits for something, which an agent that is served must not")
