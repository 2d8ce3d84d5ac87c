"""Lessons in files that people have already, and what such files and logs say."""

from __future__ import annotations

from .dataset import PROVENANCE, Dataset, dataset, standing, write
from .logs import Logged, Refused, is_log, read_log
from .marked import Marked, has_section, lines_of, section, with_section, with_sections
from .skills import name_of, skills
from .taking import Belief, Taken, take_log
from .training import FORMATS, MARKS, Row, Source
from .turns import PROMPT_INPUTS

__all__ = [
    "FORMATS",
    "MARKS",
    "PROMPT_INPUTS",
    "PROVENANCE",
    "Belief",
    "Dataset",
    "Logged",
    "Marked",
    "Refused",
    "Row",
    "Source",
    "Taken",
    "dataset",
    "has_section",
    "is_log",
    "lines_of",
    "name_of",
    "read_log",
    "section",
    "skills",
    "standing",
    "take_log",
    "with_section",
    "with_sections",
    "write",
]
