"""Data files that people have: HumanEval, MBPP, GSM8K, math sets, HotpotQA, Spider and BIRD."""

from __future__ import annotations

NAMES = ("humaneval", "mbpp", "hotpotqa", "bird", "spider", "gsm8k", "math")
"""The kinds of data sets; `load` reads them, and is imported on use."""
