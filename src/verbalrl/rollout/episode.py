"""`run_episode`: reset, replay the prefix, then situation, action, step, until something ends it.

Failures of agent, environment, hook and model are attributed and recorded; the episode keeps what
it had by then. Limits are stop reasons. What is learned from an episode is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from .._logging import bound, get_logger
from ..agents import AgentHandle, AgentLike, Team, adapt, public
from ..errors import EpisodeError, TaskError, first_line
from ..memory.memos import grounded
from ..models import CallContext, clean
from ..records import (
    Action,
    Episode,
    Failure,
    Guidance,
    Memo,
    Note,
    Observation,
    Previous,
    Report,
    Reward,
    Situation,
    Step,
    StepResult,
    StopReason,
    Trajectory,
)
from .assignment import Assignment, GuidanceProvider, MemoSource
from .environments import EnvironmentDoor
from .guided import Guided
from .hooks import (
    MAX_REVISIONS,
    Accept,
    Annotate,
    Hook,
    HookCaller,
    ReplaceAction,
    ReplaceObservation,
    Revise,
    Stop,
    note_of,
)
from .limits import Limits
from .stops import CUT, stop_of
from .teamwork import Teamwork

log = get_logger(__name__)

_ROLE, _UNGUIDED = "actor", Guidance()


async def run_episode(
    assignment: Assignment,
    *,
    agent: AgentLike,
    context: CallContext,
    guidance: GuidanceProvider | None = None,
    memos: MemoSource | None = None,
    hooks: Sequence[Hook] = (),
    limits: Limits | None = None,
) -> Episode:
    """The episode that comes of `assignment`; also when agent, environment, hook or model fail.

    Args:
        assignment: What is to be run.
        agent: Who acts; a handle from `adapt` where threads are to be counted over episodes.
        context: Journal, slots, key and seed of the episode's calls.
        guidance: Recalls for the roles that the spec names; None: nothing is recalled.
        memos: Recalls what was said on earlier days; None: nothing is.
        hooks: May act before an action and after a step, in this order.
        limits: Bounds; those of the spec go first.

    Raises:
        ReplayMismatch: The journal belongs to another course of events: run it again.
        StorageError: The journal cannot be written.
        StuckThreadsError: Too many threads were given up.
    """
    play = _Play(assignment, adapt(agent), context, limits or Limits())
    play.guided, play.hooks = Guided(guidance, assignment.spec.guidance), tuple(hooks)
    play.remembers = memos
    with bound(episode=play.id):
        await play.run()
        episode = play.episode()
        log.info(
            "episode.finished",
            stop=episode.stop_reason.value,
            steps=len(episode.trajectory.steps),
            tokens=context.tokens_used,
        )
        return episode


class _Play:
    """The state of one episode while it unfolds."""

    def __init__(
        self, assignment: Assignment, agent: AgentHandle, context: CallContext, limits: Limits
    ) -> None:
        spec, task = assignment.spec, assignment.task
        self.assignment, self.spec, self.agent = assignment, spec, agent
        self.context, self.limits = context, limits
        self.id = spec.id(assignment.lane)
        self.guided = Guided(None, {})
        self.hooks: tuple[Hook, ...] = ()
        self.remembers: MemoSource | None = None
        self.max_steps = spec.max_steps or limits.max_steps or task.max_steps
        self.public = public(assignment.instance)
        self.steps: list[Step] = []
        self.shown: list[Step] = []
        """The steps as the agent saw them."""
        self.observation: Observation | None = None
        self.unreplaced: Observation | None = None
        self.pending: tuple[Note, ...] = ()
        self.last: StepResult | None = None
        self.reports: tuple[Report, ...] = ()
        self.memos: tuple[Memo, ...] = ()
        self.rewards: list[float] = []
        self.components: dict[str, float] = {}
        self.stop: StopReason | None = None
        self.failure: Failure | None = None

    async def run(self) -> None:
        """Play until something ends the episode; the environment is closed in any case."""
        context, limits, workers = self.context, self.limits, self.agent.workers
        await workers.check()
        context.limit_tokens(limits.max_tokens)
        self.worker = workers.worker("agent")
        self.caller = HookCaller(self.hooks, context, self.worker, limits.step_timeout_s)
        self.door = EnvironmentDoor(
            self.assignment.task, self.assignment.instance, workers, limits.step_timeout_s
        )
        team = self.agent if isinstance(self.agent, Team) else None
        place = (context, self.door, self.public, self.max_steps)
        self.team = Teamwork(team, *place) if team is not None else None
        try:
            async with asyncio.timeout(limits.timeout_s) as clock:
                await self._unfold(clock)
        except TimeoutError:
            if not clock.expired():
                raise
            self.stop = StopReason.TIMEOUT
        except EpisodeError as error:
            self._broke(error)
        finally:
            self.worker.end()
            if self.team is not None:
                await self.team.close()
            await self.door.close()
        if context.fatal is not None:
            raise context.fatal

    def episode(self) -> Episode:
        """The record of what happened."""
        lane, last, stop = self.assignment.lane, self.last, self.stop
        assert stop is not None
        value = math.fsum(self.rewards) if self.rewards else None
        supplier = self.assignment.task.reward_supplier
        return Episode(
            id=self.id,
            run=lane.run,
            arm=lane.arm,
            seed=lane.seed,
            spec=self.spec,
            status="failed" if self.failure else "finished",
            trajectory=Trajectory(steps=tuple(self.steps), final=self.observation),
            answer=self.steps[-1].action.text if self.steps else None,
            # What an episode that broke had reached by then is no success, and no failure either.
            success=last.success if last and not self.failure else None,
            reward=Reward(value=value, components=self.components, supplier=supplier),
            terminated=last.terminated if last else False,
            truncated=(last.truncated if last else False) or stop in CUT,
            stop_reason=stop,
            guidance=self.guided.all(),
            usage=self.context.usage,
            failure=self.failure,
            generation=self.context.generation,
        )

    async def _unfold(self, clock: asyncio.Timeout) -> None:
        spec = self.spec
        self.observation = await self.door.open(spec.world_seed())
        if spec.purpose == "candidate" and not self.door.can_execute:
            raise TaskError(f"{self.assignment.task.id} cannot execute candidates without scoring")
        for n, action in enumerate(spec.prefix):
            if self.stop is None:
                if self.team is not None and (said := spec.heard[n : n + 1]):
                    self.observation, self.reports = await self.team.again(said[0])
                await self._step(action, replayed=True)
        await self._hear_reports()
        if self.stop is None:
            for name, decided in await self.caller.at_start(self._seen()):
                self._heard(name, decided)
        while self.stop is None:
            if clock.expired():
                # The agent swallowed the cancellation and answered after all.
                self.stop = StopReason.TIMEOUT
            elif self._tokens_spent():
                self.stop = StopReason.TOKENS
            else:
                await self._turn()

    def _heard(self, name: str, decided: Annotate | Stop) -> None:
        """Take what a hook says beside a step."""
        if isinstance(decided, Stop):
            self.stop = StopReason.HOOK
        else:
            self.pending += (note_of(name, decided),)

    async def _turn(self) -> None:
        """One step of the agent's, with its hooks."""
        drafts: list[Action] = []
        situation = await self._situation()
        action = await self._decide(situation, drafts)
        if action is None:
            return
        if self.spec.purpose == "candidate":
            await self._execute(action, tuple(drafts))
            return
        await self._step(action, tuple(drafts))
        await self._hear_reports()
        if self.stop is None and self.caller.looks_back:
            await self._after_step()

    async def _hear_reports(self) -> None:
        """Let a team's analysts say what they see, which its manager then sees in their words."""
        if self.team is None or self.stop is not None:
            return
        if self._tokens_spent():
            self.stop = StopReason.TOKENS
            return
        limit = self.limits.step_timeout_s
        heard = await self.team.observed(len(self.steps) + 1, self.guided, limit)
        if heard is None:
            self.stop = StopReason.TIMEOUT
        else:
            self.observation, self.reports = heard

    async def _situation(self) -> Situation:
        settled = self.guided.settled(_ROLE)
        if settled is not None and self.remembers is None:
            return self._seen(settled)
        situation = self._seen()
        guidance = await self.guided.of(_ROLE, situation, situation.step)
        seen: dict[str, object] = {"guidance": guidance}
        if self.remembers is not None:
            seen["memos"] = self.memos = await self.remembers.shown(situation)
        return situation.model_copy(update=seen)

    def _seen(self, guidance: Guidance = _UNGUIDED) -> Situation:
        assert self.observation is not None
        # Its parts are validated; validating the history at every step would be quadratic.
        return Situation.model_construct(
            goal=self.public.goal,
            observation=self.observation,
            history=tuple(self.shown),
            guidance=guidance,
            notes=self.pending,
            role=_ROLE,
            previous=self.spec.revises,
            instance=self.public,
            reports=self.reports,
        )

    async def _decide(self, situation: Situation, drafts: list[Action]) -> Action | None:
        """The action to be done; None when the episode ended instead."""
        while True:
            draft = await self._act(situation)
            if draft is None:
                return None
            name, decided = await self.caller.before_action(situation, draft)
            match decided:
                case Accept():
                    return draft
                case ReplaceAction():
                    drafts.append(draft)
                    return decided.action
                case Stop():
                    self.stop = StopReason.HOOK
                    return None
                case Revise():
                    self.pending += (note_of(name, decided),)
                    if len(drafts) == MAX_REVISIONS:
                        return draft
                    drafts.append(draft)
                    previous = Previous(output=draft.text, critique=decided.note)
                    situation = situation.model_copy(
                        update={"notes": self.pending, "previous": previous}
                    )

    async def _act(self, situation: Situation) -> Action | None:
        """The agent's draft; None when it took too long."""
        with self.context.active(step=situation.step):
            try:
                async with asyncio.timeout(self.limits.step_timeout_s) as clock:
                    draft = await self.agent.act(situation, self.worker)
            except TimeoutError:
                if not clock.expired():
                    raise
                self.stop = StopReason.TIMEOUT
                return None
        if self.context.fatal is not None:
            # The agent has swallowed it; what it made of it is worth nothing.
            raise self.context.fatal
        return draft

    async def _step(
        self, action: Action, drafts: tuple[Action, ...] = (), *, replayed: bool = False
    ) -> None:
        step = self._begun(action, drafts, replayed=replayed)
        try:
            result = await self.door.step(action)
        except BaseException:
            self.steps.append(step)
            raise
        self._record(step, feedback=result.feedback, reward=result.reward)
        self.last = result
        self.observation, self.unreplaced, self.pending = result.observation, None, ()
        if result.reward is not None:
            self.rewards.append(result.reward)
        for name, value in result.components.items():
            self.components[name] = self.components.get(name, 0.0) + value
        if result.terminated:
            self.stop = StopReason.TERMINATED
        elif result.truncated:
            self.stop = StopReason.TRUNCATED
        elif len(self.steps) >= self.max_steps:
            self.stop = StopReason.MAX_STEPS

    async def _execute(self, action: Action, drafts: tuple[Action, ...]) -> None:
        """Try a candidate without having it judged."""
        step = self._begun(action, drafts)
        try:
            seen = await self.door.execute(action)
        except BaseException:
            self.steps.append(step)
            raise
        self._record(step, feedback=seen.text)
        self.last = None
        self.stop = StopReason.EXECUTED if seen.fruitful else StopReason.FRUITLESS

    def _begun(self, action: Action, drafts: tuple[Action, ...], *, replayed: bool = False) -> Step:
        assert self.observation is not None
        return Step(
            n=len(self.steps) + 1,
            observation=self.observation,
            action=grounded(action, len(self.memos)),
            notes=self.pending,
            drafts=drafts,
            unreplaced=self.unreplaced,
            replayed=replayed,
            reports=self.reports,
            memos=self.memos,
        )

    def _record(self, step: Step, *, feedback: str, reward: float | None = None) -> None:
        done = step.model_copy(update={"feedback": feedback, "reward": reward})
        self.steps.append(done)
        # The agent must not find in its history what a hook has replaced.
        self.shown.append(done.model_copy(update={"unreplaced": None}) if step.unreplaced else done)

    async def _after_step(self) -> None:
        trajectory = Trajectory.model_construct(steps=tuple(self.steps), final=self.observation)
        for name, decided in await self.caller.after_step(trajectory):
            if isinstance(decided, ReplaceObservation):
                self._replace(decided.observation)
            else:
                self._heard(name, decided)

    def _replace(self, observation: Observation) -> None:
        own = self.observation
        assert own is not None
        if observation.actions is None:
            observation = observation.model_copy(update={"actions": own.actions})
        if observation.tools is None:
            observation = observation.model_copy(update={"tools": own.tools})
        self.unreplaced = self.unreplaced or own
        self.observation = observation

    def _tokens_spent(self) -> bool:
        limit = self.limits.max_tokens
        spent = self.context.tokens_spent
        return spent or (limit is not None and self.context.tokens_used >= limit)

    def _broke(self, error: EpisodeError) -> None:
        if self.context.tokens_spent:
            self.stop = StopReason.TOKENS
            return
        self.stop = stop_of(error)
        message = first_line(clean(str(error)), 500)
        # A step that broke in the environment is recorded already, one before that is not.
        step = len(self.steps) + (self.stop is not StopReason.TASK_ERROR)
        self.failure = Failure(kind=error.kind, message=message, step=step or None)
        log.warning("episode.failed", kind=error.kind, step=step)
