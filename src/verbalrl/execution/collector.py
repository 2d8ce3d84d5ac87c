"""The collector of reference cycles during a run: it looks less often, and is put back afterwards.

With 32 episodes under way a run makes some hundred containers per model call, nearly all of them
freed by counting. At Python's own threshold of 700 the collector goes through the young and the old
ones every few calls for next to nothing, a tenth of a call's CPU.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 10_000
"""Containers that are made, above those that are freed, before the youngest are looked at."""

_gate = threading.Lock()
_found: list[tuple[int, int, int]] = []
"""The thresholds from before, once for each run that is under way."""


@contextmanager
def patient() -> Iterator[None]:
    """Let the collector wait while the block runs; runs may overlap, the last one puts it back.

    A threshold of the user's own that is higher, or 0, which turns the collector off, stays.
    """
    with _gate:
        first, *others = before = gc.get_threshold()
        _found.append(_found[0] if _found else before)
        if 0 < first < PATIENCE:
            gc.set_threshold(PATIENCE, *others)
    try:
        yield
    finally:
        with _gate:
            before = _found.pop()
            if not _found:
                gc.set_threshold(*before)
