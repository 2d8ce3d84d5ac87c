"""What a run would take, said before anything is paid for: no model is asked, nothing is stored.

The plans themselves are driven, once in a world where every attempt succeeds and once in one where
none does; a real run lies between. How large calls are is estimated from the first prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import JsonValue

from .. import growth
from ..critics import FEEDBACK, GROUP
from ..critics.programmatic import PLAIN
from ..lanes import Inherited, Place, Stream
from ..memory import applies
from ..methods import BEST_OF_N, LEARNED
from ..models import Price, price_of
from ..models.prices import PICO
from ..records import (
    Action,
    Commit,
    CompareEpisodes,
    Critique,
    CurateLessons,
    Decision,
    Episode,
    EpisodeSpec,
    FreezeMemory,
    InstanceView,
    JudgeLessons,
    LaneKey,
    LessonProposal,
    Observation,
    OpenRound,
    Overlap,
    Record,
    Reward,
    RunEpisode,
    SelectCandidate,
    SharedView,
    Step,
    StopReason,
    Trajectory,
    Usage,
    Work,
    WriteCritique,
)
from ..stats import smallest_effect
from .acting import hook_calls, inside
from .applying import judge_of
from .foretold import assumptions, table
from .sizing import Outline, Sizes, sizes_of

GUIDANCE = 1_500
"""Tokens of lessons in a prompt, at most."""
CRITIC, CURATOR, RECALL = 1_500, 2_500, 400
"""Tokens of their prompts without what they are about."""
ASIDE, BRIEF = (200, 1_500), 5
"""Tokens of a prompt of feedback or of a hook, few and many, and of a short reply to it."""
CONDITION = (8, 150)
"""Tokens of the condition of one lesson, with its exceptions: few and many."""
PAIRS = 1_000
"""Tokens of the near texts that a merging call is asked about, at most."""
WRITTEN = {"actor": (20, 300), "critic": (80, 800), "curator": (100, 2_000), "recall": (5, 400)}
"""Tokens of a reply, by role: few and many."""
REPORT = (20, 150)
"""Those of an analyst's."""


class Forecast(Record):
    """What a run would take; `figures` is what `run --dry-run --json` prints."""

    figures: dict[str, JsonValue]

    def table(self) -> str:
        """The arms side by side, as plain text."""
        return table(self.figures)


