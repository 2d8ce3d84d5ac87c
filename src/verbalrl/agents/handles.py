"""Agents of any shape behind one form: `adapt` takes what the user has, `AgentHandle.act` runs it.

A *situation* agent takes a `Situation` and returns an action, step by step. An *answer* agent takes
(instance, guidance) and returns its final answer; `instance.text` is all that the problem says.
Async ones run on the loop; sync ones in worker threads that see the same context variables, so that
`model.ask_sync` finds its episode.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Literal, TypeVar, overload

from pydantic import JsonValue

from ..errors import AgentError, ConfigurationError, boundary
from ..models import Model, Worker, Workers, clean, clean_part, is_async
from ..records import Action, Guidance, Instance, Situation
from .chat import ChatAgent

Kind = Literal["situation", "answer"]
AgentLike = Callable[..., object]
"""A callable as described above, or an `AgentHandle`."""

F = TypeVar("F", bound=AgentLike)

MAX_ACTION = 1 << 20
"""Characters of an action's text."""


class AgentHandle:
    """A callable whose kind is known; still callable as it was."""

    def __init__(self, function: AgentLike, kind: Kind) -> None:
        self.function = function
        self.kind: Kind = kind
        self.name = str(
            getattr(function, "name", "")
            or getattr(function, "__qualname__", "")
            or type(function).__name__
        )
        model = getattr(function, "model", None)
        self.model: Model | None = model if isinstance(model, Model) else None
        """The model that it holds, where it says so."""
        self.simulated = self.model.simulated if self.model else False
        self.workers = Workers()
        """The threads of the run that this agent works in: its own and its environments'."""
        self._is_async = is_async(function)

    def __call__(self, *args: Any) -> object:
        """What the callable itself returns."""
        return self.function(*args)

    @property
    def models(self) -> dict[str, Model]:
        """By role, the models that are known."""
        return {} if self.model is None else {"actor": self.model}

    def recorded(self) -> dict[str, JsonValue]:
        """What a run keeps of the agent beside its name, and compares when it is resumed."""
        own = self.function.recorded() if isinstance(self.function, ChatAgent) else {}
        return {**own, "team": None}

    async def act(self, situation: Situation, worker: Worker | None = None) -> Action:
        """The agent's action in `situation`, as it enters the run.

        Args:
            situation: What the agent sees; its instance must have its hidden fields blanked.
            worker: The thread for a sync agent; one for this call when left out.

        Raises:
            AgentError: It raised, or returned something that is no action.
        """
        with boundary(AgentError, f"the agent {self.name}"):
            answer = await self._answer(situation, worker)
        return _action(answer, self.name)

    async def _answer(self, situation: Situation, worker: Worker | None) -> object:
        args: tuple[object, ...] = (situation,)
        if self.kind == "answer":
            args = (answer_instance(situation), answer_guidance(situation))
        if self._is_async:
            answer = self.function(*args)
        elif worker is not None:
            answer = await worker.call(self.function, *args)
        else:
            own = self.workers.worker()
            try:
                answer = await own.call(self.function, *args)
            finally:
                own.end()
        # A sync callable may hand back something to be awaited, such as a lambda does.
        return await answer if inspect.isawaitable(answer) else answer


def adapt(agent: AgentLike) -> AgentHandle:
    """The handle of `agent`, told apart by its number of required positional parameters.

    Raises:
        ConfigurationError: It is no callable, or takes neither one nor two of them.
    """
    if isinstance(agent, AgentHandle):
        return agent
    count = _required(agent)
    if count not in (1, 2):
        raise ConfigurationError(
            f"agent {_name(agent)} takes {count} required positional parameters; it must take"
            " (situation) or (instance, guidance); else mark it with vrl.agent(fn, answers=True)"
            " or answers=False"
        )
    return AgentHandle(agent, "situation" if count == 1 else "answer")


