"""The built-in agent: one request per step to a chat model, one action back.

Where the environment offers tools they are sent as native tools, and the history as the turns of a
conversation (`native`). Else the model is asked for its action as JSON, in one user message that
shows all there is; that is this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, Field, JsonValue

from ..errors import ConfigurationError, check_kind
from ..ids import token_estimate
from ..models import MEDIA_TOKENS, Message, Model, Request, ask_for, load_model
from ..models.structured import repaired
from ..prompts import Line, PromptLibrary, Ready, library, neutralise, ready, ready_line
from ..records import (
    Action,
    Credit,
    GuidanceLine,
    MediaPart,
    Note,
    Observation,
    Part,
    Previous,
    Record,
    Situation,
    Step,
    TextPart,
    part_text,
)
from .history import PROMPT_TOKENS, Cut, Size, middle_cut, plan_cut
from .native import NATIVE_INPUTS, NativeTurns, SystemInputs
from .seen import PerStep

SYSTEM, ACT, LINE = "actor/system", "actor/act", "_shared/history"
MANAGER = "actor/manager"
_LABELS = 16
"""Tokens of the labels of one history line."""
MEMO_TOKENS = 200
"""Tokens of one memo, at most."""
_MIN_PROMPT = 1_000


class HistoryStep(Record):
    """An earlier step of the episode as the prompt shows it."""

    n: int
    observation: str
    action: str
    feedback: str
    line: str = ""
    """The step as `_shared/history` has it; made when the prompt is, where it is empty."""
    omitted: int = 0
    """How many steps are left out after this one."""


class LineInputs(Record):
    """What `_shared/history` is rendered from."""

    step: HistoryStep


class MemoLine(Record):
    """A memo as the prompt shows it."""

    n: int
    said: str
    """When, and by whom."""
    text: str


class ActInputs(Record):
    """What `actor/act` is rendered from."""

    goal: str
    volatile: tuple[Line, ...] = ()
    texts: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    memos: tuple[MemoLine, ...] = ()
    history: tuple[HistoryStep, ...] = ()
    observation: str = ""
    actions: tuple[str, ...] | None = None
    previous: Previous | None = None


PROMPT_INPUTS: Mapping[str, type[BaseModel]] = {
    SYSTEM: SystemInputs,
    MANAGER: SystemInputs,
    ACT: ActInputs,
    LINE: LineInputs,
    **NATIVE_INPUTS,
}
"""For `PromptLibrary.check`."""


class Move(BaseModel):
    """What the model replies."""

    thought: str = Field(default="", description="One or two sentences on why.")
    action: str = Field(description="The next action; one of the listed ones, if there are any.")
    lessons_used: list[int] = Field(
        default_factory=list, description="Numbers of the lessons that made you choose it."
    )


class Worth(BaseModel):
    """What one report was worth."""

    model_config = {"extra": "forbid"}

    report: int = Field(description="Its place among the reports, from 1.")
    worth: Literal["decisive", "useful", "useless"]


class Managed(Move):
    """What the model of a manager replies."""

    credits: list[Worth] = Field(
        default_factory=list, description="What each report was worth to this decision."
    )


class Remembering(Managed):
    """What it replies where it is shown memos."""

    memos_used: list[int] = Field(
        default_factory=list, description="Numbers of the memos that decided it; [] if none did."
    )


class _Shown(NamedTuple):
    """A step as the prompt shows it, and what that costs."""

    entry: HistoryStep
    ready: Any
    """The entry as templates see it."""
    media: tuple[MediaPart, ...]
    size: Size


class ChatAgent:
    """An agent made of a model and the prompts in `prompts/actor`.

    Args:
        model: A model or its name, such as `offline:apprentice`.
        role: Who the agent is, in a sentence; stands in the system text.
        prompts: A folder whose files take the place of the shipped prompts, or a library.
        prompt_tokens: The budget of one prompt in estimated tokens; longer histories are cut by
            the rule of `history`.
    """

    def __init__(
        self,
        model: Model | str,
        *,
        role: str = "",
        prompts: PromptLibrary | Path | str | None = None,
        prompt_tokens: int = PROMPT_TOKENS,
    ) -> None:
        check_kind(prompt_tokens, int, "ChatAgent: prompt_tokens takes a number of tokens")
        if prompt_tokens < _MIN_PROMPT:
            raise ConfigurationError(
                f"ChatAgent: prompt_tokens is {prompt_tokens}; give it at least {_MIN_PROMPT}"
            )
        self.model = load_model(model)
        self.name = f"ChatAgent({self.model.name})"
        self.role = role
        self.prompt_tokens = prompt_tokens
        if not isinstance(prompts, PromptLibrary):
            if prompts is not None:
                check_kind(prompts, (str, PathLike), "ChatAgent: prompts takes a folder")
            prompts = library(prompts)
        prompts.check_overrides(PROMPT_INPUTS)
        self.prompts = prompts
        self._system = lru_cache(maxsize=64)(self._rendered_system)
        self._empty = lru_cache(maxsize=2)(self._bare)
        self._shown: PerStep[_Shown] = PerStep()
        self._native = NativeTurns(prompts, role, prompt_tokens)

    async def __call__(self, situation: Situation, /) -> Action:
        """The model's action; one that is not admissible is asked for once more, then passed on.

        Raises:
            ModelError: The call failed for good, or no reply could be used.
        """
        if situation.tools:
            return await self._native.act(self.model, situation)
        listed = {neutralise(a): a for a in situation.actions or ()}
        form = _form(situation)
        request = Request(
            messages=self.messages(situation), output_schema=move_schema(tuple(listed), form)
        )
        move, reply = await ask_for(self.model, request, form)
        problem = ""
        if listed and move.action.strip() not in listed:
            problem = f"{move.action!r} is not one of the listed actions; copy one of them exactly"
            again = repaired(request, reply.text, problem)
            move, reply = await ask_for(self.model, again, form)
        known = {line.alias for line in situation.guidance.lines}
        return Action(
            # Still not listed: the environment decides what becomes of it.
            text=listed.get(move.action.strip(), move.action),
            thought=move.thought,
            lessons_used=tuple(n for n in dict.fromkeys(move.lessons_used) if n in known),
            repaired=problem[:1_000],
            credits=_credits(move, len(situation.reports)),
            memos_used=tuple(move.memos_used) if isinstance(move, Remembering) else (),
        )

    def recorded(self) -> dict[str, JsonValue]:
        """What of its prompts a run must find again when it is resumed."""
        own = ("actor/", "_shared/")
        shas = {name: sha for name, sha in self.prompts.shas().items() if name.startswith(own)}
        return {
            "agent_role": self.role,
            "agent_prompt_tokens": self.prompt_tokens,
            "agent_prompt_shas": dict(shas),
        }

    def messages(self, situation: Situation) -> tuple[Message, ...]:
        """What the model is sent for `situation`: the system message, then the user's.

        With tools: a conversation.
        """
        if situation.tools:
            return self._native.messages(situation)
        kind = MANAGER if situation.reports else SYSTEM
        system = self._system(situation.guidance.stable, kind)
        bare = situation.memos is not None
        made = ((s, partial(self._seen, s, bare)) for s in situation.history)
        shown = [self._shown.get(s, bare, make) for s, make in made]
        cut = plan_cut([s.size for s in shown], self._always(situation, system), self.prompt_tokens)
        entries, media = _kept(shown, cut)
        user = self.prompts.render(ACT, _act(situation, entries, cut.cap)).text
        parts = [*media, *_media(situation.observation)]
        return system, _message(user, parts)

    def _seen(self, step: Step, bare: bool) -> _Shown:
        # What was reported on earlier days comes by recall, where there is one.
        observed = step.account if bare else step.observation.text
        texts = tuple(map(neutralise, (observed, step.action.text, step.feedback)))
        entry = HistoryStep(n=step.n, observation=texts[0], action=texts[1], feedback=texts[2])
        line = neutralise(self.prompts.render(LINE, LineInputs(step=entry)).text)
        media = (*_media(step.observation), *_media(step.action))
        fixed = _LABELS + MEDIA_TOKENS * len(media)
        size = Size(tuple(map(token_estimate, texts)), fixed)
        return _Shown(entry, Ready(**vars(entry) | {"line": line}), media, size)

    def _always(self, situation: Situation, system: Message) -> Size:
        guidance, previous, observed = (
            situation.guidance,
            situation.previous,
            situation.observation,
        )
        texts = [situation.goal, *guidance.texts, *(situation.actions or ())]
        texts += [text for n in situation.notes for text in (n.author, n.text)]
        texts += [text for m in _memos(situation) for text in (m.said, m.text)]
        if previous is not None:
            texts += [previous.output, previous.critique, *chain(*previous.earlier)]
        for line in guidance.volatile:
            texts += [line.when, line.when_not, line.instruction, "lesson"]
        fixed = (
            token_estimate(system.text)
            + self._empty(bool(situation.memos))
            + sum(map(token_estimate, texts))
        )
        fixed += 2 * len(texts) + MEDIA_TOKENS * len(_media(observed))
        return Size((token_estimate(observed.text),), fixed)

    def _bare(self, memos: bool) -> int:
        """Tokens of the user message with nothing in it."""
        filled = ActInputs(
            goal="",
            volatile=(Line(alias=1, instruction=""),),
            notes=(Note(author="", text=""),),
            memos=(MemoLine(n=1, said="", text=""),) if memos else (),
            history=(HistoryStep(n=1, observation="", action="", feedback="", omitted=1),),
            actions=("",),
            previous=Previous(output="", critique=""),
        )
        return token_estimate(self.prompts.render(ACT, filled).text)

    def _rendered_system(self, stable: tuple[GuidanceLine, ...], kind: str) -> Message:
        inputs = SystemInputs(role=self.role, stable=tuple(map(Line.of, stable)))
        return Message(role="system", text=self.prompts.render(kind, inputs).text)


def _form(situation: Situation) -> type[Move]:
    """What the model is to reply."""
    if situation.memos:
        return Remembering
    return Managed if situation.reports else Move


def _memos(situation: Situation) -> tuple[MemoLine, ...]:
    """The memos as the prompt shows them."""
    return tuple(
        MemoLine(n=n, said=memo.said, text=middle_cut(memo.text, MEMO_TOKENS))
        for n, memo in enumerate(situation.memos or (), start=1)
    )


def _credits(move: Move, reports: int) -> tuple[Credit, ...]:
    """What a manager said of the reports that there are, the first word on each."""
    said: dict[int, Credit] = {}
    for given in move.credits if isinstance(move, Managed) else ():
        if 1 <= given.report <= reports:
            said.setdefault(given.report, Credit(report=given.report, worth=given.worth))
    return tuple(said[n] for n in sorted(said))


def _media(content: Observation | Action) -> tuple[MediaPart, ...]:
    return tuple(p for p in content.parts if isinstance(p, MediaPart))


def _message(text: str, media: list[MediaPart]) -> Message:
    """The user's message; of several media each stands after the mark that the text has for it."""
    if not media:
        return Message(role="user", text=text)
    parts: list[Part] = [TextPart(text=text)]
    for part in media:
        if len(media) > 1:
            parts.append(TextPart(text=part_text(part)))
        parts.append(part)
    return Message(role="user", parts=tuple(parts))


