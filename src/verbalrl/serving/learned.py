"""What one call of `learn` did, for whoever called it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..records import Usage


@dataclass(slots=True)
class Learned:
    """What one call of `learn` did."""

    episodes: int = 0
    """Those that were learned from."""
    critiques: dict[str, int] = field(default_factory=dict)
    """accepted, refused, failed."""
    refusals: dict[str, int] = field(default_factory=dict)
    """Why critiques were refused, such as empty."""
    updates: dict[str, int] = field(default_factory=dict)
    """By operation, what became of lessons."""
    abandoned: int = 0
    """Open episodes whose process was found gone."""
    pending: int = 0
    """Episodes that still wait, failed ones too."""
    failed: dict[str, int] = field(default_factory=dict)
    """Of those, the ones whose critic or curator failed, now or before: critic, curator."""
    why_failed: str = ""
    """What the first of these failed with."""
    stopped: str = ""
    """Why it ended with some still waiting; empty when it did not."""
    usage: Usage = field(default_factory=Usage)

    def __str__(self) -> str:
        made = _listed(self.updates)
        failed = ""
        if self.failed:
            count = sum(self.failed.values())
            by = " and ".join(sorted(self.failed))
            failed = (
                f"; {count} kept, {by} failed ({self.why_failed}): mend it, then learn again with "
                "--retry-failed (retry_failed=True)"
            )
        waiting = f"; {self.pending} wait: {self.stopped}" if self.stopped else ""
        return (
            f"learned from {counted(self.episodes, 'episode')}; "
            f"critiques: {_listed(self.critiques) or 'none'}{self._why_refused()}; "
            f"lessons: {made or 'unchanged'}{failed}{waiting}"
        )

    def _why_refused(self) -> str:
        return f" ({_listed(self.refusals)})" if self.refusals else ""


def counted(count: int, what: str) -> str:
    """`1 episode`, `2 episodes`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
