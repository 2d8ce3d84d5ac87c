"""`check_agent`: does a callable keep to what verbalrl expects of agents?

It plays a tiny scripted situation by hand. It judges form, not skill; what only hints at a mistake
is returned as a warning.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from ..errors import AgentError, ModelError
from ..models import CallContext, MemoryJournal, Slots, run_sync
from ..records import (
    Action,
    Guidance,
    GuidanceLine,
    Instance,
    Observation,
    Situation,
    Step,
)
from .handles import AgentHandle, AgentLike, adapt, public

_ACTIONS = ("open the red door", "open the blue door")
_PLANTED = "open the blue door before the lamp goes out"


def check_agent(agent: AgentLike) -> tuple[str, ...]:
    """Warnings about `agent`; it is called five times, so a real model is paid for.

    Raises:
        ConfigurationError: It cannot be called as an agent.
        AgentError: It raised, returned no action, or changed what it was given.
        ModelError: Its model failed.
    """
    return run_sync(_check(adapt(agent)))


@dataclass
class _Trial:
    """Calls of one agent with a journal that shows what its model was asked."""

    handle: AgentHandle
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    slots: Slots = field(default_factory=Slots)

    async def act(self, situation: Situation, owner: str) -> Action:
        before = situation.model_dump_json()
        context = CallContext(self.journal, self.slots, owner)
        with context.active(step=situation.step):
            action = await self.handle.act(situation)
        if situation.model_dump_json() != before:
            raise AgentError(f"the agent {self.handle.name} changed the situation it was given")
        return action

    def asked(self, text: str) -> bool:
        return any(text in record.request for record in self.journal.records.values())


async def _check(handle: AgentHandle) -> tuple[str, ...]:
    trial = _Trial(handle)
    warnings = []
    first = _situation()
    action = await trial.act(first, "first")
    second = _situation(history=(_step(action),))
    actions = [action, await trial.act(second, "second")]
    together = await asyncio.gather(
        *(trial.act(first, f"together-{n}") for n in range(3)), return_exceptions=True
    )
    for result in together:
        if isinstance(result, ModelError):
            raise result
        if isinstance(result, BaseException):
            raise AgentError(f"called three times at once, it failed: {result}") from result
        actions.append(result)
    if handle.kind == "situation" and any(a.text not in _ACTIONS for a in actions):
        warnings.append("it answered with an action that is not among the listed ones")
    if not any(a.text or a.parts for a in actions):
        warnings.append("all its actions were empty")
    if not trial.journal.records:
        warnings.append(
            "it asked no model through `model.ask`: its calls are not journaled, so its episodes"
            " run again on resume, and whether it reads its guidance cannot be seen"
        )
    elif not trial.asked(_PLANTED):
        warnings.append("the guidance that it was given is in no request to its model")
    return tuple(warnings)


def _situation(history: tuple[Step, ...] = ()) -> Situation:
    line = GuidanceLine(alias=1, lesson="ls_check", when="a lamp burns", instruction=_PLANTED)
    text = f"- [1] When {line.when}: {line.instruction}"
    instance = Instance(
        id="check/1", goal="Leave the room.", data={"door": "blue"}, answers=(_ACTIONS[1],)
    )
    return Situation(
        goal=instance.goal,
        observation=Observation(text="A lamp burns. There are two doors.", actions=_ACTIONS),
        history=history,
        guidance=Guidance(volatile=(line,), text=text),
        instance=public(instance),
    )


def _step(action: Action) -> Step:
    observation = Observation(text="It is dark.", actions=_ACTIONS)
    return Step(n=1, observation=observation, action=action, feedback="A lamp is lit.")
