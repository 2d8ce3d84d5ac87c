"""The built-in analyst of a team: one request for each report, answered from its own source.

A report is grounded by its form: the model names lines of its source by number, and these are
passed on word for word, before what the model makes of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, JsonValue

from ..ids import normalised, token_estimate
from ..models import Message, Model, Request, ask_for
from ..prompts import Line, PromptLibrary
from ..records import Action, Record, Situation
from .chat import ChatAgent
from .history import PROMPT_TOKENS, middle_cut

ANALYST, REPORT = "actor/analyst", "actor/report"
_MARK = re.compile(r"\[\d{1,4}\]\s*")


class AnalystInputs(Record):
    """What `actor/analyst` is rendered from."""

    who: str
    role: str = ""
    stable: tuple[Line, ...] = ()


class ReportInputs(Record):
    """What `actor/report` is rendered from."""

    goal: str
    volatile: tuple[Line, ...] = ()
    texts: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


REPORT_INPUTS: Mapping[str, type[BaseModel]] = {ANALYST: AnalystInputs, REPORT: ReportInputs}


class ReportReply(BaseModel):
    """What the model replies."""

    points: list[int] = Field(description="Numbers of the lines that matter, the first the most.")
    reading: str = Field(description="One or two sentences on what they may mean.")


class Analyst(ChatAgent):
    """A chat agent that reports on its source instead of acting; `Team` makes it of another."""

    def __init__(
        self,
        model: Model | str,
        *,
        role: str = "",
        prompts: PromptLibrary | Path | str | None = None,
        prompt_tokens: int = PROMPT_TOKENS,
    ) -> None:
        super().__init__(model, role=role, prompts=prompts, prompt_tokens=prompt_tokens)
        self.name = f"Analyst({self.model.name})"
        self.prompts.check(REPORT_INPUTS)

    @classmethod
    def of(cls, agent: ChatAgent) -> Analyst:
        """The analyst with the model and the prompts of `agent`."""
        return cls(
            agent.model, role=agent.role, prompts=agent.prompts, prompt_tokens=agent.prompt_tokens
        )

    async def __call__(self, situation: Situation, /) -> Action:
        """The report as an action: lines of the source, then the model's reading of them.

        Raises:
            ModelError: The call failed for good, or no reply could be used.
        """
        request = Request(messages=self.messages(situation), output_schema=_schema())
        reply, _ = await ask_for(self.model, request, ReportReply)
        lines = self._source(situation)
        return Action(text=report_text(lines, reply.points, reply.reading))

    def messages(self, situation: Situation) -> tuple[Message, ...]:
        """What the model is sent for `situation`: the system message, then the user's."""
        guidance = situation.guidance
        inputs = ReportInputs(
            goal=situation.goal,
            volatile=tuple(map(Line.of, guidance.volatile)),
            texts=guidance.texts,
            lines=self._source(situation),
        )
        told = AnalystInputs(
            who=situation.role.replace("_", " "),
            role=self.role,
            stable=tuple(map(Line.of, guidance.stable)),
        )
        system = Message(role="system", text=self.prompts.render(ANALYST, told).text)
        return system, Message(role="user", text=self.prompts.render(REPORT, inputs).text)

    def _source(self, situation: Situation) -> tuple[str, ...]:
        """The source, line by line; where it fills more than half a prompt, its lines are cut."""
        lines = tuple(filter(None, map(str.strip, situation.observation.text.splitlines())))
        most = self.prompt_tokens // 2
        if sum(map(token_estimate, lines)) <= most:
            return lines
        return tuple(middle_cut(line, most // len(lines)) for line in lines)


def report_text(lines: tuple[str, ...], points: list[int], reading: str) -> str:
    """The lines named by `points`, from 1, word for word, then `reading`, on one line.

    Numbers that there are not are left out; where none is left the first line stands. A reading
    that says only what the lines do is left out, and so are numbers of lines, which its reader does
    not see.
    """
    chosen = [lines[n - 1] for n in dict.fromkeys(points) if 1 <= n <= len(lines)]
    shown = " ".join(" ".join(chosen or lines[:1]).split())
    read = " ".join(_MARK.sub("", reading).split())
    known = normalised(" ".join(lines))
    return shown if normalised(read) in known else f"{shown} {read}".strip()


@cache
def _schema() -> dict[str, JsonValue]:
    schema: dict[str, Any] = ReportReply.model_json_schema()
    schema["additionalProperties"] = False
    return schema
