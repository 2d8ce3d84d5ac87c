"""An agent of one's own, a plain function, learns a company's policy that nobody tells it.

    python examples/wrap_function.py

The function puts `guidance` into its own prompt and asks a model through `ask_sync`, which finds
the run by itself: the call is journaled, takes its turn among the others and can be replayed.
"""

from __future__ import annotations

import sys

import verbalrl as vrl

MODEL = vrl.load_model("offline:apprentice")


def route(situation: vrl.Situation) -> str:
    """Choose what to do with one ticket."""
    actions = list(situation.actions or ())
    listed = "\n".join(f"- {action}" for action in actions)
    prompt = (
        f"<goal>\n{situation.goal}\n</goal>\n"
        f"<guidance>\n{situation.guidance}\n</guidance>\n"
        f"<observation>\n{situation.observation.text}\n</observation>\n"
        f"<actions>\n{listed}\n</actions>\nWhich action?"
    )
    schema = {"type": "object", "properties": {"action": {"enum": actions}}}
    return str(MODEL.ask_sync(prompt, schema=schema)["action"])


def main(instances: int = 60) -> None:
    """Check the agent, let it learn, and print the arms side by side."""
    vrl.check_agent(route)
    learner = vrl.Learner(route, critic=MODEL, limits=vrl.Limits(concurrency=8))
    result = learner.run_sync(vrl.load_task("triage-v1"), instances=instances)
    sys.stdout.write(result.table() + "\n")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
