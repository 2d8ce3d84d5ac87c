"""Runs what others wrote, where it can do no harm: so far queries on SQLite databases."""

from __future__ import annotations

from .queries import Answer as Answer
from .queries import run_queries as run_queries
