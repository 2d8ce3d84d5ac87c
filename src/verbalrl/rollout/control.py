"""Control of risk inside an episode, without a model: after a bad day the agent is told to be wary.

The within-episode control of FinCon (Yu et al. 2024, arXiv 2407.06567, section 3.3 and Algorithm
2). It acts in training and at test alike, and keeps nothing: what it decides follows from the
rewards of the steps so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..errors import ConfigurationError
from ..prompts import PromptLibrary, library
from ..records import Origin, Record, Situation, Step, Trajectory
from ..tasks.trading_measures import ALPHA, cvar
from .hooks import Annotate, Hook

_DIGITS = range(2, 13)


class RiskInputs(Record):
    """What `notes/risk` is rendered from."""

    lost: str = ""
    before: str = ""
    now: str = ""
    tail: str
    safe: str = ""


class Alert(NamedTuple):
    """Why the agent is to be wary for a day."""

    result: float
    """The last day's result, as a share of the capital."""
    before: float | None
    """CVaR up to the day before; None on the first day."""
    now: float
    """CVaR up to the last day."""

    @property
    def fell(self) -> bool:
        """Whether the tail is worse than it was."""
        return self.before is not None and self.now < self.before

    @property
    def told(self) -> tuple[str, str]:
        """CVaR before and now with the digits that tell them apart; empty where it did not fall."""
        if self.before is None or not self.fell:
            return "", ""
        pairs = [(f"{self.before:+.{n}%}", f"{self.now:+.{n}%}") for n in _DIGITS]
        return next((pair for pair in pairs if pair[0] != pair[1]), pairs[-1])

    @property
    def lost(self) -> str:
        """What the last day lost, with the digits that show it; empty where it lost nothing."""
        if self.result >= 0:
            return ""
        said = [f"{-self.result:.{n}%}" for n in _DIGITS]
        return next((text for text in said if text.strip("0.%")), said[-1])


def alert_after(results: Sequence[float], alpha: float = ALPHA) -> Alert | None:
    """The alert after the last of `results`: it is negative, or CVaR fell; None else.

    With fewer than 2/alpha days CVaR is the worst day so far, so that it falls with each new worst
    day, also one that is only the smallest gain so far.
    """
    if not results:
        return None
    before = cvar(results[:-1], alpha) if len(results) > 1 else None
    alert = Alert(results[-1], before, cvar(results, alpha))
    return alert if alert.result < 0 or alert.fell else None


def staying_out(actions: Sequence[str] | None, safe: str) -> str:
    """The listed action that is `safe`, or is it in each of its parts (`hold AAA, hold BBB`)."""
    word = safe.strip()
    for action in actions or () if word else ():
        parts = [part.strip() for part in action.split(",")]
        if all(part == word or part.startswith(f"{word} ") for part in parts):
            return action
    return ""


class CvarControl(Hook):
    """Notes beside the next decision that the last day was bad, so that the agent takes less risk.

    FinCon's Algorithm 2: after each step CVaR of the results so far (their rewards; steps without
    one are no days) is compared with that of the day before. The note names the listed action that
    stays out, where `safe` is one.
    """

    name = "cvar"

    def __init__(
        self, alpha: float = ALPHA, safe: str = "hold", prompts: PromptLibrary | None = None
    ) -> None:
        if not 0 < alpha <= 1:
            raise ConfigurationError(
                f"CvarControl: alpha={alpha!r}; give the tail as a share above 0, at most 1"
            )
        self.alpha, self.safe = alpha, safe
        self._prompts = prompts or library()

    async def at_start(self, situation: Situation, /) -> Annotate | None:
        """Speak of a prefix that was replayed and ended badly."""
        return self._told(situation.history, situation.actions)

    async def after_step(self, trajectory: Trajectory, /) -> Annotate | None:
        """Alert, or say nothing after a good day."""
        seen = trajectory.final
        return self._told(trajectory.steps, seen.actions if seen else None)

    def _told(self, steps: Sequence[Step], actions: Sequence[str] | None) -> Annotate | None:
        if not steps or steps[-1].reward is None:
            return None
        alert = alert_after([s.reward for s in steps if s.reward is not None], self.alpha)
        if alert is None:
            return None
        before, now = alert.told
        inputs = RiskInputs(
            lost=alert.lost,
            before=before,
            now=now,
            tail=f"{self.alpha * 100:g} %",
            safe=staying_out(actions, self.safe),
        )
        note = self._prompts.render("notes/risk", inputs).text
        return Annotate(note=note, origin=Origin.TASK)
