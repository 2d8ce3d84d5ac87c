"""The closed loop: a learner drives an agent over a task under a method, in arms and seeds.

    for every arm and seed:  plan → attempt → score → critique → curate → commit → plan …

The plans decide, the lanes drive them, the bench does the work, the store keeps it. Running and
resuming are the same code: a resumed run starts from empty views and meets its own rows.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

# What only a run needs is reached through these packages, which import it when it is used.
# Annotations go through them too, so that `typing.get_type_hints` finds what they name.
from . import agents, critics, curators, execution, methods, models, result, rollout, tasks
from . import store as stores
from ._logging import get_logger
from ._version import __version__
from .errors import ConfigurationError, check_kind
from .execution import bills, given
from .models import Model, run_sync
from .prompts import library
from .records import BranchRecord, RunRecord, RunStatus
from .text import notice_environment

log = get_logger(__name__)

DEFAULT_ARMS = ("none", "retry", "learned")


class Learner:
    """Drives an agent over the instances of a task, and learns in words as it goes.

    Args:
        agent: A callable that takes a `Situation`, or (instance, guidance); or a `ChatAgent`.
        method: A plan from `verbalrl.methods`, or its name; by default the one that suits the task.
        critic: A model, its name, or a callable; by default the agent's own model.
        curator: A model, its name, or a callable; by default the critic's model.
        store: A folder, an open store, or a `Memory`; by default a new temporary folder.
        hooks: What may act inside an episode.
        limits: Bounds of an episode, how many model calls may be in flight, the run's budget.
        prompts: A folder whose files take the place of the shipped prompts, file by file.
    """

    def __init__(
        self,
        agent: agents.AgentLike,
        *,
        method: methods.Method | str | None = None,
        critic: critics.CriticLike | None = None,
        curator: curators.CuratorLike | None = None,
        store: stores.Store | execution.Memory | Path | str | None = None,
        hooks: rollout.Hook | Sequence[rollout.Hook] = (),
        limits: rollout.Limits | None = None,
        prompts: Path | str | None = None,
    ) -> None:
        self._prompts = library(given.folder(prompts, "prompts"))
        self._agent = agents.adapt(agent)
        self._method = given.method(method)
        judge = self._agent.model if critic is None else critic
        distiller = _model_of(judge) if curator is None else curator
        self._critic = None if judge is None else critics.adapt_critic(judge, self._prompts)
        self._curator = (
            None if distiller is None else curators.adapt_curator(distiller, self._prompts)
        )
        self._memory = store if isinstance(store, execution.Memory) else execution.Memory(store)
        self._store = given.place(self._memory.store)
        self._hooks = given.hooks(hooks)
        self._limits = bills.resolved(given.limits(limits))
        self._bench: execution.Bench | None = None
        self._cache: models.AnswerCache | None = None

    async def run(
        self,
        task: tasks.Task,
        *,
        trials: int | None = None,
        instances: int | tuple[int, int] | None = None,
        train_instances: int | None = None,
        seeds: Sequence[int] = (0,),
        arms: str | Sequence[str] = DEFAULT_ARMS,
        start: str | None = None,
        learn: bool = True,
    ) -> result.RunResult:
        """Run `task` in every arm and seed, and return the figures.

        Args:
            task: From `load_task`, or your own.
            trials: Attempts per instance; for shared methods, passes over the train split.
            instances: How many instances are read, or the range (A, B) of their indices; at most
                100,000 of a split.
            train_instances: For shared methods: how many train instances there are.
            seeds: Seeds of sampling; they never change the instances.
            arms: Conditions under comparison.
            start: The branch whose lessons every learning arm starts from.
            learn: False: memory is read and nothing is learned.

        Raises:
            ConfigurationError: Before the first model call, when something cannot work.
        """
        began = time.monotonic()
        plan = await self._plan(
            task,
            trials=trials,
            instances=instances,
            train_instances=train_instances,
            seeds=seeds,
            arms=arms,
            start=start,
            learn=learn,
        )
        config = self._config(task, plan, self._limits)
        with ExitStack() as stack:
            store = self._open(stack, create=start is None)
            # What cannot work is refused before there is a run: an empty one would be the latest.
            kit = self._kit(store, task, self._limits)
            record = self._create(store, task, plan, config)
            self._left(stack, began, self._limits)
            return await self._drive(kit, plan, record, begins=True)

    def run_sync(self, task: tasks.Task, **settings: Any) -> result.RunResult:
        """`run` for sync code; works where a loop is running already."""
        return run_sync(self.run(task, **settings))

    async def forecast(self, task: tasks.Task, **settings: Any) -> execution.Forecast:
        """What `run` with the same settings would take; asks no model and stores nothing."""
        plan = await self._plan(task, **settings)
        self._config(task, plan, self._limits)
        parts = (self._agent, self._critic, self._curator)
        there = execution.starting.inherited(self._store, plan.start, task.id)
        outline = execution.Outline(task, plan, *parts, self._limits, there)
        return await execution.forecast(outline, self._model())

    def forecast_sync(self, task: tasks.Task, **settings: Any) -> execution.Forecast:
        """`forecast` for sync code."""
        return run_sync(self.forecast(task, **settings))

    async def resume(
        self, run: str, task: tasks.Task, *, retry_failed: bool = False
    ) -> result.RunResult:
        """Go on with an interrupted run to the memory that it would have reached.

        Args:
            run: Its id, or the beginning of it.
            task: The task that it ran.
            retry_failed: True: episodes, critiques and curations that ended in an error are tried
                again, and what rests on them is done again. Answers that are there are not asked
                for twice. False: recorded failures stay final.

        Raises:
            ConfigurationError: When the task, the method, a prompt or a model is not the same, or
                the budget that stopped the run is no larger now.
        """
        began = time.monotonic()
        check_kind(run, str, "resume takes the id of a run")
        with ExitStack() as stack:
            store = self._open(stack, create=False)
            task = given.task(task)
            record = store.run(run)
            plan = await execution.RunPlan.from_config(record.config, task, self._method)
            limits = bills.course(record, self._limits)
            config = self._config(task, plan, limits)
            execution.check_same(record.config, config)
            if self._simulated() != record.simulated:
                raise ConfigurationError(
                    f"cannot resume: {record.id} {_answered(record.simulated)}, and now it would"
                    " be the other way; start a new run instead"
                )
            # Where models are asked and what may be spent may change; the next must know.
            kept = {"servers": config["servers"], "limits": config["limits"]}
            record = record.replace(config={**record.config, **kept})
            self._left(stack, began, limits)
            kit = self._kit(store, task, limits)
            return await self._drive(kit, plan, record, retry_failed=retry_failed)

    def resume_sync(
        self, run: str, task: tasks.Task, *, retry_failed: bool = False
    ) -> result.RunResult:
        """`resume` for sync code."""
        return run_sync(self.resume(run, task, retry_failed=retry_failed))

    async def aclose(self) -> None:
        """Close the connections that its models hold on the running loop; it may run again."""
        for model in {id(m): m for m in self._models().values()}.values():
            await model.aclose()

    def progress(self) -> execution.Progress | None:
        """How far the running run is; None before it starts."""
        return self._bench.progress() if self._bench else None

    def stop(self, reason: str) -> None:
        """Start nothing new; what is paid for is kept, and the run can be resumed."""
        if self._bench:
            self._bench.stop(reason)

    def _chosen(self, task: tasks.Task, trials: int | None, learn: bool) -> methods.Method:
        method = self._method or methods.default_for(task.learns, bool(task.size("test") != 0))
        changes: dict[str, Any] = {} if trials is None else {"trials": trials}
        if not learn:
            changes["learn"] = False
        chosen = methods.changed(method, changes) if changes else method
        return given.suited(chosen, self._agent)

    async def _plan(
        self,
        task: tasks.Task,
        *,
        trials: int | None = None,
        instances: int | tuple[int, int] | None = None,
        train_instances: int | None = None,
        seeds: Sequence[int] = (0,),
        arms: str | Sequence[str] = DEFAULT_ARMS,
        start: str | None = None,
        learn: bool = True,
    ) -> execution.RunPlan:
        given.span(instances)
        given.count(train_instances, "train_instances")
        task = given.task(task)
        return await execution.RunPlan.of(
            task,
            self._chosen(task, trials, learn),
            instances=instances,
            train_instances=train_instances,
            seeds=given.seeds(seeds),
            arms=given.arms(arms),
            start=start,
        )

    def _left(self, stack: ExitStack, began: float, limits: rollout.Limits) -> None:
        """Stop the run once its seconds, counted from `began`, are over."""
        seconds = limits.budget.seconds
        if seconds is not None:
            left = max(0.0, seconds - (time.monotonic() - began))
            reason = f"the budget of {seconds:g} seconds"
            stack.callback(asyncio.get_running_loop().call_later(left, self.stop, reason).cancel)

    def _open(self, stack: ExitStack, *, create: bool) -> stores.Store:
        notice_environment()
        folder = self._limits.cache
        self._cache = None if folder is None else stack.enter_context(models.AnswerCache(folder))
        if isinstance(self._store, stores.Store):
            return self._store
        place = self._store or tempfile.mkdtemp(prefix="verbalrl-")
        store = stores.open_store(place, create=create)
        stack.callback(store.close)
        return store

    def _create(
        self, store: stores.Store, task: tasks.Task, plan: execution.RunPlan, config: dict[str, Any]
    ) -> RunRecord:
        record = RunRecord(
            id=f"run_{secrets.token_hex(5)}",
            task=task.id,
            method=plan.method.name,
            model=self._model(),
            simulated=self._simulated(),
            config=config,
        )
        parents = execution.starting.parents(store, plan.start)
        branches = [
            BranchRecord(
                id=lane.branch,
                run=record.id,
                arm=lane.arm,
                seed=lane.seed,
                parent=plan.start if learns else None,
                pinned=parents if learns else {},
                learns=learns and plan.method.learn,
            )
            for lane, learns in plan.lanes(record.id)
        ]
        store.create_run(record, branches)
        return record

    async def _drive(
        self,
        kit: execution.Kit,
        plan: execution.RunPlan,
        record: RunRecord,
        *,
        begins: bool = False,
        retry_failed: bool = False,
    ) -> result.RunResult:
        """Run every stream to its end, whatever ends it, and store the figures."""
        store, task = kit.store, kit.task
        with ExitStack() as leases, execution.patient():
            bench = self._bench = execution.Bench(kit, plan, record, begins=begins)
            for lane, _ in plan.lanes(record.id):
                # Control arms too: two processes that resume one run would pay twice.
                lease = leases.enter_context(store.acquire_lease(lane.branch, record.id))
                bench.fences[lane.branch] = lease.fence
            if retry_failed:
                # Where it is refused, the run stays as it was.
                bench.retried = await execution.taken_back(bench)
            store.update_run(record.id, status="running", stop_reason="", config=record.config)
            log.info("run.started", run=record.id, task=task.id, method=plan.method.name)
            began = time.monotonic()
            status: RunStatus = "failed"
            try:
                await execution.drive(bench)
                status = bench.status
            except asyncio.CancelledError:
                status = "interrupted"
                raise
            except Exception as error:
                bench.stop(f"{type(error).__name__}: {error}")
                raise
            finally:
                store.update_run(record.id, status=status, stop_reason=bench.stop_reason)
                log.info("run.finished", run=record.id, status=status)
                await kit.memory.aclose()
            # Digests read every episode: an interrupted run must not wait for them.
            result = bench.result(time.monotonic() - began, status)
            store.update_run(record.id, result=result.figures)
            return result

    def _kit(self, store: stores.Store, task: tasks.Task, limits: rollout.Limits) -> execution.Kit:
        return execution.Kit(
            store=store,
            task=task,
            agent=self._agent,
            critic=self._critic,
            curator=self._curator,
            hooks=self._hooks,
            limits=limits,
            prompts=self._prompts,
            cache=self._cache,
            memory=self._memory.recaller(store),
        )

    def _models(self) -> dict[str, Model]:
        """By role, the models that can be told."""
        parts = {"agent": self._agent, "critic": self._critic, "curator": self._curator}
        found = {role: getattr(part, "model", None) for role, part in parts.items()}
        found |= {role: m for role, m in self._agent.models.items() if role != "actor"}
        return {role: model for role, model in found.items() if isinstance(model, Model)}

    def _model(self) -> str:
        return self._agent.model.name if self._agent.model else self._agent.name

    def _simulated(self) -> bool:
        parts = (self._agent, self._critic, self._curator)
        return any(part is not None and part.simulated for part in parts)

    def _config(
        self, task: tasks.Task, plan: execution.RunPlan, limits: rollout.Limits
    ) -> dict[str, Any]:
        named = {"agent": self._agent, "critic": self._critic, "curator": self._curator}
        bills.check(limits.budget, self._models().values())
        writes = plan.method.learn and getattr(plan.method, "writes", True)
        if writes and {"learned", "shuffled"} & set(plan.arms):
            given.learners(self._agent.name, plan.method, self._critic, self._curator)
        trio = execution.Trio(self._agent, self._critic, self._curator)
        execution.requirements.check(plan, task, trio)
        return {
            **plan.config(),
            **{role: execution.name_of(part) for role, part in named.items()},
            **self._agent.recorded(),
            "servers": execution.servers_of(self._models()),
            **self._memory.config(),
            "limits": limits.model_dump(mode="json"),
            "hooks": [type(hook).__name__ for hook in self._hooks],
            "prompts": str(self._prompts.overrides) if self._prompts.overrides else None,
            "prompt_shas": self._prompts.shas(),
            "task": getattr(task, "ref", "") or task.id,
            **getattr(task, "loaded_with", {}),
            "task_sha": task.sha,
            "versions": {"verbalrl": __version__},
        }


def _model_of(critic: object) -> Model | str | None:
    """The model behind a critic, which curates too unless another is named."""
    if isinstance(critic, Model) or (isinstance(critic, str) and not critics.named(critic)):
        return critic
    model = getattr(critic, "model", None)
    return model if isinstance(model, Model) else None


def _answered(simulated: bool) -> str:
    return "was answered by a model for tests" if simulated else "was answered by real models"
