"""The critic: finds the steps that decided an attempt and words one lesson for each.

It goes by the outcome, repeated observations, rewards and the tone of the feedback. It knows no
cause beyond these and leaves `why` empty where the feedback gives none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from . import layout
from .actor import read_guidance
from .layout import Attempt, Step
from .reading import Lesson, Situation, best_match, directions, short_name
from .text import Weights, clauses, stem, text_features, words
from .words import EXPECTED, NEGATIVE, NEGATORS, POSITIVE, STOP_WORDS

_POSITIVE: Final = frozenset(stem(word) for word in POSITIVE)
_NEGATIVE: Final = frozenset(stem(word) for word in NEGATIVE)
_LONGEST_WHEN: Final = 45
_LONGEST_QUOTE: Final = 20
_MOST_LESSONS: Final = 5
_MOST_SUCCESS_LESSONS: Final = 8
_MOST_REPEATS: Final = 3
_EXACT: Final = 0.95
_CONFIDENCE: Final = {"success": 0.7, "failure": 0.5, "unclear": 0.3}


@dataclass(frozen=True, slots=True)
class Finding:
    """A step that decided something: `good` says whether its action should be taken again."""

    attempt: int
    step: Step
    action: str
    good: bool
    why: str


def tone(text: str) -> int:
    """Good words minus bad words; a negator just before a word turns it round."""
    total, turned = 0, False
    for word in words(text):
        value = (stem(word) in _POSITIVE) - (stem(word) in _NEGATIVE)
        total += -value if turned else value
        turned = word in NEGATORS or (turned and word in STOP_WORDS)
    return total


def criticise(messages: Sequence[layout.Message]) -> dict[str, Any]:
    """The critique of the attempts that the last user message shows."""
    text = layout.last_user(messages)
    attempts = layout.attempts(layout.block(text, "trajectory"), layout.block(text, "outcome"))
    remarks = layout.bullets(layout.block(text, "feedback"))
    earlier = read_guidance(layout.block(text, "earlier_lessons"))
    listed = layout.bullets(layout.block(text, "actions"))
    actions = listed
    if not actions:
        actions = tuple(dict.fromkeys(s.action for a in attempts for s in a.steps if s.action))
    findings = [f for a in attempts for f in examine(a, actions, remarks)]
    verdict = _verdict(attempts[-1], findings, remarks)
    most = _MOST_SUCCESS_LESSONS if verdict == "success" else _MOST_LESSONS
    lessons = _lessons(findings, attempts, earlier, actions, "choose" if listed else "answer")
    return {
        "verdict": verdict,
        "causes": [_cause(f) for f in _distinct(findings)[:_MOST_LESSONS]],
        "lessons": lessons[:most],
        "keeps": [n.alias for n in earlier if not _contradicted(n, attempts, findings, actions)],
        "refinement": _refinement(lessons),
        "confidence": _CONFIDENCE[verdict],
        "reveals_answer": False,
    }


def _verdict(last: Attempt, findings: Sequence[Finding], remarks: Sequence[str]) -> str:
    if last.success in ("true", "false"):
        return "success" if last.success == "true" else "failure"
    said = sum(tone(remark) for remark in remarks)
    if said:
        return "success" if said > 0 else "failure"
    return "failure" if any(not f.good for f in findings) else "unclear"


def examine(attempt: Attempt, actions: tuple[str, ...], remarks: Sequence[str]) -> list[Finding]:
    """The decisive steps of one attempt, the most decisive first."""
    if not attempt.steps:
        return []
    n = attempt.n
    found = [Finding(n, *told) for told in _told(attempt.steps[-1], actions, remarks)]
    if attempt.success == "true":
        return found + [Finding(n, s, s.action, True, s.feedback) for s in _path(attempt.steps)]
    ended_itself = attempt.stop in ("terminated", "done", "")
    if attempt.success == "false" and ended_itself:
        last = attempt.steps[-1]
        found.append(Finding(n, last, last.action, False, last.feedback))
    found += _setbacks(attempt)
    if attempt.success == "false" and not ended_itself:
        found += _repeats(attempt)
    return found + _advances(attempt)


def _told(
    last: Step, actions: tuple[str, ...], remarks: Sequence[str]
) -> list[tuple[Step, str, bool, str]]:
    """Other actions that the feedback on the last step names as what should have been done."""
    found = []
    for said in (part for text in (last.feedback, *remarks) for part in clauses(text)):
        if not set(words(said)) & set(EXPECTED):
            continue
        for action, sign in directions(said, actions).items():
            if sign > 0 and action != last.action:
                found.append((last, action, True, ""))
    return found


def _path(steps: Sequence[Step]) -> list[Step]:
    """The steps without detours: from each observation to where its last visit led."""
    last = {_state(step): place for place, step in enumerate(steps)}
    path, place = [], 0
    while place < len(steps):
        place = last[_state(steps[place])]
        path.append(steps[place])
        place += 1
    return path


def _state(step: Step) -> str:
    return " ".join(step.observation.split())


def _setbacks(attempt: Attempt) -> list[Finding]:
    """Steps without effect, with a worse reward than usual, or spoken ill of."""
    usual = _usual_reward(attempt)
    found = []
    for place, step in enumerate(attempt.steps):
        following = attempt.steps[place + 1 : place + 2]
        stayed = bool(following) and _state(following[0]) == _state(step)
        cost = step.reward is not None and step.reward < min(usual, 0.0)
        if stayed or cost or tone(step.feedback) < 0:
            found.append(Finding(attempt.n, step, step.action, False, step.feedback))
    return found


def _advances(attempt: Attempt) -> list[Finding]:
    usual = _usual_reward(attempt)
    return [
        Finding(attempt.n, step, step.action, True, step.feedback)
        for step in attempt.steps
        if step.reward is not None and step.reward > max(usual, 0.0) and tone(step.feedback) >= 0
    ]


def _usual_reward(attempt: Attempt) -> float:
    seen = Counter(step.reward for step in attempt.steps if step.reward is not None)
    if not seen:
        return 0.0
    most = max(seen.values())
    return min(reward for reward, count in seen.items() if count == most)


def _repeats(attempt: Attempt) -> list[Finding]:
    """What was tried most often, twice at least, at the same observation of an endless attempt."""
    tried = Counter((_state(step), step.action) for step in attempt.steps)
    first = {(_state(step), step.action): step for step in reversed(attempt.steps)}
    often = [key for key, count in tried.most_common() if count >= 2][:_MOST_REPEATS]
    return [Finding(attempt.n, first[key], key[1], False, first[key].feedback) for key in often]


def _distinct(findings: Sequence[Finding]) -> list[Finding]:
    """One finding for each observation and action; the later attempt's word counts."""
    last = {(_state(f.step), f.action): f for f in findings}
    return list(dict.fromkeys(last[_state(f.step), f.action] for f in findings))


