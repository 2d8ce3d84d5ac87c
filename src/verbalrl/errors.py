"""Every error that verbalrl raises or records.

Two kinds, never mixed. *Raised*: the caller can mend it (left branch, before anything is paid for).
*Recorded*: an episode, a critique or a curation broke; it is stored as a `Failure` and its siblings
go on (`EpisodeError` branch). Limits and budgets are stop reasons, not errors.

    VerbalRLError
    ├── ConfigurationError (ValueError)    a setting that cannot work
    │   ├── UnknownNameError               task, method, model, run: the message lists close matches
    │   ├── PromptError                    a template is missing, or its variables are others
    │   └── DataError                      a file of the user's that cannot be used
    ├── StorageError (OSError)             the store cannot be opened, read or written
    │   ├── SchemaVersionError             written by a newer version, or not a store
    │   └── LeaseError                     another process may change these lessons now
    ├── MethodError                        a plan broke its contract (stalled, unknown id)
    ├── StuckThreadsError                  too many timed-out calls still occupy their threads
    ├── RunHalted                          no call is made any more; ends the run, not the work
    └── EpisodeError                       attributed by `boundary`; recorded, not propagated
        ├── AgentError                     the agent raised or answered with something unusable
        ├── TaskError                      the environment or a scorer raised
        ├── HookError                      a hook raised
        ├── CriticError                    the critic's output is unusable after its repairs
        ├── CuratorError                   the curator's output is unusable after its repairs
        ├── IndexFailure                   an index of memory failed; an exact scan takes over
        └── ModelError                     a model call failed for good
            ├── ReplayMismatch             a journaled call was made from another request
            ├── CallRefused                the provider said no for good; not asked again
            │   └── QuotaSpent             the account has nothing left to pay with
            ├── ProviderDown               it kept failing, or asks for too long a wait
            └── CallTimedOut               no answer before the deadline, retries included

Extension code raises plain Python errors; `boundary` says whose they were.
"""

from __future__ import annotations

import asyncio
import difflib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

_NOT_THEIRS = (*(f"{Path(x).parent}{os.sep}" for x in (__file__, os.__file__)), "<")
_INSTALLED = {"site-packages", "dist-packages"}
"""Folders of packages that are installed."""


class VerbalRLError(Exception):
    """The base of all errors of this package."""


class ConfigurationError(VerbalRLError, ValueError):
    """A setting that cannot work; raised before the first model call."""


class UnknownNameError(ConfigurationError):
    """A name that nothing answers to."""

    @classmethod
    def of(cls, kind: str, name: str, known: Iterable[str], hint: str = "") -> UnknownNameError:
        """The one-line message for an unknown `name`, with close matches among `known`."""
        options = sorted(known)
        close = difflib.get_close_matches(name, options, n=3, cutoff=0.5)
        listed = ", ".join(close) or some(options)
        lead = "did you mean" if close else "known"
        tail = f"; {lead}: {listed}" if listed else ""
        return cls(f"unknown {kind} {name!r}{tail}{'; ' + hint if hint else ''}")


class PromptError(ConfigurationError):
    """A prompt file is missing, or its variables are not the declared ones."""


class DataError(ConfigurationError):
    """A data file that cannot be used."""


class StorageError(VerbalRLError, OSError):
    """The store cannot be opened, read or written."""


class StoreHeldError(StorageError):
    """Another process has held the store for too long; it can be written later."""


class SchemaVersionError(StorageError):
    """The file was written by a newer version, or is not a verbalrl store."""


class LeaseError(StorageError):
    """Another process holds the right to change these lessons."""


class MethodError(VerbalRLError):
    """A plan broke its contract."""


class StuckThreadsError(VerbalRLError):
    """Too many timed-out calls still occupy their threads."""


class RunHalted(VerbalRLError):
    """No further model call is made: the budget is spent, or an alarm went off.

    What was under way is left unrecorded and its answers are kept: a resume goes on from there.
    """

    def __init__(self, why: str, *, alarm: bool = False) -> None:
        super().__init__(why)
        self.alarm = alarm
        """True when something has to be mended before the run can go on."""

    def again(self) -> RunHalted:
        """The same for another caller: exceptions raised twice collect tracebacks."""
        return RunHalted(str(self), alarm=self.alarm)


class EpisodeError(VerbalRLError):
    """Something broke inside one piece of work; it is recorded and the run goes on."""

    kind = "episode_error"


class AgentError(EpisodeError):
    """The agent raised, or answered with something unusable."""

    kind = "agent_error"


class TaskError(EpisodeError):
    """The environment or a scorer raised."""

    kind = "task_error"


class HookError(EpisodeError):
    """A hook raised."""

    kind = "hook_error"


class CriticError(EpisodeError):
    """The critic's output is unusable after its repairs."""

    kind = "critic_error"


class CuratorError(EpisodeError):
    """The curator's output is unusable after its repairs."""

    kind = "curator_error"


class IndexFailure(EpisodeError):
    """An index of memory failed; recall goes on with an exact scan."""

    kind = "index_failure"


class ModelError(EpisodeError):
    """A model call failed for good."""

    kind = "model_error"


class ReplayMismatch(ModelError):
    """A journaled call was made from another request than the one asked now."""

    kind = "replay_mismatch"


