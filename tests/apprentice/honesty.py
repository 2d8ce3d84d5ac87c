"""Checks that whatever the apprentice gains, it gains by reading lessons: as plain functions.

They change how a task reads or what an agent is given, and leave everything else as it was.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.apprentice.harness import Line, Trace
from verbalrl.models.apprentice import STOP_WORDS, VALENCE_WORDS, text

MODULE = Path(text.__file__).resolve().parent
_WORD = re.compile(r"[^\W\d_]+")
_ONSETS, _VOWELS, _CODAS = "bdfgklmnprtvz", "aiou", "kmpv"
_REPLAY = """
import hashlib, json, sys
sys.path.insert(0, sys.argv[1])
from apprentice import answer
for line in open(sys.argv[2], encoding="utf-8"):
    messages, schema, seed, habit = json.loads(line)
    reply = answer([tuple(m) for m in messages], schema, seed, habit)
    print(hashlib.sha256(json.dumps(reply).encode()).hexdigest())
"""


def renamer(key: int = 0, keep_endings: bool = True) -> Callable[[str], str]:
    """Turns every content word into a made-up one, the same everywhere.

    Function words, numbers and the published list stay. With `keep_endings` the stem is renamed
    and the ending kept; without, each spelling gets a word of its own.
    """
    used: dict[str, str] = {}

    def made_up(word: str) -> str:
        for attempt in range(1000):
            digest = hashlib.sha256(f"{key}|{word}|{attempt}".encode()).digest()
            made = "".join(
                _ONSETS[digest[n] % len(_ONSETS)] + _VOWELS[digest[n + 1] % len(_VOWELS)]
                for n in (0, 2, 4)
            )
            made += _CODAS[digest[6] % len(_CODAS)]
            if used.setdefault(made, word) == word and made not in VALENCE_WORDS | STOP_WORDS:
                return made
        raise AssertionError("no made-up word left")

    def one(match: re.Match[str]) -> str:
        word = match.group()
        low = word.lower()
        if low in VALENCE_WORDS or low in STOP_WORDS or text.stem(low) in _VALENCE_STEMS:
            return word
        root = text.stem(low) if keep_endings else low
        made = made_up(root) + low[len(root) :]
        return made.capitalize() if word[0].isupper() else made

    return lambda said: _WORD.sub(one, said)


_VALENCE_STEMS = frozenset(text.stem(word) for word in VALENCE_WORDS)


def blanked(line: Line) -> Line:
    """The lesson's number with nothing behind it."""
    return dict(line, when="", when_not="", instruction="")


def negated(line: Line) -> Line:
    """The opposite advice in the same situation."""
    said = line["instruction"]
    turned = said.removeprefix("do not ") if said.startswith("do not ") else f"do not {said}"
    return dict(line, instruction=turned)


def of_another(trace: Trace) -> Trace:
    """At each trial the lessons of the next instance."""
    return [[given[(n + 1) % len(given)] for n in range(len(given))] for given in trace]


def changed(trace: Trace, change: Callable[[Line], Line]) -> Trace:
    """Every lesson changed in the same way."""
    return [[[change(line) for line in lines] for lines in given] for given in trace]


def paired_anew(lessons: Sequence[Line]) -> list[Line]:
    """Each condition with the instruction of the next lesson that says something else."""
    found = []
    for n, line in enumerate(lessons):
        others = [*lessons[n + 1 :], *lessons[:n]]
        said = line["instruction"]
        other = next((o["instruction"] for o in others if o["instruction"] != said), said)
        found.append(dict(line, instruction=other))
    return found


def plain_sentence(line: Line) -> str:
    """`If CONDITION, then INSTRUCTION.` without quotation marks."""
    condition = line["when"].replace('"', "")
    if line["when_not"]:
        condition += " unless " + line["when_not"].replace('"', "")
    return f"- If {condition}, then {line['instruction']}."


def bare_words(line: Line) -> str:
    """The same without any punctuation."""
    return "- " + " ".join(re.findall(r"\w+", plain_sentence(line)))


def replayed(requests: Iterable[tuple[Any, ...]], folder: Path, hash_seed: str = "0") -> list[str]:
    """Hashes of the replies that a bare process gives, with the module copied out and alone."""
    shutil.copytree(MODULE, folder / "apprentice", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "requests.jsonl").write_text(
        "".join(json.dumps(request) + "\n" for request in requests), encoding="utf-8"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", _REPLAY, str(folder), str(folder / "requests.jsonl")],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.split()


def reply_hash(reply: Any) -> str:
    """The hash that `replayed` gives for an equal reply."""
    return hashlib.sha256(json.dumps(reply).encode()).hexdigest()


def literal_words() -> dict[str, set[str]]:
    """All words in the module's string literals, docstrings aside, by file."""
    found: dict[str, set[str]] = {}
    for path in sorted(MODULE.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docs = {id(doc) for node in ast.walk(tree) for doc in _bare_strings(node)}
        found[path.name] = {
            word
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
            if id(node) not in docs
            for word in re.findall(r"[a-z]{3,}", node.value.lower())
        }
    return found


def prose_words() -> set[str]:
    """All words of comments and docstrings of the module."""
    found: set[str] = set()
    for path in sorted(MODULE.glob("*.py")):
        source = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            for doc in _bare_strings(node):
                found |= set(re.findall(r"[a-z]{3,}", str(doc.value).lower()))
        for comment in re.findall(r"#(.*)", source):
            found |= set(re.findall(r"[a-z]{3,}", comment.lower()))
    return found


def imported() -> set[str]:
    """The top-level names of all modules that the apprentice imports, its own aside."""
    found: set[str] = set()
    for path in sorted(MODULE.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module.split(".")[0])
    return found


def _bare_strings(node: ast.AST) -> list[ast.Constant]:
    body = getattr(node, "body", None)
    return [
        entry.value
        for entry in (body if isinstance(body, list) else [])
        if isinstance(entry, ast.Expr)
        and isinstance(entry.value, ast.Constant)
        and isinstance(entry.value.value, str)
    ]
