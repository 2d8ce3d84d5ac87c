"""A curator that fails at a part: the rest stands, says what it lacks, and is tried again if asked.

Tried again, it ends as if nothing had failed, and nobody is asked twice for the same.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from tests.curators.builders import add, op, reply
from tests.loop.test_retrying import digests
from tests.loop.world import pressing, rows, run, safes
from tests.store import builders
from tests.store.builders import wait
from verbalrl import Learner, ScriptedModel
from verbalrl.cli import main
from verbalrl.cli.drive import _failures
from verbalrl.errors import ConfigurationError, ProviderDown
from verbalrl.methods import Method, handbook
from verbalrl.models import Request
from verbalrl.records import Commit
from verbalrl.result import RunResult
from verbalrl.store import Store
from verbalrl.view.facts import critics_table

SAID = ("turn brass dials", "whistle slow tunes", "count seven lamps", "oil every hinge")
WHOLE = handbook(trials=1, group=2)
CODES = ("green",) * len(SAID)


def part_of(request: Request) -> str:
    """Which question it is, such as `group 2`, `merge` or `merge again`."""
    text = request.messages[-1].text
    again = " again" if "Give the whole list" in text else ""
    if "<proposals>" in text:
        return f"merge{again}"
    return f"group {(numbers(text, 'evidence')[0] + 1) // 2}{again}"


def numbers(text: str, tag: str) -> list[int]:
    inside = text.split(f"<{tag}>")[1].split(f"</{tag}>")[0]
    return [int(n) for n in re.findall(r"^\[(\d+)\] ", inside, re.MULTILINE)]


def said(request: Request) -> dict[str, Any]:
    """An addition from each critique; one of the first group's and of the merging call's is mended.

    The merging call leaves out what is near the first lesson of the list.
    """
    text, part = request.messages[-1].text, part_of(request)
    mended = "it is time" if part.endswith("again") else ""
    if part.startswith("merge"):
        known = numbers(text, "lessons")
        taken = [op("add", proposals=[n]) for n in numbers(text, "proposals")[len(known) :]]
        return reply(*taken, add("mend old ropes", mended))
    bad = 2 if part == "group 1" else 0
    return reply(
        *(
            add(SAID[n - 1], "" if n == bad else f"you {SAID[n - 1]}", n)
            for n in numbers(text, "evidence")
        )
    )


class Curating:
    """A curator that does not answer some questions, or not as it should."""

    def __init__(self, *parts: str, by: Any = None) -> None:
        self.parts, self.by = parts, by or ProviderDown("503: down")
        self.answered: list[str] = []
        self.model = ScriptedModel(self._answer)

    @property
    def asked(self) -> list[str]:
        return [request.call_key for request in self.model.requests]

    def _answer(self, request: Request) -> Any:
        if part_of(request) in self.parts:
            return self.by
        self.answered.append(request.call_key)
        return said(request)


def learned(store: Store, who: Curating, how: Method = WHOLE, **settings: Any) -> RunResult:
    task = safes(*CODES, test=("green",), max_steps=1)
    return run(store, pressing("red"), how, task, critic=critic, curator=who.model, **settings)


def resumed(store: Store, name: str, who: Curating, how: Method = WHOLE, **more: Any) -> RunResult:
    task = safes(*CODES, test=("green",), max_steps=1)
    again = Learner(pressing("red"), method=how, critic=critic, curator=who.model, store=store)
    return again.resume_sync(name, task, **more)


def critic(_: Any) -> str:
    return "Press another colour next time."


def commit_of(store: Store, result: RunResult) -> Commit:
    (row,) = rows(store.path, "commits", where=f"WHERE branch = '{result.run}/learned/0'")[
        "commits"
    ]
    found = store.commit(row[1])
    assert found is not None
    return found


def texts(store: Store, result: RunResult) -> list[str]:
    return [x.body.instruction for x in store.current_lessons(f"{result.run}/learned/0")]


@pytest.mark.parametrize(
    ("parts", "asks"),
    [
        (("group 1",), 4),
        (("group 2",), 3),
        (("group 1 again",), 3),
        (("merge again",), 1),
        (("group 2", "group 1 again", "merge again"), 4),
    ],
)
def test_what_lacked_a_part_ends_as_if_nothing_had_failed(
    store: Store, parts: tuple[str, ...], asks: int
) -> None:
    there = learned(store, Curating())
    assert texts(store, there) == [*SAID, "mend old ropes"]
    broken, idle, mended = Curating(*parts), Curating(), Curating()
    first = learned(store, broken)
    assert digests(first) != digests(there)
    kept = commit_of(store, first)
    assert kept.updates
    assert not kept.failure
    assert "provider_down: 503: down" in kept.lacking
    assert kept.lacking in kept.rejected
    counts = first.arms["learned"]["critiques"]
    assert (counts["lacking_curations"], counts["failed_curations"]) == (1, 0)
    # Final, unless somebody asks for it.
    assert digests(resumed(store, first.run, idle)) == digests(first)
    assert (commit_of(store, first), idle.asked) == (kept, [])
    last = resumed(store, first.run, mended, retry_failed=True)
    assert digests(last) == digests(there)
    assert not commit_of(store, last).lacking
    assert last.arms["learned"]["critiques"]["lacking_curations"] == 0
    assert len(set(mended.asked) - set(broken.answered)) == len(mended.asked) == asks
    assert last.figures["discarded"] == 0
    assert store.damage() == ()


def test_pairs_that_nobody_was_asked_about_are_asked_about(store: Store) -> None:
    known = builders.body("", name="dials").replace(
        when="you turn brass dials", instruction="never turn brass dials"
    )
    made = builders.add("le_1", body=known, evidence=())
    wait(store.put_commit(builders.a_commit("main", 0, made, scope="safes-v1")))
    how = handbook(trials=1)
    there = learned(store, Curating(), how, start="main")
    assert texts(store, there) == ["never turn brass dials", *SAID[1:], "mend old ropes"]
    broken, mended = Curating("merge"), Curating()
    first = learned(store, broken, how, start="main")
    assert texts(store, first) == ["never turn brass dials", *SAID]
    assert commit_of(store, first).lacking == "pairs: provider_down: 503: down"
    last = resumed(store, first.run, mended, how, retry_failed=True)
    assert digests(last) == digests(there)
    assert [part_of(r) for r in mended.model.requests] == ["merge", "merge again"]
    assert not set(mended.asked) & set(broken.answered)
    assert store.damage() == ()


def test_a_part_that_was_answered_with_nothing_usable_is_asked_anew_once(store: Store) -> None:
    there = learned(store, Curating())
    first = learned(store, Curating("group 2", by="I would rather not."))
    assert commit_of(store, first).lacking.startswith(
        "group 2: model_error: scripted: unusable reply: "
    )
    still = Curating("group 2", by="I would rather not.")
    same = resumed(store, first.run, still, retry_failed=True)
    assert digests(same) == digests(first)
    assert sum(part_of(r) == "group 2" for r in still.model.requests) == 3, "one answer, mended"
    assert len(set(still.asked)) == len(still.asked)
    last = resumed(store, first.run, Curating(), retry_failed=True)
    assert digests(last) == digests(there)
    assert store.damage() == ()


def test_what_was_published_of_a_commit_is_not_taken_back(store: Store) -> None:
    first = learned(store, Curating("group 2"))
    kept = commit_of(store, first)
    asyncio.run(store.publish(f"{first.run}/learned/0", approve=True))
    with pytest.raises(ConfigurationError, match="lessons that rest on it are on main"):
        resumed(store, first.run, Curating(), retry_failed=True)
    assert commit_of(store, first) == kept


def test_a_commit_says_what_it_lacks(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    first = learned(store, Curating("group 2"))
    assert main(["show", commit_of(store, first).id, "--store", str(store.path)]) == 0
    assert "failed in part: group 2: provider_down: 503: down\n" in capsys.readouterr().out
    assert "1 curation failed in part" in first.table()
    assert _failures(first) == 1
    listed = critics_table(first.figures).rows
    assert ("learned", "curations that failed in part", 1) in listed
