"""The figures of a run, and the table that shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import on_use

if TYPE_CHECKING:
    from .figures import ArmFacts as ArmFacts
    from .figures import Outcome as Outcome
    from .figures import RunFacts as RunFacts
    from .figures import RunResult as RunResult
    from .figures import solved_by as solved_by
    from .figures import summarise as summarise

on_use(
    __name__,
    {
        "figures": "ArmFacts Outcome RunFacts RunResult solved_by summarise",
    },
)
