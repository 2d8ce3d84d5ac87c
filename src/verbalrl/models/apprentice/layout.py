"""Where things stand in a prompt: tags, bullets, labelled lines.

It reads the layout of the prompt files and judges nothing. A tag counts only at the start of a
line, and its first occurrence counts; worked examples are cut before anything is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

Message = tuple[str, str]
"""Role and text of one message."""

_EXAMPLE: Final = re.compile(r"<example>.*?</example>", re.DOTALL)
_HISTORY: Final = re.compile(
    r"^- step \d+ \| observation: (.*?) \| action: (.*?)(?: \| feedback: ?(.*))?$", re.MULTILINE
)
_ATTEMPT: Final = re.compile(r'^<attempt n="(\d+)">\n(.*?)^</attempt>', re.DOTALL | re.MULTILINE)
_STEP: Final = re.compile(r"^Step (\d+)[ \t]*$", re.MULTILINE)
_LABEL: Final = re.compile(r"^(Observation|Action|Feedback|Reward|Note):[ \t]?", re.MULTILINE)
_OUTCOME: Final = re.compile(r"^(success|stop|reward):[ \t]*(.*)$", re.MULTILINE)
_NUMBERED: Final = re.compile(r"^(?:- )?\[(\d+)\] ", re.MULTILINE)
_HEAD: Final = re.compile(r"outcome: (\w+) \| action: (.*?) \| feedback: ?(.*)")
_COUNTS: Final = re.compile(r"[ \t]*\(support (\d+), against (\d+)\)[ \t]*$")
_NUMBER: Final = re.compile(r"\d+")


@lru_cache(maxsize=64)
def _tag(name: str) -> re.Pattern[str]:
    return re.compile(rf"^<{name}>[ \t]*\n?(.*?)\n?</{name}>", re.DOTALL | re.MULTILINE)


def without_examples(messages: Sequence[Message]) -> list[Message]:
    """The messages with their worked examples cut out."""
    return [(role, _EXAMPLE.sub("", text)) for role, text in messages]


def last_user(messages: Sequence[Message]) -> str:
    """The text of the last user message, or all text when there is none."""
    for role, text in reversed(messages):
        if role == "user":
            return text
    return "\n".join(text for _, text in messages)


def block(text: str, name: str) -> str:
    """What stands in a tag, or an empty text."""
    match = _tag(name).search(text)
    return match.group(1) if match else ""


def bullets(text: str) -> tuple[str, ...]:
    """The bullet lines of a block, each without its dash."""
    return tuple(
        line[2:].strip() for line in text.splitlines() if line.startswith("- ") and line[2:].strip()
    )


@dataclass(frozen=True, slots=True)
class Step:
    """One step as a prompt shows it; `reward` is None where it is no number."""

    n: int
    observation: str
    action: str
    feedback: str
    reward: float | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """The steps of one attempt and how it ended."""

    n: int
    steps: tuple[Step, ...]
    success: str
    stop: str
    reward: float | None


def history(text: str) -> tuple[Step, ...]:
    """The earlier steps in an actor's prompt."""
    found = _HISTORY.findall(text)
    return tuple(Step(n, o, a, f) for n, (o, a, f) in enumerate(found, 1))


def attempts(trajectory: str, outcome: str) -> tuple[Attempt, ...]:
    """The attempts in a critic's prompt, in order."""
    grouped = _ATTEMPT.findall(trajectory)
    if not grouped:
        return (_attempt(1, trajectory, outcome),)
    ends = dict(_ATTEMPT.findall(outcome))
    return tuple(_attempt(int(number), steps, ends.get(number, "")) for number, steps in grouped)


def _attempt(number: int, trajectory: str, outcome: str) -> Attempt:
    pieces = _STEP.split(trajectory)
    steps = tuple(_step(int(n), body) for n, body in zip(pieces[1::2], pieces[2::2], strict=False))
    end = dict(_OUTCOME.findall(outcome))
    success = end.get("success", "unknown").strip().lower()
    return Attempt(
        number, steps, success, end.get("stop", "").strip(), _number(end.get("reward", ""))
    )


def _step(n: int, body: str) -> Step:
    pieces = _LABEL.split(body)
    found: dict[str, str] = {}
    for label, value in zip(pieces[1::2], pieces[2::2], strict=False):
        found.setdefault(label, value.strip().replace("\n    ", "\n"))
    return Step(
        n,
        found.get("Observation", ""),
        found.get("Action", ""),
        found.get("Feedback", ""),
        _number(found.get("Reward", "")),
    )


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def numbered(text: str) -> list[tuple[int, str]]:
    """Items that open with `[n] ` at the start of a line, each with the lines that follow it."""
    pieces = _NUMBERED.split(text)
    return [
        (int(n), body.rstrip("\n")) for n, body in zip(pieces[1::2], pieces[2::2], strict=False)
    ]


def counts(text: str) -> tuple[str, int, int]:
    """A lesson of the curator's list without its counts, and the counts."""
    match = _COUNTS.search(text)
    if match is None:
        return text, 0, 0
    return text[: match.start()], int(match.group(1)), int(match.group(2))


@dataclass(frozen=True, slots=True)
class Evidence:
    """One item of evidence as the curator sees it."""

    alias: int
    outcome: str
    action: str
    feedback: str
    observation: str
    proposals: tuple[str, ...]


def evidence(text: str) -> list[Evidence]:
    """The evidence list of a curator's prompt."""
    found = []
    for alias, body in numbered(text):
        head, *rest = body.split("\n")
        match = _HEAD.match(head)
        if match is None:
            continue
        outcome, action, feedback = match.groups()
        observation, proposals = "", []
        for line in rest:
            label, _, value = line.strip().partition(": ")
            if label == "observation":
                observation = value
            elif label == "proposed":
                proposals.append(value.split("    (also possible: ")[0].strip())
        found.append(
            Evidence(alias, outcome, action.strip(), feedback, observation, tuple(proposals))
        )
    return found


def integers(text: str) -> list[int]:
    """All whole numbers of a text."""
    return [int(found) for found in _NUMBER.findall(text)]
