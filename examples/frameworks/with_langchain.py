"""A LangChain agent, a LangGraph graph, that learns.

    pip install "verbalrl[langchain]" langchain-openai
    python examples/frameworks/with_langchain.py "My lamp came broken. Order 17." ann

The lessons come with a middleware. `langchain-openai` is only this example's model.
"""

from typing import Any

import shop

from verbalrl.integrations.langchain import middleware


def make(coach: Any) -> Any:
    lessons = middleware(coach)
    from langchain.agents import create_agent
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model=shop.MODEL)
    return create_agent(model, shop.TOOLS, system_prompt=shop.SYSTEM, middleware=[lessons])


def answer(agent: Any, ticket: str) -> str:
    found = agent.invoke({"messages": [{"role": "user", "content": ticket}]})
    return str(found["messages"][-1].content)


if __name__ == "__main__":
    shop.serve(make, answer)
