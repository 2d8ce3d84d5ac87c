r"""A program that serves and learns at once: a thread learns from feedback while cases go on.

    python examples/support_server.py 8000 &
    OPENAI_BASE_URL=http://127.0.0.1:8000/v1 OPENAI_API_KEY=none SUPPORT_MODEL=any \
      python examples/learn_in_background.py

Two tickets are answered. Between them the operator speaks, and the thread makes a lesson of it.
"""

import time

import support_agent
from openai import OpenAI

import verbalrl as vrl

WORDS = "When something arrives broken, refund the order instead of sending a coupon."


def main() -> None:
    model = f"openai:{support_agent.MODEL}"
    with vrl.serve(support_agent.STORE, "support", model=model, rules=support_agent.RULES) as coach:
        coach.start_learning(every_s=0.5)
        client = coach.wrap(OpenAI())
        with coach.episode("My lamp came broken. Order 17.", source="ann") as episode:
            support_agent.answer(client, episode.goal)
        coach.feedback(episode.id, success=False, text=WORDS, origin="operator")
        for _ in range(300):
            if coach.store.current_lessons("main", scope="support"):
                break
            time.sleep(0.2)
        with coach.episode("The glass arrived in pieces. Order 23.", source="bob") as episode:
            support_agent.answer(client, episode.goal)


if __name__ == "__main__":
    main()
