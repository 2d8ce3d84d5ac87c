"""One attempt as it unfolds: instances, steps, what the agent sees, rewards, how it ended."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import JsonValue

from ._base import Record
from .content import Action, Observation, Origin, Tool
from .guidance import Guidance

Split = Literal["train", "test"]


class Instance(Record):
    """One problem of a task."""

    id: str
    goal: str
    """What the agent is asked to do; shown to it."""
    split: Split = "train"
    data: dict[str, JsonValue] = {}
    """What the environment needs; never shown to an agent, a critic or a curator."""
    answers: tuple[str, ...] = ()
    """Texts that would give the instance away; used only to refuse revealing critiques."""
    observation: Observation | None = None
    """What the environment shows; there only where an agent gets the instance in place of a
    situation."""

    @property
    def text(self) -> str:
        """Goal and observation as one text: all that the problem says."""
        shown = self.observation.text if self.observation else ""
        return "\n\n".join(filter(None, (self.goal, shown)))

    @property
    def actions(self) -> tuple[str, ...] | None:
        """The admissible answers; None when any text is."""
        return self.observation.actions if self.observation else None


class Note(Record):
    """A remark that a hook or a person puts beside one step."""

    author: str
    text: str
    origin: Origin = Origin.UNTRUSTED
    """Who its words come from: operator where a person wrote it; hooks say so themselves."""


class Report(Record):
    """What one analyst of a team says to its manager before one decision."""

    role: str
    """Whose it is."""
    text: str
    """On one line, as the manager reads it."""
    tokens: int = 0
    """What it took, in and out; of one that is repeated nothing."""
    origin: Origin | None = None
    """The least trusted that what its analyst read names; None: that of the task."""
    source: str | None = None
    """Whose that is, where it is one alone."""

    @property
    def line(self) -> str:
        """`News analyst: …`, as it stands in the manager's observation."""
        return f"{spoken(self.role).capitalize()} analyst: {self.text}"


class Memo(Record):
    """What was said on an earlier day of a chain of attempts, shown again; never a lesson."""

    id: str
    source: str
    """The role whose report it was; `actor` for what the agent thought itself."""
    step: int
    """When it was said last."""
    ago: int = 0
    """How many attempts ago that was; 0 for the present one."""
    text: str

    @property
    def said(self) -> str:
        """When and by whom, as a prompt has it: `step 4, news analyst`."""
        who = "you yourself" if self.source == "actor" else f"{spoken(self.source)} analyst"
        before = {0: "", 1: "the attempt before, "}.get(self.ago, f"{self.ago} attempts before, ")
        return f"{before}step {self.step}, {who}"


def spoken(role: str) -> str:
    """The name of a role as prompts have it."""
    return role.replace("_", " ")


class Step(Record):
    """One observation, the action on it, and what came back."""

    n: int
    """From 1."""
    observation: Observation
    """What the agent saw."""
    action: Action
    feedback: str = ""
    """What the environment said in answer to the action."""
    reward: float | None = None
    """None when the environment gave none."""
    notes: tuple[Note, ...] = ()
    """Notes that the agent saw at this step, and those written in answer to its drafts."""
    drafts: tuple[Action, ...] = ()
    """Actions that a `before_action` hook sent back or replaced, oldest first."""
    unreplaced: Observation | None = None
    """The environment's own observation, where a hook showed the agent another one."""
    replayed: bool = False
    """True for an action of a replayed prefix."""
    reports: tuple[Report, ...] = ()
    """What the analysts of a team said before it; the observation has them too."""
    memos: tuple[Memo, ...] = ()
    """What was recalled of earlier days; the action says which of them it rested on."""

    @property
    def account(self) -> str:
        """What was seen without the reports that stand at its end."""
        said = "\n".join(report.line for report in self.reports)
        return self.observation.text.removesuffix(said).rstrip("\n")


class Trajectory(Record):
    """The steps of one episode and what was seen after the last of them."""

    steps: tuple[Step, ...] = ()
    final: Observation | None = None


class Previous(Record):
    """An earlier output that this attempt is to improve, and what was said about it."""

    output: str
    critique: str
    earlier: tuple[tuple[str, str], ...] = ()
    """Outputs before that one and what was said about each, oldest first, for methods that show
    the whole history."""


class Situation(Record):
    """All that an agent sees at one step."""

    goal: str
    observation: Observation
    history: tuple[Step, ...] = ()
    guidance: Guidance = Guidance()
    notes: tuple[Note, ...] = ()
    role: str = "actor"
    previous: Previous | None = None
    instance: Instance | None = None
    """The instance without its hidden fields."""
    reports: tuple[Report, ...] = ()
    """Of a team's manager: what its analysts say; the observation has a line of each."""
    memos: tuple[Memo, ...] | None = None
    """Of a team's manager that recalls: what was said on earlier days, the likeliest to matter
    first. None: it does not recall."""

    @property
    def actions(self) -> tuple[str, ...] | None:
        """The admissible actions; None when any text is."""
        return self.observation.actions

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The tools that may be called; the newest observation that speaks of them decides."""
        seen = (self.observation, *(step.observation for step in reversed(self.history)))
        return next((o.tools for o in seen if o.tools is not None), ())

    @property
    def step(self) -> int:
        """The number of the step to be taken, from 1."""
        return len(self.history) + 1


class RewardSupplier(StrEnum):
    """Who judged."""

    ENVIRONMENT = "environment"
    CHECK = "check"
    ORACLE = "oracle"
    OPERATOR = "operator"
    USER = "user"
    AGENT = "agent"


class Reward(Record):
    """The judgement of an episode."""

    value: float | None = None
    """The sum over steps; None when nobody gave one."""
    components: dict[str, float] = {}
    supplier: RewardSupplier = RewardSupplier.ENVIRONMENT


class StopReason(StrEnum):
    """Why an episode ended."""

    TERMINATED = "terminated"
    """The environment reached an end of its own."""
    TRUNCATED = "truncated"
    """The environment cut the episode."""
    MAX_STEPS = "max_steps"
    TIMEOUT = "timeout"
    TOKENS = "tokens"
    HOOK = "hook"
    """A hook stopped it."""
    EXECUTED = "executed"
    """A candidate was executed without being scored."""
    FRUITLESS = "fruitless"
    """A candidate was executed, and did not run or returned nothing."""
    AGENT_ERROR = "agent_error"
    TASK_ERROR = "task_error"
    HOOK_ERROR = "hook_error"
    MODEL_ERROR = "model_error"
    ABANDONED = "abandoned"
    """Given up by the run, for example when its threads were stuck."""


class Failure(Record):
    """What broke, in one line."""

    kind: str
    """The `kind` of an `EpisodeError`."""
    message: str
    step: int | None = None


class StepResult(Record):
    """What an environment returns for one action."""

    observation: Observation
    feedback: str = ""
    """One sentence on the action just taken, for agent and critic; never the right action."""
    reward: float | None = None
    components: dict[str, float] = {}
    terminated: bool = False
    """The task reached an end of its own."""
    truncated: bool = False
    """The environment's own limit was reached."""
    success: bool | None = None
    """True, false or unknown; never inferred from the reward or from `terminated`."""
