"""Learning from what was served: critiques, curation, one commit for each batch of episodes.

Everything is done under the lease of the branch main and committed with its fence, together with
the numbers of the feedback that it was learned from. So each feedback is learned from once, however
many learners compete and wherever one of them dies: what is not committed is done again, from the
answers that are journaled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

from .._logging import get_logger
from ..critics import Critic, CritiqueCase, write_in_time
from ..curators import CurationCase, Curator, curate_in_time
from ..errors import LeaseError, MethodError, ReplayMismatch, RunHalted
from ..execution import bills
from ..execution.alarms import CallAlarm
from ..ids import key_id, seed_from
from ..memory.withdrawal import withdrawal
from ..models import Account, CallContext, Model, Slots
from ..records import (
    Commit,
    Critique,
    CurateLessons,
    Episode,
    Gate,
    Instance,
    LaneKey,
    Lesson,
    LessonKind,
    Operation,
    Origin,
    Served,
    Usage,
)
from ..store import LIVE, MAIN, Store, reduce
from .decisions import Wanted, is_passing, waits, wanted
from .evidence import Behind, barred
from .judging import judge_served
from .learned import Learned
from .settings import ServeRules

log = get_logger(__name__)
T = TypeVar("T")

_LANE = LaneKey(run="serve", arm="served", seed=0)
_MAX_DISCARDS = 3


class Parts(NamedTuple):
    """Who learns, and by which rules."""

    store: Store
    scope: str
    critic: Critic
    curator: Curator
    gate: Gate
    rules: ServeRules


class _Failure(NamedTuple):
    """What an episode was not learned from for."""

    role: str
    """critic or curator."""
    why: str


class _Case(NamedTuple):
    """One pending episode, as far as its feedback is looked at."""

    served: Served
    wanted: tuple[Wanted, ...]
    superseded: tuple[str, ...]
    """Critiques of it that stand no more."""
    failure: _Failure | None
    """Of an earlier call of `learn`, where that is final."""


class LearnPass:
    """Learns from what waits in one scope; made for one call of `learn`."""

    def __init__(self, parts: Parts, *, retry: bool = False) -> None:
        self.parts, self.store = parts, parts.store
        self.report = Learned()
        self._left: set[str] = set()
        """Episodes that stay as they are until the next call."""
        self._retry = retry
        rules = parts.rules
        models = [p.model for p in (parts.critic, parts.curator) if p.model is not None]
        unique: list[Model] = list(dict.fromkeys(models))
        bills.check(rules.budget, unique)
        today = datetime.now(UTC).date().isoformat()
        self._bill = f"learn:{parts.scope}:{today}"
        spent = bills.spent_on(self.store, self._bill, unique, rules.budget)
        self._account = Account(rules.budget, spent, CallAlarm())
        self._slots = Slots(rules.concurrency)
        self._turns = asyncio.Semaphore(rules.concurrency)
        """Of critiques: waiting for others is no part of the time that one may take."""
        self._owner = f"learn {parts.scope}"

    async def learn(self) -> Learned:
        """Learn from all that waits; what stops it is in the report."""
        try:
            while await self._batch():
                pass
            if self.parts.gate == "measured":
                self._count(0, await judge_served(self.store, self.parts.scope, self._owner))
        except (RunHalted, LeaseError) as stop:
            self.report.stopped = str(stop)
        left = self.store.all_served(("pending",), scope=self.parts.scope)
        self.report.pending = len(left)
        if len(self._left) > sum(self.report.failed.values()) and not self.report.stopped and left:
            self.report.stopped = "their critic or curator could not be reached; learn again later"
        report = self.report
        log.info("learning.done", scope=self.parts.scope, episodes=report.episodes)
        return report

    async def _batch(self) -> bool:
        """Learn from one batch under a lease of its own; False when nothing waits."""
        with self.store.acquire_lease(MAIN, self._owner) as lease:
            self.report.abandoned += self.store.abandon_dead()
            limit = self.parts.rules.batch + len(self._left)
            found = self.store.all_served(("pending",), scope=self.parts.scope, limit=limit)
            cases = [self._case(s) for s in found if s.episode not in self._left]
            if not cases:
                return False
            for case in cases:
                if case.failure is not None:
                    self._failed(case, case.failure)
            await self._learn([case for case in cases if case.failure is None], lease.fence)
        return True

    def _case(self, served: Served) -> _Case:
        said = tuple(f for f in self.store.feedback(served.episode) if f.seq <= served.feedback)
        episode = self.store.episode(served.episode)
        asked: tuple[Wanted, ...] = ()
        if episode is not None and episode.trajectory.steps:
            asked = wanted(episode, said, self.parts.rules, served.source)
        asked = tuple(self._attempt(w) for w in asked)
        broken = (failure for w in asked if (failure := self._failure(w.id)) is not None)
        stands = {w.id for w in asked}
        before = self.store.critiques_of(served.episode)
        gone = tuple(c.id for c in before if c.id not in stands)
        return _Case(served, asked, gone, next(broken, None))

    def _attempt(self, first: Wanted) -> Wanted:
        """The last attempt at a critique; one more, where that has failed and is to be retried."""
        found = first
        while self._failure(found.id) is not None:
            work = found.work.replace(sample=found.work.sample + 1)
            then = found._replace(work=work)
            if not self._retry and self.store.critique(then.id) is None:
                break
            found = then
        return found

    def _failure(self, critique: str) -> _Failure | None:
        """How a critique, or the curation that read it, has failed."""
        stored = self.store.critique(critique)
        if stored is None:
            return None
        if stored.status == "failed":
            return _Failure("critic", stored.detail)
        why = self.store.curation_failure(critique)
        return _Failure("curator", why) if why else None

    def _failed(self, case: _Case, failure: _Failure) -> None:
        """Leave an episode and its feedback until somebody tries again."""
        self._left.add(case.served.episode)
        failed = self.report.failed
        failed[failure.role] = failed.get(failure.role, 0) + 1
        self.report.why_failed = self.report.why_failed or failure.why

    async def _learn(self, cases: Sequence[_Case], fence: int) -> None:
        asked = [w for case in cases for w in case.wanted]
        written = await _all(self._critique(w) for w in asked)
        by_id = {c.id: c for c in written}
        late = {c.id for c in written if is_passing(c)}
        ready = [case for case in cases if not any(w.id in late for w in case.wanted)]
        self._left |= {case.served.episode for case in cases if case not in ready}
        self._count_critiques(ready, by_id)
        # One of its critiques that failed takes the other along: both are read when all are there.
        for case in ready:
            broken = (by_id[w.id] for w in case.wanted if by_id[w.id].status == "failed")
            if (critique := next(broken, None)) is not None:
                self._failed(case, _Failure("critic", critique.detail))
        ready = [case for case in ready if case.served.episode not in self._left]
        if not ready:
            return
        commits = await self._commits(ready, by_id)
        if commits is None:
            self._left |= {case.served.episode for case in ready}
            return
        # A commit that lacks one group stands: waiting for it could hold the batch for ever.
        vain = {name: c.failure for c in commits if c.failure for name in c.critiques}
        done = [case for case in ready if not any(w.id in vain for w in case.wanted)]
        pairs = [(case.served.episode, case.served.feedback) for case in done]
        await self.store.put_learned(commits, pairs, fence)
        for case in ready:
            if case not in done:
                why = next(vain[w.id] for w in case.wanted if w.id in vain)
                self._failed(case, _Failure("curator", why))
        self._count(len(done), commits)

    async def _critique(self, asked: Wanted) -> Critique:
        """The critique of one episode: its row, or a new one; unstored where it may still come."""
        stored = self.store.critique(asked.id)
        if stored is not None:
            return stored
        operator = asked.trust is Origin.OPERATOR
        goal = self._about if operator else self.store.served(asked.episode.id).goal
        case = CritiqueCase(
            id=asked.id,
            work=asked.work,
            episodes=(asked.episode,),
            instance=Instance(id=asked.episode.instance, goal=goal or self._about),
            observations=asked.trust,
            feedback=asked.texts,
        )
        work = asked.work
        seconds = self.parts.rules.timeout_s
        seed = seed_from("served", asked.episode.id, work.template, work.feedback, work.sample)

        async def write(context: CallContext) -> Critique:
            return await write_in_time(self.parts.critic, case, context, seconds)

        async with self._turns:
            made = await self._asked(asked.id, "critic", seed, write)
        if not is_passing(made):
            await self.store.put_critique(made, MAIN)
        return made

    async def _commits(
        self, cases: Sequence[_Case], written: dict[str, Critique]
    ) -> list[Commit] | None:
        """What the batch changes, each commit on what the one before leaves; None for later."""
        scope = self.parts.scope
        base, lessons = self.store.revision(MAIN, scope), self.store.lessons(MAIN, scope)
        commits: list[Commit] = []
        gone = [name for case in cases for name in case.superseded]
        if gone:
            history = self.store.updates(MAIN, scope)
            reason = "the critique behind it was superseded by later feedback"
            updates = withdrawal(lessons, history, gone, reason)
            if updates:
                identity = key_id("wd", MAIN, scope, base, sorted(gone))
                commits.append(
                    Commit(id=identity, branch=MAIN, scope=scope, base=base, updates=updates)
                )
                base, lessons = base + 1, reduce(lessons, updates, base + 1, scope)
        known = self.store.curated(written)
        vain: set[str] = set()
        for level in (Origin.OPERATOR, Origin.UNTRUSTED):
            whole = (case for case in cases if not any(w.id in vain for w in case.wanted))
            new = [w for case in whole for w in case.wanted if w.trust is level]
            fresh = [w for w in new if written[w.id].status == "accepted" and w.id not in known]
            if not fresh:
                continue
            commit = await self._curate(fresh, written, lessons, base)
            if waits(commit):
                return None
            commits.append(commit)
            if commit.failure:
                vain.update(commit.critiques)
            if commit.updates:
                base, lessons = base + 1, reduce(lessons, commit.updates, base + 1, scope)
        return commits

    async def _curate(
        self,
        new: Sequence[Wanted],
        written: dict[str, Critique],
        lessons: tuple[Lesson, ...],
        base: int,
    ) -> Commit:
        """The commit that critiques of one level of trust lead to."""
        # Ids of episodes are random: by instance first, so that the order means something.
        new = sorted(new, key=lambda w: (w.episode.instance, w.episode.id))
        level = new[0].trust
        rules = self.parts.rules
        behind = Behind(self.store, level, {w.id for w in new}, rules)
        cited = (e.critique for x in lessons if x.status in LIVE for e in x.evidence)
        earlier = behind.read(cited)
        critiques = tuple(written[w.id] for w in new)
        shown: dict[str, Episode] = behind.episodes | {w.episode.id: w.episode for w in new}
        work = CurateLessons(
            critiques=tuple(c.id for c in critiques),
            evidence=tuple(c.id for c in earlier),
            scope=self.parts.scope,
            kind=LessonKind.BEHAVIOR,
            gate=self.parts.gate,
            max_lessons=rules.max_lessons,
        )
        # The revision is part of the key: a batch that is done again may stand on another one.
        identity = key_id("cu", MAIN, work.scope, work.kind, base, sorted(work.critiques))
        case = CurationCase(
            id=identity,
            work=work,
            branch=MAIN,
            base=base,
            critiques=critiques,
            earlier=earlier,
            episodes=shown,
            lessons=lessons,
            goal=self._about,
            observations=level,
            barred=barred(self.store, (*critiques, *earlier), shown, level),
        )
        return await self._curated(case)

    async def _curated(self, case: CurationCase) -> Commit:
        async def decide(context: CallContext) -> Commit:
            seconds = self.parts.rules.timeout_s
            return await curate_in_time(case, self.parts.curator, context, seconds)

        seed = seed_from("curate", 0, case.work.scope, case.base)
        return await self._asked(case.id, "curator", seed, decide)

    async def _asked(
        self,
        owner: str,
        role: str,
        seed: int,
        make: Callable[[CallContext], Coroutine[Any, Any, T]],
    ) -> T:
        """What `make` makes; when its journal no longer fits, a new generation is begun."""
        journaled = self.store.generation(owner)
        generation = journaled or 0
        for _ in range(_MAX_DISCARDS):
            context = CallContext(
                journal=self.store,
                slots=self._slots,
                owner=owner,
                role=role,
                sample_seed=seed,
                generation=generation,
                is_new=journaled is None or generation > journaled,
                lane=MAIN,
                run=self._bill,
                account=self._account,
            )
            try:
                made = await make(context)
                if context.fatal is not None:
                    raise context.fatal
            except ReplayMismatch as mismatch:
                generation += 1
                log.warning("journal.discarded", owner=owner, why=str(mismatch))
                continue
            self.report.usage += sum(context.usage.values(), Usage())
            return made
        raise MethodError(f"{owner}: its requests differ at every replay; is a prompt random?")

    @property
    def _about(self) -> str:
        return self.parts.rules.about or self.parts.scope

    def _count_critiques(self, read: Iterable[_Case], written: dict[str, Critique]) -> None:
        counts = self.report.critiques
        for case in read:
            for asked in case.wanted:
                made = written[asked.id]
                counts[made.status] = counts.get(made.status, 0) + 1
                if made.refusal is not None:
                    why = made.refusal.value
                    self.report.refusals[why] = self.report.refusals.get(why, 0) + 1

    def _count(self, episodes: int, commits: Iterable[Commit]) -> None:
        report = self.report
        report.episodes += episodes
        for commit in commits:
            for update in commit.updates:
                name = Operation(update.op).value
                report.updates[name] = report.updates.get(name, 0) + 1
            if commit.failure:
                log.warning("curation.failed", curation=commit.id, why=commit.failure)


async def _all(asked: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results; what is raised is raised when all have ended."""
    results = await asyncio.gather(*asked, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [r for r in results if not isinstance(r, BaseException)]
