"""The offline model as a `Model`: a door for messages, schema and seed, and nothing else."""

from __future__ import annotations

import json

from ..ids import token_estimate
from .base import Model
from .messages import Reply, Request, estimated_usage


class OfflineModel(Model):
    """`offline:apprentice#HABIT`: no key, no network, no download. It tests the loop.

    What it learns, it learns through the prompt; what it says holds for no language model.
    """

    simulated = True

    def __init__(self, habit: int = 0) -> None:
        self.habit = habit
        self.name = f"offline:apprentice#{habit}" if habit else "offline:apprentice"

    async def complete(self, request: Request, /) -> Reply:
        """Its answer: a pure function of messages, output schema, sample seed and habit."""
        from .apprentice import answer  # noqa: PLC0415 - a fifth of loading all models

        messages = [(m.role, m.plain) for m in request.messages]
        given = answer(messages, request.output_schema, request.sample_seed, self.habit)
        text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        kept = _cut(text, request.max_output)
        return Reply(
            text=kept,
            finish="stop" if kept == text else "length",
            usage=estimated_usage(request, kept),
            model=self.name,
        )


def _cut(text: str, cap: int | None) -> str:
    """As much of `text` as `cap` estimated tokens hold."""
    if cap is None or token_estimate(text) <= cap:
        return text
    return text.encode("utf-8")[: cap * 7 // 2].decode("utf-8", "ignore")