def _kept(shown: list[_Shown], cut: Cut) -> tuple[tuple[Any, ...], list[MediaPart]]:
    """The lines that stay after `cut`, and the media of their steps."""
    kept = [*shown[: cut.start], *shown[cut.stop :]]
    entries = [_cut_entry(s, cut.cap) for s in kept]
    if cut.omitted:
        entries[0] = Ready(**vars(entries[0]) | {"omitted": cut.omitted})
    return tuple(entries), [m for s in kept for m in s.media]


def _cut_entry(shown: _Shown, cap: int | None) -> Any:
    if cap is None or max(shown.size.texts) <= cap:
        return shown.ready
    fields = ("observation", "action", "feedback")
    texts = {name: middle_cut(getattr(shown.entry, name), cap) for name in fields}
    return ready(shown.entry.model_copy(update=texts))


def _act(situation: Situation, history: tuple[Any, ...], cap: int | None) -> ActInputs:
    guidance, previous = situation.guidance, situation.previous
    # All parts are validated already; validating the history at every step would be quadratic.
    return ActInputs.model_construct(
        goal=situation.goal,
        volatile=tuple(map(ready_line, guidance.volatile)),
        texts=guidance.texts,
        # The note that sent a draft back is shown once, beside the draft.
        notes=tuple(n for n in situation.notes if not previous or n.text != previous.critique),
        memos=_memos(situation),
        history=history,
        observation=middle_cut(situation.observation.text, cap),
        actions=situation.actions,
        previous=previous,
    )


@lru_cache(maxsize=256)
def move_schema(actions: tuple[str, ...], form: type[Move] = Move) -> dict[str, JsonValue]:
    """The JSON schema of a move; its action is one of `actions`, if there are any."""
    schema: dict[str, Any] = form.model_json_schema()
    schema["required"] = list(schema["properties"])
    schema["additionalProperties"] = False
    for inner in schema["properties"].values():
        inner.pop("default", None)
    if actions:
        schema["properties"]["action"]["enum"] = list(actions)
    return schema
