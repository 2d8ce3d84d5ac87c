"""Whether a critique is used: pure rules, each with one reason (design section 8).

They judge form and grounds, never whether the advice is good. The first rule that fires gives the
reason, in the order of `Refusal`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from ..ids import content_hash
from ..records import LessonBody, LessonProposal, Refusal
from ..worth import is_refusal, no_advice
from .folding import contains, folded, plain_words, word_count
from .revealing import reveals
from .schema import CauseReply, CritiqueReply, LessonReply
from .view import AttemptView, StepView

_MIN_WORDS = 4
# What models write into a field that they have nothing for.
_NOTHING = frozenset({"", "n a", "na", "none", "nothing", "null", "no lesson", "empty", "tbd"})
# "The answer is 42", not "The answer is in the second table".
_ANSWER_LEAD = re.compile(
    r"(?:the |my )?(?:final |correct |right )?answer(?: is|:| =) ?"
    r"(?!(?:in|on|at|found|given|hidden|usually|often|always|never|not|only|wrong|too|expected|to)\b)"
    r"\S++(?: \S++){0,5}"
)
_ANSWER_OBJECT = re.compile(
    r"\{\s*\"(?:answer|action|output|result)\"\s*:.*\}|\\boxed\{.*\}", re.DOTALL
)
_CHOOSING = re.compile(
    r"^(?:choose|take|use|pick|select|try|submit|answer|reply with|do) (?:the )?"
)


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a critique is held against."""

    attempts: tuple[AttemptView, ...]
    """As they were shown."""
    shown: tuple[str, ...]
    """Every text that the critic was shown."""
    offered: frozenset[int] = frozenset()
    """Numbers of the earlier lessons."""
    lines: Mapping[int, str] = field(default_factory=dict)
    """Number → `text_key` of those that are lines of this instance: a critique can give them up."""
    actions: tuple[str, ...] = ()
    """The admissible actions, where they are listed."""
    known: frozenset[str] = frozenset()
    """`text_key`s of the lessons that its own lane has, or that the pinned revision and the
    critiques before it in canonical order brought."""
    answers: tuple[str, ...] = ()
    """What would give the instance away; never shown to a critic."""
    feedback: tuple[str, ...] = ()
    """What was said from outside, of no step in particular."""
    answer_form: str = ""
    """A regular expression that every answer of this task fits; empty where there is none."""
    content: bool = False
    """Whether a verdict of success says enough: feedback on an output that nothing is to change."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a critique is not used, and which part of it is at fault."""

    reason: Refusal
    detail: str


def refuse(reply: CritiqueReply, grounds: Grounds) -> Refused | None:
    """The first reason not to use `reply`; None when it can be used."""
    for rule in (_empty, _ungrounded, _absent_quote, _duplicate, _answer, _revealing):
        if refused := rule(reply, grounds):
            return refused
    return None


def text_key(item: LessonReply | LessonProposal | LessonBody) -> str:
    """Equal for lessons that say the same, whatever their kind and name."""
    return _text_key(item.when, item.when_not, item.instruction)


@lru_cache(maxsize=1024)
def _text_key(when: str, when_not: str, instruction: str) -> str:
    # What a lane knows is the same for all critiques of a round.
    return content_hash({"when": when, "when_not": when_not, "instruction": instruction})


def attempt_of(item: CauseReply | LessonReply, attempts: tuple[AttemptView, ...]) -> int:
    """The number of the attempt that `item` speaks of.

    Where it names none: the last one whose step of that number holds its quote, else the last one
    that has such a step.
    """
    # Only some of their classes have the field; to ask for an attribute in vain takes longest.
    named = int(vars(item).get("attempt", 0))
    if named or len(attempts) == 1:
        return named or attempts[0].n
    having = [a for a in attempts if any(s.n == item.step for s in a.steps)] or list(attempts)
    quote = _quote(item) if isinstance(item, CauseReply) else ""
    for attempt in reversed(having):
        if any(s.n == item.step and _is_in(quote, s) for s in attempt.steps):
            return attempt.n
    return having[-1].n if having else 0


def says_something(text: str) -> bool:
    """False for texts without words, and for what models write where they have nothing to say."""
    return plain_words(text).strip() not in _NOTHING


def is_lesson(item: LessonReply) -> bool:
    """False where `item` gives no advice: no words, a refusal, a platitude."""
    return says_something(item.instruction) and not no_advice(item.instruction, item.when)


def kept(reply: CritiqueReply, grounds: Grounds) -> frozenset[int]:
    """The earlier lessons that `reply` carries forward: all, where it says nothing of them."""
    return frozenset(reply.keeps) if "keeps" in reply.model_fields_set else grounds.offered


def _contradicts(reply: CritiqueReply, grounds: Grounds) -> bool:
    """True when a line of this instance is to go, which is news whatever else is said."""
    keeps = kept(reply, grounds)
    again = {text_key(x) for x in reply.lessons}
    return any(n not in keeps and key not in again for n, key in grounds.lines.items())


