"""Runs what Markdown files show, as their reader would: `python -m tools.docs README.md docs/*.md`.

Each file is one session in a fresh folder in which the repository's own files can be reached. It
prints every command with the time that it took, and ends with 1 at the first that fails or takes
more than five minutes.
CONTRIBUTING.md says what the marks of a block mean.
"""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from benchmarks._server import running, url

ROOT = Path(__file__).resolve().parents[1]
RUN_MARKS = ("sh", "python")
MARKS = (*RUN_MARKS, "text", "console", "json", "toml", "mermaid")
NOTES = ("before", "file", "serves", "not run")
BLOCK = re.compile(
    r"(?:^<!-- (?P<note>[a-z ]+?)(?:: ?(?P<said>.*?))? ?-->\n)?"
    r"^```(?P<mark>[^\n]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
KINDS = {"RUN": "run_", "EPISODE": "ep_", "LESSON": "le_", "CRITIQUE": "cr_"}
ID = re.compile(r"\b(run|ep|le|cr)_[a-z0-9]{8,}")
DONE = "that-was-it"
FAILED = "failed:"
"""So begins the line of a run that failed inside a block that ends well, as a table has it."""
LIMIT_S = 300.0
"""What one command, or one block of Python, may take."""
# One namespace for all blocks of a file; a block is a file so that a traceback shows its lines.
DRIVER = f"""
import runpy, sys
space = {{}}
for path in sys.stdin:
    space = runpy.run_path(path.strip(), space)
    print("\\n{DONE} 0", flush=True)
"""


class Block(NamedTuple):
    """A fenced block; `note` and `said` are those of the comment right above it."""

    mark: str
    text: str
    line: int
    note: str
    said: str


class BrokenDoc(AssertionError):
    """A block that does not do what it shows."""


def blocks(markdown: str) -> list[Block]:
    """The blocks of a Markdown text in their order."""
    return [
        Block(
            found["mark"],
            found["text"],
            markdown.count("\n", 0, found.start("mark")) + 1,
            found["note"] or "",
            found["said"] or "",
        )
        for found in BLOCK.finditer(markdown)
    ]


def commands(text: str) -> list[str]:
    """The lines of a shell block, with those that a backslash continues; comments are left out."""
    joined = re.sub(r"\\\n\s*", "", text)
    return [x for x in joined.splitlines() if x.strip() and not x.lstrip().startswith("#")]


def parse_only(block: Block) -> None:
    """Whether data reads as what its mark says; raises ValueError."""
    if block.mark == "toml":
        tomllib.loads(block.text)
    elif block.mark == "json":
        json.loads(block.text)


def printed(wanted: str, out: str) -> list[str]:
    """The lines of `wanted` that `out` has not: ids, spaces and what `…` stands for are open."""
    there = [_plain(line) for line in out.splitlines()]
    return [
        line
        for line in wanted.splitlines()
        if not any(_pattern(line).match(found) for found in there)
    ]


def _plain(line: str) -> str:
    return " ".join(ID.sub(r"\1_", line).split())


def _pattern(line: str) -> re.Pattern[str]:
    return re.compile(".*?".join(re.escape(part.strip()) for part in _plain(line).split("…")))


class Child:
    """A process that is told and answers in lines, each within a limit."""

    def __init__(self, command: Sequence[str], folder: Path, known: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=known,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._said: queue.SimpleQueue[str] = queue.SimpleQueue()
        # Whoever waits for a line of a pipe cannot be told that it is late; a thread can wait on.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def tell(self, text: str) -> None:
        """Write `text` to it."""
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def line(self, ends: float) -> str:
        """Its next line, empty at its end; raises `queue.Empty` at `ends`, a monotonic time."""
        said = self._said.get(timeout=max(0.0, ends - time.monotonic()))
        if not said:
            self._said.put(said)  # whoever asks again hears it again
        return said

    def interrupted(self) -> int:
        """How it ends when it gets Ctrl-C; -9 when it does not."""
        self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            return self._process.wait(60)

    def close(self) -> None:
        """End it, and what it started."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(3)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait(60)
        self._reader.join(10)
        if self._process.stdout is not None and not self._reader.is_alive():
            self._process.stdout.close()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said.put(line)
        self._said.put("")


class Session:
    """One file at work: a shell, and a Python that keeps its names."""

    def __init__(self, folder: Path, known: dict[str, str], limit: float = LIMIT_S) -> None:
        self.folder = folder
        self._limit = limit
        self.ids: dict[str, list[str]] = {}
        self._port = _free_port()
        self._known = os.environ | known
        self._children: list[Child] = []
        self._shell: Child | None = None
        self._python: Child | None = None
        self._count = 0

    def shell(self, line: str) -> str:
        """What a command printed; its ids and its port 8000 stand for those of this session."""
        self._shell = self._shell or self._start("bash", "--noprofile", "--norc")
        asked = self._named(line)
        self._shell.tell(f"{{ {asked}\n}} < /dev/null\nprintf '\\n{DONE} %s\\n' $?\n")
        return self._noted(asked, self._answer(self._shell, asked))

    def python(self, text: str) -> str:
        """What a program printed, in the namespace of those before it."""
        self._python = self._python or self._start(sys.executable, "-c", DRIVER)
        self._count += 1
        script = self.folder / f"block_{self._count}.py"
        script.write_text(text, encoding="utf-8")
        self._python.tell(f"{script}\n")
        return self._noted(text, self._answer(self._python, text))

    def serves(self, line: str) -> str:
        """The first line of a command that goes on until Ctrl-C, which it then gets."""
        process = self._start("bash", "-c", f"exec {self._named(line)}")
        first = self._line(process, line, time.monotonic() + self._limit, [])
        if not first.strip() or process.interrupted() not in (0, 130, -signal.SIGINT):
            raise BrokenDoc(f"{line}\n{first}{''.join(self._rest(process, line))}")
        return first

    def close(self) -> None:
        """End what this session started."""
        for child in self._children:
            child.close()

    def _start(self, *command: str) -> Child:
        child = Child(command, self.folder, self._known)
        self._children.append(child)
        return child

    def _answer(self, child: Child, asked: str) -> str:
        out: list[str] = []
        for line in self._rest(child, asked, out):
            if line.startswith(DONE):
                if line.split()[1] != "0":
                    raise BrokenDoc(f"{asked}\n{''.join(out)}exit code {line.split()[1]}")
                return "".join(out)
            out.append(line)
        raise BrokenDoc(f"{asked}\n{''.join(out)}")

    def _rest(self, child: Child, asked: str, out: Sequence[str] = ()) -> Iterator[str]:
        """Its lines to its end, or to the limit."""
        ends = time.monotonic() + self._limit
        while line := self._line(child, asked, ends, out):
            yield line

    def _line(self, child: Child, asked: str, ends: float, out: Sequence[str]) -> str:
        try:
            return child.line(ends)
        except queue.Empty:
            told = f"{''.join(out)}not done after {self._limit:g} s: it waits, or is too slow"
            raise BrokenDoc(f"{asked}\n{told}") from None

    def _named(self, line: str) -> str:
        for word, prefix in KINDS.items():
            if not re.search(rf"\b{word}\b", line):
                continue
            seen = self.ids.get(prefix)
            if not seen:
                raise BrokenDoc(f"{line}\nno {word} was printed before")
            for place in range(len(re.findall(rf"\b{word}\b", line))):
                named = seen[min(place, len(seen) - 1)]
                line = re.sub(rf"\b{word}\b", named, line, count=1)
        return re.sub(r"\b8000\b", str(self._port), line)

    def _noted(self, asked: str, out: str) -> str:
        found: dict[str, list[str]] = {}
        for match in ID.finditer(out):
            found.setdefault(match[1] + "_", []).append(match[0])
        self.ids |= {kind: list(dict.fromkeys(names)) for kind, names in found.items()}
        return out


def play(
    path: Path,
    marks: Iterable[str] = RUN_MARKS,
    tell: Callable[[str], None] = lambda _: None,
    limit: float = LIMIT_S,
) -> int:
    """Run the blocks of a file that have one of `marks`; how many.

    Raises `BrokenDoc`, also for a command that takes more than `limit` seconds.
    """
    found = blocks(path.read_text(encoding="utf-8"))
    count, out = 0, None
    with session(limit) as opened:
        for block in found:
            if block.note == "file":
                (opened.folder / block.said).write_text(block.text, encoding="utf-8")
        for block in found:
            try:
                if block.mark in marks:
                    out = _run(opened, block, tell)
                    if inside := [x for x in out.splitlines() if x.startswith(FAILED)]:
                        raise BrokenDoc(f"ended well, but said: {inside[0]}\nin: {out}")
                    count += 1
                elif block.mark == "text" and out is not None:
                    if missing := printed(block.text, out):
                        raise BrokenDoc(f"not printed: {missing}\nbut: {out}")
                elif block.mark in MARKS and block.mark != "text":
                    out = None
            except BrokenDoc as broken:
                raise BrokenDoc(f"{path.name}:{block.line}: {broken}") from None
    return count


def _run(at: Session, block: Block, tell: Callable[[str], None]) -> str:
    """What the block printed, after what its comment has to be done before."""
    before = block.said if block.note == "before" else ""
    way: Callable[[str], str] = at.shell
    texts = commands(f"{before}\n{block.text}")
    if block.mark == "python":
        way, texts = at.python, [text for text in (before, block.text) if text.strip()]
    elif block.note == "serves":
        way = at.serves
    out = []
    for text in texts:
        began = time.perf_counter()
        out.append(way(text))
        tell(f"{time.perf_counter() - began:6.1f} s  {text.strip().splitlines()[0]}")
    return "".join(out)


@contextmanager
def session(limit: float = LIMIT_S) -> Iterator[Session]:
    """A session in a folder of its own, with models of no provider on loopback."""
    with tempfile.TemporaryDirectory() as place, running(0.0) as port, _heard_ctrl_c():
        folder = Path(place)
        for entry in ROOT.iterdir():
            if entry.name not in (".git", ".venv", ".verbalrl", "runs", "report.html"):
                (folder / entry.name).symlink_to(entry)
        (folder / ".venv").symlink_to(sys.prefix)
        known = {
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
            "PYTHONPATH": str(folder),
            "COLUMNS": "100",
            # What is installed here is what a block gets; nothing is installed anew.
            "MAKEFLAGS": "--old-file=.venv/.installed",
            **{f"{name}_API_KEY": "a-key-of-nobody" for name in ("OPENAI", "ANTHROPIC")},
            "OPENAI_BASE_URL": url("openai", port),
            "ANTHROPIC_BASE_URL": url("anthropic", port),
        }
        opened = Session(folder, known, limit)
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def _heard_ctrl_c() -> Iterator[None]:
    # Shells start what runs in the background deaf to Ctrl-C, and children inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main(paths: Iterable[str]) -> int:
    """Run the files; the exit code."""
    for name in paths:
        print(f"--- {name}", flush=True)
        try:
            play(Path(name), tell=lambda line: print(line, flush=True))
        except BrokenDoc as broken:
            print(broken, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
