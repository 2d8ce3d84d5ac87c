"""The hooks that a method wants inside an episode, built from their descriptions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..errors import MethodError
from ..models import Model
from ..records import HookSpec
from ..rollout import CvarControl, Hook, Limits
from ..rollout.asking import PlanHook, ReviewHook
from ..rollout.guards import FormGuard, GroundGuard, LoopGuard
from ..rollout.hooks import MAX_REVISIONS
from .applying import judge_of
from .kit import Kit

Build = Callable[[Kit, Mapping[str, Any]], Hook]

HOOKS: Mapping[str, Build] = {
    "plan": lambda kit, given: PlanHook(
        _model(kit), kit.prompts, origin=kit.task.observations, **given
    ),
    "review": lambda kit, given: ReviewHook(
        _model(kit), kit.prompts, origin=kit.task.observations, **given
    ),
    "form": lambda kit, given: FormGuard(prompts=kit.prompts, **given),
    "ground": lambda kit, given: GroundGuard(prompts=kit.prompts, **given),
    "loop": lambda kit, given: LoopGuard(prompts=kit.prompts, **given),
    "cvar": lambda kit, given: CvarControl(prompts=kit.prompts, **given),
}
"""By the name that a `HookSpec` has."""

NOTE = 3_500
"""Tokens of notes and drafts beside a step, at most, where a hook speaks."""
NOTES = {"cvar": 120}
"""The same of hooks whose notes are short."""


def built(kit: Kit, specs: tuple[HookSpec, ...]) -> tuple[Hook, ...]:
    """The hooks that `specs` describe, in their order.

    Raises:
        MethodError: There is no such hook, it has no such setting, or it needs a model and the run
            has none.
    """
    return tuple(_built(kit, spec) for spec in specs)


def _built(kit: Kit, spec: HookSpec) -> Hook:
    if spec.name not in HOOKS:
        raise MethodError(f"unknown hook {spec.name!r}; known: {', '.join(HOOKS)}")
    try:
        return HOOKS[spec.name](kit, spec.settings)
    except TypeError as error:
        given = ", ".join(spec.settings)
        raise MethodError(f"hook {spec.name!r} does not take {given}: {error}") from error


def inside(specs: tuple[HookSpec, ...], limits: Limits) -> tuple[HookSpec, ...]:
    """What acts inside an episode: what the limits of the run ask for, then `specs` of its plan.

    The control of a method that has its own goes before that of the run.
    """
    asked: list[HookSpec] = []
    if limits.repeats is not None:
        asked.append(HookSpec(name="loop", settings={"repeats": limits.repeats}))
    if limits.control is not None and all(spec.name != limits.control for spec in specs):
        asked.append(HookSpec(name=limits.control))
    return (*asked, *specs)


class Inside(NamedTuple):
    """What hooks add to an episode, as far as it can be foretold."""

    critic: int = 0
    """Calls of the critic's model."""
    actor: int = 0
    """Drafts that are sent back."""
    beside: int = 0
    """Tokens of notes and drafts beside a step, at most."""


def hook_calls(specs: tuple[HookSpec, ...], steps: int, *, few: bool) -> Inside:
    """The calls that `specs` lead to in an episode of `steps` steps: as few as may be, or all."""
    critic = actor = beside = 0
    for spec in specs if steps else ():
        rounds = spec.settings.get("rounds", 1)
        most = rounds if isinstance(rounds, int) else 1
        match spec.name:
            case "plan":
                critic += 2 if few else 1 + 2 * most
            case "review":
                critic += steps * (1 if few else most)
                actor += 0 if few else steps * most
            case "ground":
                actor += steps
            case "form":
                actor += 0 if few else steps
            case "loop" if spec.settings.get("then") == "note":
                actor += 0 if few else steps
        beside = max(beside, 0 if few else NOTES.get(spec.name, NOTE))
    # No step's draft is sent back more often, whoever asks for it.
    return Inside(critic, min(actor, MAX_REVISIONS * steps), beside)


def _model(kit: Kit) -> Model:
    model = judge_of(kit)
    if model is None:
        raise MethodError("this method asks a model inside its episodes, and the run has none")
    return model
