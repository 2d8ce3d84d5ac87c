"""What every live call of a run passes: its output cap, its reservation, its price, the alarm."""

from __future__ import annotations

from typing import Protocol

from pydantic import JsonValue

from .._logging import get_logger
from ..errors import CallTimedOut, ModelError, RunHalted, boundary
from .base import Model
from .budget import Amount, Budget, Purse, amount_of, most_read
from .messages import Reply, Request, admitted
from .prices import PICO, Price, price_of

log = get_logger(__name__)


class Watch(Protocol):
    """Whoever is told how calls end."""

    def failed(self, model: str, error: ModelError, /) -> str:
        """Why the run must stop now that a call of `model` failed; empty while it need not."""

    def answered(self, model: str, /) -> None:
        """A call of `model` was answered."""


class Account:
    """The calls of one run, over all its episodes, critiques and curations."""

    def __init__(
        self,
        budget: Budget | None = None,
        spent: Amount | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.budget = (budget or Budget()).resolved()
        self.halted: RunHalted | None = None
        """Set once no call may be made any more."""
        self._purse = Purse(self.budget, spent) if self.budget.counts else None
        self._watch = watch
        self._prices = self.budget.prices is not None or self.budget.cost_usd is not None

    async def answer(self, model: Model, request: Request, content: str) -> Reply:
        """The reply of `model`; `content` is that of `request` before its cap.

        Raises:
            ModelError: The call failed for good.
            RunHalted: It was not made, or its failure ended the run.
        """
        if self.halted is not None:
            raise self.halted.again()
        price = price_of(model, self.budget.prices) if self._prices else None
        own = self._capped(request)
        if self._purse is None:
            reply = await self._asked(model, own)
        else:
            reply = await self._reserved(self._purse, model, own, content, price)
        if price is None:
            return reply
        cost = reply.usage.model_copy(update={"cost_usd": price.pico(reply.usage) / PICO})
        return reply.model_copy(update={"usage": cost})

    def figures(self) -> dict[str, JsonValue] | None:
        """Bounds and what is spent, over all sessions; None without bounds."""
        if self._purse is None:
            return None
        spent, bounds = self._purse.spent, self.budget.model_dump(mode="json", exclude={"prices"})
        return {
            "bounds": {name: value for name, value in bounds.items() if value is not None},
            "spent": {
                "tokens": spent.tokens,
                "cost_usd": round(spent.pico / PICO, 12) if self._prices else None,
                "calls": spent.calls,
            },
            "exhausted": self._purse.short,
        }

    def halt(self, halted: RunHalted) -> RunHalted:
        """Let no further call be made; gives the reason that stands, the first one."""
        self.halted = self.halted or halted
        return self.halted

    def _capped(self, request: Request) -> Request:
        """`request` with the run's output cap; a smaller one of its own stays.

        It is no part of what the journal compares: a run begun without a cap can go on with one.
        """
        cap = self.budget.max_output
        if cap is None or (request.max_output is not None and request.max_output <= cap):
            return request
        return request.model_copy(update={"max_output": cap})

    async def _reserved(
        self, purse: Purse, model: Model, request: Request, content: str, price: Price | None
    ) -> Reply:
        worst = self._worst(model, request, content, price)
        try:
            await purse.reserve(worst)
        except RunHalted as halted:
            raise self.halt(halted).again() from None
        if self.halted is not None:
            # An alarm went off while it waited for its turn.
            purse.settle(worst, Amount())
            raise self.halted.again()
        # A call that ends without an answer, because it was cancelled or its deadline passed, may
        # be worked on and billed all the same: it keeps its reservation as spent.
        spent = worst
        try:
            reply = await self._asked(model, request)
            spent = amount_of(reply.usage, price)
            return reply
        except CallTimedOut:
            raise
        except (ModelError, RunHalted):
            # Nothing was answered; what no usage reports is not counted.
            spent = Amount(calls=1)
            raise
        finally:
            purse.settle(worst, spent)
            if spent.tokens > worst.tokens > 0:
                log.warning(
                    "budget.exceeded", model=model.name, reserved=worst.tokens, used=spent.tokens
                )

    def _worst(self, model: Model, request: Request, content: str, price: Price | None) -> Amount:
        if price is None and self.budget.cost_usd is not None:
            raise self.halt(
                RunHalted(
                    f"no price is known for {model.name}, so its cost cannot be bounded; "
                    "add it to the prices",
                    alarm=True,
                )
            )
        if request.max_output is None:
            return Amount(calls=1)
        read = most_read(request, content)
        pico = price.most(read, request.max_output) if price else 0
        return Amount(read + request.max_output, pico, 1)

    async def _asked(self, model: Model, request: Request) -> Reply:
        try:
            with boundary(ModelError, model.name):
                reply = admitted(await model.complete(request))
        except ModelError as error:
            why = self._watch.failed(model.name, error) if self._watch else ""
            if why:
                raise self.halt(RunHalted(why, alarm=True)) from error
            raise
        if self._watch is not None:
            self._watch.answered(model.name)
        return reply
