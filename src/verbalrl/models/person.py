"""A person as a model: asked on the terminal, or through files in a folder."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError, ModelError
from ..ids import sha256_text
from ..records import Usage
from .base import Model
from .messages import Reply, Request
from .remote import in_text

_MAIN_FIELDS = ("action", "answer", "output", "text")


class PersonModel(Model):
    """`person` asks on the terminal; `person:FOLDER` writes questions there and waits for answers.

    Args:
        folder: Where `NAME.question.md` is written and `NAME.answer.md` is waited for; an answer
            that is there already is taken. None: the terminal.
        poll_s: How often to look for an answer; one counts when it has not changed since.
        ask: What shows a question on the terminal and returns the line typed.
    """

    def __init__(
        self,
        folder: Path | str | None = None,
        *,
        poll_s: float = 0.5,
        ask: Callable[[str], str] | None = None,
    ) -> None:
        self.name = "person"
        self._folder = Path(folder) if folder is not None else None
        if self._folder is not None and not self._folder.is_dir():
            raise ConfigurationError(f"person: {self._folder} is not a folder")
        self._poll_s = poll_s
        self._ask = ask or _ask_on_terminal
        self._one_at_a_time = threading.Lock()

    async def complete(self, request: Request, /) -> Reply:
        """What the person answers; a plain line stands for the main field of the schema.

        Raises:
            ModelError: The terminal is closed.
        """
        question = shown(request)
        if self._folder is not None:
            answer = await self._by_file(self._folder, request, question)
        else:
            answer = await asyncio.to_thread(self._by_terminal, question)
        text = completed(answer.strip(), request.output_schema)
        return Reply(text=text, usage=Usage(calls=1), model=self.name)

    def _by_terminal(self, question: str) -> str:
        with self._one_at_a_time:
            try:
                return self._ask(question)
            except EOFError:
                raise ModelError(f"{self.name}: the terminal is closed, nobody answers") from None

    async def _by_file(self, folder: Path, request: Request, question: str) -> str:
        name = request.call_key or sha256_text(request.content())[:16]
        answer = folder / f"{name}.answer.md"
        (folder / f"{name}.question.md").write_text(question, encoding="utf-8")
        before: tuple[int, int] | None = None
        while True:
            now = _state(answer)
            if now is not None and now == before:
                return answer.read_text(encoding="utf-8", errors="replace")
            before = now
            await asyncio.sleep(self._poll_s)


def shown(request: Request) -> str:
    """The messages of `request` as a person reads them, with its schema at the end."""
    own = in_text(request) if request.output_schema is not None else request
    return "\n\n".join(f"# {m.role}\n\n{m.plain}" for m in own.messages) + "\n"


def completed(answer: str, schema: Mapping[str, Any] | None) -> str:
    """`answer`; a plain one as JSON: in the schema's main text field, the others left empty."""
    if schema is None or answer.startswith(("{", "[", "```")):
        return answer
    fields: Mapping[str, Any] = schema.get("properties", {})
    main = next((name for name in _MAIN_FIELDS if name in fields), None)
    if main is None:
        return answer
    empty = {"string": "", "array": [], "object": {}, "boolean": False, "integer": 0, "number": 0}
    needed = [name for name in schema.get("required", ()) if name in fields and name != main]
    filled = {name: empty.get(str(fields[name].get("type"))) for name in needed}
    return json.dumps(filled | {main: answer}, ensure_ascii=False)


def _state(path: Path) -> tuple[int, int] | None:
    """Size and time of a file that holds something."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return (found.st_size, found.st_mtime_ns) if found.st_size else None


def _ask_on_terminal(question: str) -> str:
    # On stderr: stdout belongs to what a command reports.
    sys.stderr.write(f"\n{question}\n> ")
    sys.stderr.flush()
    return input()
