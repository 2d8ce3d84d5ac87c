"""Data files that people have: programs, questions, mathematics, SQL and prices."""

from __future__ import annotations

NAMES = ("humaneval", "mbpp", "hotpotqa", "bird", "spider", "gsm8k", "math", "prices")
"""The kinds of data sets; `load` reads them, and is imported on use."""
