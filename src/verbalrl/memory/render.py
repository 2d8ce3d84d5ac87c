"""Guidance as text, through the one prompt file that words lessons for every agent."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from ..prompts import Line, PromptLibrary
from ..records import Guidance, Record
from . import applies

TEMPLATE = "_shared/guidance"


class GuidanceInputs(Record):
    """What `_shared/guidance` is rendered from."""

    stable: tuple[Line, ...] = ()
    volatile: tuple[Line, ...] = ()
    texts: tuple[str, ...] = ()


PROMPT_INPUTS: Mapping[str, type[BaseModel]] = {
    TEMPLATE: GuidanceInputs,
    applies.TEMPLATE: applies.AppliesInputs,
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
