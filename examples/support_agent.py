"""A support agent with tools and streaming, on the OpenAI SDK, that learns from what is said of it.

    python examples/support_agent.py "My lamp came broken. Order 17." ann

OPENAI_API_KEY, OPENAI_BASE_URL and SUPPORT_MODEL say which model answers; VERBALRL_STORE, where its
lessons are. The last line that it prints is the id for `verbalrl feedback`.
"""

import json
import os
import sys

from openai import OpenAI

import verbalrl as vrl

if missing := [x for x in ("SUPPORT_MODEL", "OPENAI_API_KEY") if not os.environ.get(x)]:
    sys.exit(
        f"set {' and '.join(missing)}: a model of OpenAI's and its key, or any and none, with"
        " OPENAI_BASE_URL=http://127.0.0.1:8000/v1 beside `python examples/support_server.py 8000`"
    )
MODEL = os.environ["SUPPORT_MODEL"]
STORE = os.environ.get("VERBALRL_STORE", ".verbalrl")
SYSTEM = (
    "You answer customers of a lamp shop. Look up their order, then settle the case with a tool."
)
STREAMED = {"tool_calls": {"__all__": {"index", "parsed_arguments"}}}
"""What only a stream has, and a server does not take back."""
TOOLS = {
    "get_order": lambda order: f"Order {order}: one lamp, delivered yesterday.",
    "send_coupon": lambda order: f"A coupon of 10 % went to the customer of order {order}.",
    "refund": lambda order: f"Order {order} is refunded.",
}

# What they return is the shop's own, so it does not keep two customers from confirming each other.
RULES = vrl.ServeRules(about="Answers customers of a lamp shop.", trusted_tools=tuple(TOOLS))


def schema(name: str) -> dict:
    order = {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}
    return {"type": "function", "function": {"name": name, "parameters": order}}


def answer(client: OpenAI, ticket: str) -> None:
    """Work on one ticket: call tools until the model only talks; print everything as it comes."""
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": ticket}]
    tools = [schema(name) for name in TOOLS]
    for _ in range(8):
        with client.chat.completions.stream(model=MODEL, messages=messages, tools=tools) as stream:
            for event in stream:
                if event.type == "content.delta":
                    print(event.delta, end="", flush=True)
            said = stream.get_final_completion().choices[0].message
        messages.append(said.model_dump(exclude_none=True, exclude=STREAMED))
        if not said.tool_calls:
            return
        for call in said.tool_calls:
            result = TOOLS[call.function.name](**json.loads(call.function.arguments))
            print(f"[{call.function.name}] {result}")
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})


def main(ticket: str, customer: str) -> None:
    with vrl.serve(STORE, "support", model=f"openai:{MODEL}", rules=RULES) as coach:
        client = coach.wrap(OpenAI())
        with coach.episode(ticket, source=customer) as episode:
            answer(client, ticket)
    print(f"\n{episode.id}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
