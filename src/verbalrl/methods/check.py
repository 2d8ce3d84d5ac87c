"""`check_method`: the contract of a plan, tried on simulated worlds without any model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar

from ..errors import ConfigurationError, MethodError, named
from ..ids import coin, key_id
from ..records import (
    Batch,
    Commit,
    CompareEpisodes,
    Critique,
    CurateLessons,
    Decision,
    Done,
    Episode,
    FreezeMemory,
    Instance,
    InstanceView,
    JudgeLessons,
    LaneKey,
    Lesson,
    LessonBody,
    LessonKind,
    LessonProposal,
    OpenRound,
    Origin,
    Overlap,
    Reward,
    RunEpisode,
    SelectCandidate,
    SharedView,
    Status,
    Step,
    StopReason,
    Trajectory,
    Usage,
    Work,
    WriteCritique,
)
from ..records.content import Action, Observation
from . import growth
from .base import Method

_View = TypeVar("_View")
_Plan = TypeVar("_Plan")

_STEPS = 2_000
_LANE = LaneKey(run="check", arm="learned", seed=0)


def check_method(method: Method, *, instances: int = 7, worlds: int = 12) -> None:
    """Raise `MethodError` unless the plans of `method` keep their contract.

    In each of `worlds` random worlds the method is driven with lanes that finish in different
    orders. Checked: every order asks for the same work, equal views give equal plans, no work is
    asked for twice, batches are legal, nothing is learned in evaluating rounds, and it ends.
    """
    if isinstance(method, type) or not isinstance(method, Method):
        raise ConfigurationError(
            f"check_method takes a method such as methods.reflexion(), not {named(method)}"
        )
    for world in range(worlds):
        first = _World(method, instances, world, order=0).run()
        for order in (1, 2):
            again = _World(method, instances, world, order=order).run()
            if again != first:
                raise MethodError(
                    f"the plans of {method.name!r} depend on the order in which lanes finish "
                    f"(world {world}): state outside the view?"
                )


class _World:
    """One simulated run: replies are coins on the work's key; lanes advance in a shuffled order."""

    def __init__(self, method: Method, instances: int, world: int, order: int) -> None:
        self.method, self.world, self.order = method, world, order
        train = tuple(f"i{n}" for n in range(instances))
        test = tuple(f"t{n}" for n in range(instances)) if method.learns != "instance" else ()
        self.shared = SharedView(scope="check-v1", train=train, test=test)
        self.views = {
            i: InstanceView(Instance(id=i, goal="check"), "check-v1", f"check-v1/{i}")
            for i in (*train, *test)
        }
        self.asked: dict[str, list[str]] = {}
        self.steps = 0

    def run(self) -> dict[str, list[str]]:
        while True:
            self._count()
            step = self._pure(self.method.plan_shared, self.shared)
            match step:
                case Done():
                    return self.asked
                case OpenRound():
                    growth.check_round(step, self.shared)
                    self._round(step)
                case Batch():
                    growth.check_shared_batch(step, self.shared)
                    self._new(step, "shared")
                    results = [self._result(w, "shared") for w in step.work]
                    self.shared = growth.grow_shared(self.shared, step, results)

    def _round(self, opened: OpenRound) -> None:
        number = len(self.shared.rounds) + 1
        before = {}
        for instance in opened.instances:
            view = self.views[instance]
            before[instance] = growth.kept(view)
            self.views[instance] = InstanceView(
                instance=view.instance.replace(split=opened.split),
                scope=view.scope,
                instance_scope=view.instance_scope,
                round=opened,
                number=number,
                episodes=view.episodes,
                critiques=view.critiques,
                reflections=view.reflections,
                own_revision=view.own_revision,
                lessons=self.shared.lessons,
                revision=self.shared.revision,
                decisions=view.decisions,
                curated=view.curated,
            )
        open_lanes = list(opened.instances)
        while open_lanes:
            self._count()
            pick = int(coin(self.world, self.order, self.steps) * len(open_lanes))
            if not self._advance(open_lanes[pick]):
                open_lanes.pop(pick)
        after = {i: growth.kept(self.views[i], before[i]) for i in opened.instances}
        self.shared = growth.close_round(self.shared, opened, before, after)

    def _advance(self, instance: str) -> bool:
        view = self.views[instance]
        step = self._pure(self.method.plan, view)
        if isinstance(step, Done):
            return False
        growth.check_batch(step, view)
        self._new(step, instance)
        results = [self._result(w, instance) for w in step.work]
        self.views[instance] = growth.grow(view, step, results)
        return True

    def _pure(self, plan: Callable[[_View], _Plan], view: _View) -> _Plan:
        first, second = plan(view), plan(view)
        if first != second:
            raise MethodError(f"two plans of {self.method.name!r} for one view differ")
        return first

    def _count(self) -> None:
        self.steps += 1
        if self.steps > _STEPS:
            raise MethodError(f"{self.method.name!r} does not end: {_STEPS} plans and no Done")

    def _new(self, batch: Batch, lane: str) -> None:
        asked = self.asked.setdefault(lane, [])
        growth.check_new(batch, _LANE, asked)
        asked += [work.id(_LANE) for work in batch.work]

    def _result(self, work: Work, lane: str) -> growth.Result:
        key = work.id(_LANE)
        draw = coin(self.world, key)
        match work:
            case RunEpisode():
                return _episode(work, key, draw)
            case WriteCritique():
                return _critique(work, key, draw, lane)
            case CurateLessons():
                return self._commit(work, key)
            case JudgeLessons():
                judged = Commit(id=key, branch=_LANE.branch, scope=work.scope, base=0)
                return growth.Curated(judged, self.shared.revision, self.shared.lessons)
            case SelectCandidate():
                chosen = work.candidates[int(draw * len(work.candidates))]
                return Decision(id=key, branch=_LANE.branch, kind="select", chosen=chosen)
            case CompareEpisodes():
                agreed = Overlap(same=int(draw * 10), aligned=10, steps=10)
                return Decision(
                    id=key,
                    branch=_LANE.branch,
                    kind="compare",
                    chosen=work.episodes[int(draw * 2)],
                    episodes=work.episodes,
                    overlap=agreed,
                )
            case FreezeMemory():
                return Decision(id=key, branch=_LANE.branch, kind="freeze")

    def _commit(self, work: CurateLessons, key: str) -> growth.Curated:
        commit = Commit(
            id=key, branch=_LANE.branch, scope=work.scope, base=0, critiques=work.critiques
        )
        body = LessonBody(kind=work.kind, when=f"case {key[-4:]}", instruction=f"do {key[-6:]}")
        lesson = Lesson(
            id=key_id("le", key),
            scope=work.scope,
            body=body,
            status=Status.ACTIVE,
            trust=Origin.TASK,
            critique=work.critiques[-1] if work.kind is LessonKind.REFLECTION else None,
        )
        shared = work.scope == self.shared.scope
        known = self.shared.lessons if shared else ()
        return growth.Curated(commit, self.shared.revision + 1, (*known, lesson))


