"""What the examples share: the tools of a lamp shop, and the episode of one ticket."""

import os
import sys
from collections.abc import Callable
from typing import Any

import verbalrl as vrl
from verbalrl.errors import ConfigurationError
from verbalrl.serving import Coach

MODEL = os.environ.get("SUPPORT_MODEL", "")
if not MODEL:
    sys.exit("set SUPPORT_MODEL to the name of a model, and OPENAI_API_KEY to its key")
STORE = os.environ.get("VERBALRL_STORE", ".verbalrl")
SYSTEM = (
    "You answer customers of a lamp shop. Look up their order, then settle the case with a tool."
)


def get_order(order: str) -> str:
    """Tell what is known of an order."""
    return f"Order {order}: one lamp, delivered yesterday."


def send_coupon(order: str) -> str:
    """Send the customer of an order a coupon of 10 %."""
    return f"A coupon of 10 % went to the customer of order {order}."


def refund(order: str) -> str:
    """Refund an order."""
    return f"Order {order} is refunded."


TOOLS = (get_order, send_coupon, refund)


def serve(make: Callable[[Coach], Any], answer: Callable[[Any, str], str]) -> None:
    """Make the agent, have it answer the ticket of the command line, print the episode's id."""
    ticket, customer = sys.argv[1:3]
    with vrl.serve(STORE, "support", model=f"openai:{MODEL}") as coach:
        try:
            agent = make(coach)
        except ConfigurationError as error:
            sys.exit(str(error))
        with coach.episode(ticket, source=customer) as episode:
            print(answer(agent, ticket))
    print(episode.id)
