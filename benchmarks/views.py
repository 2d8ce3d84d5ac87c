"""How fast are lists and pages over 100,000 episodes and 10,000 lessons?

    python -m benchmarks.views --episodes 100000 --lessons 10000

Every list and page is asked for many times, in turn with the plain SQL of all rows that it shows
(whole bodies, counts and what stands beside them, through a connection that is opened as the
store's is, in one read transaction). Medians in milliseconds, of three things:

own     what the store, for a page the function behind its address, takes: rows to records to HTML;
whole   the request as a server hands it on, through guard, routing and threads;
bare    the same for an answer of the same size that is a constant; in a thread where the page is.

Two bars of 10 × the SQL, for `own` and for `whole - bare`, and 300 ms for `whole`; no floor. The
last columns say which bars hold; `--cpu` counts the time of the processor, which others'
work does not stretch. Figures of a run that is done are kept, and effects until something is
written: `first` forgets them.

`--split` shares the episodes between the two runs, so that the store has so many in all; `--coins`
tosses one for each use, so that lessons have effects. `--store FOLDER` keeps what was made, and
takes it where it is there; `--only WORDS` asks for lines of that name alone.

The report of 5 arms × 50 instances × 5 trials is made and, where there is a browser, opened.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import closing
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Match, Route

from benchmarks._rows import ARMS, Sizes, add_run, fill
from tests.view.browser import browser
from verbalrl.store import Store, open_store
from verbalrl.store.schema import FILE_NAME, connect
from verbalrl.view.page.app import application
from verbalrl.view.page.guard import COOKIE, Guard, Keys
from verbalrl.view.report import report_html
from verbalrl.view.rows import read_run

RUN, OTHER, PORT = "run_made000001", "run_made000002", 8123
MOST_MS, MOST_TIMES = 300.0, 10.0
QUICK_MS, MORE = 20.0, 10
"""What takes less is asked for so many times more: its noise is larger."""

Sql = tuple[str, tuple[object, ...]]

COUNTED = "rtrim({0}instance, '0123456789'), length({0}instance), {0}instance"
LANE = f"run, arm, seed, {COUNTED.format('')}, trial, candidate, purpose"
WORST = "SELECT id, reward, components, body FROM episodes WHERE run = ? ORDER BY reward, seq"
OF_RUN = "FROM critiques c WHERE c.branch IN (SELECT id FROM branches WHERE run = ?)"
BY_LANE = f"c.branch, {COUNTED.format('c.')}, c.trial, c.template, c.sample"
SUPPORT = "coalesce(json_extract(body, '$.votes.support'), json_array_length(body, '$.evidence'))"
LESSONS = (
    "SELECT branch, body FROM lessons WHERE branch = ? ORDER BY instr('active provisional"
    f" quarantined superseded retired revoked purged', status), {SUPPORT} DESC, born, position"
)
WAITING = (
    "SELECT branch, body FROM lessons WHERE status = 'provisional'"
    f" ORDER BY {SUPPORT} DESC, born, position"
)
LIVE = "FROM lessons WHERE branch = ? AND status IN ('active', 'provisional', 'quarantined')"
GROUPS = (
    "SELECT arm, seed, count(*), count(*) FILTER (WHERE success = 1), count(*) FILTER"
    " (WHERE status <> 'finished'), count(DISTINCT instance) FROM episodes"
    " WHERE run = ? AND purpose = 'attempt' GROUP BY arm, seed ORDER BY min(seq)"
)
USED = (
    "SELECT u.lesson, count(DISTINCT u.episode) FILTER (WHERE u.outcome = 'injected'),"
    " count(DISTINCT u.episode) FILTER (WHERE u.outcome = 'injected' AND e.success = 1),"
    " count(DISTINCT u.episode) FILTER (WHERE u.outcome = 'injected' AND r.simulated),"
    " count(DISTINCT u.episode) FILTER (WHERE u.outcome = 'injected' AND e.success = 1"
    " AND r.simulated) FROM uses u JOIN episodes e ON e.id = u.episode"
    " JOIN runs r ON r.id = e.run WHERE u.lesson IN ({}) GROUP BY u.lesson"
)
CARRIED = (
    "SELECT e.id, e.run, e.instance, e.trial, e.success, r.simulated, u.* FROM uses u"
    " JOIN episodes e ON e.id = u.episode JOIN runs r ON r.id = e.run WHERE u.lesson = ?"
    " ORDER BY e.seq, u.slot, u.i"
)
LINES = (
    "SELECT u.*, c.at FROM updates u JOIN commits c ON c.id = u.commit_id WHERE u.lesson = ?"
    " ORDER BY u.n"
)
ONE_LESSON = "SELECT body FROM lessons WHERE branch = ? AND scope = ? AND id = ?"
REVISIONS = (
    "SELECT c.revision, (SELECT count(*) FROM updates u WHERE u.commit_id = c.id), c.at"
    " FROM commits c WHERE c.branch = ? AND c.scope = ? AND c.revision > c.base"
    " ORDER BY c.revision DESC LIMIT 50"
)
LESSONS_OF_RUN = (
    "SELECT b.id, (SELECT count(*) FROM lessons l WHERE l.branch = b.id) FROM branches b"
    " WHERE b.run = ?"
)
QUEUES = (
    "SELECT b.id FROM branches b WHERE EXISTS (SELECT 1 FROM lessons l WHERE l.branch = b.id"
    " AND l.status IN ('quarantined', 'provisional'))"
)
STATE = "SELECT b.*, r.status FROM branches b LEFT JOIN runs r ON r.id = b.run WHERE b.id = ?"
SAID = (
    "SELECT body FROM critiques WHERE body LIKE '%{0}%' AND EXISTS (SELECT 1 FROM json_tree(body) t"
    " WHERE t.key IN ('why', 'quote', 'instruction', 'when', 'when_not', 'name', 'detail',"
    " 'refinement') AND t.type = 'text' AND t.atom LIKE '%{0}%') ORDER BY seq DESC LIMIT 51"
)
WRITTEN = (
    "FROM lessons WHERE (name || ' ' || when_text || ' ' || when_not || ' ' || instruction || ' '"
    " || id) LIKE '%knock%'"
)


SOLVED = (
    "SELECT arm, instance, seed, trial, success, status FROM episodes"
    " WHERE run = ? AND purpose = 'attempt' AND split = 'train'"
)
SAYING = (
    "SELECT when_text, when_not, instruction FROM lessons WHERE branch = ?"
    " AND status IN ('active', 'provisional') ORDER BY born, position"
)
PLACES = (
    "SELECT id, scope, kind, name, when_text, when_not, instruction, content, born, position"
    " FROM lessons WHERE branch = ? ORDER BY scope, born, position, id"
)
TOSSED = (
    "SELECT u.content, u.role, e.round, e.instance, u.outcome, u.probability, e.success, u.tokens"
    " FROM uses u JOIN episodes e ON e.id = u.episode WHERE e.run = ? AND e.arm = 'learned'"
    " AND e.seed = 0 AND u.probability > 0 AND u.probability < 1"
)
LINKS = (
    "SELECT lesson, body FROM updates"
    """ WHERE instr(body, '"parents":[]') = 0 OR instr(body, '"snapshot":null') = 0"""
)


class Case(NamedTuple):
    """A list or page, and the plain SQL of all rows that it shows."""

    name: str
    ask: Callable[[], object] | str
    """The list, or the address of the page."""
    sql: tuple[Sql, ...]
    forget: bool = False
    """Whether kept figures are forgotten each time."""


class Median(NamedTuple):
    """Milliseconds; the last two of a page alone."""

    sql: float
    own: float
    whole: float | None = None
    bare: float | None = None


def episodes(cut: str) -> str:
    """One page of a run's episodes in the order of lanes, chosen by number."""
    chosen = f"SELECT seq FROM episodes WHERE run = ? ORDER BY {LANE} {cut}"
    return (
        f"SELECT id, reward, components, body FROM episodes WHERE seq IN ({chosen}) ORDER BY {LANE}"
    )


