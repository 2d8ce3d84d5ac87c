"""Critics that are programs: they write texts with spans, ask no model, and cost nothing.

`check:verdict` and `check:answer` are templates of Critique-GRPO's two plain critics (Zhang et al.
2025, arXiv 2506.03106): the verdict alone, and the verdict with the right answer, which marks
itself as revealing and is therefore never learned from or evaluated.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import ConfigurationError, UnknownNameError
from ..models import CallContext, Model
from ..records import Critique, Span, Verdict
from .checks import CHECKS, Check, Finding, quoted
from .critique import Draft
from .schema import CauseReply, CritiqueReply, LessonReply
from .view import CritiqueCase, show

PREFIX = "checks"
"""`critic="checks"` is all of them, `critic="checks:sql,repeated"` those."""
VERDICT, ANSWER = "check:verdict", "check:answer"
_MOST = 5
"""Findings of one critique: the first ones, as of a model's critique."""


class ProgrammaticCritic:
    """Says what its checks find in the last attempt.

    Args:
        checks: Named ones of `CHECKS`, or functions from an episode to findings.
    """

    model: Model | None = None
    simulated = False

    def __init__(self, *checks: Check | str) -> None:
        given = checks or tuple(CHECKS)
        self._checks = tuple(_check(c) for c in given)
        names = (c if isinstance(c, str) else getattr(c, "__qualname__", "check") for c in given)
        self.name = f"{PREFIX}:{','.join(names)}"

    async def write(self, case: CritiqueCase, context: CallContext, /) -> Critique:
        """The critique of `case`: its causes are findings, each with a span."""
        episode = case.episodes[-1]
        found = [f for check in self._checks for f in check(episode)]
        found = sorted(found, key=lambda f: (f.step, f.span.start))[:_MOST]
        causes = tuple(
            CauseReply(step=f.step, quote=quoted(episode, f), why=f.why[:2_000]) for f in found
        )
        reply = CritiqueReply(
            verdict=_verdict(episode.success, bool(found)),
            causes=causes,
            lessons=_lessons(found),
            refinement=" ".join(f"Step {f.step}: {f.why}." for f in found)[:2_000],
            confidence=1.0,
        )
        return _spanned(Draft(case, show(case), model=self.name).judged(_plain(reply)), found)


def named(name: str) -> ProgrammaticCritic | None:
    """The critic that a text such as `checks:sql` names; None where it names a model.

    Raises:
        UnknownNameError: There is no such check.
    """
    head, _, tail = name.partition(":")
    if head != PREFIX:
        return None
    return ProgrammaticCritic(*filter(None, (part.strip() for part in tail.split(","))))


def verdict(case: CritiqueCase) -> Critique | None:
    """What the plain critics say of `case`; None where its template is another's."""
    template, success = case.work.template, case.episodes[-1].success
    if template not in (VERDICT, ANSWER):
        return None
    steps = case.episodes[-1].trajectory.steps
    said = {True: "The answer is right.", False: "The answer is wrong.", None: ""}[success]
    causes = (CauseReply(step=steps[-1].n, why=said),) if steps and said else ()
    answers = case.instance.answers
    tells = template == ANSWER and bool(answers)
    reply = CritiqueReply(
        verdict=_verdict(success, False),
        causes=causes,
        refinement=f"The right answer is: {answers[0]}"[:2_000] if tells else "",
        reveals_answer=tells,
    )
    return Draft(case, show(case), model=template).judged(_plain(reply))


def _plain(reply: CritiqueReply) -> CritiqueReply:
    """`reply` as one that says nothing of earlier lessons: all of them are kept."""
    return CritiqueReply.model_validate(reply.model_dump(exclude={"keeps"}))


def _verdict(success: bool | None, found: bool) -> Verdict:
    if success is None:
        return "failure" if found else "unclear"
    return "success" if success else "failure"


def _lessons(found: Iterable[Finding]) -> tuple[LessonReply, ...]:
    """One lesson for each kind of finding, from the first of its kind."""
    first: dict[str, Finding] = {}
    for finding in found:
        first.setdefault(finding.advice, finding)
    return tuple(
        LessonReply(instruction=f"{advice} ({f.why})"[:2_000], step=f.step)
        for advice, f in first.items()
    )


def _spanned(critique: Critique, found: Iterable[Finding]) -> Critique:
    """`critique` with the places of the findings, which may be quoted more than once."""
    spans: list[Span] = [f.span for f in found]
    if len(spans) != len(critique.causes):
        return critique
    pairs = zip(critique.causes, spans, strict=True)
    causes = tuple(cause.model_copy(update={"span": span}) for cause, span in pairs)
    return critique.model_copy(update={"causes": causes})


def _check(given: Check | str) -> Check:
    if not isinstance(given, str):
        if not callable(given):
            raise ConfigurationError(f"ProgrammaticCritic takes checks, not {given!r}")
        return given
    if given not in CHECKS:
        raise UnknownNameError.of("check", given, CHECKS)
    return CHECKS[given]
