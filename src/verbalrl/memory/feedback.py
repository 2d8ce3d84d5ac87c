"""Feedback of a person with the domain that it holds in: a conditional lesson, without training."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import ConfigurationError
from ..ids import key_id
from ..records import (
    Commit,
    Lesson,
    LessonBody,
    LessonKind,
    MemoryUpdate,
    Operation,
    Origin,
    ScopedFeedback,
    Status,
)
from ..store import Store
from ..store.reduce import lesson_id
from ..text import normalise, redact
from .editing import check_text

_CHECK = re.compile(
    r"(?P<verb>contains|lacks|starts with|ends with) (?P<text>.+)|at most (?P<words>\d+) words"
)


def conditional_lesson(
    feedback: ScopedFeedback, branch: str, scope: str, commit: str
) -> MemoryUpdate:
    """The update that makes an active conditional lesson of what a person said.

    Raises:
        ConfigurationError: It has no domain or no effect, or nobody can tell what its check asks.
    """
    for name in ("domain", "effect"):
        if not getattr(feedback, name).strip():
            raise ConfigurationError(f"feedback has no {name}; say where it holds and what to do")
    shown(feedback.check, "")
    body = LessonBody(
        kind=LessonKind.BEHAVIOR,
        when=_clean(feedback.domain),
        instruction=_clean(feedback.effect),
        conditional=True,
        examples_not=tuple(map(_clean, feedback.examples_not)),
        check=_clean(feedback.check),
    )
    check_text(body)
    return MemoryUpdate(
        op=Operation.ADD,
        lesson=lesson_id(branch, scope, body, commit),
        body=body,
        status=Status.ACTIVE,
        trust=Origin.OPERATOR,
        reason=_clean(feedback.text),
    )


def not_here(lesson: Lesson, situations: Sequence[str]) -> MemoryUpdate:
    """The update by which a person says that `lesson` does not apply in `situations`."""
    texts = dict.fromkeys((*lesson.body.examples_not, *map(_clean, situations)))
    body = lesson.body.model_copy(update={"examples_not": tuple(filter(None, texts))})
    check_text(body)
    return MemoryUpdate(
        op=Operation.REVISE,
        lesson=lesson.id,
        body=body,
        trust=Origin.OPERATOR,
        reason="a person named situations in which it does not apply",
    )


def _clean(text: str) -> str:
    """`text` as it may enter a store: normalised, without secrets."""
    return redact(normalise(text)).strip()


async def give_feedback(
    store: Store, feedback: ScopedFeedback, *, scope: str, branch: str = "main"
) -> Lesson:
    """Store `feedback` as a lesson of `scope`; the lesson that it is there.

    Raises:
        ConfigurationError: As in `conditional_lesson`.
        LeaseError: The lessons of the branch are being changed by somebody else.
    """
    with store.acquire_lease(branch, "feedback") as lease:
        base = store.revision(branch, scope)
        name = key_id("op", "feedback", branch, scope, base, feedback.model_dump(mode="json"))
        update = conditional_lesson(feedback, branch, scope, name)
        assert update.body is not None
        for known in store.lessons(branch, scope):
            if known.body.content == update.body.content and known.usable:
                return known
        made = Commit(id=name, branch=branch, scope=scope, base=base, updates=(update,))
        await store.put_commit(made, lease.fence)
    return next(x for x in store.lessons(branch, scope) if x.id == update.lesson)


def shown(check: str, output: str) -> bool:
    """Whether `output` shows what `check` asks for; an empty check asks for nothing.

    A check is `contains TEXT`, `lacks TEXT`, `starts with TEXT`, `ends with TEXT` or `at most N
    words`; case does not count.

    Raises:
        ConfigurationError: It is none of these.
    """
    if not check.strip():
        return True
    asked = _CHECK.fullmatch(check.strip())
    if asked is None:
        raise ConfigurationError(
            f"the check {check!r} is none of: contains TEXT, lacks TEXT, starts with TEXT, ends"
            " with TEXT, at most N words"
        )
    if asked["words"] is not None:
        return len(output.split()) <= int(asked["words"])
    said, text = output.casefold().strip(), asked["text"].casefold()
    match asked["verb"]:
        case "contains":
            return text in said
        case "lacks":
            return text not in said
        case "starts with":
            return said.startswith(text)
        case _:
            return said.endswith(text)
