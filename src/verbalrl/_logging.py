"""Events for whoever hosts verbalrl: structlog underneath, nothing configured, silent by default.

An application on stdlib logging reads `episode.finished trial=2`, one on structlog gets the native
event dict. This module never adds a handler that prints, sets a level or calls `configure`, and
structlog is imported at the first event that somebody hears, so `import verbalrl` stays cheap.
"""

import logging
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

# Without a handler of its own, stdlib logging would print our warnings to stderr unasked.
logging.getLogger("verbalrl").addHandler(logging.NullHandler())

_context: ContextVar[Mapping[str, object]] = ContextVar(
    "verbalrl_log_context", default=MappingProxyType({})
)

# Frames between the caller of `Logger.info` and stdlib logging: ours and structlog's.
_FRAMES = 5


class Logger:
    """Emits events under one name, each call almost free while nobody listens."""

    def __init__(self, name: str, fields: Mapping[str, object] | None = None) -> None:
        self._name = name
        self._fields = dict(fields or {})
        self._stdlib = logging.getLogger(name)
        self._bound: Any = None

    def bind(self, **fields: object) -> "Logger":
        """A logger that adds `fields` to every event."""
        return Logger(self._name, {**self._fields, **fields})

    def debug(self, event: str, /, **fields: object) -> None:
        """Emit `event` for a developer of verbalrl."""
        if _is_heard(self._stdlib, logging.DEBUG):
            self._structlog().debug(event, **{**_context.get(), **fields})

    def info(self, event: str, /, **fields: object) -> None:
        """Emit `event` as ordinary progress."""
        if _is_heard(self._stdlib, logging.INFO):
            self._structlog().info(event, **{**_context.get(), **fields})

    def warning(self, event: str, /, **fields: object) -> None:
        """Emit `event` as something to look at."""
        if _is_heard(self._stdlib, logging.WARNING):
            self._structlog().warning(event, **{**_context.get(), **fields})

    def error(self, event: str, /, **fields: object) -> None:
        """Emit `event` as a failure; `exc_info=True` adds the traceback."""
        if _is_heard(self._stdlib, logging.ERROR):
            self._structlog().error(event, **{**_context.get(), **fields})

    def _structlog(self) -> Any:
        if self._bound is None:
            import structlog

            self._bound = structlog.wrap_logger(
                self._stdlib,
                processors=[structlog.contextvars.merge_contextvars, _to_stdlib],
                wrapper_class=structlog.stdlib.BoundLogger,
                context_class=dict,
                cache_logger_on_first_use=True,
            ).bind(**self._fields)
        return self._bound


def get_logger(name: str) -> Logger:
    """The logger of the module `name`."""
    return Logger(name)


@contextmanager
def bound(**fields: object) -> Iterator[None]:
    """Add `fields` to every event of this task or thread while the block runs."""
    token = _context.set({**_context.get(), **fields})
    try:
        yield
    finally:
        _context.reset(token)


class _Event(dict[str, Any]):
    """An event dict that plain stdlib handlers print as `event key=value`."""

    def __str__(self) -> str:
        shown = (f"{k}={v!r}" for k, v in self.items() if k not in _NOT_SHOWN)
        return " ".join((str(self.get("event", "")), *shown))


_NOT_SHOWN = frozenset({"event", "exc_info", "stack_info"})


def _is_heard(logger: logging.Logger, level: int) -> bool:
    if not logger.isEnabledFor(level):
        return False
    current: logging.Logger | None = logger
    while current is not None:
        if any(not isinstance(handler, logging.NullHandler) for handler in current.handlers):
            return True
        current = current.parent if current.propagate else None
    return False


def _to_stdlib(
    logger: Any, method: str, event: MutableMapping[str, Any]
) -> tuple[tuple[_Event], dict[str, Any]]:
    if event.get("exc_info") is True:
        # Taken now: a handler in another thread would find no exception there.
        event["exc_info"] = sys.exc_info()
    return (_Event(event),), {
        "exc_info": event.get("exc_info"),
        "stack_info": event.get("stack_info", False),
        "stacklevel": _FRAMES,
        # What structlog's ProcessorFormatter looks for to take the dict as it is.
        "extra": {"_logger": logger, "_name": method},
    }
