"""How the apprentice reads a lesson: when it applies, and which actions it speaks for or against.

A lesson may be worded by the curator, by a person or by a script. It knows the outer forms ("When
C: I", "If C, then I", "I when C") and compares words; it knows no synonym and draws no conclusion.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

from .text import Features, Weights, clause_features, features, has_digit, stem, stems, words
from .words import FRAME_WORDS, NEGATIVE, NEGATORS, STOP_WORDS

THRESHOLD: Final = 0.6
"""Share of a condition's weight that must be seen before it counts as met."""

POWER: Final = 4
"""How steeply a partial match loses against a full one."""

_CONJUNCTION: Final = r"(?:when(?:ever)?|if|where|in case|once|while|for)\b"
_LEADING: Final = re.compile(rf"^{_CONJUNCTION}\s*(.*)$", re.IGNORECASE | re.DOTALL)
_TRAILING: Final = re.compile(r"^(.*?\S)\s+(?:when(?:ever)?|if)\s+(.*)$", re.IGNORECASE | re.DOTALL)
_BOUNDARIES: Final = (
    re.compile(r":(?:\s+|$)"),
    re.compile(r",?\s+then\s+", re.IGNORECASE),
    re.compile(r",?\s+(?=(?:do not|don'?t|never|avoid|choose|pick|answer)\b)", re.IGNORECASE),
    re.compile(r",\s+(?=[^,]*$)"),
)
_NOT_WHEN: Final = re.compile(r"\(\s*not when\s+(.*?)\)", re.IGNORECASE | re.DOTALL)
_EXCEPT_WHEN: Final = re.compile(r"^except when\s+(.*?):\s+(.*)$", re.IGNORECASE | re.DOTALL)
_UNLESS: Final = re.compile(r",?\s*\b(?:unless|except|but not)\b\s*(?:when|if|for)?", re.IGNORECASE)
_QUOTED: Final = re.compile(r'["\u201c\u201d]([^"\u201c\u201d]+)["\u201c\u201d]')
_OR_QUOTE: Final = re.compile(r'\bor\b(?=\s*["\u201c])', re.IGNORECASE)
_OR: Final = re.compile(r",\s*(?:or\b)?|\bor\b", re.IGNORECASE)
_AND: Final = re.compile(r"\band\b", re.IGNORECASE)
_SHORT: Final = 25
_PIECE: Final = re.compile(r"\d+(?:[.,:]\d+)+|[^\W_]+|[.,;:!?\n]")
_NEGATIVE_STEMS: Final = frozenset(stem(word) for word in NEGATIVE)
_JOINERS: Final = frozenset({"and", "nor", "or"})
_TURNS: Final = frozenset({"but", "instead", "rather", "because", "since", "as"})


