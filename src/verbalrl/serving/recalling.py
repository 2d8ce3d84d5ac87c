"""Guidance for the prompts of one scope of the branch main."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from ..memory import Recaller, served_blocks
from ..memory.trial import toss
from ..methods.plans import on_trial
from ..prompts import PromptLibrary
from ..records import Gate, Guidance, GuidanceSpec, Lesson, LessonKind
from ..store import MAIN, Store
from ..wrap.base import Blocks

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
        # A loop of its own: an agent may be served on any loop, that of `run_sync` too.
        self._thread = ThreadPoolExecutor(1, "verbalrl-recall")
        self._runner = asyncio.Runner()
        self._lock = threading.Lock()
        self._view: tuple[int, tuple[Lesson, ...]] | None = None
        self._spec = GuidanceSpec(
            source="recall",
            scopes=(scope,),
            kinds=KINDS,
            budget=tokens,
            # Until its effect is shown, a lesson is withheld at random, so that it can be.
            chance=on_trial(gate),
        )

    def choose(self, situation: str, episode: str) -> Recalled:
        """The guidance of `episode` at the revision at which the scope stands."""
        revision, lessons = self._lessons()
        tossed = toss(lessons, self._spec, situation, (0, episode, 1), revision=revision)
        found = self._thread.submit(self._run, lessons, tossed.spec, situation).result()
        guidance = tossed.recorded(found)
        blocks = Blocks(*served_blocks(guidance, self._prompts))
        return Recalled(guidance, tossed.spec, revision, blocks)

    def close(self) -> None:
        """Let go of indexes; a second call does nothing."""
        self._thread.submit(self._runner.close)
        self._thread.shutdown()
        self._recaller.close()

    def _run(self, lessons: tuple[Lesson, ...], spec: GuidanceSpec, situation: str) -> Guidance:
        asked = self._recaller.recall(lessons, (), spec, situation, prompts=self._prompts)
        return self._runner.run(asked)

    def _lessons(self) -> tuple[int, tuple[Lesson, ...]]:
        with self._lock:
            revision = self._store.revision(MAIN, self._scope)
            if self._view is None or self._view[0] != revision:
                there = self._store.lessons(MAIN, self._scope, revision=revision)
                self._view = revision, tuple(x for x in there if x.usable)
            return self._view
