"""Runs programs that nobody vouches for, and judges them by plain values alone.

A test never runs in the process of the program: exit codes, printed words and objects that equal
everything say nothing here, only values that came back as literals do.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from .child import Child, Ended, Limits, SandboxError
from .tiers import Sandbox, Tier, probe
from .worker import NotLiteral, decode, encode

DEFAULT = Limits()
_SHOWN = 120
_LATER = 0.3
"""Seconds by which a test outlives its program, so that the program's end is the one told."""


class Returned(NamedTuple):
    """What a call gave: a plain value, or the reason why there is none."""

    value: Any = None
    error: str = ""
    over: bool = False
    """Whether the program answers no more."""


class Verdict(NamedTuple):
    """What a test found."""

    passed: bool
    held: int = 0
    """Assertions that held."""
    why: str = ""
    """What failed, without the test's own text."""


class _Program:
    """A program in its child, loaded."""

    def __init__(self, child: Child, program: str, limits: Limits) -> None:
        self._child = child
        self.loaded = self._asked({"program": program, "limits": limits.by_system()})

    def call(self, name: str, args: Any, named: Any) -> Returned:
        """What the function called `name` returns; the arguments are encoded."""
        return self._asked({"name": name, "args": args, "named": named})

    def _asked(self, message: dict[str, Any]) -> Returned:
        try:
            self._child.send(message)
            reply = self._child.receive()
            if "raised" in reply:
                kind, said = _line(reply["raised"]), _line(reply.get("said", ""))
                if kind == "NotLiteral":
                    return Returned(error=said)
                return Returned(error=f"it raises {kind}: {said}" if said else f"it raises {kind}")
            return Returned(decode(reply.get("value")))
        except (NotLiteral, RecursionError):
            return Returned(error="the program sent something that is no value", over=True)
        except Ended as error:
            return Returned(error=str(error), over=True)


def run_calls(
    program: str,
    name: str,
    calls: Sequence[tuple[Any, ...]],
    tier: Tier,
    limits: Limits = DEFAULT,
) -> list[Returned]:
    """What `name` of `program` returns for each of `calls`, all in one child.

    After the program ended there is one last entry, which says why.

    Raises:
        SandboxError: The sandbox itself failed.
    """
    found: list[Returned] = []
    with Child(tier, limits) as child:
        running = _Program(child, program, limits)
        if running.loaded.error:
            return [running.loaded._replace(over=True)]
        for args in calls:
            found.append(running.call(name, encode(list(args)), encode({})))
            if found[-1].over:
                break
    return found


def run_test(
    program: str,
    test: str,
    names: Sequence[str],
    tier: Tier,
    limits: Limits = DEFAULT,
    *,
    before: str = "",
) -> Verdict:
    """Whether `program` passes `test`, which calls `names` of it and runs in a child of its own.

    The test is the body of a module, with assertions or with a `check(candidate)`, which is called
    with the first of `names`. `before` runs ahead of it. A test in which no assertion held, or
    which called nothing, passes nobody.

    Raises:
        SandboxError: The sandbox itself failed.
    """
    with Child(tier, limits) as court, Child(tier, limits) as child:
        court.begin(_LATER)
        running = _Program(child, program, limits)
        if running.loaded.error:
            return Verdict(False, why=running.loaded.error)
        asked = {"test": test, "names": list(names), "entry": names[0], "before": before}
        try:
            court.send({**asked, "limits": limits.by_system()})
            return _held_court(running, court)
        except Ended as error:
            return Verdict(False, why=f"the test did not end: {error}")


def _held_court(running: _Program, court: Child) -> Verdict:
    """Carry calls from the test to the program until the test is over."""
    last, asked = "", 0
    while True:
        message = court.receive()
        if "call" not in message:
            break
        name, args, named = str(message["call"]), message["args"], message["named"]
        found, asked = running.call(name, args, named), asked + 1
        last = _shown(name, args, found)
        if found.over:
            return Verdict(False, why=last)
        # An error is told by its class, so that a test may expect it.
        court.send(_carried(found))
    held = message.get("held")
    held = held if isinstance(held, int) else 0
    if "failed" in message:
        return Verdict(False, held, last or "the test fails before it calls the program")
    if not held or not asked:
        return Verdict(False, held, "the test checks nothing")
    return Verdict(True, held)


def _carried(found: Returned) -> dict[str, Any]:
    if not found.error:
        return {"value": encode(found.value)}
    kind, _, said = found.error.removeprefix("it raises ").partition(": ")
    return {"raised": kind, "said": said}


def _line(text: object) -> str:
    return " ".join(str(text).split())[:_SHOWN]


def shown(value: object) -> str:
    """`value` in few characters; some values cannot be written at all."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        return f"a value of type {type(value).__name__} that is too large to show"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _shown(name: str, args: Any, found: Returned) -> str:
    try:
        told = shown(tuple(decode(args))).removesuffix(")").removesuffix(",").removeprefix("(")
    except (NotLiteral, RecursionError):
        told = "…"
    return (
        f"{name}({told}){': ' + found.error if found.error else ' returns ' + shown(found.value)}"
    )


@lru_cache(maxsize=1)
def sandbox() -> Sandbox:
    """Which tiers work on this machine, tried once per process."""
    return probe(_tried)


def choose(asked: str = "auto") -> Tier:
    """The tier that `asked` names: `auto`, `bubblewrap`, `unshare` or `rlimits`.

    Raises:
        ConfigurationError: It cannot be had here.
    """
    return sandbox().choose(asked)


_LOOK = """
import decimal, os, socket
def look(marker):
    try:
        seen = os.path.exists(marker) or os.path.exists(f"/proc/{os.getppid()}/environ")
    except OSError:
        seen = True
    return [seen, sorted(name for _, name in socket.if_nameindex()), os.getuid()]
"""


def _tried(tier: Tier, marker: str) -> tuple[bool, str]:
    """Whether a program runs in `tier` and is kept apart as it should be; else why not."""
    try:
        found = run_calls(_LOOK, "look", [(marker,)], tier, Limits(seconds=20.0))[-1]
    except SandboxError as error:
        return False, str(error)
    if found.error:
        return False, found.error
    seen, networks, user = found.value
    if tier.closed and (seen or set(networks) - {"lo"}):
        return False, "a program in it sees files or networks of this machine"
    if os.geteuid() == 0 and user == 0:
        return False, "a program in it stays root"
    return True, ""
