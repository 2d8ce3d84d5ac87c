"""What came of the levels of one curation so far, and which parts of it the curator failed at."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..records import MemoryUpdate, Origin
from .together import Proposed

AGAIN, PAIRS = "asked once more", "pairs"
"""What `Commit.lacking` begins with where the question was about all that the curation reads."""


@dataclass(slots=True)
class Round:
    """What came of the levels so far."""

    proposed: dict[Origin, Proposed]
    """What the groups of each level said; a commit that a check refused does not ask them again."""
    lacking: dict[str, str]
    """Parts that the curator failed at, in the order of the work, and what each failed with."""
    problem: str = ""
    """Why a check refused the commit before this one."""
    updates: list[MemoryUpdate] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)

    def lacks(self, part: str, why: str) -> None:
        """Note `why` the curator failed at `part`; nothing where it did not."""
        if why:
            self.lacking.setdefault(part, why)

    def hook(self, name: str = "") -> str:
        """The place of a call: one of its own after each part that is lacking.

        What is asked without a part is another question than with it. So, tried again, neither
        takes the other's answer, and what else was answered is not asked anew.
        """
        return f"{name} without {', '.join(self.lacking)}" if self.lacking else name
