"""Arms differ in what is injected and in nothing else; no prompt gives its arm away."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.loop.world import pressing, prompts, run, safes
from verbalrl import ChatAgent, Learner, load_task
from verbalrl.methods import Method, handbook, reflexion
from verbalrl.records import Episode, Guidance, LaneKey, Situation
from verbalrl.result import RunResult
from verbalrl.store import Store, open_store
from verbalrl.store.digest import episodes_digest

SEED = 86_420_975
"""A seed of the run that nobody could write by chance."""


class Played(NamedTuple):
    folder: Path
    store: Store
    result: RunResult

    def episodes(self, arm: str, **asked: Any) -> tuple[Episode, ...]:
        return self.store.episodes(run=self.result.run, arm=arm, **asked)


def play(folder: Path, task: str, method: Method, **settings: Any) -> Iterator[Played]:
    with open_store(folder, create=True) as store:
        learner = Learner(ChatAgent("offline:apprentice"), method=method, store=store)
        yield Played(folder, store, learner.run_sync(load_task(task), seeds=(SEED,), **settings))


@pytest.fixture(scope="module", params=["gridnav-v1", "triage-v1"])
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder, task = tmp_path_factory.mktemp("arms"), request.param
    if task == "gridnav-v1":
        yield from play(folder, task, reflexion(trials=3), instances=6)
    else:
        method = handbook(trials=2, round_size=6)
        yield from play(folder, task, method, instances=6, train_instances=12)


def requests(played: Played, episode: Episode) -> list[dict[str, Any]]:
    """What the model was asked in `episode`, sampling seeds included."""
    with closing(sqlite3.connect(played.folder / "verbalrl.db")) as connection:
        sql = "SELECT request FROM calls WHERE owner = ? ORDER BY seq"
        return [json.loads(text) for (text,) in connection.execute(sql, (episode.id,))]


def by_place(found: Iterable[Episode]) -> dict[tuple[str, int], Episode]:
    return {(e.instance, e.trial): e for e in found}


def acts(episode: Episode) -> list[tuple[str, str, str]]:
    return [(s.observation.text, s.action.text, s.feedback) for s in episode.trajectory.steps]


def test_trial_1_is_the_same_until_there_is_guidance(played: Played) -> None:
    none, retry, learned = (by_place(played.episodes(a)) for a in ("none", "retry", "learned"))
    assert {place for place in retry if place[1] == 1} == none.keys()
    plain = 0
    for place, first in none.items():
        assert requests(played, first) == requests(played, retry[place])
        assert acts(first) == acts(retry[place])
        # The learned arm of a shared method is read with lessons: then only its seeds are equal.
        other = learned[place]
        if not other.guidance["actor"]:
            plain += 1
            assert requests(played, first) == requests(played, other)
            assert acts(first) == acts(other)
        assert first.trajectory.steps[0].observation == other.trajectory.steps[0].observation
        seeds = [requests(played, e)[0]["sample_seed"] for e in (first, other)]
        assert seeds[0] == seeds[1]
    if played.result.figures["method"] == "reflexion":
        assert plain == len(none)


def test_later_trials_have_equal_seeds_and_worlds(played: Played) -> None:
    retry, learned = (by_place(played.episodes(arm)) for arm in ("retry", "learned"))
    later = [place for place in retry.keys() & learned.keys() if place[1] > 1]
    if played.result.figures["method"] == "handbook":
        assert not later, "the learned arm is read at trial 1"
        return
    assert later
    for place in later:
        ours, theirs = (requests(played, x[place])[0] for x in (learned, retry))
        assert ours["sample_seed"] == theirs["sample_seed"]
    assert any(requests(played, learned[p])[0] != requests(played, retry[p])[0] for p in later), (
        "without guidance in a prompt equal seeds say little"
    )


def test_a_prompt_without_lessons_is_that_of_an_agent_without_memory(played: Played) -> None:
    task, agent = load_task(str(played.result.figures["task"])), ChatAgent("offline:apprentice")
    bare = [e for e in played.episodes("learned") if not e.guidance["actor"]]
    taught = [e for e in played.episodes("learned") if e.guidance["actor"]]
    assert bare
    assert taught
    goals = {i.id: i.goal for split in ("train", "test") for i in task.instances(split, 0, 20)}
    for episode in (*bare, *taught):
        seen = episode.trajectory.steps[0].observation
        without = agent.messages(Situation(goal=goals[episode.instance], observation=seen))
        sent = [m["text"] for m in requests(played, episode)[0]["messages"]]
        assert ([m.text for m in without] == sent) is (episode in bare)
        assert ("<guidance>" in "".join(sent)) is (episode in taught)


def test_worlds_are_equal_over_arms_and_seeds(store: Store) -> None:
    task = safes("green", "blue", max_steps=1)
    result = run(
        store, pressing("red"), reflexion(trials=3), task, arms=("retry", "learned"), seeds=(0, 1)
    )
    lamps: dict[tuple[str, int], set[str]] = {}
    for episode in store.episodes(run=result.run):
        lamp = episode.trajectory.steps[0].observation.text
        lamps.setdefault((episode.instance, episode.trial), set()).add(lamp)
    assert [len(seen) for seen in lamps.values()] == [1] * 6
    assert len(set.union(*lamps.values())) == 6


def test_no_prompt_holds_an_instance_a_run_or_a_seed(played: Played) -> None:
    texts = prompts(played.folder, played.result.run)
    roles = {role for role in ("actor", "critic", "curator") if prompts(played.folder, role=role)}
    assert roles >= {"actor", "critic"}
    found = list(played.store.episodes(run=played.result.run))
    ids = {played.result.run, f"/{SEED}"} | {e.id for e in found} | {e.instance for e in found}
    ids |= {re.split(r"(?<=-v1)/", e.instance)[1] for e in found}
    ids |= {c.id for c in played.store.critiques(run=played.result.run)}
    for branch in played.store.branches(played.result.run):
        ids |= {branch.id, *(x.id for x in played.store.current_lessons(branch.id))}
    seeds = {str(SEED), *(str(e.spec.world_seed()) for e in found)}
    seeds |= {str(r["sample_seed"]) for e in found for r in requests(played, e)}
    lanes = {e.id: LaneKey(run=e.run, arm=e.arm, seed=e.seed) for e in found}
    seeds |= {str(e.spec.sample_seed(lanes[e.id])) for e in found}
    assert len(seeds) > len(found)
    leaks = [(secret, text) for text in texts for secret in ids | seeds if secret in text]
    assert not leaks, leaks[0]
    # At the start of a word: `keep_both` is an operation.
    assert not any(re.search(r"\b(?:run|ep|cr|le)_", text) for text in texts)


def test_feedback_names_no_other_action(played: Played) -> None:
    # The words of an action that no other action shares: "north", or the name of a team.
    checked = 0
    for episode in (e for arm in played.result.arms for e in played.episodes(arm)):
        for step in episode.trajectory.steps:
            actions = step.observation.actions
            assert actions
            assert step.action.text in actions
            said = words(step.feedback)
            for other in set(actions) - {step.action.text}:
                checked += 1
                assert not own_words(other, actions) & said, (step.feedback, other)
    assert checked > 50


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


def own_words(action: str, actions: tuple[str, ...]) -> set[str]:
    return words(action).difference(*(words(a) for a in actions if a != action))


def blanked(found: Iterable[Episode]) -> str:
    """The digest of what was done, whatever was asked of memory."""
    plain = [
        e.replace(
            spec=e.spec.replace(guidance={}, round=1),
            guidance={r: Guidance() for r in e.guidance if e.guidance[r]},
        )
        for e in found
    ]
    return episodes_digest(plain, (), {})


@pytest.mark.parametrize(
    ("task", "method", "settings"),
    [
        ("gridnav-v1", reflexion(trials=3, budget=0), {"instances": 6}),
        (
            "triage-v1",
            handbook(trials=2, round_size=6, budget=0),
            {"instances": 6, "train_instances": 12},
        ),
    ],
    ids=["reflexion", "handbook"],
)
def test_blanked_lessons_give_the_control_exactly(
    tmp_path: Path, task: str, method: Method, settings: dict[str, Any]
) -> None:
    (blank,) = play(tmp_path, task, method, **settings)
    with open_store(tmp_path) as store:
        played = Played(tmp_path, store, blank.result)
        # It learns as ever; only nothing of it reaches a prompt.
        assert sum(played.result.arms["learned"]["lessons"].values()) > 0
        learned = [
            e for e in played.episodes("learned") if "/test/" in e.instance or task[0] == "g"
        ]
        control = "retry" if task == "gridnav-v1" else "none"
        assert blanked(learned) == blanked(played.episodes(control))
        assert played.result.arms["learned"]["vs_retry"]["n"] == 6


def test_lessons_do_change_what_is_done(played: Played) -> None:
    """The counterpart: the digests above can differ."""
    control = "retry" if played.result.figures["method"] == "reflexion" else "none"
    ours = [e for e in played.episodes("learned") if control == "retry" or "/test/" in e.instance]
    assert blanked(ours) != blanked(played.episodes(control))
