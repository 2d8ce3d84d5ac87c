"""The offline model as a `Model`: a door for messages, schema and seed, and nothing else."""

from __future__ import annotations

import json

from .apprentice import answer
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
        messages = [(m.role, m.plain) for m in request.messages]
        given = answer(messages, request.output_schema, request.sample_seed, self.habit)
        text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        return Reply(text=text, usage=estimated_usage(request, text), model=self.name)
