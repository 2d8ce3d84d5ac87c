"""What the analysts of teams said in a run: how much, and what their managers made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue

from ..records import Episode
from ..text import plural

WORTH = ("decisive", "useful", "useless")


@dataclass
class Reporting:
    """The reports of one arm."""

    decisions: int = 0
    """Steps before which reports were read."""
    messages: Counter[str] = field(default_factory=Counter)
    """From analysts to managers, by the analyst's role; there are no others."""
    worth: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By role, how often its report was worth what."""

    def add(self, episode: Episode) -> None:
        """Count one episode."""
        # What is replayed was said and judged in the attempt that it repeats.
        for step in (s for s in episode.trajectory.steps if not s.replayed):
            self.decisions += bool(step.reports)
            self.messages.update(report.role for report in step.reports)
            for credit in step.action.credits:
                self.worth[step.reports[credit.report - 1].role, credit.worth] += 1

    def figures(self) -> dict[str, JsonValue]:
        """What `run --json` says of one arm; empty where no team acted.

        `broadcast` is how many messages it would have been had each analyst told all others too.
        """
        roles = list(self.messages)
        if not roles:
            return {}
        return {
            "decisions": self.decisions,
            "messages": self.messages.total(),
            "broadcast": self.messages.total() * (len(roles) + 1),
            "worth": {role: {w: self.worth[role, w] for w in WORTH} for role in roles},
        }


def said(arms: Mapping[str, Any]) -> list[str]:
    """A line on the reports of all arms; none where no team acted."""
    teams = [arm["team"] for arm in arms.values() if arm.get("team")]
    if not teams:
        return []
    roles = list(teams[0]["worth"])
    decisions, messages = (sum(team[k] for team in teams) for k in ("decisions", "messages"))
    counted = {
        role: sum(t["worth"].get(role, {}).get(w, 0) for t in teams for w in WORTH[:2])
        for role in roles
    }
    judged = any(n for t in teams for by in t["worth"].values() for n in by.values())
    shares = ", ".join(f"{role} {counted[role]:,}" for role in roles)
    tail = f"; of use, as the manager says: {shares}" if judged else ""
    return [
        f"team: {plural(len(roles), 'analyst')} sent {messages:,} reports "
        f"before {decisions:,} decisions{tail}"
    ]
