"""The command line: the only place that prints or configures logging.

`--help` loads click and nothing else of weight; a command's module is imported when it is invoked.
"""

from __future__ import annotations

from .app import main as main