def critiques(cut: str) -> str:
    """The same of its critiques."""
    chosen = f"SELECT c.seq {OF_RUN} ORDER BY {BY_LANE} {cut}"
    return f"SELECT c.body FROM critiques c WHERE c.seq IN ({chosen}) ORDER BY {BY_LANE}"


def lists(store: Store, branch: str) -> list[Case]:
    """All lists."""
    first = " LIMIT 50"
    count = ("SELECT count(*) FROM episodes WHERE run = ?", (RUN,))
    return [
        Case("list episodes", lambda: store.episode_page({"run": RUN}, limit=50),
             ((episodes(first), (RUN,)), count)),
        Case("list worst episodes",
             lambda: store.episode_page({"run": RUN}, sort="worst", limit=50),
             ((WORST + first, (RUN,)), count)),
        Case("list critiques", lambda: store.critique_page({"run": RUN}, limit=50),
             ((critiques(first), (RUN,)), (f"SELECT count(*) {OF_RUN}", (RUN,)))),
        Case("list lessons", lambda: store.lesson_page({"branch": branch}, limit=50),
             ((LESSONS + first, (branch,)),
              ("SELECT count(*) FROM lessons WHERE branch = ?", (branch,)))),
    ]  # fmt: skip


def run_pages(store: Store) -> list[Case]:
    """Pages of runs, their episodes and critiques."""
    named: Sql = ("SELECT * FROM runs WHERE id = ?", (RUN,))
    groups: Sql = (GROUPS, (RUN,))
    arms: Sql = ("SELECT * FROM branches WHERE run = ?", (RUN,))
    count: Sql = ("SELECT count(*) FROM episodes WHERE run = ?", (RUN,))
    run = (named, groups, (LESSONS_OF_RUN, (RUN,)))
    carried = store.episode_page({"run": RUN, "arm": "learned"}, limit=1).rows[0].id
    critique = store.critique_page({"run": RUN}, limit=1).rows[0]
    judged = critique.episodes[0]
    at = f"/runs/{RUN}"
    sides = [(named[0], (x,)) for x in (RUN, OTHER)] + [(SOLVED, (x,)) for x in (RUN, OTHER)]
    said = [(SAYING, (f"{x}/learned/0",)) for x in (RUN, OTHER)]
    compared: tuple[Sql, ...] = (*sides, *said, ("SELECT * FROM runs ORDER BY seq DESC", ()))
    return [
        Case("page runs", "/", (("SELECT * FROM runs ORDER BY seq DESC LIMIT 50", ()),
             ("SELECT count(*) FROM runs", ()))),
        Case("page run", at, run),
        Case("page run, first", at, run, forget=True),
        Case("page progress", f"{at}/progress", (named, groups)),
        Case("page progress, first", f"{at}/progress", (named, groups), forget=True),
        Case("page episodes", f"{at}/episodes",
             (named, (episodes("LIMIT 50"), (RUN,)), count, arms)),
        Case("page episodes, far", f"{at}/episodes?offset=90000",
             (named, (episodes("LIMIT 50 OFFSET 90000"), (RUN,)), count, arms)),
        Case("page episode", f"/episodes/{carried}", episode_rows(carried)),
        Case("page episode, judged", f"/episodes/{judged}", episode_rows(judged)),
        Case("page two runs", f"/compare?one={RUN}&other={OTHER}", compared),
        Case("page two runs, first", f"/compare?one={RUN}&other={OTHER}", compared, forget=True),
        Case("page critique", f"/critiques/{critique.id}",
             (("SELECT body FROM critiques WHERE id = ?", (critique.id,)),)),
    ]  # fmt: skip


