"""Which of the lessons in a prompt the agent says it went by: pure.

A citation is a number in the agent's `lessons_used`, or in brackets or by name in what it wrote
before it decided. It says what the agent said, not what moved it.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from pydantic import JsonValue

from ..ids import normalised
from ..records import Episode

_NUMBER = re.compile(r"\[(\d{1,4})\]")
_LISTED = 50
_Place = tuple[str, str, str, str, str, int, int]


def cited(episode: Episode) -> dict[str, bool]:
    """By id of the lessons in the prompts of `episode`, whether one of its steps cites it."""
    lines = [line for guidance in episode.guidance.values() for line in guidance.lines]
    numbers: set[int] = set()
    thoughts: list[str] = []
    for step in episode.trajectory.steps:
        numbers.update(step.action.lessons_used)
        numbers.update(int(n) for n in _NUMBER.findall(step.action.thought))
        thoughts.append(normalised(step.action.thought))
    said = "\n".join(thoughts)
    names = {line.alias: normalised(line.name) for line in lines}
    by_name = {alias for alias, name in names.items() if " " in name and name in said}
    return {line.lesson: line.alias in numbers | by_name for line in lines}


@dataclass
class Citations:
    """Counts over the attempts that are reported."""

    attempts: int = 0
    output: int = 0
    """Tokens that the actor wrote."""
    shown: Counter[str] = field(default_factory=Counter)
    """Attempts by lesson that was in their prompts."""
    cited: Counter[str] = field(default_factory=Counter)
    solved: Counter[str] = field(default_factory=Counter)
    """Of those that cite it, how many succeeded."""
    places: dict[str, _Place] = field(default_factory=dict)
    """By lesson what tells it from others in every run alike; ids hold the run."""

    def add(self, episode: Episode) -> None:
        """Count one attempt."""
        self.attempts += 1
        usage = episode.usage.get("actor")
        self.output += usage.output if usage else 0
        for guidance in episode.guidance.values():
            for line in guidance.lines:
                said = (line.when, line.when_not, line.instruction, line.name)
                place = (*said, episode.instance, episode.seed, line.alias)
                self.places[line.lesson] = min(place, self.places.get(line.lesson, place))
        for lesson, is_cited in cited(episode).items():
            self.shown[lesson] += 1
            self.cited[lesson] += is_cited
            self.solved[lesson] += is_cited and episode.success is True

    def figures(self) -> dict[str, JsonValue]:
        """What `run --json` says of one arm."""
        ranked = sorted(
            self.shown, key=lambda x: (-self.cited[x], -self.shown[x], self.places[x], x)
        )
        return {
            "attempts": self.attempts,
            "output_per_attempt": round(self.output / self.attempts, 2) if self.attempts else None,
            "shown": self.shown.total(),
            "cited": self.cited.total(),
            "lessons": [
                {
                    "lesson": x,
                    "shown": self.shown[x],
                    "cited": self.cited[x],
                    "solved_citing": self.solved[x],
                }
                for x in ranked[:_LISTED]
            ],
        }
