"""Guidance as text, through the one prompt file that words lessons for every agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel

from ..ids import token_estimate
from ..prompts import Line, PromptLibrary, one_line, ready_line
from ..records import Episode, Guidance, Record, Step
from . import applies

TEMPLATE, ATTEMPT = "_shared/guidance", "memory/attempt"
Outcome = Literal["success", "failure", "unknown"]
_WIDTHS = (100_000, 2_000, 800, 300, 120)
"""Characters of one text of an attempt: the widest at which all of it fits is taken."""
STABLE, VOLATILE = "actor/served_stable", "actor/served_volatile"


class GuidanceInputs(Record):
    """What `_shared/guidance` is rendered from."""

    stable: tuple[Line, ...] = ()
    volatile: tuple[Line, ...] = ()
    texts: tuple[str, ...] = ()


class BlockInputs(Record):
    """What the blocks of a served agent's prompt are rendered from."""

    lines: tuple[Line, ...]


class StepLine(Record):
    """A step of an earlier attempt as a prompt shows it."""

    n: int
    observation: str
    action: str
    feedback: str = ""


class AttemptInputs(Record):
    """What `memory/attempt` is rendered from."""

    goal: str = ""
    """Empty for an attempt at the very task that is to be done."""
    outcome: Outcome
    omitted: int = 0
    """Steps that are left out before those shown."""
    steps: tuple[StepLine, ...]


PROMPT_INPUTS: Mapping[str, type[BaseModel]] = {
    TEMPLATE: GuidanceInputs,
    ATTEMPT: AttemptInputs,
    applies.TEMPLATE: applies.AppliesInputs,
    STABLE: BlockInputs,
    VOLATILE: BlockInputs,
}
"""For `PromptLibrary.check`."""


def guidance_text(guidance: Guidance, prompts: PromptLibrary) -> str:
    """All of `guidance` as plain lines, the stable ones first; empty when it holds nothing."""
    if not guidance:
        return ""
    inputs = GuidanceInputs.model_construct(
        stable=tuple(map(ready_line, guidance.stable)),
        volatile=tuple(map(ready_line, guidance.volatile)),
        texts=guidance.texts,
    )
    return prompts.render(TEMPLATE, inputs).text.rstrip("\n")


def served_blocks(guidance: Guidance, prompts: PromptLibrary) -> tuple[str, str]:
    """The stable and the volatile block of `guidance`, for somebody else's prompt; empty for none.

    Stable lines have the first numbers, so what the volatile block holds does not change them.
    """
    blocks = []
    for template, lines in ((STABLE, guidance.stable), (VOLATILE, guidance.volatile)):
        inputs = BlockInputs.model_construct(lines=tuple(map(ready_line, lines)))
        blocks.append(prompts.render(template, inputs).text.rstrip("\n") if lines else "")
    return blocks[0], blocks[1]


def attempt_text(episode: Episode, goal: str, tokens: int, prompts: PromptLibrary) -> str:
    """`episode` word for word within `tokens`; empty where not even its last step fits.

    Long texts are cut first, then the earliest steps are left out.
    """
    steps = episode.trajectory.steps
    outcome: Outcome = "unknown" if episode.success is None else "failure"
    shown, left = list(steps), 0
    while shown:
        for width in _WIDTHS:
            inputs = AttemptInputs(
                goal=_cut(goal, width),
                outcome="success" if episode.success else outcome,
                omitted=left,
                steps=tuple(_line(step, width) for step in shown),
            )
            text = prompts.render(ATTEMPT, inputs).text.rstrip("\n")
            if token_estimate(text) <= tokens:
                return text
        left += (len(shown) + 1) // 2
        shown = list(steps[left:])
    return ""


def _line(step: Step, width: int) -> StepLine:
    return StepLine(
        n=step.n,
        observation=_cut(step.observation.text, width),
        action=_cut(step.action.text, width),
        feedback=_cut(step.feedback, width),
    )


def _cut(text: str, width: int) -> str:
    text = one_line(text)
    if len(text) <= width:
        return text
    head = width * 2 // 3
    return f"{text[:head]} […] {text[len(text) - (width - head) :]}"
