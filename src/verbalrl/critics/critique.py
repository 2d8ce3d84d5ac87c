"""Writing critiques: a model's, or whatever a callable says, checked before anybody uses it.

A critic never raises for what is wrong with its reply or its model: that becomes a critique with
the status `failed`. A reply that is readable but not to be used is `refused`, with its reason.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

from pydantic import BaseModel

from .._logging import get_logger
from ..errors import (
    CriticError,
    EpisodeError,
    ReplayMismatch,
    boundary,
    first_line,
)
from ..models import (
    CallContext,
    FunctionRole,
    Model,
    ModelRole,
    UnusableReply,
    read_reply,
    takes,
)
from ..prompts import PromptLibrary
from ..records import (
    Cause,
    Critique,
    Episode,
    LessonKind,
    LessonProposal,
    Refusal,
    Usage,
    Verdict,
    WriteCritique,
)
from .check import (
    Grounds,
    Refused,
    attempt_of,
    is_lesson,
    kept,
    refuse,
    says_something,
    text_key,
)
from .schema import (
    CauseReply,
    CritiqueReply,
    FeedbackReply,
    LessonReply,
    ScoresReply,
    reply_schema,
    scores_schema,
    trades_schema,
)
from .spans import span_of
from .view import (
    CritiqueCase,
    CritiqueInputs,
    FeedbackInputs,
    GroupInputs,
    OutlineInputs,
    Shown,
    SystemInputs,
    TradesInputs,
    as_shown,
    show,
    trust,
)

log = get_logger(__name__)

SYSTEM, CRITIQUE = "critic/system", "critic/critique"
OPERATOR = "critic/operator"
"""For what the operator says: it shows nothing that anybody else wrote."""
PAIR, SUCCESS = "critic/pair", "critic/success"
"""For lessons that others share: what told a failure from a success, what is worth repeating."""
TRADES = "critic/trades"
"""For what won and what lost in two attempts side by side."""
REVIEWER, FEEDBACK = "critic/reviewer", "critic/feedback"
"""For outputs whose outcome nobody has told: what to change, and no lessons."""
JUDGE, GROUP = "critic/judge", "critic/group"
"""For candidates side by side: a score for each, and no lessons."""
PROMPT_INPUTS: Mapping[str, type[BaseModel]] = {
    SYSTEM: SystemInputs,
    CRITIQUE: CritiqueInputs,
    PAIR: CritiqueInputs,
    SUCCESS: CritiqueInputs,
    TRADES: TradesInputs,
    OPERATOR: OutlineInputs,
    REVIEWER: SystemInputs,
    FEEDBACK: FeedbackInputs,
    JUDGE: SystemInputs,
    GROUP: GroupInputs,
}
"""For `PromptLibrary.check`."""
ROLE = "critic"
_RAW = 20_000


class Critic(Protocol):
    """Whoever writes critiques."""

    @property
    def model(self) -> Model | None:
        """The model behind it, if it has one."""

    @property
    def simulated(self) -> bool:
        """True when what it writes says nothing about language models."""

    async def write(self, case: CritiqueCase, context: CallContext, /) -> Critique:
        """The critique of `case`: accepted, refused or failed."""


CritiqueFunction = Callable[..., Any]
"""Episodes of one instance, oldest first → a text, a `CritiqueReply` (or its dict), or None;
sync or async. What says nothing of `keeps` keeps all earlier lessons; [] gives them up. One with a
parameter `feedback` gets what was said of the episodes from outside, a tuple of texts."""

CriticLike = Critic | Model | str | CritiqueFunction


class LLMCritic(ModelRole):
    """A model that is shown the attempts and answers in the critique's schema; it has no tools."""

    role = ROLE

    def __init__(self, model: Model, prompts: PromptLibrary) -> None:
        super().__init__(model, prompts, PROMPT_INPUTS)

    async def write(self, case: CritiqueCase, context: CallContext, /) -> Critique:
        """The critique of `case`.

        Raises:
            ReplayMismatch: The journal belongs to another request; the caller begins anew.
            PromptError: The template of `case` is missing or wrong.
        """
        shown = show(case)
        draft = Draft(case, shown, model=self._asked.name)
        system, inputs, schema = _form(case, shown.inputs)
        request, draft.prompt_sha = self._request(
            (system, SystemInputs()), (case.work.template, inputs)
        )
        view = context.at(role=ROLE)
        try:
            reply, answer = await view.ask_for(self._asked, request, schema)
        except ReplayMismatch:
            raise
        except EpisodeError as error:
            draft.usage = _bill(view)
            return draft.failed(error)
        draft.usage, draft.raw = _bill(view), answer.text
        if isinstance(reply, ScoresReply):
            return draft.scored(reply)
        if isinstance(reply, FeedbackReply):
            reply = CritiqueReply.model_validate(reply.model_dump())
        return draft.judged(cast(CritiqueReply, reply))