def episode_rows(name: str) -> tuple[Sql, ...]:
    """An episode with its steps, its uses, and the critiques that read it."""
    return (
        ("SELECT id, reward, components, body FROM episodes WHERE id = ?", (name,)),
        ("SELECT body FROM steps WHERE episode = ? ORDER BY i", (name,)),
        ("SELECT * FROM uses WHERE episode = ? ORDER BY slot, i", (name,)),
        ("SELECT c.body FROM critique_episodes r JOIN critiques c ON c.id = r.critique"
         " WHERE r.episode = ?", (name,)),
    )  # fmt: skip


def lesson_pages(store: Store, branch: str) -> list[Case]:
    """Pages of lessons, the review queue, memory and the search."""
    listed = store.lesson_page({"branch": branch}, limit=50).rows
    waiting = store.lesson_page({"status": "provisional"}, sort="support", limit=50).rows
    found = store.lesson_page({}, text="knock", sort="support", limit=50).rows
    lesson = listed[0][1]
    scope = lesson.scope
    every: Sql = ("SELECT * FROM branches", ())
    by_effect = ((PLACES, (branch,)), (TOSSED, (RUN,)), used(x.id for _, x in listed), every,
                 (f"{LESSONS} LIMIT 50", (branch,)))  # fmt: skip
    critiques = [e.critique for e in lesson.evidence]
    marks = ", ".join("?" * len(critiques))
    return [
        Case("page lessons", f"/lessons?branch={branch}",
             ((f"{LESSONS} LIMIT 50", (branch,)), used(x.id for _, x in listed), every,
              ("SELECT count(*) FROM lessons WHERE branch = ?", (branch,)))),
        Case("page lesson", f"/lessons/{lesson.id}?branch={branch}",
             ((ONE_LESSON, (branch, lesson.scope, lesson.id)),
              (LINES, (lesson.id,)), (CARRIED, (lesson.id,)),
              (f"SELECT body FROM critiques WHERE id IN ({marks})", tuple(critiques)),
              ("SELECT body FROM proofs WHERE lesson = ?", (lesson.id,)), (STATE, (branch,)))),
        Case("page by effect", f"/lessons?branch={branch}&sort=effect", by_effect),
        Case("page by effect, first", f"/lessons?branch={branch}&sort=effect", by_effect, True),
        Case("page what would fall", f"/lessons/{lesson.id}/revoke?branch={branch}",
             ((ONE_LESSON, (branch, lesson.scope, lesson.id)),
              (LINKS, ()), (LINES, (lesson.id,)), ("SELECT * FROM tombstones", ()), every,
              ("SELECT id FROM lessons WHERE content = ?", (lesson.body.content,)),
              (CARRIED, (lesson.id,)), (STATE, (branch,)))),
        Case("page review", "/review?status=provisional",
             ((f"{WAITING} LIMIT 50", ()), used(x.id for _, x in waiting), (QUEUES, ()),
              ("SELECT count(*) FROM lessons WHERE status = 'provisional'", ()),
              (STATE, (branch,)))),
        Case("page memory", f"/memory?branch={branch}",
             ((f"SELECT body {LIVE} AND scope = ? ORDER BY born, position LIMIT 50",
               (branch, scope)), (f"SELECT count(*) {LIVE} AND scope = ?", (branch, scope)),
              (REVISIONS, (branch, scope)), every)),
        Case("page search", "/search?q=knock+knocked",
             ((SAID.format("knocked"), ()), (f"SELECT count(*) {WRITTEN}", ()),
              (f"SELECT branch, body {WRITTEN} ORDER BY {SUPPORT} DESC, born, position LIMIT 50",
               ()), used(x.id for _, x in found))),
    ]  # fmt: skip


