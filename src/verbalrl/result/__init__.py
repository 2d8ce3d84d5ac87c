"""The figures of a run, and the table that shows them."""

from __future__ import annotations

from .figures import ArmFacts as ArmFacts
from .figures import Outcome as Outcome
from .figures import RunFacts as RunFacts
from .figures import RunResult as RunResult
from .figures import solved_by as solved_by
from .figures import summarise as summarise
