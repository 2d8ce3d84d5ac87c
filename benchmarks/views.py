"""How fast are lists and pages over 100,000 episodes and 10,000 lessons?

    python -m benchmarks.views --episodes 100000 --lessons 10000

Every list and page is asked for several times, in turn with the plain SQL of the rows that it shows
(their ids are known by then, so that is a look at the index and a copy of the bodies) and with the
plain SQL of its question, where the question itself takes a look at every row. Medians in
milliseconds. The aim is 10 × the SQL and 300 ms.

A request costs what it costs, whatever it asks for: the first line is the median of one that says
ten bytes, through the same client, framework and guards. What a page takes above it is what counts
against its SQL; where the SQL takes microseconds nothing is marked up to 10 ms of that, since 50
rows are read as records and written as HTML.

The report of 5 arms × 50 instances × 5 trials is made and, where there is a browser, opened.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from starlette.testclient import TestClient

from benchmarks._rows import ARMS, Sizes, fill
from tests.view.browser import browser
from verbalrl.store import Store, open_store
from verbalrl.view.page.app import application
from verbalrl.view.page.guard import Keys
from verbalrl.view.report import report_html
from verbalrl.view.rows import read_run

RUN, PORT = "run_made000001", 8123
MOST_MS, MOST_TIMES, FLOOR_MS = 300.0, 10.0, 10.0


class Case(NamedTuple):
    """One list or page, and the plain SQL of the same rows."""

    name: str
    ask: Callable[[], object]
    sql: tuple[tuple[str, tuple[object, ...]], ...]


def cases(store: Store, client: TestClient) -> list[Case]:
    """All lists and pages with the SQL that gives their rows."""
    branch = f"{RUN}/learned/0"
    lesson = store.lesson_page({"branch": branch}, limit=1).rows[0][1].id
    carried = store.carried([lesson])[0].episode
    criticised = store.critique_page({"run": RUN}, limit=1).rows[0]
    count = "SELECT count(*) FROM episodes WHERE run = ?"
    lane = (
        "SELECT body FROM episodes WHERE run = ? ORDER BY run, arm, seed, instance, trial,"
        " candidate, purpose LIMIT 50 OFFSET {}"
    )
    groups = (
        "SELECT arm, seed, count(*), sum(success), count(DISTINCT instance) FROM episodes"
        " WHERE run = ? GROUP BY arm, seed"
    )
    by_status = (
        "SELECT body FROM lessons WHERE branch = ? ORDER BY status,"
        " json_extract(body, '$.votes.support') LIMIT 50"
    )
    lessons_in_all = ("SELECT count(*) FROM lessons WHERE branch = ?", (branch,))
    episode_in_all = (count, (RUN,))
    worst = "SELECT body FROM episodes WHERE run = ? ORDER BY reward, seq LIMIT 50"
    steps = "SELECT body FROM steps WHERE episode = ?"
    said = (
        "SELECT body FROM critiques WHERE body LIKE '%knocked%' AND json_extract(body, '$.causes')"
        " LIKE '%knocked%' ORDER BY seq DESC LIMIT 50"
    )
    said_in_all = (
        "SELECT count(*) FROM critiques WHERE body LIKE '%knocked%'"
        " AND json_extract(body, '$.causes') LIKE '%knocked%'"
    )
    written = (
        "SELECT body FROM lessons WHERE instruction LIKE '%knock%' OR when_text LIKE '%knock%'"
        " ORDER BY json_extract(body, '$.votes.support') DESC LIMIT 50"
    )
    uses = (
        "SELECT u.*, e.success FROM uses u JOIN episodes e ON e.id = u.episode WHERE u.lesson = ?"
    )
    whole = "SELECT body FROM lessons WHERE branch = ? ORDER BY born, position"

    def page(path: str) -> Callable[[], object]:
        def ask() -> object:
            answer = client.get(path)
            assert answer.status_code == 200, path
            return answer

        return ask

    at = f"/runs/{RUN}"
    deep = lane.format(90_000)
    return [
        Case("list episodes", lambda: store.episode_page({"run": RUN}, limit=50),
             ((lane.format(0), (RUN,)), episode_in_all)),
        Case("list worst episodes",
             lambda: store.episode_page({"run": RUN}, sort="worst", limit=50),
             ((worst, (RUN,)), episode_in_all)),
        Case("list critiques", lambda: store.critique_page({"run": RUN}, limit=50),
             (("SELECT body FROM critiques ORDER BY branch, instance, trial LIMIT 50", ()),
              ("SELECT count(*) FROM critiques", ()))),
        Case("list lessons", lambda: store.lesson_page({"branch": branch}, limit=50),
             ((by_status, (branch,)), lessons_in_all)),
        Case("page runs", page("/"), (("SELECT * FROM runs", ()),)),
        Case("page run", page(at), ((groups, (RUN,)), ("SELECT * FROM runs", ()),
             ("SELECT branch, status, count(*) FROM lessons GROUP BY branch, status", ()))),
        Case("page progress", page(f"{at}/progress"), ((groups, (RUN,)),)),
        Case("page episodes", page(f"{at}/episodes"), ((lane.format(0), (RUN,)), episode_in_all)),
        Case("page episodes, far", page(f"{at}/episodes?offset=90000"),
             ((deep, (RUN,)), episode_in_all)),
        Case("page episode", page(f"/episodes/{carried}"), ((steps, (carried,)),
             ("SELECT * FROM uses WHERE episode = ?", (carried,)))),
        Case("page critique", page(f"/critiques/{criticised.id}"),
             (("SELECT body FROM critiques WHERE id = ?", (criticised.id,)),)),
        Case("page lessons", page(f"/lessons?branch={branch}"),
             ((by_status, (branch,)), lessons_in_all)),
        Case("page lesson", page(f"/lessons/{lesson}?branch={branch}"), ((uses, (lesson,)),
             ("SELECT body FROM updates WHERE lesson = ?", (lesson,)))),
        Case("page review", page("/review?status=provisional"),
             (("SELECT body FROM lessons WHERE status = 'provisional' ORDER BY"
               " json_extract(body, '$.votes.support') DESC LIMIT 50", ()),
              ("SELECT branch, status, count(*) FROM lessons GROUP BY branch, status", ()))),
        Case("page memory", page(f"/memory?branch={branch}"), ((whole, (branch,)),)),
        Case("page search", page("/search?q=knock+knocked"),
             ((said, ()), (said_in_all, ()), (written, ()))),
    ]  # fmt: skip


def median_ms(work: Callable[[], object], rounds: int) -> float:
    """The median time of `work`, after one that warms up."""
    work()
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000


def plain(store: Store, sql: Sequence[tuple[str, tuple[object, ...]]]) -> Callable[[], object]:
    """Asks the database and copies the rows, no more."""
    return lambda: store._read(lambda c: [c.execute(text, given).fetchall() for text, given in sql])


def measure(store: Store, rounds: int) -> int:
    """Print the table; the number of cases that miss their aim."""
    keys = Keys()
    client = TestClient(application(store, keys, PORT), base_url=f"http://127.0.0.1:{PORT}")
    client.get(f"/?token={keys.token}")
    missed = 0
    bare = median_ms(lambda: client.get("/live.js"), rounds)
    print(f"{'':24}{'median ms':>10}{'SQL ms':>10}{'ratio':>8}")
    print(f"{'a request of a file':24}{bare:10.1f}")
    for case in cases(store, client):
        ours, theirs = median_ms(case.ask, rounds), median_ms(plain(store, case.sql), rounds)
        own = ours - bare if case.name.startswith("page") else ours
        good = ours < MOST_MS and own < max(FLOOR_MS, MOST_TIMES * theirs)
        missed += not good
        print(
            f"{case.name:24}{ours:10.1f}{theirs:10.2f}{ours / theirs:8.1f}{'' if good else '  *'}"
        )
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


def main(arguments: Sequence[str] = ()) -> None:
    """Fill a store, then measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--episodes", type=int, default=100_000)
    parser.add_argument("--lessons", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=15)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        small_report(Path(folder) / "small")
        # Solved instances end: an instance has 12.4 episodes over the five arms.
        instances = max(10, round(asked.episodes / 12.4))
        sizes = Sizes(instances, 5, ARMS, steps=2, lessons=asked.lessons, critiques=10_000)
        began = time.perf_counter()
        asyncio.run(fill(Path(folder) / "large", RUN, sizes))
        with open_store(Path(folder) / "large") as store:
            count = store.episode_page({"run": RUN}, limit=1).total
            took = time.perf_counter() - began
            print(f"{count:,} episodes, {asked.lessons:,} lessons, written in {took:.0f} s")
            missed = measure(store, asked.rounds)
    print(f"{missed} miss the aim: {MOST_MS:.0f} ms and {MOST_TIMES:.0f} × the SQL")


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
