"""Feedback of a person with the domain that it holds in: a conditional lesson, without training."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pydantic import ValidationError

from ..errors import ConfigurationError, wanted
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
from ..store import LIVE, Store
from ..store.reduce import lesson_id, reduce
from .changing import check_over, leased
from .editing import check_text, cleaned, reworded

_CHECK = re.compile(
    r"(?P<verb>contains|lacks|starts with|ends with) (?P<text>.+)|at most (?P<words>\d+) words"
)


class _Row(ScopedFeedback):
    """A line of a file."""

    text: str = ""
    scope: str = ""


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
        when=cleaned(feedback.domain),
        instruction=cleaned(feedback.effect),
        conditional=True,
        examples_not=tuple(map(cleaned, feedback.examples_not)),
        check=cleaned(feedback.check),
    )
    check_text(body)
    return MemoryUpdate(
        op=Operation.ADD,
        lesson=lesson_id(branch, scope, body, commit),
        body=body,
        status=Status.ACTIVE,
        trust=Origin.OPERATOR,
        reason=cleaned(feedback.text) or "feedback of a person",
    )


def taken_up(given: MemoryUpdate, there: Iterable[Lesson]) -> tuple[MemoryUpdate, ...]:
    """The updates that make `given` hold among the lessons that are `there`.

    Where a lesson says it already, that one gets the check and the examples, becomes active and
    has a person's trust.

    Raises:
        ConfigurationError: The text was revoked.
    """
    said = given.body
    assert said is not None
    same = [x for x in there if x.body.content == said.content]
    live = next((x for x in same if x.status in LIVE), None)
    if live is None and any(x.status is Status.REVOKED for x in same):
        raise ConfigurationError(f"{said.instruction[:60]!r}: this text was revoked")
    if live is None:
        return (given,)
    examples = tuple(dict.fromkeys((*live.body.examples_not, *said.examples_not)))
    check = said.check or live.body.check
    body = live.body.replace(conditional=True, check=check, examples_not=examples)
    whose = given.replace(lesson=live.id, body=None, status=None)
    made: list[MemoryUpdate] = []
    if body != live.body:
        made.append(whose.replace(op=Operation.REVISE, body=body))
    if live.status is not Status.ACTIVE or live.trust is not Origin.OPERATOR:
        made.append(whose.replace(op=Operation.ACTIVATE, status=Status.ACTIVE))
    return tuple(made)


class Given(NamedTuple):
    """What became of one feedback."""

    lesson: Lesson
    """As it is now."""
    before: Lesson | None
    """As it was; None where there was none that says it."""


async def give_feedback(
    store: Store, feedback: Sequence[ScopedFeedback], *, scope: str, branch: str = "main"
) -> tuple[Given, ...]:
    """Make lessons of `scope` of what a person said, all of it or nothing.

    Raises:
        ConfigurationError: As in `conditional_lesson` and `taken_up`, or a run may still resume.
        LeaseError: The lessons of the branch are being changed by somebody else.
    """
    check_over(store, branch)
    with leased(store, [branch], "feedback") as fences:
        base, there = store.revision(branch, scope), store.lessons(branch, scope)
        said = [one.model_dump(mode="json") for one in feedback]
        name = key_id("op", "feedback", branch, scope, base, said)
        now, updates, ids = there, list[MemoryUpdate](), list[str]()
        for one in feedback:
            given = conditional_lesson(one, branch, scope, name)
            made = taken_up(given, now)
            now, updates = reduce(now, made, base + 1, scope), [*updates, *made]
            ids.append(_saying(given, now))
        if updates:
            made_of = {"branch": branch, "scope": scope, "base": base}
            await store.put_commits([Commit(id=name, updates=tuple(updates), **made_of)], fences)
    before, after = ({x.id: x for x in found} for found in (there, store.lessons(branch, scope)))
    return tuple(Given(after[name], before.get(name)) for name in dict.fromkeys(ids))


def _saying(given: MemoryUpdate, there: Iterable[Lesson]) -> str:
    assert given.body is not None
    said = given.body.content
    return next(x.id for x in there if x.status in LIVE and x.body.content == said)


def not_here(lesson: Lesson, situations: Sequence[str]) -> MemoryUpdate:
    """The update by which a person says that `lesson` does not apply in `situations`."""
    return MemoryUpdate(
        op=Operation.REVISE,
        lesson=lesson.id,
        body=reworded(lesson, {}, None, situations),
        trust=Origin.OPERATOR,
        reason="a person named situations in which it does not apply",
    )


def read_feedback(lines: Iterable[str]) -> dict[str, list[ScopedFeedback]]:
    """Feedback by scope, of lines of JSON; empty lines are passed over.

    A line has `domain` and `effect`, and may have `text`, `check`, `examples_not` and `scope`; the
    scope is empty where it is missing.

    Raises `ConfigurationError` with the number of the first line that is none.
    """
    found: dict[str, list[ScopedFeedback]] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                row = _Row.model_validate_json(line)
                said = ScopedFeedback(**row.model_dump(exclude={"scope"}))
                conditional_lesson(said, "", "", "")
            except ValidationError as error:
                raise ConfigurationError(f"line {number}: {_amiss(error)}") from error
            except ConfigurationError as error:
                raise ConfigurationError(f"line {number}: {error}") from error
            found.setdefault(row.scope.strip(), []).append(said)
    return found


def _amiss(error: ValidationError) -> str:
    """What is wrong with a line, and what to give: of its first fault."""
    first = error.errors(include_url=False)[0]
    if where := ".".join(map(str, first["loc"])):
        return f"{where}: {wanted(first)}"
    lead = "is no JSON" if first["type"] == "json_invalid" else "is no JSON object"
    return f'{lead}; give one such as {{"domain": "…", "effect": "…"}}'


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
