"""What memory costs, as ratios to the bare work within one run: recall, writes, the Chroma index.

    python -m benchmarks.memory --sizes 10000,100000 --seed 0 --only exact,recall

Every line is a median of five with its bar; 1 when one of them does not hold. Vectors have 384
numbers, numpy has one thread, embedding is left out. What only computes is timed by the CPU of the
process, so that a busy machine does not count; what waits for the disk or for Chroma, by the clock.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import gc
import itertools
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from verbalrl.ids import key_id, sha256_text
from verbalrl.memory import Recaller
from verbalrl.memory.chroma import CONFIGURATION, ChromaIndex
from verbalrl.memory.embed import fingerprint, unit
from verbalrl.memory.index import ExactIndex, Key
from verbalrl.memory.pool import Shelf
from verbalrl.prompts import PromptLibrary
from verbalrl.records import (
    BranchRecord,
    Commit,
    Evidence,
    GuidanceSpec,
    LessonBody,
    LessonKind,
    MemoryUpdate,
    Operation,
    Origin,
    RunRecord,
    Status,
    Usage,
)
from verbalrl.store import Store, lesson_id, open_store

DIM = 384
CPU = time.process_time
ROUNDS = 5
BRANCH = "r/learned/0"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
SPEC = GuidanceSpec(source="recall", scopes=("s",))


class Line(NamedTuple):
    """One figure against its bar."""

    what: str
    figure: float
    bar: float
    at_most: bool
    detail: str
    unit: str = "×"

    @property
    def held(self) -> bool:
        """Whether the figure is on the right side."""
        return self.figure <= self.bar if self.at_most else self.figure >= self.bar

    def __str__(self) -> str:
        sign, verdict = "≤" if self.at_most else "≥", "held" if self.held else "MISSED"
        bar = f"{sign} {self.bar:g}{self.unit}"
        figure = f"{self.figure:7.2f}{self.unit:<3}"
        return f"{self.what:<36} {figure} {bar:>8}  {verdict:<6} {self.detail}"


class Given(NamedTuple):
    """The arguments."""

    sizes: tuple[int, ...]
    scopes: int
    lessons: int
    large: int
    chroma: int
    words: int
    seed: int


def seconds(work: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    """How long `work` takes."""
    start = clock()
    work()
    return clock() - start


def side_by_side(
    *works: Callable[[], Any], repeats: int = 9, clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """For each work the median of five rounds, in which they take turns; a round is a median."""
    rounds: list[list[float]] = [[] for _ in works]
    for work in works:
        work()
    for _ in range(ROUNDS):
        times: list[list[float]] = [[] for _ in works]
        for _ in range(repeats):
            for n, work in enumerate(works):
                times[n].append(seconds(work, clock))
        for n, found in enumerate(times):
            rounds[n].append(statistics.median(found))
    return [statistics.median(found) for found in rounds]


def vectors(count: int, seed: int) -> Any:
    """Clustered rows of length 1."""
    import numpy as np

    draw = np.random.default_rng(seed)
    centres = draw.standard_normal((64, DIM))
    rows = centres[draw.integers(0, 64, count)] + draw.standard_normal((count, DIM))
    return unit(rows)


class Words:
    """Texts of `each` words: most are rare, some are frequent, as in language."""

    def __init__(self, seed: int, each: int = 30) -> None:
        self._draw, self._each = random.Random(seed), each
        self._words = [f"w{self._draw.randrange(36**5):x}" for _ in range(30_000)]

    def text(self, count: int) -> str:
        """So many words; the chance of a word falls with its rank."""
        return " ".join(
            self._words[int(len(self._words) * self._draw.random() ** 3)] for _ in range(count)
        )

    def body(self) -> LessonBody:
        """A lesson with a clause and an instruction."""
        clause = self._each * 2 // 5
        when, instruction = self.text(clause), self.text(self._each - clause)
        return LessonBody(kind=LessonKind.BEHAVIOR, when=when, instruction=instruction)


class Made:
    """An embedder whose vectors are there already."""

    name, version, semantic = "made", "1", True

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.config = {"dim": DIM, "seed": seed}

    async def embed(self, texts: Sequence[str], /) -> tuple[Any, Usage]:
        """Rows by how many there are; nothing is computed from the texts."""
        self._seed += 1
        return vectors(len(texts), self._seed), Usage()


class Asker:
    """Has the vector of any situation at hand: embedding is not measured."""

    def __init__(self, rows: Any) -> None:
        self._rows, self._next = rows, 0

    async def vector(self, text: str, /) -> Any:
        """The next one."""
        self._next = (self._next + 1) % len(self._rows)
        return self._rows[self._next]

    def charge(self, usage: Usage, /) -> None:
        """Nothing is paid."""


def new_store(folder: Path, branches: int = 1) -> Store:
    """A store with so many branches, `r/learned/0` the first."""
    store = open_store(folder, create=True)
    store.create_run(
        RunRecord(id="r", task="t", method="handbook", model="m", simulated=True, config={})
    )
    for seed in range(branches):
        name = f"r/learned/{seed}"
        store.create_branch(BranchRecord(id=name, run="r", arm="learned", seed=seed))
    return store


def added(bodies: Sequence[LessonBody], prefix: str) -> tuple[MemoryUpdate, ...]:
    """Updates that add them."""
    return tuple(
        MemoryUpdate(
            op=Operation.ADD,
            lesson=f"le_{prefix}_{n:06}",
            body=body,
            trust=Origin.TASK,
            status=Status.PROVISIONAL,
        )
        for n, body in enumerate(bodies)
    )


def curated(bodies: Sequence[LessonBody], scope: str, name: str) -> tuple[MemoryUpdate, ...]:
    """The same as a curator writes them: ids of what they say, evidence, a vote and a reason."""
    return tuple(
        MemoryUpdate(
            op=Operation.ADD,
            lesson=lesson_id(BRANCH, scope, body, f"cu_{name}"),
            body=body,
            status=Status.PROVISIONAL,
            trust=Origin.TASK,
            evidence=(
                Evidence(
                    critique=key_id("cr", name, n),
                    episode=key_id("ep", name, n),
                    instance=f"triage-v1/train/{n % 40}",
                    trial=1,
                    step=1,
                ),
            ),
            votes={"support": 1},
            confidence=0.7,
            reason="It was right in 4 items that share these words.",
            prompt_sha=sha256_text(name),
        )
        for n, body in enumerate(bodies)
    )


def put(
    store: Store,
    scope: str,
    updates: Sequence[MemoryUpdate],
    name: str,
    *,
    branch: str = BRANCH,
    loop: asyncio.AbstractEventLoop | None = None,
) -> Commit:
    """One commit, durable; on a `loop` that runs on, as a run's does, or on one of its own."""
    made = Commit(
        id=f"cu_{name}",
        branch=branch,
        scope=scope,
        base=store.revision(branch, scope),
        updates=tuple(updates),
    )
    if loop is not None:
        return loop.run_until_complete(store.put_commit(made))
    asyncio.run(_stored(store, made))
    return made


