from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from verbalrl.memory import HashEmbedder, Recaller, recall
from verbalrl.memory.embed import unit
from verbalrl.memory.recall import LEFT_OUT_KEPT
from verbalrl.prompts import PromptLibrary
from verbalrl.records import (
    Guidance,
    GuidanceSpec,
    Lesson,
    LessonBody,
    LessonKind,
    Origin,
    Status,
    Usage,
)
from verbalrl.store import Store, open_store

PROMPTS = PromptLibrary()
ABOUT = ("refund", "password", "invoice", "parcel", "holiday", "printer", "garden", "violin")


def lesson(name: str, text: str = "", **more: Any) -> Lesson:
    fields = {k: more.pop(k) for k in ("when", "when_not", "conditional") if k in more}
    body = LessonBody(kind=LessonKind.BEHAVIOR, instruction=text or f"do {name}", **fields)
    known = {"scope": "t", "status": Status.PROVISIONAL, "trust": Origin.TASK}
    return Lesson(id=name, body=body, **{**known, **more})


def shelf(count: int = 80) -> tuple[Lesson, ...]:
    """Lessons on eight subjects, in turn."""
    return tuple(
        lesson(
            f"l{n:03}",
            f"variant {n}: handle it by rule {n * 7}",
            when=f"a customer asks about the {ABOUT[n % 8]} number {n}",
            born=n,
        )
        for n in range(count)
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path, create=True) as made:
        yield made


def get(
    recaller: Recaller,
    lessons: Sequence[Lesson],
    situation: str = "The violin of a customer is broken",
    own: Sequence[Lesson] = (),
    **spec: Any,
) -> Guidance:
    wanted = GuidanceSpec(**{"source": "recall", "scopes": ("t",), "budget": 300, **spec})
    work = recaller.recall(lessons, own, wanted, situation, prompts=PROMPTS)
    return asyncio.run(work)


def inside(guidance: Guidance) -> set[str]:
    return {line.lesson for line in guidance.lines}


def test_what_fits_goes_in_as_without_a_ranking(store: Store) -> None:
    lessons = shelf(8)
    spec = GuidanceSpec(source="recall", scopes=("t",), budget=5000)
    plain = recall(lessons, spec, situation="violin", prompts=PROMPTS)
    assert get(Recaller(store), lessons, "violin", budget=5000) == plain
    assert store.vectors.embedders() == ()


def test_what_fits_the_situation_goes_in_first(store: Store) -> None:
    guidance = get(Recaller(store), shelf())
    about = [n for n in inside(guidance) if int(n[1:]) % 8 == ABOUT.index("violin")]
    assert len(about) == len(inside(guidance))
    use = guidance.uses[0]
    assert set(use.parts) == {
        *("cosine", "bm25", "effect", "recency", "support", "diversity", "score"),
    }
    parts = {name: part for name, part in use.parts.items() if name != "score"}
    assert use.parts["score"] == pytest.approx(sum(parts.values()), abs=1e-5)
    assert guidance.tokens <= 300


def test_the_best_fifty_left_out_are_kept_with_their_scores(store: Store) -> None:
    guidance = get(Recaller(store), shelf(200))
    out = [use for use in guidance.uses if use.outcome == "budget"]
    assert len(out) == LEFT_OUT_KEPT
    assert guidance.left_out == 200 - len(inside(guidance))
    scores = [use.parts["score"] for use in out]
    assert scores == sorted(scores, reverse=True)


def test_the_stable_block_does_not_look_at_the_situation(store: Store) -> None:
    lessons = tuple(x.replace(status=Status.ACTIVE) for x in shelf())
    recaller = Recaller(store)
    violin, garden = (get(recaller, lessons, f"the {what}") for what in ("violin", "garden"))
    assert violin.stable == garden.stable
    assert violin.volatile != garden.volatile
    assert sum(u.tokens for u in violin.uses if u.block == "stable") <= 150


def test_near_duplicates_make_room(store: Store) -> None:
    same = [
        lesson(f"s{n}", f"tune the violin with care, note {n}", when="a violin is broken")
        for n in range(6)
    ]
    other = lesson("other", "call the shop next door", when="a violin is broken")
    pool = (*same, other, *shelf(40))
    assert "other" in inside(get(Recaller(store), pool, "a violin is broken", budget=100))


