"""`triage`: support tickets, five teams, a policy that the agent is never told.

A ticket is a few plain sentences: one holds a cue phrase (the topic), one names the plan of the
customer. The topic decides the team, but for one topic on one plan, where an exception overrides
it. Sentence templates, cue phrases and the policy stand in `tickets.toml` of the task folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Self

from pydantic import Field, JsonValue, model_validator

from ..ids import normalised
from ..records import Action, Instance, Observation, Record, Split, StepResult
from .base import Environment, Fruitless, Policy, Problem, follow
from .draws import pick, sample, shuffled
from .tables import read_table, sentence

VERSION = "triage-v1"
GOAL = "Hand the support ticket to the team that should handle it."


class Topic(Record):
    """A cue phrase, and the team that gets its tickets."""

    cue: str
    team: str


class Override(Topic):
    """On `plan`, the tickets of a topic go to another team."""

    plan: str


class Templates(Record):
    """The sentences of one split; braces name a filling."""

    openings: tuple[str, ...] = Field(min_length=1)
    cues: tuple[str, ...] = Field(min_length=1)
    plans: tuple[str, ...] = Field(min_length=1)
    details: tuple[str, ...] = Field(min_length=2)


class Tickets(Record):
    """The contents of `tickets.toml`."""

    teams: tuple[str, ...] = Field(min_length=2)
    plans: tuple[str, ...] = Field(min_length=2)
    topics: tuple[Topic, ...] = Field(min_length=1)
    exceptions: tuple[Override, ...] = ()
    fill: dict[str, tuple[str, ...]]
    train: Templates
    test: Templates

    @model_validator(mode="after")
    def _known_names(self) -> Self:
        cues = {topic.cue for topic in self.topics}
        for topic in (*self.topics, *self.exceptions):
            if topic.team not in self.teams:
                raise ValueError(f"team {topic.team!r} is not among the teams")
        for exception in self.exceptions:
            if exception.cue not in cues or exception.plan not in self.plans:
                raise ValueError(f"exception {exception.cue!r} names no topic or no plan")
        return self


class Cell(NamedTuple):
    """One line of the policy."""

    cue: str
    team: str
    plans: tuple[str, ...]
    """The customer plans that it covers."""
    is_exception: bool


class Triage(Record):
    """All tickets under one policy."""

    tickets: Tickets
    task_seed: int = 0
    overrides: int = Field(default=1, ge=0, le=2)
    rule: int = Field(default=0, ge=0)

    @classmethod
    def open(cls, folder: Path, args: dict[str, JsonValue], task_seed: int) -> Triage:
        """The world of the task folder `folder`."""
        tickets = read_table(folder / "tickets.toml", Tickets)
        return cls.model_validate({**args, "tickets": tickets, "task_seed": task_seed})

    @property
    def actions(self) -> tuple[str, ...]:
        """One per team."""
        return tuple(action_for(team) for team in self.tickets.teams)

    @property
    def max_steps(self) -> int:
        """One decision per ticket."""
        return 1

    def size(self, split: Split, /) -> int | None:
        """Without end."""
        return None

    def cells(self) -> tuple[Cell, ...]:
        """The policy, line by line."""
        exceptions = self.tickets.exceptions[: self.overrides]
        taken = {(e.cue, e.plan) for e in exceptions}
        regular = [
            Cell(
                topic.cue,
                self._team(topic.team),
                tuple(p for p in self.tickets.plans if (topic.cue, p) not in taken),
                False,
            )
            for topic in self.tickets.topics
        ]
        return (*regular, *(Cell(e.cue, self._team(e.team), (e.plan,), True) for e in exceptions))

    def problem(self, split: Split, index: int, /) -> Problem:
        """Ticket number `index`: every run of as many tickets as cells has one of each cell."""
        cells = self.cells()
        block, place = divmod(index, len(cells))
        number = shuffled(range(len(cells)), VERSION, self.task_seed, split, "block", block)[place]
        cell = cells[number]
        # Alternating, so that a plan goes with every topic and predicts nothing by itself.
        plan = cell.plans[(block + number) % len(cell.plans)]
        data: dict[str, JsonValue] = {
            "text": self._text(split, index, cell.cue, plan),
            "team": cell.team,
            "cell": number,
        }
        return Problem(GOAL, data, (action_for(cell.team),))

    def environment(self, instance: Instance, /) -> Environment:
        """One ticket, to be handed on once."""
        return TriageEnvironment(
            str(instance.data["text"]), str(instance.data["team"]), self.tickets.teams
        )

    def oracle(self, instance: Instance, /) -> Policy:
        """Knows the policy."""
        return follow(action_for(str(instance.data["team"])))

    def _team(self, team: str) -> str:
        if self.rule == 0:
            return team
        teams = self.tickets.teams
        return shuffled(teams, VERSION, "rule", self.rule)[teams.index(team)]

    def _text(self, split: Split, index: int, cue: str, plan: str) -> str:
        key = (VERSION, self.task_seed, split, index)
        templates = self.tickets.train if split == "train" else self.tickets.test
        fill = {name: pick(words, *key, name) for name, words in self.tickets.fill.items()}
        fill |= {"cue": cue, "plan": plan}
        body = (
            pick(templates.cues, *key, "cue"),
            pick(templates.plans, *key, "plan"),
            *sample(templates.details, 2, *key, "details"),
        )
        sentences = (pick(templates.openings, *key, "opening"), *shuffled(body, *key, "order"))
        return " ".join(sentence(part, fill) for part in sentences)


class TriageEnvironment:
    """One ticket; nothing here depends on chance."""

    def __init__(self, text: str, team: str, teams: tuple[str, ...]) -> None:
        self._text = text
        self._team = team
        self._teams = {normalised(action_for(name)): name for name in teams}
        self._actions = tuple(action_for(name) for name in teams)

    def reset(self, seed: int, /) -> Observation:
        """Show the ticket."""
        return Observation(text=self._text, actions=self._actions)

    def step(self, action: Action, /) -> StepResult:
        """Hand the ticket on and hear how it went."""
        team = self._teams.get(normalised(action.text))
        success = team == self._team
        if team is None:
            feedback = "Wrong: this is not a possible handling, and the customer still waits."
        elif success:
            feedback = f"Correct: the {team} team solved the problem."
        else:
            feedback = f"Wrong: the {team} team could not help and sent the ticket back."
        return StepResult(
            observation=Observation(text="The ticket is closed.", actions=()),
            feedback=feedback,
            reward=1.0 if success else 0.0,
            terminated=True,
            success=success,
        )

    def execute(self, action: Action, /) -> str:
        """What would happen with the ticket, without a judgement."""
        team = self._teams.get(normalised(action.text))
        if team is None:
            return Fruitless("No team is named so; the ticket would stay where it is.")
        return f"The ticket would go into the queue of the {team} team."


def action_for(team: str) -> str:
    """The action that hands a ticket to `team`."""
    return f"hand to {team} team"
