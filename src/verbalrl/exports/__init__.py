"""Lessons in files that people have already, and what such files and logs say; pure functions."""

from __future__ import annotations

from .logs import Logged, read_log
from .marked import Marked, has_section, lines_of, section, with_section, with_sections
from .skills import skills

__all__ = [
    "Logged",
    "Marked",
    "has_section",
    "lines_of",
    "read_log",
    "section",
    "skills",
    "with_section",
    "with_sections",
]