def used(lessons: Iterable[str]) -> Sql:
    """How often prompts carried these lessons."""
    named = tuple(lessons)
    return USED.format(", ".join("?" * len(named))), named


class Pages:
    """The pages as a server asks for them, without a network in between."""

    def __init__(self, store: Store) -> None:
        self._keys = Keys()
        self.app = application(store, self._keys, PORT)

    def whole(self, path: str, app: Starlette | None = None) -> Callable[[], Awaitable[int]]:
        """Asks `app`, by default the pages, for `path`; gives the bytes of the answer."""
        asked = app or self.app

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def ask() -> int:
            sent: list[Any] = []

            async def send(message: Any) -> None:
                sent.append(message)

            await asked(self._scope(path), receive, send)
            assert sent[0]["status"] == 200, path
            return sum(len(message.get("body", b"")) for message in sent[1:])

        return ask

    def own(self, path: str) -> Callable[[], Response | Awaitable[Response]]:
        """Calls the function behind `path`."""
        endpoint, scope = self._behind(path)
        return lambda: endpoint(Request(scope))

    def constant(self, path: str, size: int) -> Starlette:
        """An application under the same guard that answers so many bytes the way `path` does."""
        text = "x" * size

        def answer(_: Request) -> Response:
            return HTMLResponse(text)

        async def at_once(_: Request) -> Response:
            return HTMLResponse(text)

        endpoint, _ = self._behind(path)
        way = at_once if iscoroutinefunction(endpoint) else answer
        guard = Middleware(Guard, keys=self._keys, port=PORT)
        return Starlette(routes=[Route("/{rest:path}", way)], middleware=[guard])

    def _behind(
        self, path: str
    ) -> tuple[Callable[[Request], Response | Awaitable[Response]], dict[str, Any]]:
        scope = self._scope(path) | {"app": self.app}
        for route in self.app.routes:
            matched, more = route.matches(scope)
            if matched is Match.FULL and isinstance(route, Route):
                return route.endpoint, {**scope, **more}
        raise AssertionError(f"{path} leads nowhere")

    def _scope(self, path: str) -> dict[str, Any]:
        parts = urlsplit(path)
        cookie = f"{COOKIE}_{PORT}={self._keys.cookie}".encode()
        return {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "root_path": "",
            "query_string": parts.query.encode(),
            "headers": [(b"host", f"127.0.0.1:{PORT}".encode()), (b"cookie", cookie)],
            "server": ("127.0.0.1", PORT),
            "client": ("127.0.0.1", 50_000),
        }