@dataclass(frozen=True, slots=True)
class Condition:
    """One way in which a lesson can apply: parts that must all be seen."""

    parts: tuple[Features, ...]
    quoted: bool

    @property
    def all(self) -> Features:
        """The features of all parts."""
        return frozenset().union(*self.parts)


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson taken apart; without conditions it applies everywhere."""

    alias: int
    condition: str
    conditions: tuple[Condition, ...]
    exceptions: tuple[Condition, ...]
    instruction: str


@dataclass(frozen=True, slots=True)
class Match:
    """How well a condition is met, and what of it was seen."""

    share: float
    mass: float
    seen: Features

    @property
    def weight(self) -> float:
        """The strength of a vote: full matches and specific conditions weigh most."""
        return self.share**POWER * math.log2(2 + max(0.0, self.mass))


def split_lesson(text: str) -> tuple[str, str, str]:
    """Condition, exception and instruction of a lesson; what it does not have is empty."""
    exceptions = " or ".join(part.strip() for part in _NOT_WHEN.findall(text))
    body = " ".join(_NOT_WHEN.sub(" ", text).split()).replace(" :", ":")
    if match := _EXCEPT_WHEN.match(body):
        return "", match.group(1), match.group(2)
    condition, instruction = _condition_and_instruction(body)
    condition, *rest = _UNLESS.split(condition)
    if rest:
        exceptions = " or ".join(part for part in (exceptions, *rest) if part.strip())
    return condition.strip(" ,"), exceptions.strip(" ,"), instruction.strip()


def _condition_and_instruction(body: str) -> tuple[str, str]:
    if match := _LEADING.match(body):
        rest = match.group(1)
        for boundary in _BOUNDARIES:
            if found := boundary.search(rest):
                return rest[: found.start()], rest[found.end() :]
        return "", body
    if match := _TRAILING.match(body):
        return match.group(2), match.group(1)
    return "", body


@lru_cache(maxsize=4096)
def read_lesson(alias: int, text: str) -> Lesson:
    """A lesson from its line, without bullet and number."""
    condition, exception, instruction = split_lesson(text)
    return Lesson(
        alias, condition, read_condition(condition), read_condition(exception), instruction
    )


@lru_cache(maxsize=4096)
def read_condition(text: str) -> tuple[Condition, ...]:
    """The alternatives of a condition. Quoted phrases, where there are any, are all of it."""
    if _QUOTED.search(text):
        found = [
            Condition(tuple(f for phrase in _QUOTED.findall(part) if (f := features(phrase))), True)
            for part in _OR_QUOTE.split(text)
        ]
        return tuple(condition for condition in found if condition.parts)
    pieces = [text]
    if len(words(text)) <= _SHORT and re.search(r"\bor\b", text, re.IGNORECASE):
        pieces = _OR.split(text)
    plain = (Condition(_parts(piece), False) for piece in pieces)
    return tuple(condition for condition in plain if condition.parts)


def _parts(text: str) -> tuple[Features, ...]:
    whole = clause_features(text)
    if any(has_digit(feature) for part in whole for feature in part):
        return _without_frame(whole)
    return _without_frame(
        tuple(part for piece in _AND.split(text) for part in clause_features(piece))
    )


def _without_frame(parts: tuple[Features, ...]) -> tuple[Features, ...]:
    bare = (frozenset(f for f in p if not FRAME_WORDS & set(f.split())) for p in parts)
    return tuple(part for part in bare if part)


class Situation:
    """What the agent sees now, ready to be compared with conditions."""

    def __init__(self, *texts: str) -> None:
        self.clauses = tuple(found for text in texts for found in clause_features(text))
        self.all: Features = frozenset().union(*self.clauses)
        self._unbroken: tuple[Features, ...] | None = None
        self._texts = texts

    @property
    def unbroken(self) -> tuple[Features, ...]:
        """Features of each text with pairs across clauses, for conditions without punctuation."""
        if self._unbroken is None:
            runs = [tuple(stem(w) for w in words(t) if w not in STOP_WORDS) for t in self._texts]
            self._unbroken = tuple(
                frozenset(run) | {f"{a} {b}" for a, b in pairwise(run)} for run in runs
            )
        return self._unbroken


def match_condition(condition: Condition, now: Situation, weights: Weights) -> Match | None:
    """How far one condition is met, or None. Quoted phrases and numbers must all be there."""
    if condition.quoted:
        return _match_quoted(condition, now, weights)
    total, seen_mass = [], []
    seen: set[str] = set()
    for full in condition.parts:
        if not (part := weights.told(full, now.all)):
            continue
        numbers = frozenset(feature for feature in part if has_digit(feature))
        best = _best_clause(part, now, weights)
        if numbers and not any(numbers <= clause for clause in now.clauses):
            # Numbers of one condition must stand in one text: two places do not make a third.
            whole = next((run for run in now.unbroken if numbers <= run), None)
            if whole is None:
                return None
            best = part & whole
        seen |= best
        seen_mass.append(weights.mass(best))
        total.append(weights.mass(part))
    all_of_it = math.fsum(total)
    if all_of_it <= 0:
        return None
    matched = math.fsum(seen_mass)
    return Match(min(1.0, matched / all_of_it), matched, frozenset(seen))


def _best_clause(part: Features, now: Situation, weights: Weights) -> Features:
    best, best_mass = frozenset[str](), 0.0
    for clause in now.clauses:
        if shared := part & clause:
            mass = weights.mass(shared)
            if mass > best_mass:
                best, best_mass = shared, mass
    return best


def _match_quoted(condition: Condition, now: Situation, weights: Weights) -> Match | None:
    if all(any(part <= clause for clause in now.clauses) for part in condition.parts):
        return Match(1.0, weights.mass(condition.all), condition.all)
    return None


def best_match(
    conditions: Sequence[Condition], now: Situation, weights: Weights, threshold: float = THRESHOLD
) -> Match | None:
    """The best alternative that is met, or None."""
    found = [m for c in conditions if (m := match_condition(c, now, weights)) is not None]
    good = [match for match in found if match.share >= threshold]
    return max(good, key=lambda match: match.weight) if good else None


@lru_cache(maxsize=512)
def own_words(actions: tuple[str, ...]) -> dict[str, frozenset[str]]:
    """For each action the words that no other has; if it has none, those that not all have."""
    each = {action: frozenset(stem(word) for word in words(action)) for action in actions}
    common = frozenset.intersection(*each.values()) if len(each) > 1 else frozenset[str]()
    spread = Counter(word for found in each.values() for word in found)
    alone = frozenset(word for word, count in spread.items() if count == 1)
    return {action: (found & alone) or (found - common) for action, found in each.items()}


def short_name(cues: Iterable[str], action: str, actions: tuple[str, ...]) -> str:
    """A few words for a lesson: its cues and what tells its action from the others."""
    own = own_words(actions).get(action, frozenset())
    telling = [word for word in words(action) if stem(word) in own] or list(words(action))
    return " ".join([*cues, *telling[:2]])


@lru_cache(maxsize=8192)
def directions(instruction: str, actions: tuple[str, ...]) -> dict[str, int]:
    """Which actions an instruction recommends (1) or warns of (-1); the last word counts."""
    found: dict[str, int] = {}
    previous = 1
    for piece in _pieces(instruction, actions):
        others = [token for token in piece if isinstance(token, str)]
        named = [actions[token] for token in piece if isinstance(token, int)]
        if not named:
            named, others = _named_in_part(others, actions)
        if not named:
            continue
        if not found or not set(others) <= _JOINERS:
            turned = any(w in NEGATORS or stem(w) in _NEGATIVE_STEMS for w in others)
            previous = -1 if turned else 1
        found.update(dict.fromkeys(named, previous))
    return found


def _pieces(instruction: str, actions: tuple[str, ...]) -> list[list[str | int]]:
    """The clauses of an instruction as words, with an action's number where its name stands."""
    tokens: list[str | int] = []
    tokens += _PIECE.findall(instruction.lower().replace("'", "").replace("\u2019", ""))
    for number in sorted(range(len(actions)), key=lambda n: -len(words(actions[n]))):
        _mark(tokens, words(actions[number]), number)
    pieces: list[list[str | int]] = [[]]
    for token in tokens:
        if isinstance(token, str) and not token[0].isalnum():
            pieces.append([])
        elif token in _TURNS:
            pieces.append([token])
        else:
            pieces[-1].append(token)
    return [piece for piece in pieces if piece]


def _mark(tokens: list[str | int], name: tuple[str, ...], number: int) -> None:
    """Puts a number in place of each full occurrence of a name, punctuation within it ignored."""
    start = 0
    while name and start < len(tokens):
        at, rest = start, list(name)
        while rest and at < len(tokens):
            token = tokens[at]
            if token == rest[0]:
                rest.pop(0)
            elif len(rest) == len(name) or isinstance(token, int) or token[0].isalnum():
                break
            at += 1
        if not rest:
            tokens[start:at] = [number]
        start += 1


def _named_in_part(others: list[str], actions: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Actions all of whose own words are there, and the words that name none."""
    there = {stem(word) for word in others}
    own = own_words(actions)
    named = [action for action in actions if own[action] and own[action] <= there]
    spent: frozenset[str] = frozenset().union(*(own[action] for action in named))
    return named, [word for word in others if stem(word) not in spent]


def content(text: str) -> Features:
    """The stems of a text without function words, as a set."""
    return frozenset(stems(text))
