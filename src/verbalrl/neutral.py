"""Text of tasks, models and memory made harmless: nothing in it passes for a tag of our own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

TAGS = (
    *("actions", "aspects", "attempt", "candidates", "conditions", "critique_of_previous"),
    *("directions", "draft", "earlier_lessons", "earlier_outputs", "evidence", "example"),
    *("feedback", "goal", "guidance", "history", "last_answer", "lessons", "memos"),
    *("nominations", "notes", "observation", "outcome", "plan", "previous_output", "problem"),
    *("problems", "proposals", "situation", "trades", "trajectory"),
)
"""The tags of our own prompts and repairs; a test holds this list against the files."""

_TURNS = (
    *("system", "user", "human", "assistant", "developer", "tool", "instructions"),
    *("start_of_turn", "end_of_turn"),
)


def _any_of(names: Iterable[str]) -> str:
    # Characters that show nothing would hide a tag from us, not from a model.
    return "|".join("[\u200b-\u200d\u2060\ufeff\u00ad]*".join(map(re.escape, n)) for n in names)


# Possessive throughout: a text made to match almost must not cost more than its length.
_GAP = "[\\s\u200b-\u200d\u2060\ufeff\u00ad]*+"
_REST = r"(?![\w-]))([^<>＜＞﹤﹥‹›]{0,200}[>＞﹥])?"
_TAG = rf"[<＜﹤]({_GAP}/?{_GAP}(?:{_any_of(TAGS)}){_REST}"
# `List<User>` is code, not a turn: an opening form needs something other than a word before it.
_TURN = rf"(?:(?<!\w)[<＜﹤]|[<＜﹤](?={_GAP}/))({_GAP}/?{_GAP}(?:{_any_of(_TURNS)}){_REST}"
_TOKEN = re.compile(r"[<＜﹤](\s*+[|｜][^<>|｜\n]{1,60}[|｜]\s*|/?s|bos|eos|/?SYS)[>＞﹥]")
_BRACKET = re.compile(r"\[(\s*+/?\s*+INST\s*+)\]", re.IGNORECASE)
_LINE_START = r"(?:\A|(?<=[\n\r\x0b\x0c\x85\u2028\u2029]))[ \t]*+"
_SPEAKER = re.compile(
    rf"({_LINE_START}(?:[-*>#]++[ \t]*+){{0,3}})(system|assistant|user|human|developer|tool)"
    r"(?=(?:[ \t]+(?:prompt|message))?[ \t*]*[:：])",
    re.IGNORECASE,
)
_HEADING = re.compile(
    rf"({_LINE_START}##++[ \t]*+)(instructions?|response|input)(?=[ \t]*[:：])", re.IGNORECASE
)


def neutralise(text: str) -> str:
    """`text` with whatever could pass for one of our tags or for a role marker made harmless.

    It stays readable (`<goal>` becomes `‹goal›`, a leading `System:` becomes `‹System›:`); other
    markup is left alone. Doing it twice changes nothing.
    """
    # Most texts hold none of it: looking for single characters first is ten times as fast.
    if any(mark in text for mark in "<＜﹤"):
        for pattern in _markup():
            text = pattern.sub(_quoted_tag, text)
        text = _TOKEN.sub(r"‹\1›", text)
    if "[" in text:
        text = _BRACKET.sub(r"‹\1›", text)
    if ":" in text or "：" in text:
        text = _SPEAKER.sub(r"\1‹\2›", text)
        text = _HEADING.sub(r"\1‹\2›", text) if "#" in text else text
    return text


@lru_cache(maxsize=1)
def _markup() -> tuple[re.Pattern[str], ...]:
    # Compiled on use: together they are a tenth of making a learner.
    return re.compile(_TAG, re.IGNORECASE), re.compile(_TURN, re.IGNORECASE)


_SHORT = 4_000
_remembered = lru_cache(maxsize=2048)(neutralise)


def remembered(text: str) -> str:
    """`neutralise(text)`, done once for short texts: a history is rendered again at every step."""
    return _remembered(text) if len(text) <= _SHORT else neutralise(text)


def _quoted_tag(match: re.Match[str]) -> str:
    return f"‹{match[1]}{match[2][:-1]}›" if match[2] else f"‹{match[1]}"
