"""What lists and pages are measured against has the rows that they show."""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import closing

import pytest
from starlette.responses import Response

from benchmarks._rows import Sizes, add_run, fill
from benchmarks.views import (
    OTHER,
    RUN,
    Case,
    Median,
    Pages,
    lesson_pages,
    measure,
    plain,
    run_pages,
    told,
)
from verbalrl.store import Store, open_store
from verbalrl.store.schema import FILE_NAME, connect

BRANCH = f"{RUN}/learned/0"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("made")
    sizes = Sizes(30, 3, ("none", "retry", "learned"), steps=2, lessons=60, critiques=20)
    asyncio.run(fill(folder, RUN, sizes))
    with open_store(folder) as opened:
        asyncio.run(add_run(opened, OTHER, sizes._replace(lessons=0, critiques=0)))
        yield opened


def cases(store: Store) -> list[Case]:
    return [*run_pages(store), *lesson_pages(store, BRANCH)]


async def answered(given: Response | Awaitable[Response]) -> Response:
    return await given if isinstance(given, Awaitable) else given


def test_each_statement_finds_rows_except_what_the_store_has_not(store: Store) -> None:
    with closing(connect(store.path / FILE_NAME, reads=True)) as connection:
        for case in cases(store):
            for statement in case.sql:
                # There are no proofs, no page 1801, no critique of an attempt that went well, no
                # lesson of the second run or made of others, and no coin was tossed.
                may_be_empty = "proofs" in statement[0] or "OFFSET" in statement[0]
                may_be_empty |= "critique_episodes" in statement[0] and "judged" not in case.name
                may_be_empty |= f"{OTHER}/learned/0" in statement[1]
                may_be_empty |= any(
                    x in statement[0] for x in ("u.probability < 1", "parents", "tombstones")
                )
                found = plain(connection, [statement])()
                assert found != [[]] or may_be_empty, (case.name, statement)


def test_pages_show_the_ids_of_the_rows_that_they_are_measured_against(store: Store) -> None:
    pages = Pages(store)
    with closing(connect(store.path / FILE_NAME, reads=True)) as connection:
        for case in cases(store):
            assert isinstance(case.ask, str)
            html = bytes(asyncio.run(answered(pages.own(case.ask)())).body).decode()
            for text, given in case.sql:
                if "uses" in text or "SELECT id" in text:
                    ids = [row[0] for row in plain(connection, [(text, given)])()[0]]
                    missing = [x for x in ids if x not in html]
                    assert len(ids) > 12 or not missing, (case.name, text)


def test_a_bar_is_missed_by_what_takes_more_than_ten_times_the_sql() -> None:
    line, missed = told("page", Median(sql=0.1, own=0.9, whole=1.6, bare=0.5))
    assert missed == ["above"]
    assert line.split()[-3:] == ["yes", "NO", "yes"]
    assert told("list", Median(sql=0.01, own=0.11))[1] == ["own"]
    assert told("page", Median(sql=50.0, own=200.0, whole=301.0, bare=0.5))[1] == ["300 ms"]


def test_the_table_names_every_case(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    missed = asyncio.run(measure(store, 1))
    assert missed.keys() == {"own", "above", "300 ms"}
    out = capsys.readouterr().out
    assert all(case.name in out for case in cases(store))