@overload
def agent(function: F, *, answers: bool | None = None) -> AgentHandle: ...
@overload
def agent(
    function: None = None, *, answers: bool | None = None
) -> Callable[[AgentLike], AgentHandle]: ...
def agent(
    function: AgentLike | None = None, *, answers: bool | None = None
) -> AgentHandle | Callable[[AgentLike], AgentHandle]:
    """Mark a callable as an agent; also as a decorator.

    Args:
        function: The callable.
        answers: True: it takes (instance, guidance) and returns the final answer. False: it takes a
            situation and returns an action. None: told apart as `adapt` does.

    Raises:
        ConfigurationError: It cannot be called that way.
    """
    if function is None:
        return functools.partial(_marked, answers=answers)
    return _marked(function, answers)


def _marked(function: AgentLike, answers: bool | None) -> AgentHandle:
    if isinstance(function, AgentHandle):
        function = function.function
    if answers is None:
        return adapt(function)
    given = 2 if answers else 1
    try:
        _signature(function).bind(*(None,) * given)
    except TypeError as error:
        raise ConfigurationError(
            f"agent {_name(function)} cannot be called with {given} arguments: {error}"
        ) from error
    return AgentHandle(function, "answer" if answers else "situation")


def public(instance: Instance) -> Instance:
    """`instance` as agents may see it: cleaned, without its hidden fields."""
    return instance.model_copy(update={"goal": clean(instance.goal), "data": {}, "answers": ()})


def answer_instance(situation: Situation) -> Instance | None:
    """The instance of an answer agent, which has no situation to read the observation from."""
    if situation.instance is None:
        return None
    return situation.instance.model_copy(update={"observation": situation.observation})


def answer_guidance(situation: Situation) -> Guidance:
    """The guidance of an answer agent, which has no situation to read notes and drafts from."""
    guidance, previous = situation.guidance, situation.previous
    texts = [f"Note ({note.author}): {note.text}" for note in situation.notes]
    if previous is not None:
        pairs = [("Earlier", *pair) for pair in previous.earlier]
        pairs.append(("Previous", previous.output, previous.critique))
        texts = [t for name, o, c in pairs for t in (f"{name} answer: {o}", f"Critique of it: {c}")]
        texts += [
            f"Note ({n.author}): {n.text}" for n in situation.notes if n.text != previous.critique
        ]
    if not texts:
        return guidance
    whole = "\n".join(filter(None, (guidance.text, *texts)))
    return guidance.model_copy(update={"texts": (*guidance.texts, *texts), "text": whole})


def _action(answer: object, name: str) -> Action:
    match answer:
        case str():
            action = Action(text=clean(answer))
        case Action():
            action = answer.having(
                text=clean(answer.text),
                thought=clean(answer.thought),
                repaired=clean(answer.repaired),
                parts=tuple(map(clean_part, answer.parts)),
            )
        case _:
            raise AgentError(
                f"the agent {name} returned {type(answer).__name__}, neither text nor an Action"
            )
    if len(action.text) > MAX_ACTION:
        raise AgentError(f"the agent {name} returned an action of {len(action.text)} characters")
    return action


def _required(agent: AgentLike) -> int:
    if isinstance(agent, type):
        raise ConfigurationError(f"agent {agent.__name__} is a class: pass an instance of it")
    if isinstance(agent, str):
        raise ConfigurationError(f"agent: {agent!r} is a name; write vrl.ChatAgent({agent!r})")
    if isinstance(agent, Model):
        raise ConfigurationError(f"agent: {agent.name} is a model; write vrl.ChatAgent(model)")
    if not callable(agent):
        raise ConfigurationError(f"agent: {type(agent).__name__} is not callable")
    required = [
        p for p in _signature(agent).parameters.values() if p.default is inspect.Parameter.empty
    ]
    if named := [p.name for p in required if p.kind is inspect.Parameter.KEYWORD_ONLY]:
        raise ConfigurationError(
            f"agent {_name(agent)} needs the keyword {named[0]!r}; bind it first"
        )
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in positional for p in required)


def _signature(agent: AgentLike) -> inspect.Signature:
    try:
        return inspect.signature(agent)
    except ValueError as error:
        raise ConfigurationError(
            f"agent {_name(agent)} has no readable signature; wrap it in a function"
        ) from error


def _name(agent: object) -> str:
    return repr(getattr(agent, "__qualname__", type(agent).__name__))