Clock = Callable[[], float]


async def medians(works: Sequence[Callable[[], object]], rounds: int, clock: Clock) -> list[float]:
    """The median milliseconds of each, taking turns, after one that warms up."""
    taken: list[list[float]] = [[] for _ in works]
    turns = rounds + 1
    while len(taken[0]) < turns:
        for work, times in zip(works, taken, strict=True):
            began = clock()
            made = work()
            if isinstance(made, Awaitable):
                await made
            times.append(1000 * (clock() - began))
        if len(taken[0]) == 2 and max(times[1] for times in taken) < QUICK_MS:
            turns = MORE * rounds + 1
    return [statistics.median(times[1:]) for times in taken]


def plain(connection: sqlite3.Connection, sql: Sequence[Sql]) -> Callable[[], list[list[Any]]]:
    """Asks the database in one transaction and takes the rows, no more."""

    def ask() -> list[list[Any]]:
        connection.execute("BEGIN")
        rows = [connection.execute(text, given).fetchall() for text, given in sql]
        connection.execute("COMMIT")
        return rows

    return ask


async def timed(
    case: Case,
    pages: Pages,
    connection: sqlite3.Connection,
    rounds: int,
    clock: Clock = time.perf_counter,
) -> Median:
    """What a case takes."""
    sql = plain(connection, case.sql)
    if not isinstance(case.ask, str):
        return Median(*await medians((sql, case.ask), rounds, clock))
    own, whole = pages.own(case.ask), pages.whole(case.ask)
    bare = pages.whole(case.ask, pages.constant(case.ask, await whole()))
    if not case.forget:
        return Median(*await medians((sql, own, whole, bare), rounds, clock))

    def forget() -> None:
        pages.app.state.groups.clear()
        pages.app.state.compared.clear()
        pages.app.state.store._made.clear()

    def own_anew() -> object:
        forget()
        return own()

    async def whole_anew() -> int:
        forget()
        return await whole()

    return Median(*await medians((sql, own_anew, whole_anew, bare), rounds, clock))


def told(name: str, took: Median) -> tuple[str, list[str]]:
    """The line of a case, and the bars that it misses."""
    above = None if took.whole is None or took.bare is None else took.whole - took.bare
    holds = {"own": took.own < MOST_TIMES * took.sql}
    holds["300 ms"] = (took.own if took.whole is None else took.whole) < MOST_MS
    line = f"{name:22}{took.sql:9.3f}{took.own:9.3f}{took.own / took.sql:7.1f}"
    if above is None:
        line += " " * 34
    else:
        holds["above"] = above < MOST_TIMES * took.sql
        line += f"{took.whole:9.3f}{took.bare:9.3f}{above:9.3f}{above / took.sql:7.1f}"
    marks = [{True: "yes", False: "NO", None: ""}[holds.get(b)] for b in ("own", "above", "300 ms")]
    return line + "".join(f"{mark:>8}" for mark in marks), [
        b for b, held in holds.items() if not held
    ]


