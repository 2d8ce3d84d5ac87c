"""The budget of a run: what may be spent, what is spent, what is reserved for calls under way.

A call is sent only if its worst case fits into what is left; what it really took is settled
afterwards. A server that keeps its output cap therefore cannot make a run spend too much, however
many calls are in flight.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Literal, NamedTuple

from pydantic import Field

from ..errors import ConfigurationError, RunHalted
from ..ids import canonical_json
from ..records import MediaPart, Settings, Usage
from .messages import Request
from .prices import PICO, Price, Prices

Bound = Literal["tokens", "cost_usd", "calls"]

MAX_OUTPUT = 8_192
"""The output cap of a run whose tokens or cost are bounded, unless it gives one."""
LEAST_OUTPUT = 1_024
_SHARE = 16
MEDIA_TOKENS = 50_000
"""Reserved for an image, a sound or a document beside its bytes."""
_MESSAGE_TOKENS = 16
"""For the marks that a server puts around each message."""
_ADDED_TOKENS = 768
"""For what a server adds to the prompt when there are tools or an output schema."""


class Budget(Settings):
    """What a run may spend, over all its arms, seeds and sessions; None: no bound."""

    tokens: int | None = Field(default=None, ge=1)
    """In and out, cached ones included."""
    cost_usd: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Needs a price for every model."""
    seconds: float | None = Field(default=None, gt=0)
    """Of one session: after them nothing new begins, and what is under way ends."""
    calls: int | None = Field(default=None, ge=1)
    """Model calls, failed ones and repairs included; the retries of one call are one call."""
    max_output: int | None = Field(default=None, ge=1)
    """The output cap of each call; a constant of the run. See `resolved` for None."""
    prices: Prices | None = None

    def resolved(self) -> Budget:
        """This budget with the output cap that its bounds need.

        A bound on tokens or cost needs one: 8,192 tokens, less for a small bound (a sixteenth of
        it, at least 1,024).
        """
        if self.max_output is not None or (self.tokens is None and self.cost_usd is None):
            return self
        share = MAX_OUTPUT if self.tokens is None else self.tokens // _SHARE
        return self.replace(max_output=max(LEAST_OUTPUT, min(MAX_OUTPUT, share)))

    @property
    def counts(self) -> bool:
        """Whether calls have to be reserved."""
        return any(getattr(self, name) is not None for name in ("tokens", "cost_usd", "calls"))

    def check(self) -> None:
        """Raise `ConfigurationError` if no call at all could ever fit."""
        most = self.max_output or 0
        if self.tokens is not None and self.tokens <= most:
            raise ConfigurationError(
                f"a budget of {self.tokens:,} tokens has no room for one call, whose reply alone "
                f"may have {most:,}; give more tokens, or a smaller max_output"
            )


class Amount(NamedTuple):
    """Tokens, picodollars and calls."""

    tokens: int = 0
    pico: int = 0
    calls: int = 0

    def plus(self, other: Amount) -> Amount:
        """The sum."""
        return Amount(*(a + b for a, b in zip(self, other, strict=True)))

    def minus(self, other: Amount) -> Amount:
        """The difference."""
        return Amount(*(a - b for a, b in zip(self, other, strict=True)))


def amount_of(usage: Usage, price: Price | None) -> Amount:
    """What one call took."""
    return Amount(usage.total, price.pico(usage) if price else 0, 1)


def most_read(request: Request, content: str) -> int:
    """An upper bound of the input tokens that a server can count for `request`.

    Tokenisers make at most one token of a byte of UTF-8, so the bytes of the canonical JSON are a
    bound for texts, tools and schema. The schema counts twice, as it may have to be written out in
    words; a medium counts `MEDIA_TOKENS` beside its bytes, which a longer document can exceed.
    """
    tokens = len(content.encode("utf-8", "replace")) + _MESSAGE_TOKENS * len(request.messages)
    if request.output_schema is not None:
        schema = canonical_json(request.output_schema).encode("utf-8", "replace")
        tokens += 2 * len(schema) + _ADDED_TOKENS
    if request.tools:
        tokens += _ADDED_TOKENS
    media = sum(isinstance(p, MediaPart) for m in request.messages for p in m.parts)
    return tokens + MEDIA_TOKENS * media


class Purse:
    """Counts what is spent and reserved against a budget; belongs to one event loop."""

    def __init__(self, budget: Budget, spent: Amount | None = None) -> None:
        self.spent = spent or Amount()
        self.short: Bound | None = None
        """The bound that the first call refused did not fit into."""
        self._caps: dict[Bound, int] = {}
        cost = budget.cost_usd
        bounds: tuple[tuple[Bound, int | None], ...] = (
            ("tokens", budget.tokens),
            ("cost_usd", None if cost is None else round(cost * PICO)),
            ("calls", budget.calls),
        )
        self._caps = {name: cap for name, cap in bounds if cap is not None}
        self._reserved = Amount()
        self._under_way = 0
        self._waiting: deque[tuple[Amount, asyncio.Future[None]]] = deque()
        self._why = ""

    async def reserve(self, worst: Amount) -> None:
        """Set `worst` aside; waits, first come, first served, while calls under way may give back.

        Raises:
            RunHalted: It does not fit although nothing is under way; nothing fits from then on.
        """
        if self.short is not None:
            raise RunHalted(self._why)
        if not self._waiting and self._misfit(worst) is None:
            self._take(worst)
            return
        if not self._under_way:
            self._end(worst)
            raise RunHalted(self._why)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((worst, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                # Whoever is next in line need not wait for this one.
                self._wake()
            elif turn.exception() is None:
                self.settle(worst, Amount())
            raise

    def settle(self, worst: Amount, spent: Amount) -> None:
        """Give `worst` back and count what was `spent`."""
        self._reserved = self._reserved.minus(worst)
        self._under_way -= 1
        self.spent = self.spent.plus(spent)
        self._wake()

    def _take(self, worst: Amount) -> None:
        self._reserved = self._reserved.plus(worst)
        self._under_way += 1

    def _wake(self) -> None:
        while self._waiting:
            worst, turn = self._waiting[0]
            if not turn.done() and self._misfit(worst) is not None:
                if self._under_way:
                    return
                self._end(worst)
                return
            self._waiting.popleft()
            if not turn.done():
                self._take(worst)
                turn.set_result(None)

    def _misfit(self, worst: Amount) -> Bound | None:
        for name, cap in self._caps.items():
            place = _PLACES[name]
            if self.spent[place] + self._reserved[place] + worst[place] > cap:
                return name
        return None

    def _end(self, worst: Amount) -> None:
        self.short = self._misfit(worst)
        assert self.short is not None
        bound, place = self.short, _PLACES[self.short]
        self._why = (
            f"the budget of {_said(bound, self._caps[bound], bound)}: "
            f"{_said(bound, self.spent[place])} spent, the next call may take "
            f"{_said(bound, worst[place])}"
        )
        while self._waiting:
            _, turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(RunHalted(self._why))


_PLACES: dict[Bound, int] = {"tokens": 0, "cost_usd": 1, "calls": 2}


def _said(bound: Bound, value: int, unit: str = "") -> str:
    return f"${value / PICO:,.4f}" if bound == "cost_usd" else f"{value:,} {unit}".strip()