def _empty(reply: CritiqueReply, grounds: Grounds) -> Refused | None:
    if grounds.content and reply.verdict == "success":
        return None
    said = [*(c.why for c in reply.causes), reply.refinement]
    if any(says_something(text) and not is_refusal(text) for text in said):
        return None
    if any(map(is_lesson, reply.lessons)):
        return None
    # A quote alone says nothing, but it is the ground on which an earlier line is given up.
    if _contradicts(reply, grounds) and any(says_something(c.quote) for c in reply.causes):
        return None
    return Refused(Refusal.EMPTY, "no cause, no lesson, no refinement")


def _ungrounded(reply: CritiqueReply, grounds: Grounds) -> Refused | None:
    for n, cause in enumerate(reply.causes, start=1):
        if _step(cause, grounds) is None:
            return Refused(Refusal.UNGROUNDED, f"cause {n} cites {_place(cause, grounds)}")
    for n, lesson in enumerate(reply.lessons, start=1):
        whole = lesson.step == 0 and attempt_of(lesson, grounds.attempts) in _numbers(grounds)
        if not whole and _step(lesson, grounds) is None:
            return Refused(Refusal.UNGROUNDED, f"lesson {n} cites {_place(lesson, grounds)}")
    for alias in reply.keeps:
        if alias not in grounds.offered:
            return Refused(Refusal.UNGROUNDED, f"keeps lesson {alias}, which was not shown")
    return None


def _absent_quote(reply: CritiqueReply, grounds: Grounds) -> Refused | None:
    for n, cause in enumerate(reply.causes, start=1):
        step, quote = _step(cause, grounds), _quote(cause)
        said = any(contains(folded(text), quote) for text in grounds.feedback)
        if step is not None and not said and not _is_in(quote, step):
            detail = f"cause {n}: {cause.quote[:80]!r} is not in step {cause.step}"
            return Refused(Refusal.ABSENT_QUOTE, detail)
    return None


def _duplicate(reply: CritiqueReply, grounds: Grounds) -> Refused | None:
    proposed = [x for x in reply.lessons if says_something(x.instruction)]
    said_before = proposed and all(text_key(x) in grounds.known for x in proposed)
    if said_before and not _contradicts(reply, grounds):
        return Refused(Refusal.DUPLICATE, f"all {len(proposed)} lessons are there already")
    return None


def _answer(reply: CritiqueReply, grounds: Grounds) -> Refused | None:
    # A quote is no reason, and an answer given as the reason is none either.
    if any(says_something(c.why) and not _only_answers(c.why, grounds) for c in reply.causes):
        return None
    lessons = [x for x in reply.lessons if says_something(x.instruction)]
    texts = [(x.when, x.instruction) for x in lessons] + [("", reply.refinement)]
    texts = [(when, text) for when, text in texts if says_something(text)]
    if texts and all(_is_answer(when, text, grounds) for when, text in texts):
        return Refused(Refusal.ANSWER, f"no reason, and {texts[0][1][:80]!r} only answers")
    return None


def _revealing(reply: CritiqueReply, grounds: Grounds) -> Refused | None:
    if reply.reveals_answer:
        return Refused(Refusal.REVEALING, "marked by the critic itself")
    said = [
        text
        for x in reply.lessons
        for text in (x.name, x.when, x.when_not, x.instruction, *x.also_possible)
    ]
    said += [reply.refinement, *(c.why for c in reply.causes)]
    answers = [answer for answer in grounds.answers if says_something(answer)]
    if reveals(said, answers, grounds.shown):
        return Refused(Refusal.REVEALING, "it holds an answer that nothing shown holds")
    return None


def _is_answer(when: str, text: str, grounds: Grounds) -> bool:
    if word_count(when) + word_count(text) < _MIN_WORDS:
        return True
    return not says_something(when) and _only_answers(text, grounds)


def _only_answers(text: str, grounds: Grounds) -> bool:
    bare = _bare(text)
    answers = {_bare(a) for a in (*grounds.actions, *grounds.answers)}
    return (
        bare in answers
        or _CHOOSING.sub("", bare, count=1) in answers
        or bool(_ANSWER_LEAD.fullmatch(bare))
        or bool(_ANSWER_OBJECT.fullmatch(text.strip()))
        or bool(grounds.answer_form and re.fullmatch(grounds.answer_form, text.strip()))
    )


def _bare(text: str) -> str:
    return folded(text).strip("\"'`.! ")


def _quote(cause: CauseReply) -> str:
    quote = folded(cause.quote).strip("\"'` ")
    # The labels are ours and stand in the prompt: quoting them along is no invention.
    return re.sub(r"^(?:observation|action|feedback): ", "", quote).strip("\"'` ")


def _is_in(quote: str, step: StepView) -> bool:
    seen = (step.observation, step.action, step.feedback)
    return not quote or any(contains(folded(text), quote) for text in seen)


def _numbers(grounds: Grounds) -> frozenset[int]:
    return frozenset(attempt.n for attempt in grounds.attempts)


def _step(item: CauseReply | LessonReply, grounds: Grounds) -> StepView | None:
    number = attempt_of(item, grounds.attempts)
    steps = (s for a in grounds.attempts if a.n == number for s in a.steps)
    return next((s for s in steps if s.n == item.step), None)


def _place(item: CauseReply | LessonReply, grounds: Grounds) -> str:
    attempt = attempt_of(item, grounds.attempts)
    if attempt not in _numbers(grounds):
        return f"attempt {attempt}, which was not shown"
    return f"step {item.step}, which does not exist"
