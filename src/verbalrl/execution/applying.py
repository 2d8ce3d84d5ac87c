"""Asking a model which conditional lessons apply, ahead of recall, which is pure."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from .._logging import get_logger
from ..agents import AgentHandle
from ..critics import Critic
from ..curators import Curator
from ..errors import EpisodeError, ReplayMismatch, first_line
from ..memory import applies
from ..models import CallContext, Message, Model, Request, TokensSpent
from ..prompts import PromptLibrary
from ..records import Lesson

log = get_logger(__name__)
ROLE = "recall"


class Parts(Protocol):
    """Who acts, criticises and curates in a run."""

    @property
    def agent(self) -> AgentHandle:
        """Who acts."""

    @property
    def critic(self) -> Critic | None:
        """Who criticises."""

    @property
    def curator(self) -> Curator | None:
        """Who curates."""


class Judged(NamedTuple):
    """What a model said of the conditions of lessons."""

    said: dict[str, bool]
    """By lesson id whether its condition holds; without those it did not answer."""
    lacking: str = ""
    """Why it said nothing of some, the first such call; empty where all calls were answered."""


class Trio(NamedTuple):
    """The parts alone, before there is a run."""

    agent: AgentHandle
    critic: Critic | None
    curator: Curator | None


def judge_of(parts: Parts) -> Model | None:
    """The model that is asked: the critic's, else the curator's, else the agent's; None: words."""
    found = (getattr(part, "model", None) for part in (parts.critic, parts.curator, parts.agent))
    return next((model for model in found if isinstance(model, Model)), None)


async def ask_applies(
    model: Model,
    lessons: Sequence[Lesson],
    situation: str,
    context: CallContext,
    prompts: PromptLibrary,
) -> Judged:
    """Which conditions hold, as `model` says.

    One question per lesson, at most 40 in a call; the calls are journaled in the role `recall`. A
    call that fails leaves its lessons to the test of words.
    """
    asked = [
        _ask(model, batch, situation, context.at(role=ROLE, hook=f"applies{n}"), prompts)
        for n, batch in enumerate(applies.batches(lessons))
    ]
    found = await asyncio.gather(*asked)
    said = {identity: holds for judged in found for identity, holds in judged.said.items()}
    return Judged(said, next((judged.lacking for judged in found if judged.lacking), ""))


async def _ask(
    model: Model,
    batch: dict[int, Lesson],
    situation: str,
    context: CallContext,
    prompts: PromptLibrary,
) -> Judged:
    text = applies.question(batch, situation, prompts)
    request = Request(messages=(Message(role="user", text=text),), role=ROLE)
    try:
        answer, _ = await context.ask_for(model, request, applies.answer_schema(batch))
    except ReplayMismatch:
        raise
    except TokensSpent:
        # A limit, not a failure: the episode ends by it, and would again.
        return Judged({})
    except EpisodeError as error:
        log.warning("applies.failed", owner=context.owner, kind=error.kind)
        return Judged({}, f"{error.kind}: {first_line(str(error))}")
    return Judged(applies.read(answer, batch))