def _form(case: CritiqueCase, inputs: CritiqueInputs) -> tuple[str, BaseModel, type[BaseModel]]:
    """The system template, the inputs and the schema that go with the template of `case`."""
    if case.work.template == FEEDBACK:
        return REVIEWER, FeedbackInputs.of(inputs), FeedbackReply
    if case.work.template == GROUP:
        return JUDGE, GroupInputs.of(inputs), scores_schema(len(case.episodes))
    if case.work.template == TRADES:
        return SYSTEM, TradesInputs.of(inputs, case), trades_schema(case.work.aspects)
    schema = reply_schema(len(case.episodes))
    return SYSTEM, OutlineInputs.of(inputs) if case.work.template == OPERATOR else inputs, schema


class CallableCritic(FunctionRole):
    """A callable as a critic; its model calls, if any, are journaled like a model critic's."""

    def __init__(self, function: CritiqueFunction) -> None:
        super().__init__(function)
        self._hears = takes(function, "feedback")

    def _told(self, case: CritiqueCase) -> dict[str, tuple[str, ...]]:
        return {"feedback": case.feedback} if self._hears else {}

    async def write(self, case: CritiqueCase, context: CallContext, /) -> Critique:
        """The critique of `case`; what the callable raises becomes a failed critique."""
        draft = Draft(case, show(case), model=self.model.name if self.model else "callable")
        with context.active(role=ROLE) as view:
            try:
                with boundary(CriticError, "the critic"):
                    episodes = tuple(as_shown(e, case.work.shows) for e in case.episodes)
                    said = await self._call(episodes, **self._told(case))
                reply = _read(said, case)
            except EpisodeError as error:
                draft.usage = _bill(view)
                if context.mismatch is not None:
                    raise context.mismatch from error
                return draft.failed(error)
        if context.mismatch is not None:
            # The callable has swallowed it; what it made of it is worth nothing.
            raise context.mismatch
        draft.usage, draft.raw = _bill(view), said if isinstance(said, str) else ""
        return draft.scored(reply) if isinstance(reply, ScoresReply) else draft.judged(reply)


class Draft:
    """A critique in the making: what does not depend on what the critic said."""

    def __init__(self, case: CritiqueCase, shown: Shown, model: str) -> None:
        self.case, self.shown, self.model = case, shown, model
        self.prompt_sha = ""
        self.usage = Usage()
        self.raw = ""

    def failed(self, error: EpisodeError) -> Critique:
        """The record of a critic that gave nothing usable."""
        unusable = isinstance(error, UnusableReply)
        self.raw = error.raw if isinstance(error, UnusableReply) else self.raw
        log.warning("critique.failed", critique=self.case.id, kind=error.kind)
        return self._critique(
            status="failed",
            refusal=Refusal.UNUSABLE if unusable else None,
            detail=first_line(f"{error.kind}: {error}"),
        )

    def judged(self, reply: CritiqueReply) -> Critique:
        """The critique that `reply` makes, accepted or refused."""
        against = grounds(self.case, self.shown)
        refused = refuse(reply, against)
        if refused:
            log.info("critique.refused", critique=self.case.id, reason=refused.reason.value)
        return self._critique(**self._said(reply, refused, kept(reply, against)))

    def scored(self, reply: ScoresReply) -> Critique:
        """The critique that compares candidates: a score for each, and why."""
        of = [(self.case.episodes[n - 1], s) for n, s in reply.by_number.items()]
        causes = tuple(
            Cause(step=len(e.trajectory.steps), trial=e.trial, episode=e.id, why=s.why.strip())
            for e, s in of
            if says_something(s.why) and e.trajectory.steps
        )
        scores = {e.id: s.score for e, s in of}
        return self._critique(status="accepted", scores=scores, causes=causes)

    def _said(
        self, reply: CritiqueReply, refused: Refused | None, keeps: frozenset[int]
    ) -> dict[str, Any]:
        said_confidence = "confidence" in reply.model_fields_set
        earlier = self.shown.earlier
        return {
            "status": "refused" if refused else "accepted",
            "refusal": refused.reason if refused else None,
            "detail": refused.detail if refused else "",
            "verdict": reply.verdict,
            "causes": tuple(self._cause(c) for c in reply.causes),
            "proposals": tuple(self._proposal(x) for x in reply.lessons if is_lesson(x)),
            "keeps": tuple(lesson for n, lesson in earlier.items() if n in keeps),
            "refinement": reply.refinement.strip(),
            "confidence": reply.confidence if said_confidence else None,
            "reveals_answer": reply.reveals_answer
            or bool(refused and refused.reason is Refusal.REVEALING),
        }

    def _cause(self, cause: CauseReply) -> Cause:
        attempt, quote = self._attempt(cause), cause.quote.strip()
        step = next((s for s in attempt.trajectory.steps if s.n == cause.step), None)
        return Cause(
            step=cause.step,
            trial=attempt.trial,
            episode=attempt.id,
            quote=quote,
            why=cause.why.strip(),
            span=span_of(step, quote) if step else None,
        )

    def _proposal(self, lesson: LessonReply) -> LessonProposal:
        attempt, offered = self._attempt(lesson), self.case.work.aspects
        return LessonProposal(
            name=lesson.name.strip(),
            when=_blank(lesson.when),
            when_not=_blank(lesson.when_not),
            instruction=lesson.instruction.strip(),
            also_possible=tuple(t.strip() for t in lesson.also_possible if says_something(t)),
            step=lesson.step or None,
            trial=attempt.trial,
            episode=attempt.id,
            aspect=aspect if (aspect := vars(lesson).get("aspect", "")) in offered else "",
        )

    def _attempt(self, item: CauseReply | LessonReply) -> Episode:
        """The episode that `item` speaks of: the last one where it names none that was shown."""
        number, episodes = attempt_of(item, self.shown.inputs.attempts), self.case.episodes
        return episodes[number - 1] if 0 < number <= len(episodes) else episodes[-1]

    def _critique(self, **said: Any) -> Critique:
        case = self.case
        return Critique(
            id=case.id,
            episodes=tuple(e.id for e in case.episodes),
            instance=case.instance.id,
            trial=case.episodes[-1].trial,
            template=case.work.template,
            prompt_sha=self.prompt_sha,
            shown=tuple(self.shown.earlier.values()),
            by_step=bool(case.work.steps),
            trust=trust(case),
            sample=case.work.sample,
            model=self.model,
            usage=self.usage,
            raw=self.raw[:_RAW],
            **said,
        )


