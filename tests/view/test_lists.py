"""Lists of the page."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.store.builders import (
    a_commit,
    add,
    an_episode,
    body,
    lane,
    new_store,
    open_lane,
    seen,
    wait,
)
from verbalrl.memory.measured import effects_on, order_of
from verbalrl.records import Episode, Guidance, LessonKind, Status, Use
from verbalrl.store import Store, within
from verbalrl.view.lists import lessons_page
from verbalrl.view.wording import rule

TEXTS = ("poor", "untried", "good", "fair", "waiting")
RATES = {"poor": 0.2, "good": 0.9, "fair": 0.5}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Three lessons that a coin withheld, which do differently well, and three untried ones."""
    store = new_store(tmp_path_factory.mktemp("effects"))
    home = open_lane(store)
    made = [add(f"le_{text}", text) for text in TEXTS]
    made[-1] = made[-1].replace(status=Status.PROVISIONAL)
    about = add("le_about", body=body("about", LessonKind.REFLECTION), evidence=(seen("s/i1"),))
    wait(store.put_commit(a_commit(home, 0, *made)))
    wait(store.put_commit(a_commit(home, 0, about, scope="s/i1")))
    # Of the same name, and about an instance of another task.
    wait(store.put_commit(a_commit(home, 0, about.replace(evidence=(seen("t/i1"),)), scope="t/i1")))
    tried = []
    for n in range(60):
        for text, rate in RATES.items():
            inside = n % 2 == 0
            use = Use(
                lesson=f"le_{text}",
                version=1,
                content=body(text).content,
                rank=1,
                outcome="injected" if inside else "withheld",
                probability=0.5,
            )
            solved = n % 10 < 10 * (rate if inside else 0.5)
            given = {"actor": Guidance(uses=(use,))}
            name = f"{text}{n}"
            tried.append(an_episode(lane(), name, steps=1, success=solved, guidance=given))
    wait(put(store, tried))
    with store:
        yield store


async def put(store: Store, made: list[Episode]) -> None:
    await asyncio.gather(*map(store.put_episode, made))


@pytest.mark.parametrize(
    "asked", [{}, {"kind": "reflection"}, {"status": "active"}, {"scope": "s"}, {"scope": "none"}]
)
@pytest.mark.parametrize("text", ["", "DO is", "about"])
def test_lessons_by_effect_are_the_records_sorted(
    store: Store, asked: dict[str, str], text: str
) -> None:
    home, words = lane().branch, text.casefold().split()
    effects = effects_on(store, home, frozenset({"s"}))
    wanted = [
        x
        for x in store.current_lessons(home)
        if asked.get("kind") in (None, x.kind)
        and asked.get("status") in (None, x.status)
        and ("scope" not in asked or within(x, asked["scope"]))
        and all(w in rule(x.body).casefold() for w in words)
    ]
    wanted.sort(key=lambda x: (order_of(x, effects), x.born, x.position))
    given = {"branch": home, **asked}
    found = lessons_page(store, given, text=text, sort="effect", limit=None)
    assert [x for _, x in found.rows] == wanted
    assert found.total == len(wanted)
    part = lessons_page(store, given, text=text, sort="effect", limit=2, offset=1)
    assert [x for _, x in part.rows] == wanted[1:3]
    if not asked and not text:
        assert [x.id for x in wanted[:3]] == ["le_good", "le_fair", "le_poor"]
