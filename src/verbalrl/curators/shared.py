"""Curation of a shared scope: groups propose in parallel, one merging call decides, code disposes.

Per level of trust, the most trusted first: the new critiques in groups of at most `work.group`
propose against the pinned lessons, then one call sees the list, all proposals, the new evidence and
what fits of earlier rounds. That call is left out where it could see nothing that the only group
has not seen: one group and no evidence of earlier rounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from .._logging import get_logger
from ..errors import EpisodeError, ReplayMismatch, first_line
from ..models import CallContext
from ..records import (
    Commit,
    Critique,
    LessonKind,
    Objection,
    Origin,
    Status,
    Usage,
)
from ..store.reduce import reduce
from ..text import plural
from .again import Left, left_of
from .apply import Settled, confirmed, settle, title
from .case import CurationCase
from .curator import ROLE, Answer, Curator, Question
from .desk import Desk, complaints, lost, may_lose
from .evidence import Item, actions_of, fit, items_of
from .nominate import nominate
from .rounds import AGAIN, PAIRS, Round
from .schema import (
    DECISIONS,
    OPERATIONS,
    BeliefInputs,
    MergeInputs,
    OperationReply,
    ProposeInputs,
    SystemInputs,
)
from .together import Proposed, all_of
from .views import directions_of, groups_of, lesson_view, operation_view, step_view

log = get_logger(__name__)

_NO_CAP = 1_000_000
_LEVELS = (Origin.OPERATOR, Origin.TASK, Origin.UNTRUSTED)


async def curate_shared(case: CurationCase, curator: Curator, context: CallContext) -> Commit:
    """The commit that the critiques of `case` lead to; it consumes them, whatever came of them.

    A curator or a model that fails makes a commit with a `failure` and without updates; one that
    fails at a part makes one of the rest, which says what is `lacking`.

    Args:
        case: What is curated.
        curator: Who decides; its calls differ by group, so that their keys stay stable.
        context: Of the curation, whose id is its owner.

    Raises:
        ReplayMismatch: The journal belongs to another request; the caller begins anew.
    """
    bare = Commit(
        id=case.id,
        branch=case.branch,
        scope=case.work.scope,
        base=case.base,
        critiques=tuple(c.id for c in case.critiques),
    )
    try:
        commit = await _curated(case, curator, context, bare)
    except ReplayMismatch:
        raise
    except EpisodeError as error:
        log.warning("curation.failed", curation=case.id, kind=error.kind)
        commit = bare.replace(failure=first_line(f"{error.kind}: {error}"))
    usage = sum(context.usage.values(), Usage())
    if commit.lacking:
        log.warning("curation.partly_failed", curation=case.id)
    log.info("curation.done", curation=case.id, updates=len(commit.updates))
    return commit.replace(usage=usage)


async def _curated(
    case: CurationCase, curator: Curator, context: CallContext, bare: Commit
) -> Commit:
    against, proposed, lacking = Objection(why=""), dict[Origin, Proposed](), dict[str, str]()
    for attempt in range(2):
        done = Round(proposed, lacking, against.why)
        commit = await _levels(case, curator, context, bare, done)
        found = case.check(commit, case.lessons) if case.check and commit.updates else None
        if found is None:
            return commit
        against = found
        log.info("curation.refused", curation=case.id, check=case.work.check, attempt=attempt)
    kept = against.kept or bare.replace(
        failure=first_line(f"refused by {case.work.check or 'the check'}: {against.why}")
    )
    refused = tuple(
        f"{u.op} {u.lesson}: refused by {case.work.check}"
        for u in commit.updates
        if u not in kept.updates
    )
    return kept.replace(rejected=(*commit.rejected, *refused), lacking=commit.lacking)


async def _levels(
    case: CurationCase, curator: Curator, context: CallContext, bare: Commit, done: Round
) -> Commit:
    group = 1
    for place, level in enumerate(_LEVELS):
        new = [c for c in case.critiques if c.status == "accepted" and c.trust is level]
        if not new:
            continue
        desk = _Level(case, curator, context, level, place, group)
        group += await desk.run(new, done)
    after = reduce(case.lessons, done.updates, case.base + 1, case.work.scope)
    done.updates += confirmed(after, done.updates, case.work.gate)
    return bare.replace(
        updates=tuple(done.updates),
        rejected=tuple(done.rejected),
        lacking=next(iter(done.lacking.values()), ""),
    )


class _Level:
    """The curation of the critiques of one level of trust."""

    def __init__(
        self,
        case: CurationCase,
        curator: Curator,
        context: CallContext,
        trust: Origin,
        place: int,
        first: int,
    ) -> None:
        self.case, self.curator, self.context = case, curator, context
        self.trust, self.place, self.first = trust, place, first
        work = case.work
        names = {op.value for op in work.operations} or set(OPERATIONS)
        self.operations = tuple(op for op in OPERATIONS if op in names)

    async def run(self, new: Sequence[Critique], done: Round) -> int:
        """Add what comes of `new` to `done`; how many groups there were."""
        desk = self._desk(done)
        by_critique = [self._items(c) for c in new]
        done.rejected += [
            f"critique {c.id}: {self._unshown(c)}"
            for c, x in zip(new, by_critique, strict=True)
            if not x
        ]
        if not any(by_critique):
            return 0
        read = [c for c in self.case.earlier if c.status == "accepted"]
        earlier = [item for c in read if c.trust.rank >= self.trust.rank for item in self._items(c)]
        shown, width, left_out = fit(
            [x for group in by_critique for x in group], earlier, self.case.work.evidence_tokens
        )
        if left_out:
            done.rejected.append(f"evidence: {plural(left_out, 'item')} not shown, no room")
        evidence = dict(enumerate(shown, start=1))
        size = self.case.work.group if self.curator.groups else len(new)
        groups = groups_of([c.id for c in new], evidence, max(1, size))
        settled = await self._decided(groups, evidence, width, desk, done)
        done.updates += settled.updates
        done.rejected += settled.rejected
        return len(groups)

    def _items(self, critique: Critique) -> tuple[Item, ...]:
        if critique.id in self.case.barred:
            return ()
        goal = self.case.goals.get(critique.instance, "")
        items = self.case.items.get(critique.id)
        if items is None:
            items = items_of(critique, self.case.episodes, self.case.observations)
        return tuple(replace(item, goal=goal) for item in items) if goal else items

    def _unshown(self, critique: Critique) -> str:
        return "its source was revoked" if critique.id in self.case.barred else "no step to show"

    async def _decided(
        self,
        groups: list[dict[int, Item]],
        evidence: dict[int, Item],
        width: int,
        desk: Desk,
        done: Round,
    ) -> Settled:
        seen_whole = len(groups) == 1 and len(groups[0]) == len(evidence)
        if seen_whole or not self.curator.groups:
            question = self._question(evidence, width, desk, done.problem)
            here = replace(desk, evidence=evidence)
            settled = await self._ask(question, here, self._view(self.first, done))
            done.lacks(f"group {self.first} again", settled.lacking)
            near = nominate(dict(enumerate(settled.accepted, start=1)), desk.lessons)
            if not self.curator.groups or not any(pair.proposal for pair in near):
                return settled
            return await self._decided_pairs(settled, evidence, width, desk, done)
        if self.trust not in done.proposed:
            # What is too much is for the merging call to say, which sees the whole list.
            free = replace(desk, max_lessons=_NO_CAP)
            asked = [
                self._ask(
                    self._question(items, width, desk),
                    replace(free, evidence=items),
                    self._view(self.first + n, done),
                )
                for n, items in enumerate(groups)
            ]
            done.proposed[self.trust] = await all_of(asked)
        proposed: list[OperationReply] = []
        for n, result in enumerate(done.proposed[self.trust], start=self.first):
            if isinstance(result, EpisodeError):
                done.rejected.append(first_line(f"group {n}: {result.kind}: {result}"))
                done.lacks(f"group {n}", done.rejected[-1])
            else:
                proposed += result.accepted
                done.rejected += [f"group {n}: {why}" for why in result.rejected]
                done.lacks(f"group {n} again", result.lacking and f"group {n}: {result.lacking}")
        return await self._merged(proposed, evidence, width, desk, done)

    async def _decided_pairs(
        self,
        settled: Settled,
        evidence: dict[int, Item],
        width: int,
        desk: Desk,
        done: Round,
    ) -> Settled:
        """The only group's operations once its texts near a lesson were asked about."""
        try:
            return await self._merged(list(settled.accepted), evidence, width, desk, done)
        except ReplayMismatch:
            raise
        except EpisodeError as error:
            # Nobody decides then: both texts stay, and what contradicts is marked.
            why = first_line(f"{PAIRS}: {error.kind}: {error}")
            done.lacks(f"{PAIRS} {self.place}", why)
            return replace(settled, rejected=(*settled.rejected, why))

    async def _merged(
        self,
        proposed: list[OperationReply],
        evidence: dict[int, Item],
        width: int,
        desk: Desk,
        done: Round,
    ) -> Settled:
        """What the merging call decides; proposed support that it does not touch stands."""
        proposals = dict(enumerate(proposed, start=1))
        nominations = nominate(proposals, desk.lessons) if self.curator.groups else ()
        allowed = desk.operations | set(DECISIONS if nominations else ())
        desk = replace(desk, evidence=evidence, proposals=proposals, operations=allowed)
        question = self._question(evidence, width, desk, done.problem)
        merging = MergeInputs(
            **dict(question.inputs),
            proposals=tuple(operation_view(n, op) for n, op in proposals.items()),
            nominations=nominations,
        )
        question = replace(question, inputs=merging)
        view = self.context.at(role=ROLE, step=self.place, hook=done.hook("merge"))
        decided = await self._ask(question, desk, view, standing=tuple(proposed))
        done.lacks(f"merge {self.place} again", decided.lacking)
        taken = {n for op in decided.accepted for n in op.proposals}
        repeated = {(op.op, op.lessons, op.when, op.instruction) for op in decided.accepted}
        passed = [
            f"proposal {n} ({title(op)}): not taken up"
            for n, op in proposals.items()
            if n not in taken and (op.op, op.lessons, op.when, op.instruction) not in repeated
        ]
        return replace(decided, rejected=(*decided.rejected, *passed))

    async def _ask(
        self,
        question: Question,
        desk: Desk,
        context: CallContext,
        standing: tuple[OperationReply, ...] = (),
    ) -> Settled:
        """What the curator decides; new texts that lack something are asked for once more."""
        answer = await self.curator.decide(question, context)
        left, lacking = Left(), ""
        faults = complaints(answer.reply.operations, desk)
        # A full list is consolidated by whoever sees all of it.
        full = settle(answer.reply.operations, desk).crowding
        faults = (*faults, full) if full else faults
        if faults and self.curator.groups:
            problem = "\n".join((*faults, "Give the whole list of operations again."))
            again = replace(question, problem=problem, last=answer.raw)
            mended = await self._again(again, context)
            if isinstance(mended, Answer):
                left = left_of(answer.reply.operations, mended.reply.operations, desk)
                answer = mended
            else:
                lacking = first_line(f"{AGAIN}: {mended.kind}: {mended}")
        operations = (*answer.reply.operations, *left.kept)
        named = {n for op in operations for n in op.lessons}
        taken = {n for op in operations for n in op.proposals}
        kept = tuple(
            op
            for n, op in enumerate(standing, start=1)
            if op.op == "support" and n not in taken and not named & set(op.lessons)
        )
        settled = settle((*operations, *kept), replace(desk, prompt_sha=answer.prompt_sha))
        told = (*settled.rejected, *left.replaced, *filter(None, (lacking,)))
        return replace(settled, rejected=told, lacking=lacking)

    async def _again(self, question: Question, context: CallContext) -> Answer | EpisodeError:
        try:
            return await self.curator.decide(question, context)
        except ReplayMismatch:
            raise
        except EpisodeError as error:
            # What it said first still stands, less the faulty parts.
            return error

    def _view(self, group: int, done: Round) -> CallContext:
        return self.context.at(role=ROLE, step=group, hook=done.hook())

    def _desk(self, done: Round) -> Desk:
        case = self.case
        memory = reduce(case.lessons, done.updates, case.base + 1)
        pinned = {x.id: x for x in case.lessons}
        readable = {Status.ACTIVE, Status.PROVISIONAL}
        if self.trust is Origin.UNTRUSTED:
            # Corroboration needs sight of what it is to corroborate.
            readable.add(Status.QUARANTINED)
        shown = [
            x
            for x in memory
            # A text of this commit, or one that it changed, is not what the groups were pinned to.
            if x.kind is case.work.kind
            and x.status in readable
            and x.trust.rank >= self.trust.rank
            and x.id in pinned
            and (pinned[x.id].version, pinned[x.id].status) == (x.version, x.status)
        ]
        before = [x for x in case.lessons if x.usable and x.kind is case.work.kind]
        return Desk(
            commit=case.id,
            branch=case.branch,
            scope=case.work.scope,
            kind=case.work.kind,
            trust=self.trust,
            gate=case.work.gate,
            operations=frozenset(self.operations),
            max_lessons=case.work.max_lessons,
            memory=memory,
            lessons=dict(enumerate(shown, start=1)),
            may_lose=may_lose(before),
            lost=lost(before, done.updates),
            votes=case.work.votes,
            aspects=case.work.aspects,
        )

    def _question(
        self, evidence: Mapping[int, Item], width: int, desk: Desk, problem: str = ""
    ) -> Question:
        aliases = {lesson.id: n for n, lesson in desk.lessons.items()}
        return Question(
            inputs=ProposeInputs(
                goal=self.case.goal,
                actions=actions_of(evidence.values()),
                lessons=tuple(lesson_view(n, x) for n, x in desk.lessons.items()),
                evidence=tuple(x.view(n, width, aliases) for n, x in evidence.items()),
                directions=self._directions(evidence),
                step=step_view(len(desk.lessons), self.case.work.overlap),
            ),
            rules=self._rules(),
            problem=problem,
        )

    def _directions(self, evidence: Mapping[int, Item]) -> tuple[str, ...]:
        """What new critiques say of beliefs; that of earlier rounds has been followed or not."""
        new = {c.id for c in self.case.critiques}
        shown = (x.critique for x in evidence.values() if x.critique.id in new)
        return directions_of(shown) if self._beliefs else ()

    @property
    def _beliefs(self) -> bool:
        return self.case.work.kind is LessonKind.BELIEF

    def _rules(self) -> SystemInputs:
        work = self.case.work
        rules = SystemInputs(
            operations=self.operations, max_lessons=work.max_lessons, counts=work.votes == "expel"
        )
        return BeliefInputs(**dict(rules), aspects=tuple(work.aspects)) if self._beliefs else rules
