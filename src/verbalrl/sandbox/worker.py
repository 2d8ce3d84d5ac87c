"""The program of a sandboxed child: it runs a program that nobody vouches for, call by call.

It is sent as text to a bare interpreter, so it imports the standard library alone. Its parent
believes nothing but literals: whatever the program does to this process, it can only choose which
values come back. The same file runs a test against functions that live in another such child.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import json
import os
import signal
import struct
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

MAX_LINE = 1 << 20
MAX_KEYS = 4_000
_EXACT = 1 << 53
_SHOWN = 300
_SUBREAPER, _DEATH_SIGNAL, _NO_NEW_RIGHTS = 36, 1, 38
_LANDLOCK = 444
"""The system call that makes a set of rules; the next two add a rule and keep to them."""
_LIBRARIES = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/etc/ld.so.cache")


class NotLiteral(ValueError):
    """A value that cannot cross, or a message that is none."""


def encode(value: Any) -> Any:
    """`value` as JSON that `decode` turns back into plain data.

    Raises:
        NotLiteral: It is made of something else than numbers, texts, bytes and containers.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if -_EXACT < value < _EXACT else {"int": hex(value)}
    if isinstance(value, float):
        return value if value - value == 0 else {"float": repr(float(value))}
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, complex):
        return {"complex": [encode(value.real), encode(value.imag)]}
    if isinstance(value, dict):
        return {"dict": [[encode(k), encode(v)] for k, v in value.items()]}
    for kind in (tuple, set, frozenset):
        if isinstance(value, kind):
            return {kind.__name__: [encode(item) for item in value]}
    raise NotLiteral(f"a value of type {type(value).__name__}, which is no plain data")


def decode(value: Any) -> Any:
    """The plain data behind `value`, and nothing else.

    Raises:
        NotLiteral: It was not made by `encode`, or has too many keys.
    """
    if value is None or isinstance(value, bool | str | int | float):
        return value
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict) or len(value) != 1:
        raise NotLiteral("a message that is no value")
    (kind, inner), *_ = value.items()
    try:
        return _DECODERS[kind](inner)
    except NotLiteral:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise NotLiteral(f"a message that is no value of {kind[:20]}") from error


def _few(items: Any) -> list[Any]:
    # Keys that all have one hash make a table of them slow.
    if len(items) > MAX_KEYS:
        raise NotLiteral(f"more than {MAX_KEYS} keys")
    return [decode(item) for item in items]


_DECODERS: Mapping[str, Callable[[Any], Any]] = {
    "int": lambda text: int(text, 16),
    "float": {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}.__getitem__,
    "bytes": bytes.fromhex,
    "complex": lambda parts: complex(*(decode(part) for part in parts)),
    "tuple": lambda items: tuple(decode(item) for item in items),
    "set": lambda items: set(_few(items)),
    "frozenset": lambda items: frozenset(_few(items)),
    "dict": lambda items: dict(map(tuple, _few(items))),
}


class Pipes:
    """The way to the parent, moved out of the way of what prints and reads."""

    def __init__(self) -> None:
        self._in: BinaryIO = os.fdopen(os.dup(0), "rb")
        self._out = os.dup(1)
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)

    def send(self, message: Mapping[str, Any]) -> None:
        """One message to the parent."""
        data = json.dumps(message).encode("ascii") + b"\n"
        if len(data) > MAX_LINE:
            raise NotLiteral("a value of more than 1 MiB")
        while data:
            data = data[os.write(self._out, data) :]

    def receive(self) -> dict[str, Any]:
        """The parent's next message; the process ends when there is none."""
        line = self._in.readline()
        if not line:
            os._exit(0)
        found: dict[str, Any] = json.loads(line)
        return found


def bounded(limits: Mapping[str, int]) -> None:
    """Hold this process and its children to `limits`, by the names that the system uses."""
    resource = importlib.import_module("resource")
    for name, most in limits.items():
        resource.setrlimit(getattr(resource, name), (most, most))


def candidate(pipes: Pipes, program: str) -> None:
    """Run `program`, then answer calls of its functions until the parent has enough."""
    space: dict[str, Any] = {"__name__": "candidate"}
    pipes.send(_answer(lambda: run(compile(program, "candidate", "exec"), space)))
    while True:
        asked = pipes.receive()

        def called(asked: dict[str, Any] = asked) -> Any:
            function = space.get(asked["name"])
            if not callable(function):
                raise NameError(f"there is no function {asked['name']}")
            return function(*decode(asked["args"]), **decode(asked["named"]))

        reply = _answer(called)
        try:
            pipes.send(reply)
        except NotLiteral as error:
            pipes.send({"raised": "NotLiteral", "said": str(error)})


def _answer(work: Callable[[], Any]) -> dict[str, Any]:
    try:
        return {"value": encode(work())}
    except NotLiteral as error:
        return {"raised": "NotLiteral", "said": f"it returns {error}"}
    except Exception as error:
        return {"raised": type(error).__name__[:_SHOWN], "said": _said(error)}


def _said(error: BaseException) -> str:
    try:
        return " ".join(str(error).split())[:_SHOWN]
    except Exception:
        return ""


def run(code: Any, space: dict[str, Any]) -> None:
    """Run `code`: the one place where text becomes a program, in a child that may be lost."""
    exec(code, space)