class _Imagined:
    """A bench on which everything ends as foretold; adds up calls and tokens by role."""

    stopping = False
    lanes_at_once = 64

    def __init__(self, outline: Outline, sizes: Sizes, *, solved: bool, reads: bool) -> None:
        self.sizes, self.scope, self.solved = sizes, outline.task.id, solved
        self.limits = outline.limits
        self.guidance = GUIDANCE if reads and not solved else 0
        self.lessons = outline.lessons if reads else ()
        self.judged = judge_of(outline) is not None
        self.traded = "aligned" in getattr(outline.plan.method, "requires", ())
        """Whether plans look into attempts: the dearest ones then win and lose by turns."""
        self.conditional = sum(applies.is_conditional(x) or not solved for x in self.lessons)
        """Of the shared scope, how many may have a condition that a model is asked about."""
        self.episodes = 0
        self.spends: int | None = None
        """Tokens that one instance may take, where the arm is bound."""
        self.usage: dict[str, Usage] = {}

    @property
    def steps(self) -> int:
        """Of an attempt."""
        return self.sizes.least if self.solved else self.sizes.steps

    async def do(self, work: Work, place: Place, /) -> growth.Result | None:
        """What `work` would lead to."""
        key = work.id(place.lane)
        match work:
            case RunEpisode():
                return self._episode(work, place, key)
            case WriteCritique():
                return self._critique(work, place, key)
            case CurateLessons():
                return self._commit(work, place, key)
            case JudgeLessons():
                assert isinstance(place.view, SharedView)
                nothing = Commit(id=key, branch=place.lane.branch, scope=work.scope, base=0)
                return growth.Curated(nothing, place.view.revision, place.view.lessons)
            case SelectCandidate():
                chosen, branch = work.candidates[0], place.lane.branch
                return Decision(
                    id=key,
                    branch=branch,
                    kind="select",
                    chosen=chosen,
                    detail={"selector": work.selector},
                )
            case CompareEpisodes():
                # The cheapest run agrees with itself at once, the dearest never does.
                count = self.sizes.steps
                agreed = Overlap(same=count * self.solved, aligned=count, steps=count)
                return Decision(
                    id=key,
                    branch=place.lane.branch,
                    kind="compare",
                    episodes=work.episodes,
                    overlap=agreed,
                )
            case FreezeMemory():
                return Decision(id=key, branch=place.lane.branch, kind="freeze")

    async def pin(self, lane: LaneKey, number: int, opened: OpenRound, view: SharedView, /) -> None:
        """Nothing is recorded."""

    def whole(self, lane: LaneKey, view: InstanceView, /) -> InstanceView:
        """`view` with what attempts did, where plans look into them; nothing else was said."""
        if not self.traded:
            return view
        return replace(
            view,
            episodes=tuple(
                e.replace(trajectory=_went(1 if self.solved else self.sizes.steps))
                for e in view.episodes
            ),
        )

    def inherited(self, lane: LaneKey, scope: str, /) -> Inherited:
        """What the shared scope starts with; instances start empty."""
        return Inherited(0, self.lessons if scope == self.scope else ())

    def allowance(self, lane: LaneKey, instance: str, /) -> int | None:
        """What `learned` would spend there, each instance alike."""
        return self.spends

    def _episode(self, work: RunEpisode, place: Place, key: str) -> Episode:
        sizes, steps = self.sizes, self.steps
        # What is replayed asks nobody.
        steps = min(steps, (work.spec.max_steps or steps) - len(work.spec.prefix))
        later = sizes.step * steps * (steps - 1) // 2
        self.episodes += 1
        hooked = hook_calls(inside(work.spec.hooks, self.limits), steps, few=self.solved)
        acts = steps + hooked.actor
        memos = 0 if self.solved else sizes.memos
        read = sizes.first + self.guidance + hooked.beside + memos
        used = self._use("actor", acts, acts * read + later * (1 + (hooked.actor > 0)))
        if hooked.critic:
            self._aside(hooked.critic, sizes.first)
        for role, source in self.sizes.reports.items():
            self._use(role, steps, steps * (source + self.guidance))
        self._recall(work.spec, steps)
        candidate = work.spec.purpose == "candidate"
        return Episode(
            id=key,
            run=place.lane.run,
            arm=place.lane.arm,
            seed=place.lane.seed,
            spec=work.spec,
            trajectory=_went(steps if self.traded and not self.solved else 1),
            answer="…",
            success=None if candidate else self.solved,
            reward=Reward() if candidate else Reward(value=float(self.solved)),
            usage={"actor": used},
            # The cheapest run keeps every candidate, the dearest every second one.
            stop_reason=_ended(work, fruitful=self.solved or work.spec.candidate % 2 == 0),
        )

    def _critique(self, work: WriteCritique, place: Place, key: str) -> Critique:
        assert isinstance(place.view, InstanceView)
        shown = self.sizes.first + self.sizes.step * self.steps
        if work.template in (FEEDBACK, GROUP):
            self._aside(1, len(work.episodes) * shown)
        elif work.steps:
            read = self.sizes.first + self.sizes.step * sum(map(len, work.steps))
            self._use("critic", 1, CRITIC + read)
        elif work.template not in PLAIN:
            self._use("critic", 1, CRITIC + len(work.episodes) * shown + self.guidance)
        return Critique(
            id=key,
            episodes=work.episodes,
            instance=place.view.instance.id,
            trial=max(e.trial for e in place.view.episodes),
            template=work.template,
            status="accepted",
            verdict="success" if self.solved else "failure",
            refinement="" if self.solved else "…",
            sample=work.sample,
            proposals=(LessonProposal(when="…", instruction="…"),),
        )

    def _commit(self, work: CurateLessons, place: Place, key: str) -> growth.Curated:
        if isinstance(place.view, SharedView):
            groups = -(-len(work.critiques) // work.group)
            # One group that has seen all is asked once more where its texts are near a lesson.
            near = self.conditional > 0 and not self.solved
            # What inherited lessons rest on may be in another store.
            shown = bool(work.evidence) and not (self.solved and self.lessons)
            # What a check of the method refuses is asked for once more.
            refused = bool(work.check) and not self.solved
            merges = int(groups > 1 or shown or near) + refused
            evidence = min(work.evidence_tokens, len(work.critiques) * (self.sizes.step + 200))
            read = (groups + merges) * (CURATOR + evidence + self.guidance) + near * PAIRS
            self._use("curator", groups + merges, read)
            if not self.solved:
                self.conditional = max(self.conditional, work.max_lessons)
        base = place.view.revision if isinstance(place.view, SharedView) else 0
        commit = Commit(
            id=key,
            branch=place.lane.branch,
            scope=work.scope,
            base=base,
            critiques=work.critiques,
        )
        return growth.Curated(commit, base, place.view.lessons)

    def _recall(self, spec: EpisodeSpec, steps: int) -> None:
        """What it takes to ask a model which lessons apply, where a prompt asks for that."""
        for wanted in spec.guidance.values():
            if self.judged and wanted.source == "recall" and wanted.condition == "model":
                times = steps if wanted.recall == "step" else 1
                calls = times * -(-self.conditional // applies.PER_CALL)
                each = RECALL + (0 if self.solved else self.sizes.first)
                conditions = self.conditional * CONDITION[not self.solved]
                self._use("recall", calls, calls * each + times * conditions)

    def _aside(self, calls: int, shown: int) -> None:
        """Feedback and what hooks ask: on the critic's bill, with prompts of their own."""
        read = ASIDE[0] if self.solved else ASIDE[1] + shown
        self._use("critic", calls, calls * read, brief=True)

    def _use(self, role: str, calls: int, read: int, *, brief: bool = False) -> Usage:
        each = BRIEF if brief and self.solved else WRITTEN.get(role, REPORT)[not self.solved]
        usage = Usage(input=read, output=calls * each, calls=calls)
        self.usage[role] = self.usage.get(role, Usage()) + usage
        return usage


async def forecast(outline: Outline, model: str) -> Forecast:
    """What the run would take; `model` is how its agent is named."""
    plan, sizes, prices = outline.plan, await sizes_of(outline), _prices(outline)
    arms: dict[str, JsonValue] = {}
    asked: set[str] = set()
    for arm in plan.arms:
        ends = [await _imagined(outline, arm, sizes, solved=solved) for solved in (True, False)]
        arms[arm] = _figures(ends, len(plan.seeds), prices, outline.limits.budget.max_output)
        asked.update(*(end.usage for end in ends))
    return Forecast(
        figures={
            "dry_run": True,
            "task": outline.task.id,
            "method": plan.method.name,
            "model": model,
            "seeds": list(plan.seeds),
            "instances": len(plan.read),
            "arms": arms,
            "total": _total(arms),
            "smallest_effect": round(smallest_effect(len(plan.read), len(plan.seeds)), 4),
            "budget": outline.limits.budget.model_dump(
                mode="json", exclude={"prices"}, exclude_none=True
            ),
            "assumes": [*assumptions(judged="recall" in asked, team=bool(sizes.reports))],
        }
    )


async def _imagined(outline: Outline, arm: str, sizes: Sizes, *, solved: bool) -> _Imagined:
    """One seed of an arm, imagined to its end."""
    plan = outline.plan
    lane, reads = next(found for found in plan.lanes("dry") if found[0].arm == arm)
    bench = _Imagined(outline, sizes, solved=solved, reads=reads)
    if arm == BEST_OF_N:
        like = await _imagined(outline, LEARNED, sizes, solved=solved)
        bench.spends = sum(u.total for u in like.usage.values()) // len(plan.read)
    stream = Stream(lane, plan.arm(arm), bench, outline.task.id, plan.instances_of(arm))
    await stream.run()
    return bench


def _prices(outline: Outline) -> dict[str, Price | None]:
    """By role; None where none is known. Who has no model costs nothing that is known."""
    parts = {"actor": outline.agent, "critic": outline.critic, "curator": outline.curator}
    models = {role: part.model if part is not None else None for role, part in parts.items()}
    models |= outline.agent.models | {"recall": judge_of(outline)}
    table = outline.limits.budget.prices
    return {role: price_of(m, table) if m is not None else None for role, m in models.items()}


def _figures(
    ends: list[_Imagined], seeds: int, prices: Mapping[str, Price | None], cap: int | None
) -> JsonValue:
    usages = [_capped(end.usage, cap) for end in ends]
    roles = sorted({role for usage in usages for role in usage})
    known = all(prices[role] is not None for role in roles)
    costs = [
        sum(price.pico(u) for role, u in usage.items() if (price := prices[role])) / PICO * seeds
        for usage in usages
    ]
    return {
        "episodes": _range([end.episodes * seeds for end in ends]),
        "calls": _range([sum(u.calls for u in usage.values()) * seeds for usage in usages]),
        "tokens": _range([sum(u.total for u in usage.values()) * seeds for usage in usages]),
        "cost_usd": _range([round(cost, 6) for cost in costs]) if known else None,
    }


def _capped(usage: Mapping[str, Usage], cap: int | None) -> dict[str, Usage]:
    if cap is None:
        return dict(usage)
    return {role: u.replace(output=min(u.output, cap * u.calls)) for role, u in usage.items()}


def _range(ends: list[Any]) -> list[JsonValue]:
    return [min(ends), max(ends)]


def _total(arms: Mapping[str, Any]) -> dict[str, JsonValue]:
    total: dict[str, JsonValue] = {}
    for name in ("episodes", "calls", "tokens", "cost_usd"):
        ranges = [arm[name] for arm in arms.values()]
        known = all(found is not None for found in ranges)
        total[name] = [round(sum(r[i] for r in ranges), 6) for i in (0, 1)] if known else None
    return total


def _went(steps: int) -> Trajectory:
    """An attempt of `steps` steps, none of which decides as the one before."""
    return Trajectory(
        steps=tuple(
            Step(
                n=n,
                observation=Observation(text="…"),
                action=Action(text="ab"[n % 2]),
                reward=None if steps == 1 else float(2 * (n % 2) - 1),
            )
            for n in range(1, steps + 1)
        )
    )


def _ended(work: RunEpisode, *, fruitful: bool) -> StopReason:
    if work.spec.purpose != "candidate":
        return StopReason.TERMINATED
    return StopReason.EXECUTED if fruitful else StopReason.FRUITLESS