def _episode(work: RunEpisode, key: str, draw: float) -> Episode:
    broke = draw > 0.95
    candidate = work.spec.purpose == "candidate"
    ended = StopReason.TERMINATED
    if candidate:
        ended = StopReason.EXECUTED if draw < 0.6 else StopReason.FRUITLESS
    step = Step(n=1, observation=Observation(text="seen"), action=Action(text=f"act {key[-5:]}"))
    return Episode(
        id=key,
        run=_LANE.run,
        arm=_LANE.arm,
        seed=_LANE.seed,
        spec=work.spec,
        status="failed" if broke else "finished",
        trajectory=Trajectory() if broke else Trajectory(steps=(step,)),
        answer=None if broke else f"act {key[-5:]}",
        success=None if candidate or draw > 0.9 else draw < 0.35,
        reward=Reward() if candidate else Reward(value=float(draw < 0.35)),
        stop_reason=StopReason.AGENT_ERROR if broke else ended,
    )


def _critique(work: WriteCritique, key: str, draw: float, lane: str) -> Critique:
    status: Literal["accepted", "refused", "failed"] = "accepted"
    if draw >= 0.7:
        status = "refused" if draw < 0.9 else "failed"
    return Critique(
        id=key,
        episodes=work.episodes,
        instance=lane,
        trial=1,
        template=work.template,
        status=status,
        proposals=(LessonProposal(when=f"case {key[-4:]}", instruction=f"do {key[-6:]}"),),
        scores={e: coin(key, e) for e in work.episodes if status == "accepted"},
        usage=Usage(calls=1),
    )
