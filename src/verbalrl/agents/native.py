"""The chat agent with native tools: the history as a conversation, several calls as one action.

The provider gets the tools of the situation, and every earlier step as the turns it was made of. A
reply with calls is an action of calls; one without is a text action, where text is admissible. A
reply that is neither is asked for once more, then passed on as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import NamedTuple

from pydantic import BaseModel

from ..ids import canonical_json, token_estimate
from ..models import Message, Model, Reply, Request, ask_for
from ..prompts import Line, PromptLibrary, neutralise
from ..records import (
    Action,
    GuidanceLine,
    Note,
    Observation,
    Previous,
    Record,
    Situation,
    Step,
    Tool,
    ToolCallPart,
    ToolResultPart,
)
from .fitting import misfit
from .history import Size, plan_cut
from .seen import PerStep
from .turns import Turn, call_id, messages_of, opening, said, turn_of

SYSTEM, GOAL, TURN = "actor/tools", "actor/tools_goal", "actor/tools_turn"
_TAGS = 16
"""Tokens of the tags around what is shown at one step."""
_CITED = re.compile(r"\[(\d{1,4})\]")
_ANOTHER_WRONG = "not done, because another call of this turn was wrong; call it again"


class SystemInputs(Record):
    """What `actor/system` and `actor/tools` are rendered from."""

    role: str = ""
    stable: tuple[Line, ...] = ()


class GoalInputs(Record):
    """What `actor/tools_goal` is rendered from."""

    goal: str
    volatile: tuple[Line, ...] = ()
    texts: tuple[str, ...] = ()


class TurnInputs(Record):
    """What `actor/tools_turn` is rendered from."""

    feedback: str = ""
    observation: str = ""
    omitted: int = 0
    """How many steps are left out after this one."""
    previous: Previous | None = None
    notes: tuple[Note, ...] = ()
    actions: tuple[str, ...] | None = None


NATIVE_INPUTS: Mapping[str, type[BaseModel]] = {
    SYSTEM: SystemInputs,
    GOAL: GoalInputs,
    TURN: TurnInputs,
}


class _Past(NamedTuple):
    """A turn that is over, its size and its messages."""

    turn: Turn
    size: Size
    messages: tuple[Message, ...]


class _Answer(NamedTuple):
    """A reply as an action would have it, and what is wrong with it."""

    calls: tuple[ToolCallPart, ...]
    text: str
    problems: tuple[str, ...]
    """One for each call, "" where it is right; of a reply without calls one in all."""


class NativeTurns:
    """Asks models with native tools.

    Args:
        prompts: Where the three prompts come from.
        role: Who the agent is, in a sentence.
        budget: Estimated tokens of one prompt.
    """

    def __init__(self, prompts: PromptLibrary, role: str, budget: int) -> None:
        self.prompts, self.role, self.budget = prompts, role, budget
        self._system = lru_cache(maxsize=64)(self._rendered_system)
        self._past: PerStep[_Past] = PerStep()

    async def act(self, model: Model, situation: Situation) -> Action:
        """The model's action: tool calls or text.

        Raises:
            ModelError: The call failed for good, or no reply could be used.
        """
        request = Request.model_construct(messages=self.messages(situation), tools=situation.tools)
        _, reply = await ask_for(model, request, None)
        answer = _read(reply, situation)
        problem = "; ".join(dict.fromkeys(filter(None, answer.problems)))
        if problem:
            again = (*request.messages, *_sent_back(answer, situation.step))
            request = request.model_copy(update={"messages": again})
            _, reply = await ask_for(model, request, None)
            answer = _read(reply, situation)
        if not answer.calls:
            return Action(text=answer.text, repaired=problem[:1_000])
        known = {line.alias for line in situation.guidance.lines}
        cited = dict.fromkeys(map(int, _CITED.findall(answer.text)))
        return Action(
            parts=answer.calls,
            thought=answer.text,
            lessons_used=tuple(n for n in cited if n in known),
            repaired=problem[:1_000],
        )

    def messages(self, situation: Situation) -> tuple[Message, ...]:
        """The system message, the first user message, and a turn for every step that is kept."""
        history = situation.history
        system = self._system(situation.guidance.stable)
        shown = (*(s.observation for s in history), situation.observation)
        start = opening(shown[0])
        begun = self._begun(situation)
        ending = self._ending(situation)
        past = [
            self._past.get(step, after, partial(self._finished, step, after))
            for step, after in zip(history, shown[1:], strict=True)
        ]
        fixed = sum(map(token_estimate, (system.text, begun, ending)))
        fixed += tool_tokens(situation.tools)
        size = start.size
        cut = plan_cut([p.size for p in past], size._replace(fixed=size.fixed + fixed), self.budget)
        start = start.cut(cut.cap)
        texts = [begun, self._told(start), "" if past else ending]
        found = [system, *messages_of(start, "\n".join(filter(None, texts)))]
        kept = [*past[: cut.start], *past[cut.stop :]]
        for place, each in enumerate(kept):
            omitted = cut.omitted if place == 0 else 0
            last = ending if place == len(kept) - 1 else ""
            turn = each.turn.cut(cut.cap)
            if turn is each.turn and not omitted and not last:
                found += each.messages
            else:
                found += messages_of(turn, self._told(turn, omitted) + last)
        return tuple(found)

    def _finished(self, step: Step, after: Observation) -> _Past:
        made = turn_of(step.n, step.action, step.feedback, after)
        size = made.size
        size = size._replace(fixed=size.fixed + _TAGS)
        return _Past(made, size, tuple(messages_of(made, self._told(made))))

    def _told(self, turn: Turn, omitted: int = 0) -> str:
        if not (turn.text or turn.feedback or omitted):
            return ""
        inputs = TurnInputs(feedback=turn.feedback, observation=turn.text, omitted=omitted)
        return self.prompts.render(TURN, inputs).text

    def _begun(self, situation: Situation) -> str:
        guidance = situation.guidance
        inputs = GoalInputs(
            goal=situation.goal,
            volatile=tuple(map(Line.of, guidance.volatile)),
            texts=guidance.texts,
        )
        return self.prompts.render(GOAL, inputs).text

    def _ending(self, situation: Situation) -> str:
        """What is said of the present step alone."""
        previous = situation.previous
        # The note that sent a draft back is shown once, beside the draft.
        notes = tuple(n for n in situation.notes if not previous or n.text != previous.critique)
        if previous is None and not notes and situation.actions is None:
            return ""
        inputs = TurnInputs(previous=previous, notes=notes, actions=situation.actions)
        return self.prompts.render(TURN, inputs).text

    def _rendered_system(self, stable: tuple[GuidanceLine, ...]) -> Message:
        inputs = SystemInputs(role=self.role, stable=tuple(map(Line.of, stable)))
        return Message(role="system", text=self.prompts.render(SYSTEM, inputs).text)


def tool_tokens(tools: tuple[Tool, ...]) -> int:
    """What `tools` cost in a request, in estimated tokens."""
    return sum(
        token_estimate(f"{tool.name}{tool.description}{canonical_json(tool.parameters)}")
        for tool in tools
    )


def _read(reply: Reply, situation: Situation) -> _Answer:
    """`reply` as an action; what does not fit is named."""
    found = [p for p in reply.parts if isinstance(p, ToolCallPart)]
    step, text = situation.step, reply.text.strip()
    calls = tuple(
        call.model_copy(update={"id": call_id(step, n), "arguments": call.arguments or "{}"})
        for n, call in enumerate(found, 1)
    )
    if calls:
        tools = {tool.name: tool for tool in situation.tools}
        return _Answer(calls, text, tuple(_judged(call, tools) for call in calls))
    listed = {neutralise(a): a for a in situation.actions or ()}
    problem = ""
    if situation.actions == ():
        problem = "no tool was called; text alone is no action here, call a tool"
    elif listed and text not in listed:
        problem = (
            f"{text[:200]!r} is not one of the listed actions; copy one of them exactly, or call a"
            " tool"
        )
    elif not text:
        problem = "the answer is empty; call a tool, or write your answer"
    return _Answer((), listed.get(text, text), (problem,))


def _judged(call: ToolCallPart, tools: Mapping[str, Tool]) -> str:
    tool = tools.get(call.name)
    if tool is None:
        return f"there is no tool {call.name[:64]!r}; the tools are {', '.join(sorted(tools))}"
    wrong = misfit(call.arguments, tool.parameters)
    return f"{call.name}: {wrong}" if wrong else ""


def _sent_back(answer: _Answer, step: int) -> tuple[Message, ...]:
    """What the model said, and what was wrong with it, as the turn that asks once more."""
    spoken = said(step, answer.calls, answer.text)
    if not answer.calls:
        return Message(role="assistant", parts=spoken), Message(
            role="user", text=f"<problem>\n{neutralise(answer.problems[0])}\n</problem>"
        )
    results = tuple(
        ToolResultPart(
            call_id=call_id(step, n), text=neutralise(problem or _ANOTHER_WRONG), is_error=True
        )
        for n, problem in enumerate(answer.problems, 1)
    )
    return Message(role="assistant", parts=spoken), Message(role="tool", parts=results)
