"""Data files that people have: HumanEval, MBPP, GSM8K, math sets, HotpotQA, Spider and BIRD."""

from __future__ import annotations

from .load import KINDS as KINDS
from .load import check_data as check_data
from .load import load_dataset as load_dataset
from .load import read_dataset as read_dataset
from .rows import Dataset as Dataset
