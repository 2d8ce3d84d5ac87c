"""Do conditional lessons apply where they should, and only there? By words and by a yes or no.

    python -m benchmarks.conditions [--set dev|test] [--errors 0.05] [--model P:NAME]

Two sets of 40 conditional lessons with situations in, near and out of their condition, written
before the code. What is near shares more words with the condition than what is in it. The test set
decides; nothing is tuned on it. Beside the test of words a scripted model answers from the labels
with a stated rate of errors: that shows that its answers get through, and says nothing about
language models. `--model` asks a real one.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import verbalrl as vrl
from verbalrl.execution.applying import ask_applies
from verbalrl.ids import coin
from verbalrl.memory import recall
from verbalrl.models import CallContext, MemoryJournal, Model, Request, Slots, load_model
from verbalrl.prompts import PromptLibrary
from verbalrl.records import GuidanceSpec, Lesson, LessonBody, LessonKind, Origin, Status

DATA = Path(__file__).parent / "data"
KINDS = ("in", "near", "out")
BARS = {"in": 0.9, "near": 0.1, "out": 0.1}
SCOPE = "conditions"


class Row(NamedTuple):
    """A lesson and the situations that it is tried in."""

    lesson: Lesson
    situations: Mapping[str, tuple[str, ...]]


def load(name: str) -> tuple[list[Row], str]:
    """The rows of a set, and the sha256 of its file."""
    raw = (DATA / f"conditions_{name}.jsonl").read_bytes()
    rows = []
    for place, line in enumerate(raw.decode("utf-8").splitlines()):
        given = json.loads(line)
        body = LessonBody(
            kind=LessonKind.BEHAVIOR,
            when=given["when"],
            when_not=given["when_not"],
            instruction=given["instruction"],
            conditional=True,
        )
        lesson = Lesson(
            id=given["id"],
            scope=SCOPE,
            body=body,
            status=Status.ACTIVE,
            trust=Origin.TASK,
            position=place,
        )
        rows.append(Row(lesson, {kind: tuple(given[kind]) for kind in KINDS}))
    return rows, hashlib.sha256(raw).hexdigest()


class Oracle(vrl.ScriptedModel):
    """Answers from the labels: yes where the situation is in; wrong with the stated rate."""

    def __init__(self, rows: Sequence[Row], errors: float) -> None:
        super().__init__(self.reply, name="oracle")
        self._errors = errors
        self._inside = {(row.lesson.when, text) for row in rows for text in row.situations["in"]}

    def reply(self, request: Request) -> str:
        """A yes or a no for each number of the prompt."""
        self.requests.clear()
        text = request.messages[-1].text
        situation = text.split("<situation>\n")[1].split("\n</situation>")[0]
        asked = re.findall(r"^\[(\d+)\] applies when: (.*)$", text, re.MULTILINE)
        said = {n: self._says(when, situation) for n, when in asked}
        return json.dumps(said)

    def _says(self, when: str, situation: str) -> bool:
        true = any(
            " ".join(w.split()) == when and s.strip() == situation.strip() for w, s in self._inside
        )
        return true != (coin("oracle", when, situation) < self._errors)


async def shares(
    rows: Sequence[Row], model: Model | None, prompts: PromptLibrary
) -> dict[str, dict[str, int]]:
    """By kind of situation how often the lesson was applied, and of how many.

    `general` says it of a lesson without a condition.
    """
    plain = LessonBody(kind=LessonKind.BEHAVIOR, instruction="Answer in whole sentences.")
    general = rows[0].lesson.replace(id="general", body=plain)
    found = {kind: {"applied": 0, "of": 0} for kind in (*KINDS, "general")}
    spec = GuidanceSpec(source="recall", scopes=(SCOPE,), budget=100_000)
    context = CallContext(MemoryJournal(), Slots(), "conditions", role="recall")
    for row in rows:
        # In one call with others, as in use; they are those that come next in the file.
        place = rows.index(row)
        others = [rows[(place + n) % len(rows)].lesson for n in range(8)]
        lessons = (*others, general)
        for kind in KINDS:
            for n, text in enumerate(row.situations[kind]):
                here = context.at(step=place * 10 + n, hook=kind)
                judged: dict[str, bool] = {}
                if model is not None:
                    judged, _ = await ask_applies(model, lessons, text, here, prompts)
                got = recall(lessons, spec, situation=text, prompts=prompts, judged=judged)
                inside = {line.lesson for line in got.lines}
                found[kind]["applied"] += row.lesson.id in inside
                found[kind]["of"] += 1
                found["general"]["applied"] += "general" in inside
                found["general"]["of"] += 1
    return found


def figures(found: Mapping[str, Mapping[str, int]]) -> dict[str, float]:
    """The rates that are reported: over-generalisation is applied outside over all outside."""
    rates = {f"applied-{k}": v["applied"] / v["of"] for k, v in found.items()}
    hits = found["in"]["applied"]
    wrong = found["near"]["applied"] + found["out"]["applied"]
    return {
        **rates,
        "precision": hits / (hits + wrong) if hits + wrong else 0.0,
        "recall": hits / found["in"]["of"],
        "over-generalisation": wrong / (found["near"]["of"] + found["out"]["of"]),
    }


def cleared(rates: Mapping[str, float]) -> bool:
    """Whether near and out are at most 10 %, and in at least 90 %."""
    outside = all(rates[f"applied-{kind}"] <= BARS[kind] for kind in ("near", "out"))
    return outside and rates["applied-in"] >= BARS["in"]


def line(label: str, rates: Mapping[str, Any]) -> str:
    """One line of the report."""
    return f"{label:>24}  " + "  ".join(f"{name} {value:.3f}" for name, value in rates.items())


def main(arguments: Sequence[str] = ()) -> int:
    """Print a line for each judge; 1 when the scripted or the given model misses the bars."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", choices=("dev", "test"), default="test")
    parser.add_argument("--errors", type=float, default=0.05, help="of the scripted model")
    parser.add_argument("--model", help="a real model, such as openai:NAME")
    parser.add_argument("--lessons", type=int, help="only the first ones")
    given = parser.parse_args(arguments)
    rows, sha = load(given.set)
    rows = rows[: given.lessons]
    print(f"conditions_{given.set}.jsonl · {len(rows)} lessons · sha256 {sha}")
    prompts = PromptLibrary()
    judges: dict[str, Model | None] = {
        "words": None,
        f"scripted, {given.errors:.0%} wrong": Oracle(rows, given.errors),
    }
    if given.model:
        judges = {"words": None, given.model: load_model(given.model)}
    held = True
    for label, model in judges.items():
        rates = figures(asyncio.run(shares(rows, model, prompts)))
        held = held and (model is None or cleared(rates))
        print(line(label, rates), flush=True)
    return int(not held)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