def test_conditions_are_tested_in_the_order_of_rank(store: Store) -> None:
    barred = lesson("barred", when="the violin is broken", when_not="a customer")
    guidance = get(Recaller(store), (*shelf(), barred))
    use = next(u for u in guidance.uses if u.lesson == "barred")
    assert use.outcome == "condition"
    assert use.parts["score"] > 0


def test_what_is_withheld_is_recorded_even_among_many(store: Store) -> None:
    guidance = get(Recaller(store), shelf(200), force_out=("l007", "l150"))
    out = {use.lesson for use in guidance.uses if use.outcome == "withheld"}
    assert out == {"l007", "l150"}
    assert all(use.parts for use in guidance.uses if use.outcome == "injected")


def test_untrusted_text_fills_at_most_a_quarter(store: Store) -> None:
    lessons = tuple(x.replace(trust=Origin.UNTRUSTED) for x in shelf())
    guidance = get(Recaller(store), lessons)
    assert 0 < guidance.tokens <= 75
    assert {use.outcome for use in guidance.uses} == {"injected", "trust"}


def test_reflections_of_the_instance_come_first(store: Store) -> None:
    own = [
        Lesson(
            id=f"r{n}",
            scope="t/i",
            body=LessonBody(kind=LessonKind.REFLECTION, instruction=f"own {n}"),
            status=Status.ACTIVE,
            trust=Origin.TASK,
            kept_at=n,
            critique=f"cr{n}",
        )
        for n in range(3)
    ]
    guidance = get(Recaller(store), shelf(), own=own, scopes=("t", "t/i"))
    assert {"r0", "r1", "r2"} <= inside(guidance)
    assert guidance.tokens <= 300


def test_equal_scores_break_by_content_and_not_by_id(store: Store) -> None:
    lessons = shelf()
    turned = tuple(x.replace(id=f"z{999 - n}") for n, x in enumerate(lessons))
    one, two = (get(Recaller(store), x).text for x in (lessons, tuple(reversed(turned))))
    assert one == two


def test_vectors_are_kept_and_a_new_embedder_makes_its_own(store: Store) -> None:
    first = get(Recaller(store), shelf())
    written(store)
    known = store.vectors.embedders()
    assert [(name, count) for _, name, count in known] == [("hash", 80)]
    assert get(Recaller(store), shelf()) == first
    get(Recaller(store, HashEmbedder(64)), shelf())
    written(store)
    assert sorted(count for _, _, count in store.vectors.embedders()) == [80, 80]


def written(store: Store) -> None:
    """Wait until what was given to the store so far is on the disk."""
    store.vectors.put("", {})


def test_recall_does_not_wait_for_the_disk(store: Store) -> None:
    free = threading.Event()
    store._post(lambda connection: free.wait())
    late = threading.Timer(30, free.set)
    late.start()
    assert inside(get(Recaller(store), shelf()))
    assert not free.is_set()
    late.cancel()
    free.set()
    written(store)
    assert [count for *_, count in store.vectors.embedders()] == [80]


class Counting:
    """A semantic embedder that counts what it is asked: a vector for each subject."""

    name, version, dim, semantic = "counting", "1", 9, True
    config: dict[str, Any] = {}

    def __init__(self) -> None:
        self.asked = 0

    async def embed(self, texts: Sequence[str], /) -> tuple[Any, Usage]:
        self.asked += len(texts)
        rows = [[float(what in text) for what in ABOUT] + [0.1] for text in texts]
        return unit(rows), Usage(input=len(texts), calls=1)


def test_an_embedder_is_asked_for_each_text_once(store: Store) -> None:
    embedder, lessons = Counting(), shelf()
    recaller = Recaller(store, embedder)
    get(recaller, lessons)
    assert embedder.asked == 81
    guidance = get(recaller, lessons, "the garden")
    assert embedder.asked == 82
    assert {int(n[1:]) % 8 for n in inside(guidance)} == {ABOUT.index("garden")}
    get(Recaller(store, embedder), lessons)
    assert embedder.asked == 83


VIEWS = st.lists(
    st.lists(st.integers(0, 99), min_size=30, max_size=60, unique=True), min_size=1, max_size=4
)


@given(VIEWS, st.sampled_from(ABOUT))
@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_a_prompt_depends_on_its_view_alone(
    store: Store, views: list[list[int]], about: str
) -> None:
    everything = shelf(100)
    used = Recaller(store)
    for numbers in views:
        view = tuple(everything[n] for n in numbers)
        given_now = get(used, view, f"the {about} of a customer")
    fresh = get(Recaller(store), tuple(reversed(view)), f"the {about} of a customer")
    assert given_now == fresh