async def _stored(store: Store, made: Commit) -> None:
    # Without a result: Python 3.11 spells out the one of a task that `asyncio.run` ends with.
    await store.put_commit(made)


def exact(given: Given) -> Iterator[Line]:
    """The exact scan beside the largest number of the same matrix."""
    import numpy as np

    count = max(given.sizes)
    rows, index = vectors(count, given.seed), ExactIndex()
    index.upsert([Key("s", f"{n:032x}") for n in range(count)], rows)
    query = vectors(1, given.seed + 1)[0]
    ours, scan = side_by_side(
        lambda: index.search(["s"], query, 10), lambda: np.max(rows), repeats=7, clock=CPU
    )
    detail = f"{ours * 1e3:.2f} ms, np.max {scan * 1e3:.2f} ms, {count:,} rows"
    yield Line("exact top 10 / pure scan", ours / scan, 1.3, True, detail)


def recall(given: Given) -> Iterator[Line]:
    """From a situation to ranked lessons, beside the exact scan of the same view."""
    for count in given.sizes:
        words = Words(given.seed)
        with tempfile.TemporaryDirectory() as folder, new_store(Path(folder)) as store:
            put(store, "s", added([words.body() for _ in range(count)], "a"), "all")
            lessons = store.lessons(BRANCH, "s")
            memory = Recaller(store, Made(given.seed))
            asker = Asker(vectors(50, given.seed + 2))
            shelf = memory.pool(lessons, (), SPEC).shared
            situations = [f"{words.text(60)} {words.text(20)}" for _ in range(50)]
            turn = itertools.cycle(situations)
            query, alone = vectors(1, given.seed + 1)[0], ExactIndex()
            alone.upsert([Key("s", f"{n:032x}") for n in range(count)], vectors(count, given.seed))
            run, prompts = asyncio.new_event_loop(), PromptLibrary()
            search = functools.partial(alone.search, ["s"], query, 10)

            def ranked(memory: Recaller = memory, shelf: Shelf = shelf) -> Any:
                return run.run_until_complete(memory.ranking(shelf, next(turn), asker))  # noqa: B023

            def whole(memory: Recaller = memory, lessons: Any = lessons) -> Any:
                work = _whole(memory, lessons, next(turn), asker, prompts)  # noqa: B023
                return run.run_until_complete(work)  # noqa: B023

            first = seconds(ranked)
            ours, scan, rendered = side_by_side(ranked, search, whole, repeats=25, clock=CPU)
            run.close()
            detail = (
                f"{ours * 1e3:.2f} ms, scan {scan * 1e3:.2f} ms, {count:,} lessons; "
                f"with its prompt {rendered * 1e3:.2f} ms; the first takes {first:.1f} s"
            )
            if count >= 100_000:
                yield Line("recall / exact scan", ours / scan, 2.5, True, detail)
            else:
                yield Line("recall, median", ours * 1e3, 1.0, True, detail, " ms")
            memory.close()


