"""The analysts of a team at work in one episode: side by side, and ahead of the manager.

What an analyst sees depends on no action, so that its report on a later step can be asked for
early. What it took enters the episode when the report does: whether analysts ran ahead changes
neither what is recorded nor the bill of the episode. A report that nobody came to read, because
the episode ended, stays on the bill of the run alone.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from .._logging import get_logger
from ..agents import Team
from ..errors import EpisodeError, TaskError
from ..models import CallContext
from ..records import Action, Guidance, Instance, Observation, Origin, Report, Situation, TextPart
from .environments import EnvironmentDoor
from .guided import Guided

log = get_logger(__name__)

AHEAD = 4
"""Steps beyond the present one that are worked on. One hides the analysts behind a manager that
takes as long as they do; a few more hide a slow reply or a retry. Each further one would only be
paid for in vain where the episode ends early, and hold slots that others wait for."""


class _Said(NamedTuple):
    """What an analyst says, and who stands behind what it read."""

    text: str
    origin: Origin | None = None
    """The least trusted that its source names; None: that of the task."""
    source: str | None = None
    """Whose that is, where it is one alone."""


class _Job(NamedTuple):
    """One report in the making."""

    task: asyncio.Task[_Said]
    context: CallContext


class Teamwork:
    """The reports of one episode."""

    def __init__(
        self,
        team: Team,
        context: CallContext,
        door: EnvironmentDoor,
        instance: Instance,
        max_steps: int,
    ) -> None:
        self._team, self._context, self._door = team, context, door
        self._instance, self._last = instance, max_steps
        self._jobs: dict[int, dict[str, _Job]] = {}

    async def observed(
        self, step: int, guided: Guided, limit: float | None
    ) -> tuple[Observation, tuple[Report, ...]] | None:
        """What the manager sees before `step`; None when the reports took longer than `limit` s.

        Raises:
            EpisodeError: The first failure in the order of the analysts, or the environment's.
            VerbalRLError: What ends the run, or makes the episode worthless.
        """
        if not self._door.can_preview:
            raise TaskError("a team needs an environment with preview and left")
        own = await self._door.left(self._team.roles)
        await self._begin(step, guided)
        jobs = self._jobs[step]
        late = {job.task for job in jobs.values() if not job.task.done()}
        # Where all is there nothing is waited for: what was just begun must not come before the
        # manager's request, which everybody waits for.
        if late and (await asyncio.wait(late, timeout=limit))[1]:
            return None
        # Whoever fails, all of them are paid; the failures of the others are taken note of when all
        # is closed.
        for role in self._team.roles:
            self._context.take(jobs[role].context)
        said = [self._said(role, jobs[role]) for role in self._team.roles]
        del self._jobs[step]
        tokens = (jobs[role].context.tokens_used for role in self._team.roles)
        whole = zip(self._team.roles, said, tokens, strict=True)
        reports = tuple(
            Report(role=r, text=s.text, tokens=n, origin=s.origin, source=s.source)
            for r, s, n in whole
        )
        return _joined(own, reports), reports

    async def again(self, reports: tuple[Report, ...]) -> tuple[Observation, tuple[Report, ...]]:
        """What the manager saw before a step that is replayed; nobody is asked or paid again."""
        own = await self._door.left(self._team.roles)
        reports = tuple(report.replace(tokens=0) for report in reports)
        return _joined(own, reports), reports

    async def close(self) -> None:
        """Cancel what nobody will read, and wait until it has stopped."""
        left = [job.task for jobs in self._jobs.values() for job in jobs.values()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        if left:
            done = sum(not task.cancelled() for task in left)
            log.info("team.stopped_ahead", reports=len(left), finished=done)

    async def _begin(self, step: int, guided: Guided) -> None:
        """Have the reports on `step` under way, and on the steps after it where that may be."""
        for role in self._team.roles:
            # What is recalled step by step rests on what has happened: nobody can know it before.
            ahead = self._team.ahead and not guided.per_step(role)
            last = min(step + AHEAD, self._last) if ahead else step
            begun = [n for n in range(step, last + 1) if role not in self._jobs.get(n, {})]
            if begun:
                guidance = await self._guidance(role, step, guided)
                for n in begun:
                    self._jobs.setdefault(n, {})[role] = self._job(role, n, guidance)

    async def _guidance(self, role: str, step: int, guided: Guided) -> Guidance:
        settled = guided.settled(role)
        if settled is not None:
            return settled
        seen = await self._door.preview(role, step)
        return await guided.of(role, self._situation(role, seen, Guidance()), step)

    def _job(self, role: str, step: int, guidance: Guidance) -> _Job:
        context = self._context.apart(step)
        made = self._report(role, step, guidance, context)
        return _Job(asyncio.create_task(made, name=f"report {role} {step}"), context)

    async def _report(
        self, role: str, step: int, guidance: Guidance, context: CallContext
    ) -> _Said:
        seen = await self._door.preview(role, step)
        situation = self._situation(role, seen, guidance)
        with context.active(step=step, role=role):
            action = await self._team.analysts[role].act(situation)
        return _Said(" ".join(action.text.split()), *_behind(seen, action))

    def _situation(self, role: str, seen: Observation, guidance: Guidance) -> Situation:
        return Situation(
            goal=self._instance.goal,
            observation=seen,
            guidance=guidance,
            role=role,
            instance=self._instance,
        )

    def _said(self, role: str, job: _Job) -> _Said:
        """What `role` says."""
        if self._context.fatal is not None:
            raise self._context.fatal
        try:
            return job.task.result()
        except EpisodeError as error:
            raise type(error)(f"{role} analyst: {error}") from error


def _behind(seen: Observation, said: Action) -> tuple[Origin | None, str | None]:
    """The least trusted origin that is named, and its source where there is one alone."""
    # What an analyst writes is its own; a part of it that names an origin is not.
    parts = (*seen.parts, *(part for part in said.parts if part.origin is not None))
    origins = [part.origin for part in parts]
    named = [origin for origin in origins if origin is not None]
    # What names none has the task's, and that may be the least.
    if not named or (None in origins and Origin.UNTRUSTED not in named):
        return None, None
    least = Origin.minimum(tuple(named))
    sources = {part.source for part in parts if part.origin is least}
    return least, sources.pop() if len(sources) == 1 else None


def _joined(own: Observation, reports: tuple[Report, ...]) -> Observation:
    """`own` with a line of each report, each as little trusted as what its analyst read."""
    text = "\n".join(filter(None, (own.text, *(report.line for report in reports))))
    if not own.parts and all(report.origin is None for report in reports):
        return own.model_copy(update={"text": text})
    parts = own.parts or ((TextPart(text=own.text),) if own.text else ())
    told = (TextPart(text=r.line, origin=r.origin, source=r.source) for r in reports)
    return own.model_copy(update={"text": text, "parts": (*parts, *told)})
