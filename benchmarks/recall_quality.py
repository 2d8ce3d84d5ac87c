"""How often the right lesson is among the first 1, 3 and 5, with and without `when` clauses.

    python -m benchmarks.recall_quality --embedder hash --embedder onnx-minilm

Lessons and queries are `benchmarks/data/recall_lessons.jsonl` and `recall_queries.jsonl`, one right
lesson for each query, with few words in common: a hard set for words. The clauses are
`recall_whens.jsonl`, rows {"id", "when"}, to be written by readers who saw the lessons and never
the queries; without that file only the first half is printed. `minilm-weights` needs a package.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from verbalrl.execution import load_embedder
from verbalrl.memory import Embedder, Recaller
from verbalrl.records import GuidanceSpec, Lesson, LessonBody, LessonKind, Origin, Status
from verbalrl.store import open_store

DATA = Path(__file__).parent / "data"
FIRST = (1, 3, 5)


def rows(file: Path) -> list[dict[str, Any]]:
    """The rows of a jsonl file."""
    return [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]


def lesson(row: Mapping[str, Any], when: str) -> Lesson:
    """A row as a lesson."""
    body = LessonBody(kind=LessonKind.BEHAVIOR, when=when, instruction=row["instruction"])
    return Lesson(id=row["id"], scope="s", body=body, status=Status.PROVISIONAL, trust=Origin.TASK)


def embedder_of(name: str) -> Embedder:
    """By name, the benchmark's own among them."""
    if name == "minilm-weights":
        from .minilm import MiniLmWeights

        return MiniLmWeights()
    return load_embedder(name)


async def ranks(
    lessons: Sequence[Lesson], queries: Sequence[Mapping[str, Any]], embedder: Embedder
) -> list[int]:
    """The place of each query's right lesson, from 1."""
    spec = GuidanceSpec(source="recall", scopes=("s",), budget=1)
    found: list[int] = []
    with tempfile.TemporaryDirectory() as folder, open_store(folder, create=True) as store:
        memory = Recaller(store, embedder)
        shelf = memory.pool(lessons, (), spec).shared
        for query in queries:
            ranking = await memory.ranking(shelf, query["text"])
            order = sorted(
                zip(ranking.scores.tolist(), ranking.items, strict=True),
                key=lambda pair: (-pair[0], pair[1].content),
            )
            names = [item.lesson.id for _, item in order]
            place = names.index(query["lesson"]) if query["lesson"] in names else len(lessons)
            found.append(place + 1)
        memory.close()
    return found


def line(label: str, places: Sequence[int], kinds: Sequence[str]) -> str:
    """One line of the report."""
    shares = "  ".join(f"R@{k} {sum(p <= k for p in places) / len(places):.3f}" for k in FIRST)
    split = "  ".join(
        f"{kind} {sum(p <= 5 for p, of in zip(places, kinds, strict=True) if of == kind) / n:.3f}"
        for kind in dict.fromkeys(kinds)
        if (n := kinds.count(kind))
    )
    return f"{label:<34} {shares}   R@5 by kind: {split}"


def main(arguments: Sequence[str] = ()) -> int:
    """Print the shares; always 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--embedder", action="append")
    parser.add_argument("--lessons", type=Path, default=DATA / "recall_lessons.jsonl")
    parser.add_argument("--queries", type=Path, default=DATA / "recall_queries.jsonl")
    parser.add_argument("--whens", type=Path, default=DATA / "recall_whens.jsonl")
    given = parser.parse_args(arguments)
    told, queries = rows(given.lessons), rows(given.queries)
    kinds = [query["kind"] for query in queries]
    print(f"{len(told)} lessons, {len(queries)} queries")
    whens = {row["id"]: row["when"] for row in rows(given.whens)} if given.whens.exists() else {}
    for name in given.embedder or ("hash",):
        embedder = embedder_of(name)
        label = name if embedder.semantic else f"bm25 + {name}"
        for with_when in (False, True) if whens else (False,):
            lessons = [lesson(row, whens.get(row["id"], "") if with_when else "") for row in told]
            places = asyncio.run(ranks(lessons, queries, embedder))
            tail = "with when" if with_when else "without when"
            print(line(f"{label}, {tail}", places, kinds), flush=True)
    if not whens:
        print(f"no {given.whens.name}: the other half needs clauses written by readers")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
