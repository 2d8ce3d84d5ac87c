"""Lists that the database filters, sorts and cuts."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import JsonValue

from benchmarks._rows import Sizes, fill
from tests.store.builders import a_run, new_store, open_lane
from verbalrl.errors import ConfigurationError, StorageError, UnknownNameError
from verbalrl.store import (
    CRITIQUE_SORTS,
    EPISODE_SORTS,
    LESSON_SORTS,
    OUTCOMES,
    Page,
    Store,
    open_store,
)
from verbalrl.text import natural

RUN = "run_made000001"
BRANCH = f"{RUN}/learned/0"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    place = tmp_path_factory.mktemp("listing")
    sizes = Sizes(instances=12, trials=3, seeds=(0, 1), steps=1, lessons=9, critiques=20)
    asyncio.run(fill(place, RUN, sizes))
    with open_store(place) as opened:
        yield opened


def test_pages_together_are_the_whole_list(store: Store) -> None:
    found = store.episodes(run=RUN, steps=False)
    whole = tuple(sorted(found, key=lambda e: (e.arm, e.seed, natural(e.instance), e.trial)))
    assert whole != found  # as text, 10 comes before 2
    pages = [store.episode_page({"run": RUN}, limit=7, offset=n) for n in range(0, len(whole), 7)]
    assert tuple(e for page in pages for e in page.rows) == whole
    assert {page.total for page in pages} == {len(whole)}
    assert [page.after for page in pages[-2:]] == [pages[-1].offset, None]


@pytest.mark.parametrize("sort", EPISODE_SORTS)
def test_every_order_of_episodes_lists_all(store: Store, sort: str) -> None:
    found = store.episode_page({"run": RUN, "arm": "retry"}, sort=sort)
    assert len({e.id for e in found.rows}) == found.total > 0


@pytest.mark.parametrize("sort", LESSON_SORTS)
def test_every_order_of_lessons_lists_all(store: Store, sort: str) -> None:
    found = store.lesson_page({"branch": BRANCH}, sort=sort)
    assert {lesson.id for _, lesson in found.rows} == {
        lesson.id for lesson in store.current_lessons(BRANCH)
    }


@pytest.mark.parametrize("sort", CRITIQUE_SORTS)
def test_every_order_of_critiques_lists_all(store: Store, sort: str) -> None:
    found = store.critique_page({"run": RUN}, sort=sort)
    assert {c.id for c in found.rows} == {c.id for c in store.critiques(run=RUN)}
    if sort == "lane":
        places = [(natural(c.instance), c.trial) for c in found.rows]
        assert places == sorted(places)


def test_lessons_come_by_status_and_support(store: Store) -> None:
    rows = [le for _, le in store.lesson_page({"branch": BRANCH}, sort="status").rows]
    assert [le.status.value for le in rows] == ["active"] * 3 + ["provisional"] * 6
    supports = [le.votes["support"] for le in rows[3:]]
    assert supports == sorted(supports, reverse=True)


def test_outcomes_part_the_episodes(store: Store) -> None:
    totals = {o: store.episode_page({"run": RUN}, outcome=o).total for o in OUTCOMES}
    whole = len(store.episodes(run=RUN, steps=False))
    assert totals["solved"] + totals["not-solved"] == whole
    assert totals["failed"] == totals["not-solved"] > 0
    assert totals["unknown"] == totals["error"] == 0
    failed = store.episode_page({"run": RUN}, outcome="failed").rows
    assert {e.success for e in failed} == {False}


def test_an_instance_is_found_by_its_end(store: Store) -> None:
    found = store.episode_page({"run": RUN, "instance": "1"}).rows
    assert {e.instance for e in found} == {"made-v1/train/1"}
    assert not store.episode_page({"run": RUN, "instance": "%"}).rows


def test_words_are_sought_in_what_was_said_and_nowhere_else(store: Store) -> None:
    whole = store.critique_page({"run": RUN}).total
    assert store.critique_page({"run": RUN}, text="NOBODY knocked").total == whole
    assert store.critique_page({"run": RUN}, text="nobody rang").total == 0
    # `proposals` is the name of a field, 100% of the rows hold it.
    assert store.critique_page({"run": RUN}, text="proposals").total == 0
    assert store.critique_page({"run": RUN}, text="100%").total == 0
    assert store.critique_page({"run": RUN}, text="“push it”").total == 2
    assert store.lesson_page({"branch": BRANCH}, text="green house").total == 2


def test_a_search_that_does_not_count_says_whether_more_is_there(store: Store) -> None:
    whole = store.critique_page({"run": RUN}, text="knocked").total
    some = store.critique_page({"run": RUN}, text="knocked", limit=3, counted=False)
    assert (len(some.rows), some.after) == (3, 3)
    last = store.critique_page({"run": RUN}, text="knocked", limit=whole, counted=False)
    assert (len(last.rows), last.total, last.after) == (whole, whole, None)


def test_columns_and_orders_come_from_a_fixed_list(store: Store) -> None:
    for call in (
        lambda: store.episode_page({"run = '' OR 1": 1}),
        lambda: store.episode_page({}, sort="reward; DROP TABLE runs"),
        lambda: store.episode_page({}, outcome="success"),
        lambda: store.lesson_page({}, sort="body"),
    ):
        with pytest.raises(ConfigurationError):
            call()


def test_groups_count_by_arm_and_seed(store: Store) -> None:
    for group in store.groups(RUN):
        mine = store.episodes(run=RUN, arm=group.arm, seed=group.seed, steps=False)
        assert group.episodes == len(mine)
        assert group.solved == sum(e.success is True for e in mine)
        assert group.instances == 12


def test_uses_are_counted_over_episodes(store: Store) -> None:
    lesson = store.current_lessons(BRANCH)[0].id
    uses = store.carried([lesson], outcome="injected")
    had, solved = len({u.episode for u in uses}), len({u.episode for u in uses if u.success})
    assert store.use_counts([lesson])[lesson] == (had, solved, 0, had, solved)


def test_critiques_of_a_run_are_no_others(store: Store) -> None:
    found = store.critique_page({"run": RUN}, text="knocked", limit=4)
    assert found.total == store.critique_page({}, text="knocked").total > 4
    assert store.critique_page({"run": "run_other"}) == Page((), 0)
    one = store.critique_page({"run": RUN, "branch": f"{RUN}/none/0"})
    assert one.total == 0


def test_lessons_are_counted_by_the_branches_of_a_run(store: Store) -> None:
    counts = store.lesson_counts(RUN)
    assert list(counts) == [b.id for b in store.branches(RUN)]
    assert counts[BRANCH] == len(store.current_lessons(BRANCH)) == 9
    assert sum(counts.values()) == 9
    assert store.lesson_counts("run_other") == {}


def test_branches_are_found_by_the_status_of_their_lessons(store: Store) -> None:
    assert store.branches_with(["quarantined", "provisional"]) == (BRANCH,)
    assert store.branches_with(["revoked"]) == ()


def test_runs_come_newest_first_and_say_how_many_there_are(tmp_path: Path) -> None:
    with new_store(tmp_path) as made:
        for n in range(5):
            rates: dict[str, JsonValue] = {"learned": {"success_rate": n / 4}, "none": {}}
            made.create_run(a_run(f"r{n}", result={"arms": rates} if n else None))
        arms = ("none", "learned")
        found = [made.run_page(arms, limit=2, offset=n) for n in (0, 2, 4, 6)]
        heads = [r for p in found for r in p.rows]
        assert heads == list(made.run_page(arms).rows)
        assert [h.rates for h in heads] == [{"learned": n / 4} for n in (4, 3, 2, 1)] + [{}]
        assert [(p.total, p.after) for p in found] == [(5, 2), (5, 4), (5, None), (5, None)]
        for head, run in zip(heads, made.runs()[::-1], strict=True):
            assert all(getattr(run, n) == getattr(head, n) for n in head._fields if n != "rates")


def test_a_branch_says_which_run_of_it_is_open(tmp_path: Path) -> None:
    with new_store(tmp_path) as made:
        branch = open_lane(made)
        assert made.open_run(branch) == "r1"
        assert made.open_run("main") is None
        made.update_run("r1", status="done")
        assert made.open_run(branch) is None


@pytest.mark.parametrize("text", ["{", "[1]", '"x"'])
@pytest.mark.parametrize("column", ["config", "result"])
def test_a_damaged_run_is_one_line(tmp_path: Path, column: str, text: str) -> None:
    with new_store(tmp_path) as made:
        made.create_run(a_run())
        made._do(lambda c: c.execute(f"UPDATE runs SET {column} = ?", (text,)))
        readers: list[Callable[[], object]] = [made.runs, lambda: made.run("r1")]
        if column == "result" and text == "{":
            readers.append(lambda: made.run_page(["none"]))
        for read in readers:
            with pytest.raises(StorageError, match="a stored run is damaged") as caught:
                read()
            assert "\n" not in str(caught.value)


def test_an_answer_is_kept_until_something_is_written(tmp_path: Path) -> None:
    with new_store(tmp_path) as made, open_store(tmp_path) as another:
        made.create_run(a_run())
        calls = itertools.count()
        asked = [made.unchanged("n", lambda: next(calls)) for _ in range(2)]
        with made.snapshot():
            asked.append(made.unchanged("n", lambda: next(calls)))
            another.create_run(a_run("r2"))
            asked.append(made.unchanged("n", lambda: next(calls)))
        asked += [made.unchanged("n", lambda: next(calls)) for _ in range(2)]
        made.update_run("r1", status="done")
        asked.append(made.unchanged("n", lambda: next(calls)))
        assert asked == [0, 0, 0, 0, 1, 1, 2]
        assert made.unchanged("another", lambda: "x") == "x"


def test_whoever_cannot_read_at_once_is_told_so(tmp_path: Path) -> None:
    with new_store(tmp_path) as made, ThreadPoolExecutor(1) as others:
        made.create_run(a_run())

        def looked() -> tuple[bool, list[int]]:
            with made.snapshot_now() as alone:
                if not alone:
                    return False, []
                before = len(made.runs())
                made.create_run(a_run("r2"))
                return True, [before, len(made.runs())]

        with made.snapshot():
            assert others.submit(looked).result(5) == (False, [])
        assert others.submit(looked).result(5) == (True, [1, 1])
        assert len(made.runs()) == 2


def test_reads_within_a_snapshot_see_one_state(tmp_path: Path) -> None:
    with new_store(tmp_path) as made:
        made.create_run(a_run())
        with made.snapshot():
            before = made.runs()
            with made.snapshot():
                made.create_run(a_run("r2"))
            assert (made.runs(), made.run_page().total) == (before, 1)
        assert len(made.runs()) == 2
        with pytest.raises(UnknownNameError), made.snapshot():
            made.run("nobody")
        made.create_run(a_run("r3"))
        assert len(made.runs()) == 3
    with pytest.raises(StorageError, match="is closed"), made.snapshot():
        pass
