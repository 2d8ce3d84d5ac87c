"""Who curates: a model, or a callable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from pydantic import BaseModel

from ..errors import ConfigurationError, CuratorError, boundary
from ..models import CallContext, FunctionRole, Model, ModelRole, load_model, read_reply
from ..models.structured import repaired
from ..prompts import PromptLibrary
from .schema import (
    BeliefInputs,
    CuratorReply,
    MergeInputs,
    ProposeInputs,
    SystemInputs,
    belief_schema,
)

SYSTEM, PROPOSE, MERGE = "curator/system", "curator/propose", "curator/merge"
BELIEFS = "curator/beliefs"
"""The rules for beliefs, in place of those for lessons that say what to do."""
ROLE = "curator"

PROMPT_INPUTS: Mapping[str, type[BaseModel]] = {
    SYSTEM: SystemInputs,
    BELIEFS: BeliefInputs,
    PROPOSE: ProposeInputs,
    MERGE: MergeInputs,
}
"""For `PromptLibrary.check`."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question to a curator."""

    inputs: ProposeInputs | MergeInputs
    rules: SystemInputs
    problem: str = ""
    """What was wrong with the last answer, when it is asked again."""
    last: str = ""
    """The last answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a curator said."""

    reply: CuratorReply
    raw: str = ""
    prompt_sha: str = ""


class Curator(Protocol):
    """Whoever turns evidence into operations on a list of lessons."""

    @property
    def model(self) -> Model | None:
        """The model behind it, if it has one."""

    @property
    def simulated(self) -> bool:
        """True when what it says says nothing about language models."""

    @property
    def groups(self) -> bool:
        """True: it reads new evidence in groups, then all proposals at once. False: all at once."""

    async def decide(self, question: Question, context: CallContext, /) -> Answer:
        """The operations for `question`. Raises `EpisodeError` when it has none."""


CuratorFunction = Callable[..., Any]
"""`ProposeInputs` → operations as dicts or `OperationReply`s, a `CuratorReply`, or None; sync or
async."""

CuratorLike = Curator | Model | str | CuratorFunction


def adapt_curator(curator: CuratorLike, prompts: PromptLibrary) -> Curator:
    """The curator that `curator` names or is: a model name, a model, a callable, or a curator.

    Raises:
        ConfigurationError: It is none of these, or its name is unknown.
    """
    if isinstance(curator, (str, Model)):
        return LLMCurator(load_model(curator), prompts)
    if callable(getattr(curator, "decide", None)):
        return cast(Curator, curator)
    if callable(curator):
        return CallableCurator(curator)
    raise ConfigurationError(
        "lessons for other instances need a curator: curator= takes a model name, a model or a"
        f" callable, not {type(curator).__name__}"
    )


class LLMCurator(ModelRole):
    """A model that answers in the curator's schema; it has no tools."""

    role = ROLE
    groups = True

    def __init__(self, model: Model, prompts: PromptLibrary) -> None:
        super().__init__(model, prompts, PROMPT_INPUTS)

    async def decide(self, question: Question, context: CallContext, /) -> Answer:
        """The model's operations.

        Raises:
            ModelError: The call failed for good, or no reply could be used.
            PromptError: A template is missing or wrong.
        """
        name = MERGE if isinstance(question.inputs, MergeInputs) else PROPOSE
        rules = BELIEFS if isinstance(question.rules, BeliefInputs) else SYSTEM
        request, sha = self._request((rules, question.rules), (name, question.inputs))
        if question.problem:
            request = repaired(request, question.last, question.problem)
        deciding = bool(getattr(question.inputs, "nominations", ()))
        aspects = getattr(question.rules, "aspects", ())
        schema = belief_schema(aspects, deciding=deciding)
        reply, answer = await context.ask_for(self._asked, request, schema)
        return Answer(cast(CuratorReply, reply), answer.text, sha)


class CallableCurator(FunctionRole):
    """A callable as a curator: it reads everything at once; what it says is checked like a model's.

    Its model calls, if any, are journaled.
    """

    groups = False

    async def decide(self, question: Question, context: CallContext, /) -> Answer:
        """The callable's operations.

        Raises:
            CuratorError: It raised, or returned something else.
        """
        with context.active() as view:
            try:
                with boundary(CuratorError, "the curator"):
                    said = await self._call(question.inputs)
            finally:
                # What a callable makes of a swallowed mismatch is worth nothing.
                if view.mismatch is not None:
                    raise view.mismatch
        return Answer(_read(said, question.rules))


def _read(said: object, rules: SystemInputs) -> CuratorReply:
    if isinstance(said, CuratorReply):
        said = said.model_dump()
    if isinstance(said, Mapping):
        said = said.get("operations", ())
    if said is None:
        said = ()
    if isinstance(said, (str, bytes)) or not isinstance(said, (list, tuple)):
        raise CuratorError(f"a curator returns a list of operations, not {type(said).__name__}")
    plain = [op.model_dump() if isinstance(op, BaseModel) else op for op in said]
    schema = belief_schema(getattr(rules, "aspects", ()), deciding=False)
    return read_reply({"operations": plain}, schema, CuratorError, "the curator")
