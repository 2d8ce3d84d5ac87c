"""How much is read in a run that is only thought of, measured on its first prompts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..agents import AgentHandle, Team
from ..agents.chat import MEMO_TOKENS
from ..agents.handles import public
from ..critics import Critic
from ..curators import Curator
from ..ids import token_estimate
from ..memory.memos import memo_rules
from ..records import EpisodeSpec, Lesson, Observation, Report, Situation
from ..rollout import Limits
from ..rollout.environments import EnvironmentDoor
from ..tasks import Task
from .plan import RunPlan

MEMOS, MEMO = 100, 15
"""Tokens of the words around memos, and of those that say whose each is."""


class Outline(NamedTuple):
    """The parts of a run that is only thought of."""

    task: Task
    plan: RunPlan
    agent: AgentHandle
    critic: Critic | None
    curator: Curator | None
    limits: Limits
    lessons: tuple[Lesson, ...] = ()
    """Usable ones of the shared scope that the learning arms start with."""


class Sizes(NamedTuple):
    """Tokens that the actor reads."""

    first: int
    """At the first step of an episode."""
    step: int
    """More at each later one."""
    steps: int
    """Of an episode, at most."""
    reports: Mapping[str, int] = {}
    """By analyst of a team, what it reads before each step."""
    least: int = 1
    """Steps of an episode, at least."""
    memos: int = 0
    """Of what a manager is shown of earlier days at each step, at most."""


async def sizes_of(outline: Outline) -> Sizes:
    """Measured on the first prompt of the first instance."""
    plan = outline.plan
    instance, limit = plan.read[0], outline.limits.step_timeout_s
    seen = public(instance)
    door = EnvironmentDoor(outline.task, instance, outline.agent.workers, limit)
    team = outline.agent if isinstance(outline.agent, Team) else None
    reports: dict[str, int] = {}
    try:
        observation = await door.open(EpisodeSpec(instance=instance.id).world_seed())
        if team is not None:
            observation, reports = await _heard(team, door, seen.goal)
    finally:
        await door.close()
    situation = Situation(goal=seen.goal, observation=observation, instance=seen)
    own = getattr(plan.method, "max_steps", None)
    steps = own or outline.limits.max_steps or outline.task.max_steps
    if outline.agent.kind == "answer":
        steps = 1
    least = min(steps, getattr(outline.task, "least_steps", 1))
    step = token_estimate(observation.text) + 40
    memos = _memos(team, observation) if team is not None else 0
    return Sizes(_first(outline.agent, situation), step, steps, reports, least, memos)


def _memos(team: Team, observation: Observation) -> int:
    """Tokens of the block of memos, each as long as the longest report."""
    if team.recall is None:
        return 0
    how = memo_rules(team.recall)
    count = how.most * (len(how.layers) if how.by_layer else 1)
    longest = max(map(token_estimate, observation.text.splitlines()), default=0)
    return MEMOS + count * (min(longest, MEMO_TOKENS) + MEMO)


async def _heard(
    team: Team, door: EnvironmentDoor, goal: str
) -> tuple[Observation, dict[str, int]]:
    """What a manager reads at first, each report as long as its source, and what analysts read."""
    own, reports, lines = await door.left(team.roles), dict[str, int](), list[str]()
    for role, analyst in team.analysts.items():
        seen = await door.preview(role, 1)
        reports[role] = _first(analyst, Situation(goal=goal, observation=seen, role=role))
        lines.append(Report(role=role, text=seen.text).line)
    return own.model_copy(update={"text": "\n".join((own.text, *lines))}), reports


def _first(agent: AgentHandle, situation: Situation) -> int:
    """Tokens of the first prompt; of what is seen, where the agent writes prompts of its own."""
    messages = getattr(agent.function, "messages", None)
    if callable(messages):
        return sum(token_estimate(m.plain) for m in messages(situation))
    return token_estimate(f"{situation.goal}\n{situation.observation.text}")
