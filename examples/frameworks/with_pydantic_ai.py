"""A Pydantic AI agent that learns.

    pip install "verbalrl[pydantic-ai]" "pydantic-ai-slim[openai]"
    python examples/frameworks/with_pydantic_ai.py "My lamp came broken. Order 17." ann

The lessons come with a capability.
"""

from typing import Any

import shop

from verbalrl.integrations.pydantic_ai import capability


def make(coach: Any) -> Any:
    lessons = capability(coach)
    from pydantic_ai import Agent

    model = f"openai-chat:{shop.MODEL}"
    return Agent(model, instructions=shop.SYSTEM, tools=shop.TOOLS, capabilities=[lessons])


def answer(agent: Any, ticket: str) -> str:
    return str(agent.run_sync(ticket).output)


if __name__ == "__main__":
    shop.serve(make, answer)
