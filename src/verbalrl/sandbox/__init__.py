"""Runs what others wrote, where it can do no harm: queries on SQLite databases, and programs."""

from __future__ import annotations

from .child import Limits as Limits
from .child import SandboxError as SandboxError
from .programs import Returned as Returned
from .programs import Verdict as Verdict
from .programs import choose as choose
from .programs import run_calls as run_calls
from .programs import run_test as run_test
from .programs import sandbox as sandbox
from .programs import shown as shown
from .queries import Answer as Answer
from .queries import run_queries as run_queries
from .tiers import CHOICES as CHOICES
from .tiers import Tier as Tier
