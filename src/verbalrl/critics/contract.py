"""`check_critic`: does a critic keep to what verbalrl expects of critics?

It shows a few made-up attempts. It judges form, not wisdom; what only hints at a mistake is
returned as a warning.
"""

from __future__ import annotations

from collections import Counter

from ..errors import CriticError
from ..models import CallContext, MemoryJournal, Slots, run_sync
from ..prompts import PromptLibrary
from ..records import (
    Action,
    Critique,
    Episode,
    EpisodeSpec,
    Failure,
    Guidance,
    GuidanceLine,
    Instance,
    Observation,
    Reward,
    Step,
    StopReason,
    Trajectory,
    WriteCritique,
)
from .adapting import adapt_critic
from .critique import Critic, CriticLike
from .view import CritiqueCase

_SECRET = "the violet key, number 7319"
_ACTIONS = ("turn the brass key", "turn the iron key", "turn " + _SECRET)
_GOAL = "Open the chest. Exactly one key fits."
_LESSON = GuidanceLine(
    alias=1, lesson="le_check", when="the lock is old", instruction="turn the brass key"
)


def check_critic(critic: CriticLike, prompts: PromptLibrary | None = None) -> tuple[str, ...]:
    """Warnings about `critic`; it writes five critiques, so a real model is paid for.

    Raises:
        ConfigurationError: It cannot be used as a critic.
        CriticError: It raised, gave nothing usable, or changed what it was given.
    """
    return run_sync(_check(adapt_critic(critic, prompts or PromptLibrary())))


async def _check(critic: Critic) -> tuple[str, ...]:
    journal = MemoryJournal()
    written: dict[str, Critique] = {}
    for name, episodes in _cases().items():
        case = _case(name, episodes)
        before = [e.model_dump_json() for e in episodes]
        context = CallContext(journal, Slots(), case.id, role="critic")
        critique = await critic.write(case, context)
        if getattr(critique, "id", "") != case.id:
            raise CriticError(f"case {name}: it returned no critique of the case that it was given")
        if [e.model_dump_json() for e in episodes] != before:
            raise CriticError(f"case {name}: it changed the episodes that it was given")
        if critique.status == "failed":
            raise CriticError(f"case {name}: {critique.detail}")
        written[name] = critique
    if any(_SECRET in record.request for record in journal.records.values()):
        raise CriticError("a request to its model held the hidden answer of the instance")
    return _warnings(written)


def _warnings(written: dict[str, Critique]) -> tuple[str, ...]:
    warnings = [
        f"case {name}: refused as {c.refusal}: {c.detail}"
        for name, c in written.items()
        # Where nothing happened, having nothing to say is right.
        if c.status == "refused" and name != "broken at once"
    ]
    verdicts = {name: written[name].verdict for name in ("failed at once", "solved")}
    if verdicts == {"failed at once": "success", "solved": "failure"}:
        warnings.append("its verdicts contradict the outcomes that it was shown")
    proposals = [p for c in written.values() for p in c.proposals]
    if proposals and not any(p.when for p in proposals):
        warnings.append("none of its lessons says when it applies")
    bodies = Counter((c.causes, c.proposals, c.refinement) for c in written.values())
    if len(bodies) == 1 and len(written) > 1:
        warnings.append("it says the same of every attempt")
    return tuple(warnings)


def _case(name: str, episodes: tuple[Episode, ...]) -> CritiqueCase:
    return CritiqueCase(
        id=f"cr_check_{name.replace(' ', '_')}",
        work=WriteCritique(episodes=tuple(e.id for e in episodes)),
        episodes=episodes,
        instance=Instance(
            id="check/1", goal=_GOAL, data={"key": _SECRET}, answers=(_SECRET, _ACTIONS[2])
        ),
    )


def _cases() -> dict[str, tuple[Episode, ...]]:
    locked = _step(1, "An old lock of iron.", 0, "It does not turn.")
    jammed = _step(2, "An old lock of iron. It is jammed now.", 1, "The key breaks.", -1.0)
    opened = _step(1, "A new lock of brass.", 0, "The chest opens.", 1.0)
    failed = _episode(1, (locked,), success=False)
    return {
        "failed at once": (failed,),
        "failed later": (_episode(2, (locked, jammed), success=False),),
        "solved": (_episode(1, (opened,), success=True),),
        "broken at once": (_episode(1, (), success=None),),
        "two attempts": (failed, _episode(2, (opened,), success=True)),
    }


def _step(n: int, seen: str, action: int, feedback: str, reward: float = 0.0) -> Step:
    # Only the two keys that are not the answer are listed here.
    observation = Observation(text=seen, actions=_ACTIONS[:2])
    done = Action(text=_ACTIONS[action])
    return Step(n=n, observation=observation, action=done, feedback=feedback, reward=reward)


def _episode(trial: int, steps: tuple[Step, ...], *, success: bool | None) -> Episode:
    broken = success is None
    return Episode(
        id=f"ep_check_{trial}_{len(steps)}",
        run="check",
        arm="learned",
        seed=0,
        spec=EpisodeSpec(instance="check/1", trial=trial),
        status="failed" if broken else "finished",
        trajectory=Trajectory(steps=steps),
        success=success,
        reward=Reward(value=sum(s.reward or 0.0 for s in steps) if steps else None),
        terminated=not broken,
        stop_reason=StopReason.AGENT_ERROR if broken else StopReason.TERMINATED,
        guidance={"actor": Guidance(volatile=(_LESSON,))} if trial > 1 else {},
        failure=Failure(kind="agent_error", message="it raised") if broken else None,
    )