async def _whole(
    memory: Recaller, lessons: Any, situation: str, asker: Asker, prompts: PromptLibrary
) -> Any:
    return await memory.recall(lessons, (), SPEC, situation, prompts=prompts, asker=asker)


def scopes(given: Given) -> Iterator[Line]:
    """Many lessons in many scopes; recall in a large one of them."""
    words = Words(given.seed)
    rest = (given.lessons - given.large) // (given.scopes - 1)
    with tempfile.TemporaryDirectory() as folder, new_store(Path(folder)) as store:
        for n in range(given.scopes):
            count, scope = (given.large, "s") if n == 0 else (rest, f"s{n}")
            put(store, scope, added([words.body() for _ in range(count)], f"s{n}"), f"s{n}")
        memory = Recaller(store, Made(given.seed))
        asker, prompts = Asker(vectors(50, given.seed)), PromptLibrary()
        for n in range(1, given.scopes):
            other = SPEC.replace(scopes=(f"s{n}",), budget=1)
            view = memory.pool(store.lessons(BRANCH, f"s{n}"), (), other).shared
            asyncio.run(memory.nearest.prepare(view))
        lessons = store.lessons(BRANCH, "s")
        situations = [words.text(80) for _ in range(200)]
        with closing(asyncio.new_event_loop()) as run:

            def whole(text: str) -> float:
                work = _whole(memory, lessons, text, asker, prompts)
                return seconds(lambda: run.run_until_complete(work), CPU)

            whole(situations[0])
            times = sorted(map(whole, situations))
        p95 = times[int(len(times) * 0.95)] * 1e3
        total = rest * (given.scopes - 1) + given.large
        detail = (
            f"median {times[len(times) // 2] * 1e3:.1f} ms, with its prompt; {total:,} lessons in "
            f"{given.scopes} scopes, {given.large:,} in this one"
        )
        yield Line("recall in a large scope, p95", p95, 50, True, detail, " ms")


Rows = list[list[tuple[Any, ...]]]


