"""What a run counts while it works, for its figures and its progress line. Arms never mix."""

from __future__ import annotations

import math
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from pydantic import JsonValue

from ..errors import first_line
from ..records import Commit, Critique, Decision, Episode, Split, Usage
from ..result import Outcome
from ..result.cited import Citations
from ..result.reporting import Reporting


class Outcomes:
    """Outcomes in the order in which they came, in some thirty bytes each.

    A run has thousands, and of all but instance, reward and tokens only a few kinds.
    """

    def __init__(self) -> None:
        self._instances: list[str] = []
        self._rewards = array("d")
        """Nan for none."""
        self._tokens = array("Q")
        self._kinds = array("L")
        self._known: dict[Outcome, int] = {}

    def append(self, outcome: Outcome) -> None:
        """Add one."""
        reward = outcome.reward
        kind = replace(outcome, instance="", reward=None, injected_tokens=0)
        self._instances.append(outcome.instance)
        self._rewards.append(math.nan if reward is None else reward)
        self._tokens.append(outcome.injected_tokens)
        self._kinds.append(self._known.setdefault(kind, len(self._known)))

    def __len__(self) -> int:
        return len(self._instances)

    def __iter__(self) -> Iterator[Outcome]:
        kinds = list(self._known)
        for instance, reward, tokens, kind in zip(
            self._instances, self._rewards, self._tokens, self._kinds, strict=True
        ):
            yield replace(
                kinds[kind],
                instance=instance,
                reward=None if math.isnan(reward) else reward,
                injected_tokens=tokens,
            )


@dataclass
class ArmTally:
    """One arm, over all its seeds."""

    expected: int
    instances: int
    reported: Split
    outcomes: Outcomes = field(default_factory=Outcomes)
    usage: dict[str, Usage] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    """What `expected` counts; candidates and searches are outcomes too."""
    accepted: int = 0
    failed_critiques: int = 0
    failed_curations: int = 0
    """Those that made nothing."""
    lacking_curations: int = 0
    """Those that made a commit and failed at a part of it."""
    rejected_operations: int = 0
    oracle_selected: bool = False
    """Whether a choice among candidates was made by their rewards."""
    cited: Citations = field(default_factory=Citations)
    reporting: Reporting = field(default_factory=Reporting)
    _solved: dict[int, set[str]] = field(default_factory=dict)

    def episode(self, episode: Episode) -> None:
        """Count an episode."""
        self.outcomes.append(outcome_of(episode))
        self.attempts += episode.spec.purpose == "attempt"
        self.reporting.add(episode)
        for role, usage in episode.usage.items():
            self._use(role, usage)
        counts = episode.spec.purpose == "attempt" and episode.spec.split == self.reported
        if counts:
            self.cited.add(episode)
        if counts and episode.success is True:
            self._solved.setdefault(episode.seed, set()).add(episode.instance)

    @property
    def solved(self) -> int:
        """Instances times seeds."""
        return sum(map(len, self._solved.values()))

    def critique(self, critique: Critique) -> None:
        """Count a critique."""
        self._use("critic", critique.usage)
        match critique.status:
            case "accepted":
                self.accepted += 1
            case "failed":
                self.failed_critiques += 1
            case "refused":
                self.refused[critique.refusal or "unusable"] += 1

    def commit(self, commit: Commit) -> None:
        """Count a commit."""
        self._use("curator", commit.usage)
        self.rejected_operations += len(commit.rejected)
        self.failed_curations += bool(commit.failure)
        self.lacking_curations += bool(commit.lacking and not commit.failure)

    def decision(self, decision: Decision) -> None:
        """Note who decided."""
        self.oracle_selected |= decision.supervision == "oracle"

    def critiques(self) -> dict[str, JsonValue]:
        """The figures of `run --json` on critiques."""
        refused = {str(reason): n for reason, n in sorted(self.refused.items())}
        return {
            "written": self.accepted + self.refused.total() + self.failed_critiques,
            "useful": self.accepted,
            "refused": dict(refused),
            "failed": self.failed_critiques,
            "failed_curations": self.failed_curations,
            "lacking_curations": self.lacking_curations,
            "rejected_operations": self.rejected_operations,
        }

    def _use(self, role: str, usage: Usage) -> None:
        if usage.calls:
            held = self.usage.get(role)
            self.usage[role] = usage if held is None else held + usage


def outcome_of(episode: Episode) -> Outcome:
    """What figures need of `episode`."""
    failure = episode.failure
    return Outcome(
        arm=episode.arm,
        seed=episode.seed,
        instance=episode.instance,
        split=episode.spec.split,
        trial=episode.trial,
        purpose=episode.spec.purpose,
        success=episode.success,
        cut=episode.truncated,
        idle=episode.truncated and not episode.acted,
        failed=episode.status != "finished",
        lacking=bool(episode.lacking),
        failure=f"{failure.kind}: {first_line(failure.message, 200)}" if failure else "",
        reward=episode.reward.value,
        injected_tokens=sum(g.tokens for g in episode.guidance.values()),
    )


@dataclass(frozen=True, slots=True)
class ArmProgress:
    """How far one arm is."""

    done: int
    """Episodes."""
    expected: int
    """An upper bound of the episodes; instances that are solved early need fewer."""
    solved: int
    """Instances times seeds."""
    instances: int
    """Instances times seeds."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    run: str
    phase: str
    by_arm: dict[str, ArmProgress]
    tokens: int
    in_flight: int
    """Model calls that wait for their answer."""
    seconds_left: float | None
    """From the rate measured so far; None before there is one."""

    @property
    def episodes_done(self) -> int:
        """Over all arms."""
        return sum(arm.done for arm in self.by_arm.values())

    @property
    def episodes_expected(self) -> int:
        """An upper bound, over all arms."""
        return sum(arm.expected for arm in self.by_arm.values())


class Clock:
    """Measures the rate of a run's own work: rows taken from an earlier session do not count."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._done = 0

    def tick(self) -> None:
        """One episode was run."""
        self._done += 1

    def seconds_left(self, remaining: int) -> float | None:
        """What `remaining` episodes will take at the rate so far."""
        if not self._done:
            return None
        return (time.monotonic() - self._began) / self._done * remaining
