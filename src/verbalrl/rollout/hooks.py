"""Hooks: what may act inside an episode, and how their decisions are kept.

A decision is journaled under a key with the hook's name, so that a resumed run does not ask again.
A hook that asks a model does so as the critic and is billed to it. Notes are never lessons.

What a hook says is read by critics, so its origin bounds the trust of the lessons that follow, and
only the hook's author knows it: say `origin=Origin.TASK` where the words are the hook's own, or a
model's that read nothing but the episode; `Origin.OPERATOR` where a person with write access wrote
them. Unsaid they are untrusted: one search result in a note, and what is learned for other
instances waits in quarantine.
"""

from __future__ import annotations

import asyncio
import inspect
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from ..errors import HookError, boundary
from ..ids import canonical_json
from ..models import CallContext, Worker, clean, clean_part
from ..records import Action, Note, Observation, Origin, Record, Situation, TextPart, Trajectory
from .environments import clean_observation

MAX_REVISIONS = 2
"""How often one step's draft may be sent back."""


class Accept(Record):
    """Let the draft pass."""

    decision: Literal["accept"] = "accept"


class Revise(Record):
    """Send the draft back with a note; the agent acts again."""

    decision: Literal["revise"] = "revise"
    note: str
    origin: Origin = Origin.UNTRUSTED
    """The least trusted text that went into the note."""


class ReplaceAction(Record):
    """Do this instead of the draft."""

    decision: Literal["replace_action"] = "replace_action"
    action: Action


class Stop(Record):
    """End the episode here."""

    decision: Literal["stop"] = "stop"
    reason: str = ""


class Annotate(Record):
    """Show the agent a note at its next step."""

    decision: Literal["annotate"] = "annotate"
    note: str
    author: str = ""
    """Empty: the hook's name."""
    origin: Origin = Origin.UNTRUSTED
    """The least trusted text that went into the note."""


class ReplaceObservation(Record):
    """Show the agent another observation next; the environment's own is kept beside it.

    Without `actions` of its own it keeps those of the environment. Its text is untrusted, but for
    parts that name their origin.
    """

    decision: Literal["replace_observation"] = "replace_observation"
    observation: Observation


AtStart = Annotate | Stop
BeforeAction = Accept | Revise | ReplaceAction | Stop
AfterStep = Annotate | ReplaceObservation | Stop
Decided = BeforeAction | AfterStep

_ACCEPT = Accept()
_DECIDED: TypeAdapter[Decided] = TypeAdapter(Annotated[Decided, Field(discriminator="decision")])


class Hook:
    """Acts inside episodes. Override any method, async or sync; any object with them will do.

    A resumed run takes decisions from its journal without asking again, so a hook keeps nothing
    between its decisions: what it said stands in the notes of the steps.
    """

    name: str = ""
    """Author of its notes, and part of its keys; the class name when empty."""

    async def at_start(self, situation: Situation, /) -> AtStart | None:
        """Look at what the agent sees before its first draft; None does nothing."""

    async def before_action(self, situation: Situation, draft: Action, /) -> BeforeAction | None:
        """Judge a draft before it is done; None accepts. For answer agents it is the answer."""

    async def after_step(self, trajectory: Trajectory, /) -> AfterStep | None:
        """Look at an episode that goes on; None does nothing."""


def note_of(name: str, decided: Revise | Annotate) -> Note:
    """The note by which the agent hears what the hook `name` decided."""
    author = (decided.author if isinstance(decided, Annotate) else "") or name
    return Note(author=author, text=decided.note, origin=decided.origin)


def hook_name(hook: object) -> str:
    """The name under which `hook` speaks."""
    return str(getattr(hook, "name", "") or type(hook).__name__)


