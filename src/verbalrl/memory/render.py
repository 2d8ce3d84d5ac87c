"""Guidance as text, through the one prompt file that words lessons for every agent."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from ..prompts import Line, PromptLibrary
from ..records import Guidance, Record
from . import applies

TEMPLATE = "_shared/guidance"
STABLE, VOLATILE = "actor/served_stable", "actor/served_volatile"


class GuidanceInputs(Record):
    """What `_shared/guidance` is rendered from."""

    stable: tuple[Line, ...] = ()
    volatile: tuple[Line, ...] = ()
    texts: tuple[str, ...] = ()


class BlockInputs(Record):
    """What the blocks of a served agent's prompt are rendered from."""

    lines: tuple[Line, ...]


PROMPT_INPUTS: Mapping[str, type[BaseModel]] = {
    TEMPLATE: GuidanceInputs,
    applies.TEMPLATE: applies.AppliesInputs,
    STABLE: BlockInputs,
    VOLATILE: BlockInputs,
}
"""For `PromptLibrary.check`."""


def guidance_text(guidance: Guidance, prompts: PromptLibrary) -> str:
    """All of `guidance` as plain lines, the stable ones first; empty when it holds nothing."""
    if not guidance:
        return ""
    inputs = GuidanceInputs(
        stable=tuple(map(Line.of, guidance.stable)),
        volatile=tuple(map(Line.of, guidance.volatile)),
        texts=guidance.texts,
    )
    return prompts.render(TEMPLATE, inputs).text.rstrip("\n")


def served_blocks(guidance: Guidance, prompts: PromptLibrary) -> tuple[str, str]:
    """The stable and the volatile block of `guidance`, for somebody else's prompt; empty for none.

    Stable lines have the first numbers, so what the volatile block holds does not change them.
    """
    blocks = []
    for template, lines in ((STABLE, guidance.stable), (VOLATILE, guidance.volatile)):
        inputs = BlockInputs(lines=tuple(map(Line.of, lines)))
        blocks.append(prompts.render(template, inputs).text.rstrip("\n") if lines else "")
    return blocks[0], blocks[1]