class Bare:
    """A database with the store's settings, and nothing around it; all of it as durable.

    `row` writes one row for each lesson, with the bytes of its texts in the store as one blob, into
    a table without an index. `keyed` gives that row its ids and three indexes, as the row of
    `3.1` in the reference has. `write` writes the very rows that the store has written for a
    commit, into the same tables with the same indexes. A commit writes no words and no vectors
    (tables of words live in memory, and a lesson's vector is written when it is first recalled), so
    there are none here. Nothing is read, computed or checked, keys of other tables included.
    """

    _FOUND = {
        "commits": "SELECT * FROM commits WHERE id = :c",
        "updates": "SELECT * FROM updates WHERE commit_id = :c",
        "lessons": "SELECT l.* FROM lessons l JOIN updates u ON u.lesson = l.id"
        " WHERE u.commit_id = :c AND l.branch = u.branch AND l.scope = u.scope",
    }
    _OWN = (
        "CREATE TABLE rows (id INTEGER PRIMARY KEY, body BLOB)",
        "CREATE TABLE keyed (id TEXT PRIMARY KEY, branch TEXT, scope TEXT, content TEXT, x BLOB)",
        "CREATE INDEX keyed_scope ON keyed (branch, scope)",
        "CREATE INDEX keyed_content ON keyed (content)",
    )

    def __init__(self, folder: Path) -> None:
        open_store(folder, create=True).close()
        self.connection = sqlite3.connect(folder / "verbalrl.db", isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = OFF"):
            self.connection.execute(f"PRAGMA {pragma}")
        for sql in self._OWN:
            self.connection.execute(sql)

    @classmethod
    def rows_of(cls, store: Store, commit: str) -> Rows:
        """What the store has written for a commit, by table."""

        def read(c: sqlite3.Connection) -> Rows:
            return [c.execute(sql, {"c": commit}).fetchall() for sql in cls._FOUND.values()]

        return store._read(read)

    def write(self, found: Rows) -> None:
        """One transaction with these rows."""
        with self._whole():
            for table, rows in zip(self._FOUND, found, strict=True):
                self._insert(table, rows)

    def row(self, blobs: Sequence[bytes]) -> None:
        """One transaction with these blobs."""
        with self._whole():
            sql = "INSERT INTO rows (body) VALUES (?)"
            self.connection.executemany(sql, ((blob,) for blob in blobs))

    def keyed(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """One transaction with these rows: id, branch, scope, content, body."""
        with self._whole():
            self._insert("keyed", rows)

    def _insert(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        marks = ", ".join("?" * len(rows[0]))
        self.connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)

    @contextmanager
    def _whole(self) -> Iterator[None]:
        self.connection.execute("BEGIN IMMEDIATE")
        yield
        self.connection.execute("COMMIT")

    def close(self) -> None:
        """Let the file go."""
        self.connection.close()


class Written(NamedTuple):
    """What a commit has written, in the three shapes that bare transactions get."""

    rows: Rows
    keyed: list[tuple[Any, ...]]
    blobs: list[bytes]

    @classmethod
    def by(cls, store: Store, commit: str) -> Written:
        """That of `commit`: a blob has the bytes of its lesson's texts, JSON and clauses."""
        found = Bare.rows_of(store, commit)
        _, updates, lessons = found
        texts = {row[7]: [row[-1]] for row in updates}
        for row in lessons:
            texts[row[1]] += [row[-1], row[5], row[7]]
        blobs = [os.urandom(sum(len(t.encode()) for t in said)) for said in texts.values()]
        keyed = [
            (row[1], row[0], row[2], row[15], blob)
            for row, blob in zip(lessons, blobs, strict=True)
        ]
        return cls(found, keyed, blobs)

    @property
    def each(self) -> int:
        """Bytes of a lesson."""
        return sum(map(len, self.blobs)) // len(self.blobs)


def writes(given: Given) -> Iterator[Line]:
    """A durable lesson, and ten thousand at once, beside the same bytes without the store."""
    words = Words(given.seed, given.words)
    with (
        tempfile.TemporaryDirectory() as folder,
        new_store(Path(folder) / "ours") as store,
        closing(Bare(Path(folder) / "bare")) as bare,
        closing(asyncio.new_event_loop()) as loop,
    ):
        yield from _durable(store, bare, words, loop)
        yield from _bulk(store, bare, words, loop)


def _durable(
    store: Store, bare: Bare, words: Words, loop: asyncio.AbstractEventLoop, repeats: int = 40
) -> Iterator[Line]:
    rounds: list[list[float]] = []
    whole: list[list[float]] = []
    for turn in range(ROUNDS):
        times: list[list[float]] = []
        for n in range(turn * repeats, (turn + 1) * repeats):
            scope = f"a{n // 200}"
            made = curated([words.body()], scope, f"a{n}")
            ours = seconds(functools.partial(put, store, scope, made, f"a{n}", loop=loop))
            found = Written.by(store, f"cu_a{n}")
            times.append([ours, *_bare(bare, found)])
        rounds.append([statistics.median(column) for column in zip(*times, strict=True)])
        whole += times
    middle = [statistics.median(column) * 1e3 for column in zip(*rounds, strict=True)]
    # Where nobody else was at the disk: there is nothing then that both sides wait for.
    fast = [sorted(column)[len(column) // 20] * 1e3 for column in zip(*whole, strict=True)]
    details = [
        f"{middle[0]:.2f} ms, a row of {found.each:,} bytes {middle[1]:.2f} ms; the fastest "
        f"twentieth {fast[0]:.2f} and {fast[1]:.2f} ms"
    ]
    details += [f"{bare:.2f} ms" for bare in middle[2:]]
    for n, (shape, detail) in enumerate(zip(SHAPES, details, strict=True), start=1):
        yield Line(f"durable add / {shape}", _ratio(rounds, 0, n), 4, True, detail)


def _bulk(
    store: Store, bare: Bare, words: Words, loop: asyncio.AbstractEventLoop, many: int = 10_000
) -> Iterator[Line]:
    rounds: list[list[float]] = []
    for n in range(ROUNDS):
        batch = curated([words.body() for _ in range(many)], f"b{n}", f"b{n}")
        # What the benchmark has made is not the store's to walk through.
        gc.collect()
        gc.freeze()
        ours = seconds(functools.partial(put, store, f"b{n}", batch, f"b{n}", loop=loop))
        gc.unfreeze()
        found = Written.by(store, f"cu_b{n}")
        rounds.append([many / time for time in (ours, *_bare(bare, found))])
    middle = [statistics.median(column) for column in zip(*rounds, strict=True)]
    details = [f"{middle[0]:,.0f} lessons/s, rows of {found.each:,} bytes {middle[1]:,.0f}/s"]
    details += [f"{bare:,.0f} lessons/s" for bare in middle[2:]]
    for n, (shape, detail) in enumerate(zip(SHAPES, details, strict=True), start=1):
        yield Line(f"bulk / {shape}", _ratio(rounds, 0, n), 0.25, False, detail)


SHAPES = ("one bare row", "such a row, 3 indexes", "its own rows bare")


def _bare(bare: Bare, found: Written) -> list[float]:
    """How long the same bytes take without the store, in each of the shapes."""
    return [
        seconds(lambda: bare.row(found.blobs)),
        seconds(lambda: bare.keyed(found.keyed)),
        seconds(lambda: bare.write(found.rows)),
    ]


def _ratio(rounds: Sequence[Sequence[float]], one: int, other: int) -> float:
    """The median of the rounds' own ratios: what a round suffers, both of its sides suffer."""
    return statistics.median(times[one] / times[other] for times in rounds)


def writers(given: Given) -> Iterator[Line]:
    """Four processes that write to one store, beside one."""
    rates: dict[int, list[float]] = {1: [], 4: []}
    for turn in range(ROUNDS):
        for count, found in rates.items():
            with tempfile.TemporaryDirectory() as folder:
                new_store(Path(folder), branches=4).close()
                found.append(_rate(folder, count, given.seed + turn))
    one, four = (statistics.median(found) for found in rates.values())
    detail = f"{four:,.0f} commits/s, one {one:,.0f}"
    yield Line("4 writers / 1 writer", four / one, 0.9, False, detail)


def _rate(folder: str, processes: int, seed: int, each: float = 2.0) -> float:
    command = [sys.executable, "-m", "benchmarks.memory", "--writer", folder, "--seed", str(seed)]
    children = [
        subprocess.Popen([*command, "--branch", str(n)], stdout=subprocess.PIPE, text=True)
        for n in range(processes)
    ]
    # All of them are up before the clock runs: they wait for the same moment.
    start = time.time() + 3.0 + processes * 0.5
    (Path(folder) / "start").write_text(f"{start} {each}", "utf-8")
    outs = [child.communicate()[0] for child in children]
    return sum(map(int, outs)) / each


def write_for_a_while(folder: Path, branch: int, seed: int) -> int:
    """A child of `writers`: commits until the time is over; how many."""
    words = Words(seed)
    while not (folder / "start").exists():
        time.sleep(0.01)
    time.sleep(0.05)
    start, each = map(float, (folder / "start").read_text("utf-8").split())
    name, done = f"r/learned/{branch}", 0
    with open_store(folder) as store:
        time.sleep(max(0.0, start - time.time()))
        while time.time() < start + each:
            one = f"{branch}-{done}"
            put(store, f"w{done // 100}", added([words.body()], one), one, branch=name)
            done += 1
    return done


def chroma(given: Given) -> Iterator[Line]:
    """The Chroma index with its check against the view, beside a bare query and its rows."""
    import chromadb

    count, words = given.chroma, Words(given.seed)
    with tempfile.TemporaryDirectory() as folder, new_store(Path(folder)) as store:
        put(store, "s", added([words.body() for _ in range(count)], "a"), "all")
        memory = Recaller(store, Made(given.seed), f"chroma:{folder}/index")
        shelf = memory.pool(store.lessons(BRANCH, "s"), (), SPEC).shared
        far = memory.nearest.far
        assert far is not None
        far.scan_below = 0
        queries = vectors(50, given.seed + 3)
        turn, run = iter(range(10**9)), asyncio.new_event_loop()

        def ours() -> Any:
            # On one loop, as a run's prompts are: each new one would start its threads anew.
            query = queries[next(turn) % 50]
            return run.run_until_complete(far.search(["s"], query, 10, shelf.by_content))

        run.run_until_complete(memory.nearest.prepare(shelf))
        built = seconds(lambda: (ours(), far.wait(3600)))
        rows = store.vectors.get(fingerprint(memory.embedder), list(shelf.by_content))
        client = chromadb.PersistentClient(f"{folder}/bare")
        collection = client.create_collection(
            "bare", embedding_function=None, configuration=CONFIGURATION
        )
        import numpy as np

        contents = list(rows)
        matrix = np.stack([np.frombuffer(rows[c], dtype="<f4") for c in contents])
        for start in range(0, count, 2000):
            part = slice(start, start + 2000)
            collection.upsert(ids=contents[part], embeddings=matrix[part])

        def bare() -> Any:
            query = queries[next(turn) % 50]
            found = collection.query(query_embeddings=[query], n_results=10)
            marks = ",".join("?" * 10)
            return store._read(
                lambda c: (
                    c.execute(
                        f"SELECT body FROM lessons WHERE content IN ({marks})", found["ids"][0]
                    ).fetchall()
                    if _indexed(store)
                    else None
                )
            )

        assert ours() is not None, far.reason
        mine, theirs, loop = side_by_side(
            ours, bare, lambda: run.run_until_complete(asyncio.sleep(0)), repeats=25
        )
        mine -= loop
        detail = (
            f"{mine * 1e3:.2f} ms, bare {theirs * 1e3:.2f} ms, {count:,} rows, "
            f"built in {built:.0f} s"
        )
        yield Line("Chroma index / bare query and rows", mine / theirs, 1.3, True, detail)
        run.run_until_complete(run.shutdown_default_executor())
        run.close()
        memory.close()
        ChromaIndex(f"{folder}/bare", "bare").close()


_made: set[int] = set()


def _indexed(store: Store) -> bool:
    """The bare query reads rows by content; so that it is not slow for want of an index."""
    if id(store) not in _made:
        _made.add(id(store))
        store._do(lambda c: c.execute("CREATE INDEX bench_content ON lessons (content)").rowcount)
    return True


PARTS: dict[str, Callable[[Given], Iterator[Line]]] = {
    "exact": exact,
    "recall": recall,
    "writes": writes,
    "writers": writers,
    "scopes": scopes,
    "chroma": chroma,
}


def numbers(text: str) -> tuple[int, ...]:
    """`10000,100000` as sizes."""
    return tuple(int(part) for part in text.split(","))


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=numbers, default=(10_000, 100_000))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--scopes", type=int, default=300)
    parser.add_argument("--lessons", type=int, default=300_000)
    parser.add_argument("--large", type=int, default=20_000, help="lessons of the large scope")
    parser.add_argument("--chroma", type=int, default=20_000, help="rows of the Chroma index")
    parser.add_argument("--words", type=int, default=30, help="of a lesson that is written")
    parser.add_argument("--writer", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--branch", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] = ()) -> int:
    """Print the figures; 1 when a bar is missed."""
    asked = parsed(arguments)
    if asked.writer is not None:
        print(write_for_a_while(asked.writer, asked.branch, asked.seed))
        return 0
    if not asked.child:
        # numpy reads how many threads it may have when it is loaded.
        command = [sys.executable, "-m", "benchmarks.memory", "--child", *arguments]
        return subprocess.call(command, env={**os.environ, **dict.fromkeys(THREADS, "1")})
    given = Given(*(getattr(asked, name) for name in Given._fields))
    missed = False
    for name in asked.only.split(","):
        for line in PARTS[name](given):
            print(line, flush=True)
            missed = missed or not line.held
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