class CallRefused(ModelError):
    """The provider refused a call for good; it is not asked again."""

    kind = "call_refused"
    status: int = 0
    """Of the answer; 0 when it claimed success."""


class QuotaSpent(CallRefused):
    """The account has nothing left to pay with."""

    kind = "quota_spent"


class ProviderDown(ModelError):
    """The provider kept failing, or asks for a longer wait than the policy allows."""

    kind = "provider_down"


class CallTimedOut(ModelError):
    """No answer came before the deadline of the call, which covers its retries and waits."""

    kind = "call_timed_out"


PASSING: tuple[type[VerbalRLError], ...] = (
    EpisodeError,
    RunHalted,
    StorageError,
    StuckThreadsError,
)
"""Of our own errors those that foreign code hands on: attributed already, or the end of the run.

The rest is theirs once they raise it: a model that is loaded late, a data file that is gone.
"""


@contextmanager
def boundary(kind: type[EpisodeError], whose: str) -> Iterator[None]:
    """Attribute whatever foreign code raises: the one place with a blind `except`.

    What ends the run passes unchanged; all else becomes `kind`, with `whose` in the message, and
    the line of the caller's own code where there was one.
    """
    try:
        yield
    except BaseException as error:
        if _passes(error):
            raise
        said = f"{whose} raised {type(error).__name__}: {first_line(str(error))}"
        raise kind(f"{said}{_place(error)}") from error


def _place(error: BaseException) -> str:
    """Where the caller's own code had come to: its last frame, by the file's name alone.

    Empty where only ours, Python's or installed packages' frames led there.
    """
    found, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        file = code.co_filename
        if not file.startswith(_NOT_THEIRS) and not _INSTALLED & set(PurePath(file).parts):
            found = f" ({PurePath(file).name}:{trace.tb_lineno}, in {code.co_name})"
        trace = trace.tb_next
    return found


def _passes(error: BaseException) -> bool:
    """Whether `error` is not the doing of the code that it came out of."""
    if isinstance(error, asyncio.CancelledError):
        return _cancelled()
    if isinstance(error, VerbalRLError):
        return isinstance(error, PASSING)
    # SystemExit would end the thread of the loop, and whoever waits for it would wait for ever.
    return not isinstance(error, Exception | SystemExit)


def _cancelled() -> bool:
    """Whether this task is being cancelled; else a cancellation was raised by hand."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False
    return task is not None and task.cancelling() > 0


def first_line(text: str, limit: int = 300) -> str:
    """The first line of `text`, cut to `limit` characters, for one-line messages."""
    line = text.strip().splitlines()[0] if text.strip() else ""
    return line if len(line) <= limit else line[: limit - 1] + "…"


def some(names: Sequence[str], most: int = 20) -> str:
    """`names` for a message: all where there are at most `most`, else a dozen and how many more."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:12])} and {len(names) - 12} more"


def check_kind(given: object, kinds: type | tuple[type, ...], wanted: str) -> None:
    """Raise `ConfigurationError` unless `given` is of `kinds`; `wanted` says where and what."""
    if not isinstance(given, kinds) or (isinstance(given, bool) and kinds is int):
        raise ConfigurationError(f"{wanted}, not {named(given)}")


_WANTED = {
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_parsing", "float_type", "finite_number"), "a number"),
    **dict.fromkeys(("bool_parsing", "bool_type"), "true or false"),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type"), "a list"),
    **dict.fromkeys(("literal_error", "enum"), "{expected}"),
    **dict.fromkeys(("dict_type", "mapping_type", "model_attributes_type"), "a table"),
    "model_type": "a table or a {class_name}",
    "string_type": "a text",
    "string_pattern_mismatch": "a text like {pattern}",
    "string_too_short": "{min_length} characters or more",
    "string_too_long": "{max_length} characters or fewer",
    "too_short": "{min_length} or more of them",
    "too_long": "{max_length} or fewer of them",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "less than {lt}",
    "less_than_equal": "{le} or less",
}
"""What to give where a value does not fit, by the kind of pydantic's problem."""
_DO = {"missing": "missing; give it", "extra_forbidden": "unknown; take it out"}


def wanted(problem: Mapping[str, Any]) -> str:
    """What to do about a `problem` that pydantic found, in our words: `give a whole number`.

    Kinds that nobody has words for keep pydantic's.
    """
    kind = problem["type"]
    if kind in _DO:
        return _DO[kind]
    if kind in _WANTED:
        known = {k: int(v) if isinstance(v, float) and v.is_integer() else v
                 for k, v in problem.get("ctx", {}).items()}  # fmt: skip
        return f"give {_WANTED[kind].format_map(known)}"
    said = str(problem["msg"])
    if kind == "value_error":
        return said.removeprefix("Value error, ")
    return said[:1].lower() + said[1:]


def named(given: object) -> str:
    """How messages name a value: `the class X`, or the value itself where it is short."""
    if isinstance(given, type):
        return f"the class {given.__name__}"
    if callable(given):
        return f"the function {getattr(given, '__name__', type(given).__name__)}"
    shown = repr(given)
    return shown if len(shown) <= 40 else type(given).__name__