class _Counted(ast.NodeTransformer):
    """Has every assertion that holds be counted."""

    def visit_Assert(self, node: ast.Assert) -> list[ast.stmt]:
        """The assertion, and after it the count."""
        counted = ast.Expr(ast.Call(ast.Name("__held__", ast.Load()), [], []))
        return [node, ast.copy_location(counted, node)]


def judge(pipes: Pipes, asked: Mapping[str, Any]) -> None:
    """Run a test whose functions are asked of the parent, and say how it went."""
    held: list[None] = []

    def proxy(name: str) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            pipes.send({"call": name, "args": encode(list(args)), "named": encode(named)})
            reply = pipes.receive()
            if "raised" in reply:
                kind = getattr(builtins, reply["raised"], None)
                known = isinstance(kind, type) and issubclass(kind, Exception)
                raise (kind if known and kind else RuntimeError)(reply["said"])
            return decode(reply["value"])

        call.__name__ = name
        return call

    space: dict[str, Any] = {"__name__": "__main__"}
    functions = {name: proxy(name) for name in asked["names"]}
    tree = ast.fix_missing_locations(_Counted().visit(ast.parse(asked["test"])))
    try:
        run(compile(asked["before"], "before", "exec"), space)
        space.update(functions, __held__=lambda: held.append(None))
        run(compile(tree, "test", "exec"), space)
        if callable(space.get("check")):
            space["check"](functions[asked["entry"]])
        pipes.send({"held": len(held)})
    except Exception as error:
        pipes.send({"failed": type(error).__name__, "held": len(held)})


def supervise(user: int) -> None:
    """Go on in a child, as `user` unless 0; the parent ends whatever that leaves behind.

    Where there is no namespace of processes, what was started there comes back to this process,
    which no program under another user's rights can end.
    """
    prctl = importlib.import_module("ctypes").CDLL(None).prctl
    prctl(_SUBREAPER, 1, 0, 0, 0)
    prctl(_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)
    waited = {signal.SIGTERM, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    child = os.fork()
    if child == 0:
        _become(user)
        prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, waited)
        enclose()
        return
    os.close(0)
    os.close(1)
    while signal.sigwait(waited) == signal.SIGCHLD:
        if os.waitpid(child, os.WNOHANG)[0]:
            break
    _sweep(user)
    os._exit(0)


def _become(user: int) -> None:
    if user:
        _keep_library()
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)


def _keep_library() -> None:
    """Reach the standard library through open folders: it may lie in a home closed to others."""
    found: dict[str, str] = {}
    for path in sys.path:
        try:
            found[path] = f"/proc/self/fd/{os.open(path, os.O_PATH)}"
        except OSError:
            continue
    sys.path[:] = found.values()
    for module in list(sys.modules.values()):
        places = getattr(module, "__path__", None)
        if isinstance(places, list):
            for old, new in found.items():
                places[:] = [place.replace(old, new, 1) for place in places]


def enclose() -> None:
    """Close files, TCP and other processes to this process for good, where Landlock can (Linux).

    Left open are the libraries, to be read, and the folder that it runs in.
    """
    ctypes = importlib.import_module("ctypes")
    libc = ctypes.CDLL(None)
    able = libc.syscall(_LANDLOCK, None, 0, 1)
    if able < 1:
        return
    reach = (1 << (13 + (able >= 2) + (able >= 3))) - 1
    net, scope = 3 * (able >= 4), 3 * (able >= 6)
    rules = struct.pack("=QQQ", reach, net, scope)[: 24 if able >= 6 else 16 if able >= 4 else 8]
    ruleset = libc.syscall(_LANDLOCK, rules, len(rules), 0)
    read = 0b1101  # execute, read files, list folders
    opened = [*sys.path, *_LIBRARIES, *map(os.path.realpath, (sys.base_prefix,))]
    allowed = [*((p, read) for p in opened), (".", reach), (os.devnull, 0b110)]
    for path, rights in allowed:
        try:
            place = os.open(path, os.O_PATH)
        except OSError:
            continue
        libc.syscall(_LANDLOCK + 1, ruleset, 1, struct.pack("=Qi", rights, place), 0)
        os.close(place)
    libc.prctl(_NO_NEW_RIGHTS, 1, 0, 0, 0)
    if libc.syscall(_LANDLOCK + 2, ruleset, 0) != 0:
        raise OSError("Landlock refuses its own rules")
    os.close(ruleset)


def _sweep(user: int) -> None:
    """End all that is left, and wait until it is gone."""
    if user and os.fork() == 0:
        _become(user)
        try:
            os.kill(-1, signal.SIGKILL)  # at once, so that no fork gets away
        finally:
            os._exit(0)
    while True:
        for child in _children() if not user else ():
            os.kill(child, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> Iterator[int]:
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as listed:  # noqa: PTH123
        yield from map(int, listed.read().split())


def main() -> None:
    """Be a child: say that it started, then do what the first message asks for."""
    if sys.argv[1:2] == ["supervise"]:
        supervise(int(sys.argv[2]))
    pipes = Pipes()
    pipes.send({"ready": True})
    asked = pipes.receive()
    bounded(asked["limits"])
    if "program" in asked:
        candidate(pipes, asked["program"])
    judge(pipes, asked)
    os._exit(0)


if __name__ == "__main__":
    main()