def _cause(finding: Finding) -> dict[str, Any]:
    source = finding.step.feedback or finding.step.action or finding.step.observation
    quote = (clauses(source) or (source,))[0]
    said = clauses(finding.why)
    why = said[0] if said and len(words(finding.why)) > 1 and tone(finding.why) else ""
    return {
        "attempt": finding.attempt,
        "step": finding.step.n,
        "quote": _first_words(quote, _LONGEST_QUOTE),
        "why": why,
    }


def _first_words(text: str, most: int) -> str:
    parts = text.split(" ")
    return " ".join(parts[:most])


def _lessons(
    findings: Sequence[Finding],
    attempts: Sequence[Attempt],
    earlier: Sequence[Lesson],
    actions: tuple[str, ...],
    verb: str,
) -> list[dict[str, Any]]:
    known = {
        (lesson.condition, tuple(sorted(directions(lesson.instruction, actions).items())))
        for lesson in earlier
    }
    found: list[dict[str, Any]] = []
    for finding in _distinct(findings):
        lesson = _word(finding, attempts, actions, verb)
        says = directions(lesson["instruction"], actions)
        key = (lesson["when"], tuple(sorted(says.items())))
        if finding.action and key not in known:
            known.add(key)
            found.append(lesson)
    return found


def _word(
    finding: Finding, attempts: Sequence[Attempt], actions: tuple[str, ...], verb: str
) -> dict[str, Any]:
    seen = dict.fromkeys(_state(step) for attempt in attempts for step in attempt.steps)
    when, others = condition(_state(finding.step), list(seen))
    instruction = f"{verb} {finding.action}" if finding.good else f"do not {verb} {finding.action}"
    name = short_name(words(when)[:3], finding.action, actions)
    return {
        "name": name,
        "when": when,
        "when_not": "",
        "instruction": instruction,
        "also_possible": others,
        "attempt": finding.attempt,
        "step": finding.step.n,
    }


def condition(observation: str, seen: Sequence[str]) -> tuple[str, list[str]]:
    """The sentences that tell an observation from the others of its attempt, and the rest."""
    others = [text for text in seen if text != observation]
    own = clauses(observation)
    telling = list(own)
    if len(others) >= 2:
        spread = [set(clauses(text)) for text in others]
        telling = [c for c in own if sum(c in s for s in spread) * 2 < len(others)] or telling
    kept: list[str] = []
    for clause in telling:
        room = _LONGEST_WHEN - sum(len(part.split()) for part in kept)
        if room > 0:
            kept.append(_plain(_first_words(clause, room)))
    rest = [_plain(_first_words(c, _LONGEST_QUOTE)) for c in own if c not in telling]
    return ". ".join(part for part in kept if part), rest[:3]


def _plain(clause: str) -> str:
    """A clause without quotation marks and colons, which mean something in a condition."""
    bare = clause.translate({ord(mark): " " for mark in '"\u201c\u201d:()'})
    return " ".join(bare.split())


def _contradicted(
    lesson: Lesson,
    attempts: Sequence[Attempt],
    findings: Sequence[Finding],
    actions: tuple[str, ...],
) -> bool:
    """Whether what a lesson speaks of was tried where it applies, and turned out the other way."""
    says = directions(lesson.instruction, actions)
    bad = {(f.step, f.action) for f in findings if not f.good}
    good = {(f.step, f.action) for f in findings if f.good}
    for step in (step for attempt in attempts for step in attempt.steps):
        sign = says.get(step.action, 0)
        if not sign or not _applies(lesson, step):
            continue
        judged_bad = (step, step.action) in bad
        if sign > 0 and judged_bad and (step, step.action) not in good:
            return True
        if sign < 0 and not judged_bad and _led_on(step, attempts):
            return True
    return False


def _applies(lesson: Lesson, step: Step) -> bool:
    now = Situation(step.observation)
    weights = Weights([text_features(step.observation)])
    if not lesson.condition or best_match(lesson.exceptions, now, weights) is not None:
        return False
    return best_match(lesson.conditions, now, weights, _EXACT) is not None


def _led_on(step: Step, attempts: Sequence[Attempt]) -> bool:
    """Whether a step was followed by another, or ended an attempt that succeeded."""
    return any(
        step in attempt.steps and (attempt.steps[-1] is not step or attempt.success == "true")
        for attempt in attempts
    )


def _refinement(lessons: Sequence[dict[str, Any]]) -> str:
    return ". ".join(f"When {x['when']}: {x['instruction']}" for x in lessons[:2])
