"""The bench: does the work that plans ask for, each piece once.

Committed work is taken from its row; the rest is done, made durable, and only then handed on. A
stage reads rows of finished earlier stages only. Nothing here decides what is done next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from .. import growth
from .._logging import get_logger
from ..errors import MethodError, ReplayMismatch, RunHalted
from ..ids import seed_from
from ..lanes import Inherited, Place
from ..methods import Method
from ..models import Account, CallContext, Shelf, Slots
from ..records import (
    Commit,
    CompareEpisodes,
    Critique,
    CurateLessons,
    Decision,
    Episode,
    FreezeMemory,
    InstanceView,
    JudgeLessons,
    LaneKey,
    Lesson,
    OpenRound,
    RoundRecord,
    RunEpisode,
    RunRecord,
    RunStatus,
    SelectCandidate,
    SharedView,
    Usage,
    Work,
    WriteCritique,
)
from ..result import ArmFacts, RunFacts, RunResult, summarise
from . import bills, critiques, curation, episodes, judging, retrying, selection
from .alarms import CallAlarm, LearningAlarm
from .evidence import RunEvidence
from .kit import Kit, run_free
from .leaks import leaked
from .plan import RunPlan
from .spending import Spending
from .tally import ArmProgress, ArmTally, Clock, Progress
from .trading import beside

log = get_logger(__name__)

T = TypeVar("T")

_MAX_DISCARDS = 3


class Bench:
    """Does the work of one run; implements the protocol that lanes drive."""

    def __init__(self, kit: Kit, plan: RunPlan, record: RunRecord, *, begins: bool = False) -> None:
        """`begins`: this is the first session of the run, whose work has no rows yet."""
        self._begins = begins
        self.kit = replace(kit, goals=plan.goals, topics=plan.topics)
        self.plan, self.record = plan, record
        self.spending = Spending(plan)
        self.fences: dict[str, int] = {}
        """By branch: the lease under which it may commit."""
        self.stop_reason = ""
        self.alarm = False
        """Whether it stopped because something has to be mended."""
        self.retried: frozenset[str] = frozenset()
        """Keys of work that failed before and is tried again."""
        self.discarded = 0
        """How often work was done again because its journal did not fit, sessions before too."""
        self.account = Account(kit.limits.budget, bills.spent(kit, record.id), CallAlarm())
        self._learning = LearningAlarm()
        self._past = RunEvidence(
            kit.store, kit.task.observations, record.id, shared=plan.method.learns == "shared"
        )
        self._slots = Slots(kit.limits.concurrency)
        self._open_episodes = Slots(2 * kit.limits.concurrency)
        self._clock = Clock()
        seeds = len(plan.seeds)
        self.tallies = {
            arm: ArmTally(plan.expected(arm) * seeds, len(plan.read) * seeds, plan.reported)
            for arm in plan.arms
        }

    @property
    def stopping(self) -> bool:
        """True once no new batch may start."""
        return bool(self.stop_reason)

    @property
    def lanes_at_once(self) -> int:
        """How many lanes of one stream may be under way."""
        return 4 * self._slots.n

    def whole(self, lane: LaneKey, view: InstanceView, /) -> InstanceView:
        """`view` with all that it has seen, from the rows of its work."""
        recent = self._past.recent
        return replace(
            view,
            episodes=tuple(recent.episode(e.id) or e for e in view.episodes),
            critiques=tuple(recent.critique(c.id) or c for c in view.critiques),
            reflections=self._lessons(lane, view.instance_scope, view.own_revision),
        )

    @property
    def status(self) -> RunStatus:
        """How the run ended, once all streams have."""
        if not self.stop_reason:
            return "done"
        return "failed" if self.alarm else "stopped"

    def stop(self, reason: str, *, alarm: bool = False) -> None:
        """Start no new batch."""
        if not self.stop_reason:
            self.stop_reason, self.alarm = reason, alarm

    async def do(self, work: Work, place: Place, /) -> growth.Result | None:
        """The result of `work`: from its row when it is committed, else by doing it.

        None where it waited to begin until the bench was stopping, or can make no more calls.
        """
        try:
            return await self._done(work, place)
        except RunHalted as halted:
            # Left unrecorded; the journal has its answers, and a resume goes on from there.
            self.stop(str(halted), alarm=halted.alarm)
            return None

    async def _done(self, work: Work, place: Place) -> growth.Result | None:
        match work:
            case RunEpisode():
                return await self._episode(work, place)
            case WriteCritique():
                return await self._critique(work, place)
            case CurateLessons():
                return await self._curate(work, place)
            case JudgeLessons():
                return await self._judge(work, place)
            case SelectCandidate() | CompareEpisodes() | FreezeMemory():
                made = selection.decided(work, place, self._method(place))
                return await self._decide(work, place, made)

    async def pin(self, lane: LaneKey, number: int, opened: OpenRound, view: SharedView, /) -> None:
        """Record that the round `number` runs against the revision of `view`."""
        self._past.begin()
        pinned = {view.scope: view.revision}
        record = RoundRecord(branch=lane.branch, number=number, opened=opened, pinned=pinned)
        stored = await self.kit.store.pin_round(record)
        if stored != record:
            raise MethodError(
                f"round {number} of {lane.branch} was opened otherwise before: the plan has changed"
            )

    def inherited(self, lane: LaneKey, scope: str, /) -> Inherited:
        """With what `scope` starts."""
        revision = self.kit.store.branch(lane.branch).pinned.get(scope, 0)
        return Inherited(revision, self._lessons(lane, scope, revision))

    def allowance(self, lane: LaneKey, instance: str, /) -> int | None:
        """What `learned` has spent on an instance, for the arm that spends as much."""
        return self.spending.allowance(lane, instance)

    def progress(self) -> Progress:
        """How far the run is."""
        arms = {
            name: ArmProgress(t.attempts, t.expected, t.solved, t.instances)
            for name, t in self.tallies.items()
        }
        remaining = sum(arm.expected - arm.done for arm in arms.values())
        return Progress(
            run=self.record.id,
            phase="stopping" if self.stopping else "running",
            by_arm=arms,
            tokens=sum(u.total for t in self.tallies.values() for u in t.usage.values()),
            in_flight=self._slots.in_flight,
            seconds_left=self._clock.seconds_left(remaining),
        )

    def result(self, wall_s: float, status: RunStatus) -> RunResult:
        """The figures so far."""
        plan, task = self.plan, self.kit.task
        facts = RunFacts(
            run=self.record.id,
            task=task.id,
            method=plan.method.name,
            model=self.record.model,
            simulated=self.record.simulated,
            simulated_by=bills.simulated(self.kit),
            learns=plan.method.learns,
            trials=plan.method.trials,
            seeds=plan.seeds,
            train=len(plan.read) if plan.reported == "train" else len(plan.train),
            test=0 if plan.reported == "train" else len(plan.read),
            test_rows=plan.test_rows,
            reported=plan.reported,
            supplier=task.reward_supplier,
            wall_s=wall_s,
            stop_reason=self.stop_reason,
            status=status,
            discarded=self.discarded,
            leaks=leaked(self.kit.store, plan, self.record.id, task.id),
        )
        outcomes = [o for t in self.tallies.values() for o in t.outcomes]
        made = summarise(facts, outcomes, {arm: self._arm_facts(arm) for arm in plan.arms})
        more = beside(self.account.figures(), self.kit.store, task, plan, self.record.id)
        return made.replace(figures=made.figures | more)

    def _arm_facts(self, arm: str) -> ArmFacts:
        store, tally, known = self.kit.store, self.tallies[arm], self._past.lines
        lanes = [LaneKey(run=self.record.id, arm=arm, seed=seed) for seed in self.plan.seeds]
        statuses: Counter[str] = Counter()
        for lane in lanes:
            statuses.update(store.statuses(lane.branch))
        return ArmFacts(
            usage=tally.usage,
            memory_digest={str(lane.seed): store.memory_digest(lane.branch) for lane in lanes},
            episodes_digest={
                str(x.seed): store.episodes_digest(x.run, arm, x.seed, known) for x in lanes
            },
            critiques=tally.critiques(),
            oracle_selected=tally.oracle_selected,
            citations=tally.cited.figures(),
            team=tally.reporting.figures(),
            lessons=dict(sorted(statuses.items())),
        )

    async def _episode(self, work: RunEpisode, place: Place) -> Episode | None:
        key = work.id(place.lane)
        episode = self._earlier(self.kit.store.episode, key)
        if episode is None:
            pinned = episodes.pinned(work.spec, place)
            async with self._open_episodes.hold("actor", lane=place.lane.branch):
                if self.stopping:
                    return None
                episode = await self._replayed(
                    work,
                    place,
                    "actor",
                    work.spec.sample_seed(place.lane),
                    lambda context: episodes.run(self.kit, work, place, pinned, context),
                )
                await self.kit.store.put_episode(episode)
            self._past.put(episode)
            self._clock.tick()
        else:
            self.discarded += episode.generation
        episodes.check_stored(episode, work)
        self.tallies[place.lane.arm].episode(episode)
        self.spending.count(place, sum(episode.usage.values(), Usage()))
        return episode

    async def _critique(self, work: WriteCritique, place: Place) -> Critique:
        key = work.id(place.lane)
        critique = self._earlier(self.kit.store.critique, key)
        if critique is None:
            # The seed leaves out run and arm, like those of episodes.
            seed = critiques.sample_seed(work, place)
            critique = await self._replayed(
                work,
                place,
                "critic",
                seed,
                lambda context: critiques.write(
                    self.kit, work, place, self._method(place), context
                ),
            )
            await self.kit.store.put_critique(critique, place.lane.branch)
            self._learned("critic", critique.detail if critique.status == "failed" else "")
            self._past.put(critique)
        else:
            self.discarded += self.kit.store.generation(key) or 0
        self.tallies[place.lane.arm].critique(critique)
        self.spending.count(place, critique.usage)
        return critique

    async def _curate(self, work: CurateLessons, place: Place) -> growth.Curated:
        key, branch, base = work.id(place.lane), place.lane.branch, place.base
        commit = self._earlier(self.kit.store.commit, key)
        if commit is None:
            seed = seed_from("curate", place.lane.seed, work.scope, base)
            lessons = self.kit.store.lessons(branch, work.scope, revision=base)
            method = self._method(place)
            goals = curation.goals_of(self.plan, self.kit.task.summary)
            ground = curation.Ground(lessons, base, method, self._past, *goals)
            commit = await self._replayed(
                work,
                place,
                "curator",
                seed,
                lambda context: curation.curate(self.kit, work, place, ground, context),
            )
            await self.kit.store.put_commit(commit, self.fences.get(branch))
            if not isinstance(place.view, InstanceView):
                self._learned("curator", commit.failure)
        else:
            self.discarded += self.kit.store.generation(key) or 0
        self.tallies[place.lane.arm].commit(commit)
        self.spending.count(place, commit.usage)
        return self._curated(commit, place)

    async def _judge(self, work: JudgeLessons, place: Place) -> growth.Curated:
        commit = self._earlier(self.kit.store.commit, work.id(place.lane))
        if commit is None:
            commit = judging.judged(self.kit.store, work, place.lane, place.base)
            await self.kit.store.put_commit(commit, self.fences.get(place.lane.branch))
        return self._curated(commit, place)

    def _curated(self, commit: Commit, place: Place) -> growth.Curated:
        """What `commit`, the next one of its scope, led to."""
        revision = place.base + bool(commit.updates)
        return growth.Curated(commit, revision, self._lessons(place.lane, commit.scope, revision))

    async def _decide(
        self, work: SelectCandidate | CompareEpisodes | FreezeMemory, place: Place, made: Decision
    ) -> Decision:
        stored = self._earlier(self.kit.store.decision, work.id(place.lane))
        if stored is None:
            await self.kit.store.put_decision(made)
        self.tallies[place.lane.arm].decision(stored or made)
        return stored or made

    async def _replayed(
        self,
        work: RunEpisode | WriteCritique | CurateLessons,
        place: Place,
        role: str,
        seed: int,
        make: Callable[[CallContext], Coroutine[Any, Any, T]],
    ) -> T:
        """What `make` makes; when its journal no longer fits, a new generation is begun."""
        owner = work.id(place.lane)
        cache = self.kit.cache
        shelf = Shelf(cache, run_free(work, place.lane, seed)) if cache else Shelf()
        journaled = self._earlier(self.kit.store.generation, owner)
        generation = journaled or 0
        self.discarded += generation
        for _ in range(_MAX_DISCARDS):
            context = CallContext(
                journal=self.kit.store,
                slots=self._slots,
                owner=owner,
                role=role,
                sample_seed=seed,
                generation=generation,
                is_new=journaled is None or generation > journaled,
                order=(place.order,),
                lane=place.lane.branch,
                cache=shelf,
                run=self.record.id,
                account=self.account,
            )
            try:
                made = await make(context)
                if context.fatal is not None:
                    # Whoever asked has swallowed it; what was made of it is worth nothing.
                    raise context.fatal
                if owner in self.retried and retrying.repeats(made, context):
                    # What failed was made of these answers: others are asked for.
                    self.retried -= {owner}
                    generation += 1
                    continue
                return made
            except ReplayMismatch as mismatch:
                generation += 1
                self.discarded += 1
                log.warning(
                    "journal.discarded", owner=owner, generation=generation, why=str(mismatch)
                )
        raise MethodError(
            f"{owner}: its requests differ at every replay; is the agent's prompt random?"
        )

    def _earlier(self, read: Callable[[str], T | None], key: str) -> T | None:
        """What an earlier session has left of the work `key`."""
        return None if self._begins else read(key)

    def _learned(self, role: str, why: str) -> None:
        """Hear how a critique or a curation of this session ended."""
        if reason := self._learning.ended(role, why):
            # What waits for its turn is not asked any more: it would fail, and that is final.
            self.account.halt(RunHalted(reason, alarm=True))
            self.stop(reason, alarm=True)

    def _lessons(self, lane: LaneKey, scope: str, revision: int) -> tuple[Lesson, ...]:
        found = self.kit.store.lessons(lane.branch, scope, revision=revision)
        return tuple(lesson for lesson in found if lesson.usable)

    def _method(self, place: Place) -> Method:
        return self.plan.arm(place.lane.arm)