class HookCaller:
    """Asks the hooks of one episode."""

    def __init__(
        self,
        hooks: tuple[Hook, ...],
        context: CallContext,
        worker: Worker,
        step_timeout_s: float | None,
    ) -> None:
        self._start = tuple(h for h in hooks if _offers(h, "at_start"))
        self._before = tuple(h for h in hooks if _offers(h, "before_action"))
        self._after = tuple(h for h in hooks if _offers(h, "after_step"))
        self._context, self._worker, self._limit = context, worker, step_timeout_s

    @property
    def looks_back(self) -> bool:
        """Whether any of them has something to do after a step."""
        return bool(self._after)

    async def at_start(self, situation: Situation) -> tuple[tuple[str, AtStart], ...]:
        """What the hooks decide before the agent is asked at all, in order, with their names."""
        if not self._start:
            return ()
        content = canonical_json(
            {
                "point": "at_start",
                "goal": situation.goal,
                "observation": situation.observation.model_dump(mode="json"),
            }
        )
        found: list[tuple[str, AtStart]] = []
        for hook in self._start:
            place = f"{hook_name(hook)}.at_start"
            decided = await self._once(
                place, situation.step, content, partial(hook.at_start, situation)
            )
            match decided:
                case None:
                    continue
                case Annotate() | Stop():
                    found.append((hook_name(hook), decided))
                case _:
                    raise HookError(f"{place} returned {type(decided).__name__}")
        return tuple(found)

    async def before_action(self, situation: Situation, draft: Action) -> tuple[str, BeforeAction]:
        """The first decision that is not to accept, and the name of the hook."""
        if not self._before:
            return "", _ACCEPT
        content = canonical_json(
            {
                "point": "before_action",
                "goal": situation.goal,
                "observation": situation.observation.model_dump(mode="json"),
                "notes": [n.model_dump(mode="json") for n in situation.notes],
                "draft": draft.model_dump(mode="json"),
            }
        )
        for hook in self._before:
            place = f"{hook_name(hook)}.before_action"
            decided = await self._once(
                place, situation.step, content, partial(hook.before_action, situation, draft)
            )
            match decided:
                case None | Accept():
                    continue
                case Revise() | ReplaceAction() | Stop():
                    return hook_name(hook), decided
            raise HookError(f"{place} returned {type(decided).__name__}")
        return "", _ACCEPT

    async def after_step(self, trajectory: Trajectory) -> tuple[tuple[str, AfterStep], ...]:
        """What the hooks decide after the last step, in order, with their names."""
        if not self._after:
            return ()
        last = trajectory.steps[-1]
        content = canonical_json(
            {
                "point": "after_step",
                "step": last.model_dump(mode="json"),
                "final": trajectory.final and trajectory.final.model_dump(mode="json"),
            }
        )
        found: list[tuple[str, AfterStep]] = []
        for hook in self._after:
            place = f"{hook_name(hook)}.after_step"
            decided = await self._once(place, last.n, content, partial(hook.after_step, trajectory))
            match decided:
                case None:
                    continue
                case Annotate() | ReplaceObservation() | Stop():
                    found.append((hook_name(hook), decided))
                case _:
                    raise HookError(f"{place} returned {type(decided).__name__}")
        return tuple(found)

    async def _once(self, place: str, step: int, content: str, ask: partial[Any]) -> Decided | None:
        async def make() -> str:
            decided = _checked(place, await self._answer(place, ask))
            return canonical_json(decided.model_dump(mode="json")) if decided else ""

        with self._context.active(step=step, role="critic", hook=place) as view:
            outcome = await view.once(content, make)
        return _DECIDED.validate_json(outcome) if outcome else None

    async def _answer(self, place: str, ask: partial[Any]) -> object:
        with boundary(HookError, f"the hook {place}"):
            try:
                async with asyncio.timeout(self._limit) as clock:
                    is_async = inspect.iscoroutinefunction(ask)
                    answer = ask() if is_async else await self._worker.call(ask)
                    return await answer if inspect.isawaitable(answer) else answer
            except TimeoutError:
                if not clock.expired():
                    raise
                raise HookError(f"the hook {place} took longer than {self._limit:g} s") from None


def _offers(hook: object, method: str) -> bool:
    own = getattr(type(hook), method, None)
    return callable(getattr(hook, method, None)) and own is not getattr(Hook, method)


def _checked(place: str, decided: object) -> Decided | None:
    """`decided` with its texts cleaned, as it enters the run."""
    match decided:
        case None | Accept() | Stop():
            return decided
        case Revise() | Annotate():
            return decided.model_copy(update={"note": clean(decided.note)})
        case ReplaceAction(action=action):
            parts = tuple(clean_part(p) for p in action.parts)
            cleaned = action.model_copy(update={"text": clean(action.text), "parts": parts})
            return ReplaceAction(action=cleaned)
        case ReplaceObservation(observation=observation):
            return ReplaceObservation(observation=_sourced(clean_observation(observation)))
    raise HookError(f"{place} returned {type(decided).__name__}, which is no decision")


def _sourced(observation: Observation) -> Observation:
    """`observation` with an origin at every part: what a hook puts in is not the environment's."""
    given = observation.parts or (TextPart(text=observation.text),)
    parts = tuple(
        p if p.origin is not None else p.model_copy(update={"origin": Origin.UNTRUSTED})
        for p in given
    )
    return observation.model_copy(update={"parts": parts})
