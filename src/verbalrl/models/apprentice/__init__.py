"""The offline apprentice: a small reader that learns through the prompt alone.

A pure function of the messages, the output schema, the sampling seed and its habit. It answers as
actor, critic or curator, told apart by the schema, and fills any other schema by type. It has no
memory, no code for any task, no randomness beyond hashes, and imports the standard library only.

It exists to run and test the whole loop without a network. It compares words; it understands
nothing, and its figures say nothing about language models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import layout
from .actor import choose, read_scene
from .critic import criticise
from .curator import curate
from .filler import Filler, property_names
from .words import STOP_WORDS, VALENCE_WORDS

__all__ = ["STOP_WORDS", "VALENCE_WORDS", "answer"]


def answer(
    messages: Sequence[layout.Message],
    schema: Mapping[str, Any] | None,
    sample_seed: int,
    habit: int = 0,
) -> dict[str, Any] | str:
    """The reply to one request.

    Args:
        messages: role and text of each message, in order.
        schema: the JSON schema of the reply, or None for plain text.
        sample_seed: the seed of this request; equal requests with equal seeds get equal replies.
        habit: which apprentice it is; habits differ in what they do when they know nothing.
    """
    shown = layout.without_examples(messages)
    names = property_names(schema)
    key = (habit, sample_seed, layout.last_user(shown))
    if schema is None:
        return str(_act(shown, (), sample_seed, habit)["action"])
    value: Any
    if "verdict" in names:
        value = criticise(shown)
    elif "operations" in names:
        value = curate(shown)
    else:
        value = _act(shown, _listed(schema), sample_seed, habit)
        value.update(dict.fromkeys(names & {"answer", "output"}, value["action"]))
    filled = Filler(schema, key, _gist(shown)).fill(value)
    return filled if isinstance(filled, dict) else str(filled)


def _act(
    shown: Sequence[layout.Message], actions: tuple[str, ...], sample_seed: int, habit: int
) -> dict[str, Any]:
    action, used = choose(read_scene(shown, actions), sample_seed, habit)
    thought = "What I was told fits here." if used else "I know of nothing that fits here."
    return {"thought": thought, "action": action, "lessons_used": used}


def _listed(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The actions that a schema admits, where it lists them."""
    action = schema.get("properties", {}).get("action", {})
    if "$ref" in action:
        action = schema.get("$defs", {}).get(str(action["$ref"]).rsplit("/", 1)[-1], {})
    listed = action.get("enum", [action["const"]] if "const" in action else [])
    return tuple(str(entry) for entry in listed)


def _gist(shown: Sequence[layout.Message]) -> str:
    """A few words of the request, for texts that nothing else fills."""
    text = layout.last_user(shown)
    told = layout.block(text, "observation") or layout.block(text, "goal") or text
    return " ".join(told.split()[:12])
