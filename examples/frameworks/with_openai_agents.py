"""An agent of the OpenAI Agents SDK that learns.

    pip install "verbalrl[openai-agents]"
    python examples/frameworks/with_openai_agents.py "My lamp came broken. Order 17." ann

The lessons come with the model provider; the agent knows nothing of them.
"""

from typing import Any

import shop

from verbalrl.integrations.openai_agents import model_provider


def make(coach: Any) -> tuple[Any, Any]:
    provider = model_provider(coach, openai_use_responses=False)
    import agents

    tools = [agents.function_tool(tool) for tool in shop.TOOLS]
    agent = agents.Agent("support", instructions=shop.SYSTEM, model=shop.MODEL, tools=tools)
    return agent, agents.RunConfig(model_provider=provider, tracing_disabled=True)


def answer(made: tuple[Any, Any], ticket: str) -> str:
    import agents

    agent, config = made
    return str(agents.Runner.run_sync(agent, ticket, run_config=config).final_output)


if __name__ == "__main__":
    shop.serve(make, answer)