async def measure(
    store: Store, rounds: int, clock: Clock = time.perf_counter, only: str = ""
) -> dict[str, int]:
    """Print the table of the lines that `only` is in; by bar, how many miss it."""
    branch = f"{RUN}/learned/0"
    pages = Pages(store)
    missed = dict.fromkeys(("own", "above", "300 ms"), 0)
    print(f"{'':22}{'SQL':>9}{'own':>9}{'×':>7}{'whole':>9}{'bare':>9}{'w - b':>9}{'×':>7}", end="")
    print("".join(f"{head:>8}" for head in ("own 10×", "w-b 10×", "300 ms")))
    with closing(connect(store.path / FILE_NAME, reads=True)) as connection:
        for case in (*lists(store, branch), *run_pages(store), *lesson_pages(store, branch)):
            if only not in case.name:
                continue
            line, bars = told(case.name, await timed(case, pages, connection, rounds, clock))
            print(line, flush=True)
            for bar in bars:
                missed[bar] += 1
    return missed


def small_report(folder: Path) -> None:
    """Make the report of five arms, and say how large it is and how long that took."""
    asyncio.run(fill(folder, RUN, Sizes(steps=1)))
    with open_store(folder) as store:
        began = time.perf_counter()
        html = report_html(read_run(store, RUN))
        took = time.perf_counter() - began
    print(f"report of 5 × 50 × 5: {len(html.encode()) / 1e6:.2f} MB, made in {took:.2f} s")
    target = folder / "report.html"
    target.write_text(html, encoding="utf-8")
    if shutil.which("chromium") and shutil.which("chromedriver"):
        with browser(folder / "profile") as driver:
            driver.get(target.as_uri())
            ready = driver.execute_script(
                "const t = performance.getEntriesByType('navigation')[0]; return t.loadEventEnd"
            )
        print(f"opened in Chromium: all there after {ready / 1000:.2f} s")


def made(store: Store, asked: argparse.Namespace) -> None:
    """Fill a store that is empty with two runs."""
    # Solved instances end: an instance has 12.4 episodes over the five arms.
    instances = max(10, round(asked.episodes / 12.4 / (2 if asked.split else 1)))
    sizes = Sizes(
        instances, 5, ARMS, steps=2, lessons=asked.lessons, critiques=10_000, coins=asked.coins
    )
    began = time.perf_counter()
    asyncio.run(add_run(store, RUN, sizes))
    # Beside the first, and as long; what it learned would be in other lists.
    asyncio.run(add_run(store, OTHER, sizes._replace(lessons=0, critiques=0)))
    print(f"written in {time.perf_counter() - began:.0f} s")


def main(arguments: Sequence[str] = ()) -> None:
    """Fill a store, then measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--episodes", type=int, default=100_000, help="of each run")
    parser.add_argument("--split", action="store_true", help="of both runs together")
    parser.add_argument("--lessons", type=int, default=10_000)
    parser.add_argument("--coins", action="store_true", help="toss one for each use")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--store", type=Path, help="kept there, and taken from there")
    parser.add_argument("--only", default="", help="words in the names of lines")
    parser.add_argument(
        "--cpu", action="store_true", help="time of the processor alone, where others use it too"
    )
    asked = parser.parse_args(arguments)
    clock = time.process_time if asked.cpu else time.perf_counter
    with tempfile.TemporaryDirectory() as folder:
        if not asked.only:
            small_report(Path(folder) / "small")
        with open_store(asked.store or Path(folder) / "large", create=True) as store:
            if not store.runs():
                made(store, asked)
            counts = [store.episode_page({"run": r.id}, limit=1).total for r in store.runs()]
            lessons = store.lesson_page({}, limit=1).total
            print(f"{' and '.join(f'{n:,}' for n in counts)} episodes, {lessons:,} lessons")
            missed = asyncio.run(measure(store, asked.rounds, clock, asked.only))
    told = f"own: {missed['own']}, whole less bare: {missed['above']}"
    print(f"missing {MOST_TIMES:.0f} × the SQL: {told}; {MOST_MS:.0f} ms: {missed['300 ms']}")


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
