"""Reflections live by what later attempts say of them: contradicted, kept, or out of the window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.loop.world import episodes, pressing, run, safes
from verbalrl.methods import Reflexion, reflexion
from verbalrl.records import Batch, Episode, InstanceView, Shows, WriteCritique
from verbalrl.store import Store

NUMBERS = ("zeroth", "first", "second", "third", "fourth", "fifth", "sixth", "seventh")
TASK = safes("green", max_steps=1)


def line(trial: int) -> str:
    return f"Mind the {NUMBERS[trial]} rule of pressing."


def critic(*kept: str) -> Any:
    """Writes one line per trial, and keeps every earlier line that has one of these words."""

    def write(tried: Sequence[Episode]) -> dict[str, Any]:
        last = tried[-1]
        earlier = last.guidance["actor"].lines
        return {
            "lessons": [{"instruction": line(last.trial), "step": 1}],
            "keeps": [x.alias for x in earlier if any(w in x.instruction for w in kept)],
        }

    return write


def shown(store: Store, method: Reflexion, critic: Any) -> list[list[str]]:
    """By trial: the numbers of the lines in the prompt, as words."""
    agent = pressing("red")
    result = run(store, agent, method, TASK, critic=critic)
    lines = [e.guidance["actor"].lines for e in episodes(store, result)]
    # The agent saw what the records say.
    for said, text in zip(lines, agent.texts(), strict=True):
        assert all(x.instruction in text for x in said)
        assert text.count("Mind the") == len(said)
    return [[x.instruction.split()[2] for x in said] for said in lines]


def test_a_line_that_is_not_kept_is_gone_from_the_next_prompt(store: Store) -> None:
    assert shown(store, reflexion(trials=4), critic()) == [[], ["first"], ["second"], ["third"]]
    statuses = {
        x.instruction.split()[2]: x.status.value for x in store.current_lessons(main(store))
    }
    assert statuses == {"first": "retired", "second": "retired", "third": "active"}


def test_only_the_contradicted_line_goes(store: Store) -> None:
    contradicts_first = critic("second", "third")
    assert shown(store, reflexion(trials=5), contradicts_first) == [
        [],
        ["first"],
        ["second"],
        ["second", "third"],
        ["second", "third", "fourth"],
    ]


def test_a_kept_line_is_carried_beyond_the_window(store: Store) -> None:
    by_trial = shown(store, reflexion(trials=7, window=3), critic("first"))
    assert by_trial == [
        [],
        ["first"],
        ["first", "second"],
        ["first", "third"],
        ["first", "fourth"],
        ["first", "fifth"],
        ["first", "sixth"],
    ]


def test_all_kept_lines_are_carried_however_many_critiques_wrote_them(store: Store) -> None:
    by_trial = shown(store, reflexion(trials=6, window=3), critic(*NUMBERS))
    assert by_trial[-1] == ["first", "second", "third", "fourth", "fifth"]


class Forgetful(Reflexion):
    """Its critic is not shown the earlier lines, so it neither keeps nor contradicts any."""

    def plan(self, view: InstanceView, /) -> Any:
        step = super().plan(view)
        if not isinstance(step, Batch) or not isinstance(step.work[0], WriteCritique):
            return step
        return Batch(work=(step.work[0].replace(shows=Shows(earlier=False)),))


def test_a_line_that_nobody_keeps_falls_out_of_the_window(store: Store) -> None:
    def blind(tried: Sequence[Episode]) -> dict[str, Any]:
        return {"lessons": [{"instruction": line(tried[-1].trial), "step": 1}]}

    by_trial = shown(store, Forgetful(trials=6, window=3), blind)
    assert by_trial == [
        [],
        ["first"],
        ["first", "second"],
        ["first", "second", "third"],
        ["second", "third", "fourth"],
        ["third", "fourth", "fifth"],
    ]
    last = store.episodes()[-1].guidance["actor"]
    assert [use.outcome for use in last.uses].count("cap") == 2
    # It is not contradicted: it only waits outside.
    assert {x.status.value for x in store.current_lessons(main(store))} == {"active"}


def test_a_retired_line_that_is_proposed_again_comes_back_once(store: Store) -> None:
    def repeats(tried: Sequence[Episode]) -> dict[str, Any]:
        word = NUMBERS[1] if tried[-1].trial in (1, 3) else NUMBERS[2]
        again = {"instruction": f"Mind the {word} rule of pressing.", "step": 1}
        return {"lessons": [again], "keeps": []}

    by_trial = shown(store, reflexion(trials=5), repeats)
    assert by_trial == [[], ["first"], ["second"], ["first"], ["second"]]
    assert len(store.current_lessons(main(store))) == 2


def test_a_critic_that_says_nothing_of_earlier_lines_keeps_them(store: Store) -> None:
    by_trial = shown(store, reflexion(trials=3), lambda tried: line(tried[-1].trial))
    assert by_trial == [[], ["first"], ["first", "second"]]
    assert {x.status.value for x in store.current_lessons(main(store))} == {"active"}


def test_a_contradicted_line_goes_where_the_other_is_said_again(store: Store) -> None:
    def repeats(tried: Sequence[Episode]) -> dict[str, Any]:
        said = [{"instruction": line(n), "step": 1} for n in (1, 2)]
        return {"lessons": said} if tried[-1].trial == 1 else {"lessons": said[1:], "keeps": [2]}

    assert shown(store, reflexion(trials=3), repeats) == [[], ["first", "second"], ["second"]]


def main(store: Store) -> str:
    return f"{store.runs()[-1].id}/learned/0"
