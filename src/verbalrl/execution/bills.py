"""What a run has spent already, and what its models cost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from ..models import Amount, Budget, price_of
from ..models.prices import PICO
from ..rollout import Limits

if TYPE_CHECKING:
    from ..models import Model
    from ..records import RunRecord
    from ..store import Store
    from .kit import Kit


def spent(kit: Kit, run: str) -> Amount:
    """What the journaled calls of `run` took, also those whose work was never recorded.

    Calls that were made while no price was known count as those of the dearest model of the run.
    """
    return spent_on(kit.store, run, models_of(kit), kit.limits.budget)


def spent_on(store: Store, run: str, models: Iterable[Model], budget: Budget) -> Amount:
    """The same of whatever asks `models`."""
    priced, bare = store.bill(run)
    known = [p for m in models if (p := price_of(m, budget.prices))]
    dearest = max((p.most(bare.total - bare.output, bare.output) for p in known), default=0)
    pico = round((priced.cost_usd or 0.0) * PICO) + dearest
    return Amount(priced.total + bare.total, pico, priced.calls + bare.calls)


def models_of(kit: Kit) -> tuple[Model, ...]:
    """The models of the agent or its team, of critic and curator, as far as these name them."""
    parts = (part.model for part in (kit.critic, kit.curator) if part is not None)
    found = (*kit.agent.models.values(), *parts)
    return tuple(dict.fromkeys(m for m in found if m is not None))


def simulated(kit: Kit) -> tuple[str, ...]:
    """The names of those that are models for tests."""
    return tuple(dict.fromkeys(m.name for m in models_of(kit) if m.simulated))


def check(budget: Budget, models: Iterable[Model]) -> None:
    """Raise `ConfigurationError` for a budget that cannot be kept, before anything is paid for."""
    budget.check()
    if budget.cost_usd is None:
        return
    priced = tuple(models)
    unknown = sorted({m.name for m in priced if price_of(m, budget.prices) is None})
    if unknown:
        raise ConfigurationError(
            f"no price is known for {', '.join(unknown)}, so the cost cannot be bounded; "
            "give prices (USD per million tokens)"
        )
    for model in priced:
        price = price_of(model, budget.prices)
        least = price.most(1, budget.max_output or 0) / PICO if price else 0.0
        if budget.cost_usd < least:
            raise ConfigurationError(
                f"a budget of ${budget.cost_usd:g} has no room for one call of {model.name}, whose "
                f"reply alone may cost ${least:.6g}; give more, or a smaller max_output"
            )


def resolved(limits: Limits) -> Limits:
    """`limits` with the output cap that their budget needs."""
    return limits.replace(budget=limits.budget.resolved())


def course(record: RunRecord, now: Limits) -> Limits:
    """`now` with the stored limits that decide the course of an episode, whoever resumes it.

    Raises:
        ConfigurationError: As `continued`.
    """
    then = Limits.model_validate(record.config["limits"])
    budget = continued(record, then.budget, now.budget)
    return now.replace(
        max_steps=then.max_steps,
        max_tokens=then.max_tokens,
        repeats=then.repeats,
        control=then.control,
        budget=budget,
    )


def continued(record: RunRecord, then: Budget, now: Budget) -> Budget:
    """The budget with which a run goes on: the new bounds, on the old bill.

    The output cap of a run stays; a run that had none takes the new one. Prices stay unless others
    are given.

    Raises:
        ConfigurationError: A bound stopped the run and is no larger now: it would stop at once.
    """
    result = record.result or {}
    kept = result.get("budget")
    short = kept.get("exhausted") if isinstance(kept, dict) else None
    if record.status == "stopped" and isinstance(short, str):
        before, after = getattr(then, short), getattr(now, short)
        if after is not None and before is not None and after <= before:
            raise ConfigurationError(
                f"{record.id} was stopped by {record.stop_reason.partition(':')[0]}; "
                "resume it with a larger one"
            )
    cap = then.max_output or now.max_output
    return now.replace(max_output=cap, prices=now.prices or then.prices).resolved()
