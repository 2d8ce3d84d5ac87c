"""How a long history is cut to a budget of tokens: by rule, never by error. Pure functions.

In this order, and no further than needed:

1. A prompt that fits is left alone.
2. Every text is cut in its middle to half of the budget.
3. Steps between the first and the newest are left out, the oldest first. The end of the gap moves
   from boundary to boundary, a quarter of the budget apart, and boundaries depend on the steps
   before them alone: for many steps the prompt only grows at its end, and provider caches hold.
4. Where the first and the newest step are too much together, all texts are cut shorter.

What may not be cut (instructions, goal, guidance, tools, media) counts, and may exceed the budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..ids import token_estimate

PROMPT_TOKENS = 24_000
"""The budget of a prompt when nothing is said."""
FLOOR = 64
"""Tokens: no text is cut to less."""
LINE_TOKENS = 16
"""What the line that stands for the left out steps counts."""


class Size(NamedTuple):
    """What something costs, in estimated tokens."""

    texts: tuple[int, ...] = ()
    """Of each text that may be cut."""
    fixed: int = 0
    """Of the rest: labels and media."""

    def cost(self, cap: int | None = None) -> int:
        """All of it, each text cut to `cap` tokens."""
        if cap is None:
            return self.fixed + sum(self.texts)
        return self.fixed + sum(min(t, cap) for t in self.texts)


class Cut(NamedTuple):
    """What is done to a history: steps `start` to `stop` go, texts keep `cap` tokens at most."""

    start: int = 1
    stop: int = 1
    cap: int | None = None

    @property
    def omitted(self) -> int:
        """How many steps are left out."""
        return self.stop - self.start


def plan_cut(steps: Sequence[Size], always: Size, budget: int) -> Cut:
    """How `steps`, oldest first, are cut so that they and `always` fit `budget`."""
    if always.cost() + sum(step.cost() for step in steps) <= budget:
        return Cut()
    cap = max(FLOOR, budget // 2)
    costs = [step.cost(cap) for step in steps]
    excess = always.cost(cap) + sum(costs) - budget
    if excess <= 0:
        return Cut(cap=cap)
    stop = _gap(costs, excess + LINE_TOKENS, max(1, budget // 4))
    kept = [always, *steps[:1], *steps[stop:]]
    room = budget - (LINE_TOKENS if stop > 1 else 0)
    while cap > FLOOR and sum(size.cost(cap) for size in kept) > room:
        cap = max(FLOOR, cap * 3 // 4)
    return Cut(stop=stop, cap=cap)


def _gap(costs: Sequence[int], excess: int, chunk: int) -> int:
    """Where the gap after the first step ends: at the first boundary that is far enough."""
    newest, dropped = len(costs) - 1, 0
    for place in range(1, newest):
        chunks = dropped // chunk
        dropped += costs[place]
        if dropped >= excess and dropped // chunk > chunks:
            return place + 1
    return max(1, newest)


def middle_cut(text: str, cap: int | None) -> str:
    """`text` with at most `cap` estimated tokens: its middle gives way to a mark."""
    if cap is None or token_estimate(text) <= cap:
        return text
    data = text.encode("utf-8")
    mark = f" [… {len(text)} characters, cut here …] "
    room = max(0, cap * 7 // 2 - len(mark.encode("utf-8")))
    tail = room // 3
    # Half a character at either edge is dropped.
    head_text = data[: room - tail].decode("utf-8", "ignore")
    tail_text = data[len(data) - tail :].decode("utf-8", "ignore")
    return f"{head_text}{mark}{tail_text}"
