"""The hooks that a method wants inside an episode, built from their descriptions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..errors import MethodError
from ..models import Model
from ..records import HookSpec
from ..rollout import Hook
from ..rollout.asking import PlanHook, ReviewHook
from ..rollout.guards import FormGuard, GroundGuard, LoopGuard
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
        MethodError: There is no such hook, or it needs a model and the run has none.
    """
    for spec in specs:
        if spec.name not in HOOKS:
            raise MethodError(f"unknown hook {spec.name!r}; known: {', '.join(HOOKS)}")
    return tuple(HOOKS[spec.name](kit, spec.settings) for spec in specs)


def _model(kit: Kit) -> Model:
    model = judge_of(kit)
    if model is None:
        raise MethodError("this method asks a model inside its episodes, and the run has none")
    return model
