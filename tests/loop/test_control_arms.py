"""The control arms in a run: what reaches a prompt, what it costs, and that it resumes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.loop.test_resume import killed_again_and_again, whole
from tests.loop.test_retrying import Outage, digests, learner
from tests.loop.world import episodes, pressed, pressing, prompts, run, safes
from verbalrl import ChatAgent, Learner, Limits, load_task
from verbalrl.ids import instance_scope
from verbalrl.methods import ALL_ARMS, Method, handbook, method, reflexion
from verbalrl.records import Episode, Usage
from verbalrl.store import Store, open_store

ARMS = ("retry", "raw_failures", "shuffled", "best_of_n", "learned")


def naming(tried: Any) -> dict[str, Any]:
    """A critic whose lines name the instance that they are about."""
    last = tried[-1]
    said = {"instruction": f"{last.instance} at {last.trial}: press on.", "step": 1}
    return {"lessons": [said]}


def by_place(found: tuple[Episode, ...]) -> dict[tuple[str, int], Episode]:
    return {(e.instance, e.trial): e for e in found}


def test_raw_failures_are_in_the_prompt_word_for_word(store: Store) -> None:
    agent = pressing("red", "blue")
    run(store, agent, reflexion(trials=3), safes("green"), critic=naming, arms=("raw_failures",))
    first, second, third = (s.guidance.text for s in agent.seen if not s.history)
    assert first == ""
    assert "An earlier attempt that failed, at this very task:" in second
    assert "action: red | feedback: A click, nothing else." in second
    assert third.count("An earlier attempt") == 1
    lamps = [s.observation.text.split()[1] for s in agent.seen if not s.history]
    assert lamps[1] in third, "the last attempt"
    assert lamps[0] not in third, "not the one before"
    assert store.critiques() == ()


def test_a_long_failure_is_cut_to_the_budget(store: Store) -> None:
    agent, task = pressing("red"), safes("green", max_steps=60)
    run(store, agent, reflexion(trials=2, budget=400), task, critic=naming, arms=("raw_failures",))
    said = agent.seen[-1].guidance
    assert 200 < said.tokens <= 400
    assert "steps are left out here" in said.text
    assert "step 60 |" in said.text


def test_shuffled_reads_what_another_instance_would_have_read(store: Store) -> None:
    task, names = safes("green", "blue green", "blue"), range(3)
    result = run(
        store,
        pressing("red"),
        reflexion(trials=4, carry=False),
        task,
        critic=naming,
        arms=("shuffled", "learned"),
    )
    ours, learned = (by_place(episodes(store, result, arm=a)) for a in ("shuffled", "learned"))
    assert ours.keys() == learned.keys()
    ids = [f"safes-v1/train/{n}" for n in names]
    for trial in (2, 3, 4):
        got = {i: _lines(ours[i, trial]) for i in ids}
        own = {i: _lines(learned[i, trial]) for i in ids}
        assert all(own[i] and i in own[i][0] for i in ids)
        assert all(got[i] != own[i] for i in ids)
        assert sorted(got.values()) == sorted(own.values())


def _lines(episode: Episode) -> list[str]:
    return [x.instruction for x in episode.guidance["actor"].lines]


def test_a_shuffled_instance_learns_from_its_own_attempts(store: Store) -> None:
    task = safes("green", "blue")
    result = run(
        store, pressing("red"), reflexion(trials=3), task, critic=naming, arms=("shuffled",)
    )
    for n in range(2):
        name = f"safes-v1/train/{n}"
        scope = instance_scope("safes-v1", name)
        lessons = store.lessons(f"{result.run}/shuffled/0", scope)
        assert lessons
        assert all(x.instruction.startswith(name) for x in lessons)


def test_shuffled_starts_from_what_an_earlier_run_learned_of_its_instances(store: Store) -> None:
    task, method = safes("green", "blue"), reflexion(trials=3, carry=False)
    first = run(store, pressing("red"), method, task, critic=naming)
    start = f"{first.run}/learned/0"
    result = run(
        store, pressing("red"), method, task, critic=naming, arms=("shuffled",), start=start
    )
    ours = by_place(episodes(store, result))
    for n in range(2):
        got = _lines(ours[f"safes-v1/train/{n}", 1])
        assert got
        assert all(line.startswith(f"safes-v1/train/{1 - n} ") for line in got)


def test_shuffled_lessons_keep_their_conditions_and_lose_their_instructions(store: Store) -> None:
    def teach(inputs: Any) -> list[dict[str, Any]]:
        pairs = [("the lamp is lit", "Press green."), ("nothing was pressed", "Press blue.")]
        return [
            {"op": "add", "evidence": [1], "when": w, "instruction": x}
            for w, x in (pairs if not inputs.lessons else [])
        ]

    agent = pressing("red")
    run(
        store,
        agent,
        handbook(trials=1),
        safes("green", test=("green",)),
        critic=naming,
        curator=teach,
        arms=("shuffled",),
    )
    text = agent.seen[-1].guidance.text
    assert "the lamp is lit: Press blue." in text
    assert "nothing was pressed: Press green." in text


def test_best_of_n_spends_what_learned_spent_and_no_reward_decides(tmp_path: Path) -> None:
    with open_store(tmp_path, create=True) as store:
        learner = Learner(ChatAgent("offline:apprentice"), method=reflexion(trials=3), store=store)
        result = learner.run_sync(
            load_task("gridnav-v1"), instances=5, arms=("retry", "best_of_n", "learned")
        )
        found = store.episodes(run=result.run)
        judged = store.critiques(run=result.run)
    spent: dict[tuple[str, str], int] = {}
    for e in found:
        used = sum(e.usage.values(), Usage()).total
        spent[e.arm, e.instance] = spent.get((e.arm, e.instance), 0) + used
    for c in judged:
        spent["learned", c.instance] += c.usage.total
    samples = [e for e in found if e.arm == "best_of_n" and e.spec.purpose == "search"]
    for instance in {e.instance for e in found}:
        longest = max(
            sum(e.usage.values(), Usage()).total for e in samples if e.instance == instance
        )
        allowed = spent["learned", instance]
        assert abs(spent["best_of_n", instance] - allowed) <= max(longest, longest - allowed)
    for e in found:
        if e.arm == "best_of_n" and e.spec.purpose == "attempt":
            like = [s for s in samples if s.id in e.spec.selected_from]
            assert pressed(e) in [pressed(s) for s in like]
            assert e.usage.get("actor", Usage()).calls == 0, "it is replayed, not made again"
            assert e.success in [s.success for s in like if pressed(s) == pressed(e)]
    arm = result.arms["best_of_n"]
    assert (len(arm["success_by_trial"]), arm["oracle_selected"]) == (1, False)
    assert "one is chosen without rewards" in result.table()


def test_nothing_of_an_arm_but_its_guidance_is_in_its_prompts(tmp_path: Path) -> None:
    with open_store(tmp_path, create=True) as store:
        learner = Learner(ChatAgent("offline:apprentice"), method=reflexion(trials=2), store=store)
        learner.run_sync(load_task("gridnav-v1"), instances=3, arms=ALL_ARMS)
    for text in prompts(tmp_path):
        assert not any(name in text for name in ("raw_failures", "shuffled", "best_of_n"))


CASES = [
    ("gridnav-v1", reflexion(trials=2), {"instances": 3}),
    ("triage-v1", handbook(trials=2, round_size=4), {"instances": 2, "train_instances": 4}),
]


@pytest.mark.parametrize(("task", "how", "sizes"), CASES, ids=["instance", "shared"])
def test_arms_are_the_same_at_any_concurrency(
    tmp_path: Path, task: str, how: Method, sizes: dict[str, Any]
) -> None:
    found = []
    for slots in (1, 16):
        learner = Learner(
            ChatAgent("offline:apprentice"),
            method=how,
            store=tmp_path / str(slots),
            limits=Limits(concurrency=slots),
        )
        result = learner.run_sync(load_task(task), arms=ARMS, **sizes)
        found.append(
            {a: (x["memory_digest"], x["episodes_digest"]) for a, x in result.arms.items()}
        )
    assert found[0] == found[1]
    assert len({str(x[1]) for x in found[0].values()}) == len(ARMS)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=["instance", "shared"])
def test_killed_arms_reach_what_they_would_have_reached(tmp_path: Path, case: Any) -> None:
    task, how, sizes = case
    settings = {"trials": 2} | ({"round_size": 4} if how.name == "handbook" else {})
    assert method(how.name, settings) == how
    described = {
        "task": task,
        "method": how.name,
        "settings": settings,
        "concurrency": 8,
        "run": {"seeds": [0], "arms": ARMS, **sizes},
    }
    (tmp_path / "whole").mkdir()
    there = whole(described, tmp_path / "whole")
    assert killed_again_and_again(described, tmp_path, there.calls, 3) == there


def test_a_dry_run_foretells_every_arm() -> None:
    learner = Learner(ChatAgent("offline:apprentice"), method=reflexion(trials=3))
    task = load_task("gridnav-v1")
    figures = learner.forecast_sync(task, instances=4, arms=ALL_ARMS).figures
    arms: Any = figures["arms"]
    assert list(arms) == list(ALL_ARMS)
    low, high = arms["best_of_n"]["tokens"]
    assert 0 < low <= high
    assert 0.5 < high / arms["learned"]["tokens"][1] < 1.5


@pytest.mark.slow
@pytest.mark.parametrize(("task", "how", "sizes"), CASES, ids=["instance", "shared"])
def test_failures_are_tried_again_and_what_rests_on_them_is_done_again(
    tmp_path: Path, task: str, how: Method, sizes: dict[str, Any]
) -> None:
    found = load_task(task)
    with open_store(tmp_path, create=True) as store:
        there = learner(store, Outage(), how, 4).run_sync(found, arms=ARMS, **sizes)
        broken = Outage(lambda n: n % 11 == 0)
        first = learner(store, broken, how, 4).run_sync(found, arms=ARMS, **sizes)
        assert digests(first) != digests(there)
        last = learner(store, Outage(), how).resume_sync(first.run, found, retry_failed=True)
        # How much best_of_n samples rests on what learned has spent by then.
        assert digests(last) == digests(there)
        assert store.damage() == ()


@pytest.mark.parametrize(("untrusted", "most"), [(False, 800), (True, 200)])
def test_untrusted_text_of_other_instances_fills_a_quarter(
    tmp_path: Path, untrusted: bool, most: int
) -> None:
    path = tmp_path / "rows.jsonl"
    words = " ".join(f"word{n}" for n in range(60))
    rows = [
        {"question": f"{n}: {words}?", "answer": "yes", "split": "test" if n == 4 else "train"}
        for n in range(5)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with open_store(tmp_path / "store", create=True) as store:
        how = handbook(trials=1, budget=800)
        task = load_task(str(path), untrusted=untrusted)
        result = run(store, pressing("no"), how, task, arms=("raw_failures",))
        (read,) = [e for e in episodes(store, result) if e.spec.split == "test"]
    given = read.guidance["actor"]
    assert len(given.texts) >= 2
    assert most / 2 < given.tokens <= most
