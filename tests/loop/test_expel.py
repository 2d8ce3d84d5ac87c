"""ExpeL step by step: gather, compare, chunks of successes, one attempt with what was kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.loop.test_resume import killed_again_and_again, whole
from tests.loop.world import Player, Safe, episodes, run, safes
from verbalrl import ChatAgent, Learner, Limits, load_task
from verbalrl.methods import ALL_ARMS, Expel, arm, check_method, expel
from verbalrl.methods.expel import SUCCESS
from verbalrl.methods.plans import PAIR
from verbalrl.records import (
    Batch,
    ClosedRound,
    CurateLessons,
    Episode,
    FreezeMemory,
    Observation,
    OpenRound,
    Origin,
    PastCritique,
    SharedView,
    Situation,
    Status,
    TextPart,
)
from verbalrl.store import Store

TRIES = ("red", "blue", "green")
TASK = safes("red", "green", "red green", test=("blue", "green"), max_steps=1)
"""Solved at once, at the third attempt, and never."""


class Notes:
    """Agent, critic and curator that write down what they were asked and what they saw."""

    def __init__(self, *said: dict[str, Any]) -> None:
        self.pages: dict[str, list[str]] = {}
        self.shown: list[list[str]] = []
        self.said = list(said)
        self.agent = Player(self.act)
        self.tries: Counter[str] = Counter()

    def act(self, situation: Situation) -> str:
        assert situation.instance is not None
        name, text = situation.instance.id.removeprefix("safes-v1/"), situation.guidance.text
        page = [f"act, {text.count('reflect')} reflections"]
        page += [f"insight {n}" for n in range(9) if f"insight {n}" in text]
        page += ["example"] * text.count("An earlier attempt that succeeded, at a similar task")
        self.pages.setdefault(name, []).append(" ".join(page))
        self.tries[name] += 1
        return TRIES[(self.tries[name] - 1) % 3]

    def write(self, tried: Sequence[Episode]) -> dict[str, Any]:
        name = tried[-1].instance.removeprefix("safes-v1/")
        page = "+".join(f"{e.trial}{'won' if e.success else 'lost'}" for e in tried)
        self.pages.setdefault(name, []).append(f"critic {page}")
        word = "reflect" if tried[0].success is False and len(tried) == 1 else "compare"
        return {"lessons": [{"instruction": f"{word} {name} {page} once more.", "step": 1}]}

    def curate(self, inputs: Any) -> list[dict[str, Any]]:
        self.shown.append([p.instruction for e in inputs.evidence for p in e.proposals])
        return [self.said.pop(0)] if self.said else []


def add(number: int) -> dict[str, Any]:
    what = f"insight {number}: press the colour that opened."
    return {"op": "add", "evidence": [1], "when": f"safe {number}", "instruction": what}


def played(store: Store, notes: Notes, **settings: Any) -> Notes:
    run(store, notes.agent, expel(**settings), TASK, critic=notes.write, curator=notes.curate)
    return notes


def test_it_gathers_compares_every_pair_and_evaluates_once(store: Store) -> None:
    notes = played(store, Notes(add(1), add(2)))
    # Up to four attempts with all reflections of the instance; solved ones are not run again.
    assert notes.pages["train/0"] == ["act, 0 reflections", "critic 1won"]
    assert notes.pages["train/1"][:5] == [
        "act, 0 reflections",
        "critic 1lost",
        "act, 1 reflections",
        "critic 2lost",
        "act, 2 reflections",
    ]
    # Side by side, so in any order.
    compared = ["critic 1lost+3won", "critic 2lost+3won", "critic 3won"]
    assert sorted(notes.pages["train/1"][5:]) == compared
    assert notes.pages["train/2"][-2:] == ["critic 3lost", "act, 3 reflections"]
    assert len(notes.pages["train/2"]) == 7, "without a success there is nothing to compare"
    # First the pairs, then the successes; no reflection is ever shown to the curator.
    pairs, successes = notes.shown
    assert [x.split()[2] for x in pairs] == ["1lost+3won", "2lost+3won"]
    assert sorted(x.split()[2] for x in successes) == ["1won", "3won"]
    # One attempt on each test instance, with insights and successes of other tasks.
    for name in ("test/0", "test/1"):
        assert notes.pages[name] == ["act, 0 reflections insight 1 insight 2 example example"]


def test_a_success_by_untrusted_reflections_is_no_trusted_insight(store: Store) -> None:
    opened: Counter[str] = Counter()

    class Told(Safe):
        """Shows a page of the web at the first attempt alone."""

        def reset(self, seed: int, /) -> Observation:
            seen = super().reset(seed)
            opened[" ".join(self.code)] += 1
            if opened[" ".join(self.code)] > 1:
                return seen
            page = TextPart(text=seen.text, origin=Origin.UNTRUSTED, source="web")
            return seen.model_copy(update={"parts": (page,)})

    notes = Notes(add(1))
    task = safes("blue", test=("blue",), max_steps=1, make=Told)
    result = run(store, notes.agent, expel(), task, critic=notes.write, curator=notes.curate)
    assert notes.pages["train/0"][2] == "act, 1 reflections"
    written = {c.template: c for c in store.critiques()}
    (won,) = (e for e in episodes(store, result) if e.trial == 2)
    assert written[SUCCESS].episodes == (won.id,)
    assert {c.trust for c in written.values()} == {Origin.UNTRUSTED}
    (kept,) = store.lessons(f"{result.run}/learned/0", "safes-v1")
    assert (kept.trust, kept.status) == (Origin.UNTRUSTED, Status.QUARANTINED)


@pytest.mark.parametrize(
    ("settings", "seen"),
    [
        ({"insights": False}, "act, 0 reflections example example"),
        ({"examples": 0}, "act, 0 reflections insight 1"),
        ({"examples": 1}, "act, 0 reflections insight 1 example"),
    ],
)
def test_either_half_can_be_left_out(store: Store, settings: dict[str, Any], seen: str) -> None:
    notes = played(store, Notes(add(1)), **settings)
    assert notes.pages["test/0"] == [seen]
    assert bool(notes.shown) is settings.get("insights", True)


def test_the_shortest_success_is_recalled_never_one_of_the_instance_itself(store: Store) -> None:
    result = run(store, Notes().agent, expel(), TASK, critic=Notes().write, curator=lambda _: [])
    for e in episodes(store, result):
        texts = e.guidance["actor"].texts
        if e.spec.split == "train":
            assert texts == ()
            continue
        assert len(texts) == 2
        assert all("succeeded" in text and "It opens." in text for text in texts)


def test_memory_is_frozen_for_the_test_split(store: Store) -> None:
    result = run(store, Notes().agent, expel(), TASK, critic=Notes().write, curator=lambda _: [])
    test = episodes(store, result, instance="safes-v1/test/0")
    assert [e.trial for e in test] == [1]
    assert not store.critiques(instance="safes-v1/test/0")


def counts(store: Store) -> dict[str, tuple[int, Status]]:
    run_id = store.runs()[-1].id
    found = store.current_lessons(f"{run_id}/learned/0", scope="safes-v1")
    return {x.instruction: (x.votes["count"], x.status) for x in found}


def test_votes_are_counted_as_in_the_paper(store: Store) -> None:
    up = {"op": "upvote", "lessons": [1], "evidence": [1]}
    played(store, Notes(add(1), up))
    assert set(counts(store).values()) == {(3, Status.ACTIVE)}


@pytest.mark.parametrize(
    ("cap", "count", "status"), [(20, 1, Status.ACTIVE), (1, -1, Status.RETIRED)]
)
def test_a_vote_against_takes_one_and_three_from_a_full_list(
    store: Store, cap: int, count: int, status: Status
) -> None:
    down = {"op": "downvote", "lessons": [1], "evidence": [1]}
    played(store, Notes(add(1), down), max_lessons=cap)
    assert set(counts(store).values()) == {(count, status)}


def test_what_corrupts_the_reference_parser_is_one_text_here(store: Store) -> None:
    """There, a rule without a period swallows the next line, and a REMOVE becomes an ADD."""
    texts = (
        "Verify units\nREMOVE 2: foo bar.",
        "ADDRESS the door first",
        "When searching: use names",
    )

    def curate(inputs: Any) -> list[dict[str, Any]]:
        if inputs.lessons:
            # Lesson 0 was not shown: there it would edit the last rule.
            zero = {
                "op": "edit",
                "lessons": [0],
                "evidence": [1],
                "when": "x",
                "instruction": "y z",
            }
            return [zero, {"op": "downvote", "lessons": [2], "evidence": [1]}]
        return [
            {"op": "add", "evidence": [1], "when": f"case {n}", "instruction": text}
            for n, text in enumerate(texts)
        ]

    notes = Notes()
    run(store, notes.agent, expel(), TASK, critic=notes.write, curator=curate)
    found = counts(store)
    assert len(found) == 3
    assert [found[text][0] for text in texts] == [2, 1, 2]


def past(name: str, template: str, status: str = "accepted") -> PastCritique:
    return PastCritique(
        id=name,
        episodes=(f"ep_{name}",),
        instance=name,
        trial=1,
        template=template,
        sample=0,
        status=status,  # type: ignore[arg-type]
        refusal=None,
        verdict="success",
    )


def test_extraction_goes_pairs_first_then_chunks_of_eight_successes() -> None:
    how = Expel()
    critiques = (
        past("p1", PAIR),
        past("s1", SUCCESS),
        past("p2", PAIR),
        past("bad", PAIR, "refused"),
        past("r1", "critic/critique"),
        past("s2", SUCCESS),
    )
    closed = ClosedRound(
        number=1, opened=OpenRound(instances=("a",)), revision=0, critiques=critiques
    )
    view = SharedView(scope="s", train=("a",), test=("t",), rounds=(closed,))
    first = how.plan_shared(view)
    assert isinstance(first, Batch)
    (work,) = first.work
    assert isinstance(work, CurateLessons)
    assert (work.critiques, work.group, work.votes) == (("p1", "p2"), 8, "expel")
    assert [op.value for op in work.operations] == ["add", "revise", "support", "retire"]
    view = SharedView(scope="s", train=("a",), test=("t",), rounds=(closed,), curated=("p1", "p2"))
    second = how.plan_shared(view)
    assert isinstance(second, Batch)
    (work,) = second.work
    assert isinstance(work, CurateLessons)
    assert (set(work.critiques), work.group) == ({"s1", "s2"}, 8)
    done = SharedView(
        scope="s", train=("a",), test=("t",), rounds=(closed,), curated=("p1", "p2", "s1", "s2")
    )
    third = how.plan_shared(done)
    assert third == Batch(work=(FreezeMemory(split="test"),))


@pytest.mark.parametrize("condition", ALL_ARMS)
def test_the_plans_keep_their_contract(condition: str) -> None:
    check_method(arm(expel(), condition), worlds=4)


@pytest.mark.parametrize("task", ["triage-v1", pytest.param("gridnav-v1", marks=pytest.mark.slow)])
def test_it_is_the_same_at_any_concurrency(tmp_path: Path, task: str) -> None:
    found = []
    for slots in (1, 16):
        learner = Learner(
            ChatAgent("offline:apprentice"),
            method=expel(trials=2),
            store=tmp_path / str(slots),
            limits=Limits(concurrency=slots),
        )
        sizes: dict[str, Any] = {"instances": 2, "train_instances": 6}
        result = learner.run_sync(load_task(task), arms=("shuffled", "learned"), **sizes)
        found.append(
            {a: (x["memory_digest"], x["episodes_digest"]) for a, x in result.arms.items()}
        )
    assert found[0] == found[1]
    assert found[0]["learned"] != found[0]["shuffled"]


@pytest.mark.slow
def test_a_killed_run_reaches_the_same_memory(tmp_path: Path) -> None:
    case = {
        "task": "triage-v1",
        "method": "expel",
        "settings": {"trials": 2},
        "concurrency": 8,
        "run": {"seeds": [0], "arms": ("learned",), "instances": 2, "train_instances": 6},
    }
    (tmp_path / "whole").mkdir()
    there = whole(case, tmp_path / "whole")
    assert killed_again_and_again(case, tmp_path, there.calls, 2) == there