def grounds(case: CritiqueCase, shown: Shown) -> Grounds:
    """What a critique of `case` is held against."""
    listed = [s.observation.actions or () for e in case.episodes for s in e.trajectory.steps]
    lines = {x.id: text_key(x.body) for x in case.known if x.kind is LessonKind.REFLECTION}
    return Grounds(
        attempts=shown.inputs.attempts,
        shown=shown.texts,
        offered=frozenset(shown.earlier),
        lines={n: lines[name] for n, name in shown.earlier.items() if name in lines},
        actions=tuple(dict.fromkeys(a for actions in listed for a in actions)),
        known=frozenset(text_key(x.body) for x in case.known if x.usable) | case.predecessors,
        # Whoever sees no outcome and finds the answer has found it as the agent might have.
        answers=() if _untold(case.work) else case.instance.answers,
        feedback=case.feedback,
        content=case.work.template == FEEDBACK,
    )


def proposal_keys(critique: Critique) -> frozenset[str]:
    """What a critique adds to the `predecessors` of those after it in canonical order."""
    return frozenset(text_key(p) for p in critique.proposals)


def _bill(view: CallContext) -> Usage:
    return sum(view.bill.values(), Usage())


def _untold(work: WriteCritique) -> bool:
    shows = work.shows
    return work.template == FEEDBACK and not (shows.outcome or shows.reward or shows.feedback)


def _blank(text: str) -> str:
    return text.strip() if says_something(text) else ""


def _read(said: object, case: CritiqueCase) -> CritiqueReply | ScoresReply:
    """What a callable said as a reply; a plain text is one lesson without a condition."""
    verdict = _verdict(as_shown(case.episodes[-1], case.work.shows))
    given: object = said
    if case.work.template == GROUP and isinstance(said, Mapping) and "scores" in said:
        return read_reply(dict(said), scores_schema(len(case.episodes)), CriticError, "the critic")
    if isinstance(said, CritiqueReply):
        given = said.model_dump(exclude_unset=True)
    elif isinstance(said, str):
        with contextlib.suppress(ValueError):
            given = json.loads(said)
        if not isinstance(given, dict):
            given = {"lessons": [{"instruction": said}]}
    if given is None:
        return CritiqueReply(verdict=verdict)
    if not isinstance(given, dict):
        kind = type(said).__name__
        raise CriticError(f"a critic returns a text, a CritiqueReply or None, not {kind}")
    schema = reply_schema(len(case.episodes))
    if case.work.template == TRADES:
        schema = trades_schema(case.work.aspects)
    return read_reply({"verdict": verdict} | given, schema, CriticError, "the critic")


def _verdict(episode: Episode) -> Verdict:
    if episode.success is None:
        return "unclear"
    return "success" if episode.success else "failure"
