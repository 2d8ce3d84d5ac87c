"""The hooks that a method wants inside an episode, built from their descriptions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..errors import MethodError
from ..models import Model
from ..records import HookSpec
from ..rollout import Hook
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
}
"""By the name that a `HookSpec` has."""


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


def guards(kit: Kit) -> tuple[Hook, ...]:
    """What the limits of the run put into every episode of every arm."""
    repeats = kit.limits.repeats
    return () if repeats is None else (LoopGuard(repeats, prompts=kit.prompts),)


class Inside(NamedTuple):
    """What hooks add to an episode, as far as it can be foretold."""

    critic: int = 0
    """Calls of the critic's model."""
    actor: int = 0
    """Drafts that are sent back."""
    noted: bool = False
    """Whether notes stand beside the steps."""


def hook_calls(specs: tuple[HookSpec, ...], steps: int, *, few: bool) -> Inside:
    """The calls that `specs` lead to in an episode of `steps` steps: as few as may be, or all."""
    critic = actor = 0
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
            case "form" | "loop":
                actor += 0 if few else steps
    # No step's draft is sent back more often, whoever asks for it.
    return Inside(critic, min(actor, MAX_REVISIONS * steps), bool(specs))


def _model(kit: Kit) -> Model:
    model = judge_of(kit)
    if model is None:
        raise MethodError("this method asks a model inside its episodes, and the run has none")
    return model
