"""A support agent with a tool and streaming, which learns from what is said of its work.

    OPENAI_API_KEY=… python examples/support_agent.py MODEL "My cup came broken, order 17."

It asks MODEL, prints the answer, takes your word on it (an empty line for none), and learns. The
next time its prompt carries the lesson. Of memory it knows the three lines in `main`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import verbalrl as vrl

SYSTEM = "You answer customers of a pottery. Look their order up first; be brief."
NUMBER = {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]}
TOOL = {"type": "function", "function": {"name": "get_order", "parameters": NUMBER}}


def get_order(number: str) -> str:
    """What the shop knows of an order."""
    return json.dumps({"number": number, "item": "cup", "state": "delivered"})


def answer(client: Any, model: str, ticket: str) -> str:
    """The agent: asks, calls its tool, and streams until there is an answer."""
    messages: list[Any] = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": ticket},
    ]
    while True:
        asked = {"model": model, "messages": messages, "tools": [TOOL]}
        with client.chat.completions.stream(**asked) as parts:
            message = parts.get_final_completion().choices[0].message
        if not message.tool_calls:
            return str(message.content)
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls:
            given = json.loads(call.function.arguments)
            result = {"role": "tool", "tool_call_id": call.id, "content": get_order(**given)}
            messages.append(result)


def main(model: str, ticket: str) -> None:
    """Answer one ticket, then learn from what the person in front of it says."""
    from openai import OpenAI

    rules = vrl.ServeRules(about="answers customers of a pottery", trusted_tools=("get_order",))
    with vrl.serve(scope="support", model=f"openai:{model}", rules=rules) as coach:
        client = coach.wrap(OpenAI())
        with coach.episode(goal=ticket, source="the command line") as episode:
            sys.stdout.write(f"{answer(client, model, ticket)}\n\nWhat should it do otherwise? ")
        sys.stdout.flush()
        if said := sys.stdin.readline().strip():
            episode.correct(said)
            sys.stdout.write(f"{coach.learn_sync()}\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
