"""The modes of the handbook, which behaviors a prompt holds, and which are cited."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.loop.world import Player, episodes, pressing, run, safes
from tests.methods.test_plans import episode
from verbalrl import ChatAgent, Learner, Limits, load_task
from verbalrl.errors import ConfigurationError
from verbalrl.methods import ALL_ARMS, arm, check_method, handbook, method
from verbalrl.models import Request, ScriptedModel
from verbalrl.records import (
    Action,
    Episode,
    Guidance,
    GuidanceLine,
    Observation,
    Step,
    Trajectory,
    Usage,
)
from verbalrl.result.cited import Citations, cited
from verbalrl.store import Store

TASK = safes("green", "blue", test=("red",), max_steps=1)


def teach(*texts: str) -> Any:
    """A curator that adds these once."""

    def curate(inputs: Any) -> list[dict[str, Any]]:
        pairs = enumerate(texts if not inputs.lessons else ())
        return [{"op": "add", "evidence": [1], "when": f"the {t}", "instruction": f"Mind the {t}."}
                for _, t in pairs]  # fmt: skip

    return curate


def seen_by(agent: Player) -> list[tuple[str, bool]]:
    return [
        (s.instance.id.removeprefix("safes-v1/"), bool(s.guidance))
        for s in agent.seen
        if s.instance is not None
    ]


def test_a_static_handbook_is_made_in_one_pass_and_never_read_meanwhile(store: Store) -> None:
    agent = pressing("red")
    how = handbook(mode="static", round_size=1)
    run(store, agent, how, TASK, curator=teach("lamp"))
    assert seen_by(agent) == [("train/0", False), ("train/1", False), ("test/0", True)]


def test_a_handbook_in_context_is_read_while_it_is_made(store: Store) -> None:
    agent = pressing("red")
    run(store, agent, handbook(trials=1, round_size=1), TASK, curator=teach("lamp"))
    assert seen_by(agent) == [("train/0", False), ("train/1", True), ("test/0", True)]


def test_self_improvement_draws_on_own_attempts_without_their_outcome(store: Store) -> None:
    prompts: list[str] = []

    def reply(request: Request) -> dict[str, Any]:
        text = request.messages[-1].text
        if request.role == "actor":
            return {"thought": "", "action": "red", "lessons_used": []}
        prompts.append(text)
        lesson = {"when": f"rule {len(prompts)}", "instruction": "Press twice.", "step": 1}
        return {"verdict": "unclear", "lessons": [lesson]}

    how = handbook(mode="self_improve", trials=2)
    assert how.learns == "instance"
    result = run(
        store, ChatAgent(ScriptedModel(reply)), how, safes("green"), critic=ScriptedModel(reply)
    )
    first, second = episodes(store, result)
    assert not first.guidance["actor"]
    assert [x.instruction for x in second.guidance["actor"].lines] == ["Press twice."]
    (prompt,) = prompts
    assert "success: unknown" in prompt
    tried = prompt.split("<trajectory>")[-1].split("</trajectory>")[0]
    assert "A click" not in tried
    assert not any(label in tried for label in ("Feedback:", "Reward:"))


def test_the_mode_says_where_it_is_read() -> None:
    assert method("handbook", {"mode": "static"}).learns == "shared"
    assert handbook(mode="self_improve").replace(mode="bci").learns == "shared"


@pytest.mark.parametrize("mode", ["self_improve", "static"])
@pytest.mark.parametrize("condition", ALL_ARMS)
def test_the_modes_keep_the_contract_of_plans(mode: str, condition: str) -> None:
    check_method(arm(method("handbook", {"mode": mode}), condition), worlds=3)


def questions(folder: Path, topics: bool = True) -> Path:
    rows = [
        {"id": f"{split}{n}", "question": f"What is {word} number {n}?", "answer": "no idea",
         "split": split} | ({"topic": word} if topics else {})
        for split, n, word in (
            ("train", 0, "algebra"), ("train", 1, "botany"),
            ("test", 2, "algebra"), ("test", 3, "botany"), ("test", 4, "chess"),
        )
    ]  # fmt: skip
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def by_evidence(inputs: Any) -> list[dict[str, Any]]:
    """A lesson for every piece of evidence, in its words."""
    return [
        {"op": "add", "evidence": [e.alias], "when": e.observation.split()[2],
         "instruction": f"Think of {e.observation.split()[2]}."}
        for e in inputs.evidence
        if not inputs.lessons
    ]  # fmt: skip


def held(store: Store, result: Any, instance: str) -> list[str]:
    (found,) = episodes(store, result, instance=instance)
    return [line.when for line in found.guidance["actor"].lines]


def test_by_topic_a_prompt_holds_what_was_learned_on_its_topic(
    tmp_path: Path, store: Store
) -> None:
    task = load_task(str(questions(tmp_path)))
    how = handbook(trials=1, retrieval="topic")
    result = run(store, pressing("a guess"), how, task, curator=by_evidence)
    assert held(store, result, "rows/test2") == ["algebra"]
    assert held(store, result, "rows/test3") == ["botany"]
    assert held(store, result, "rows/test4") == []


def test_by_embedding_a_prompt_holds_the_nearest(tmp_path: Path, store: Store) -> None:
    task = load_task(str(questions(tmp_path)))
    how = handbook(trials=1, retrieval="embedding", most=1)
    result = run(store, pressing("a guess"), how, task, curator=by_evidence)
    assert held(store, result, "rows/test2") == ["algebra"]
    assert held(store, result, "rows/test3") == ["botany"]


def test_topics_that_no_instance_names_are_refused_before_the_first_call(
    tmp_path: Path, store: Store
) -> None:
    task = load_task(str(questions(tmp_path, topics=False)))
    agent = pressing("a guess")
    with pytest.raises(ConfigurationError, match="names none"):
        run(store, agent, handbook(retrieval="topic"), task)
    assert not agent.seen


def citing(thought: str, used: Sequence[int] = ()) -> Episode:
    line = [
        GuidanceLine(alias=1, lesson="le_a", name="damp clay", when="damp", instruction="wait"),
        GuidanceLine(alias=2, lesson="le_b", name="tall pots", when="tall", instruction="turn"),
    ]
    action = Action(text="go", thought=thought, lessons_used=tuple(used))
    step = Step(n=1, observation=Observation(text="x"), action=action)
    return episode(1, True).replace(
        trajectory=Trajectory(steps=(step,)),
        guidance={"actor": Guidance(volatile=tuple(line))},
        usage={"actor": Usage(output=40, calls=1)},
    )


@pytest.mark.parametrize(
    ("thought", "used", "expected"),
    [
        ("", (), (False, False)),
        ("", (2,), (False, True)),
        ("By [1] I wait.", (), (True, False)),
        ("Tall Pots says turn.", (), (False, True)),
        ("The pots are tall. [9]", (7,), (False, False)),
    ],
)
def test_citations_are_numbers_and_names(
    thought: str, used: tuple[int, ...], expected: tuple[bool, bool]
) -> None:
    assert cited(citing(thought, used)) == dict(zip(("le_a", "le_b"), expected, strict=True))


def test_citations_are_counted_with_the_tokens_written() -> None:
    counts = Citations()
    for found in (citing("[1]"), citing("[1] [2]").replace(success=False), citing("")):
        counts.add(found)
    figures = counts.figures()
    assert (figures["output_per_attempt"], figures["shown"], figures["cited"]) == (40.0, 6, 3)
    assert figures["lessons"] == [
        {"lesson": "le_a", "shown": 3, "cited": 2, "solved_citing": 1},
        {"lesson": "le_b", "shown": 3, "cited": 1, "solved_citing": 0},
    ]


def test_cited_lessons_stand_in_the_same_order_in_equal_runs() -> None:
    orders = []
    for names in (("le_a", "le_b"), ("le_z", "le_b")):
        found = citing("[1] [2]")
        lines = [
            line.replace(lesson=name)
            for line, name in zip(found.guidance["actor"].volatile, names, strict=True)
        ]
        counts = Citations()
        counts.add(found.replace(guidance={"actor": Guidance(volatile=tuple(lines))}))
        listed: Any = counts.figures()["lessons"]
        orders.append([names.index(row["lesson"]) for row in listed])
    assert orders[0] == orders[1]


@pytest.mark.parametrize(
    "settings", [{"mode": "self_improve"}, {"retrieval": "embedding", "most": 2}]
)
def test_variants_are_the_same_at_any_concurrency(tmp_path: Path, settings: dict[str, Any]) -> None:
    found = []
    for slots in (1, 16):
        learner = Learner(
            ChatAgent("offline:apprentice"),
            method=method("handbook", {"trials": 2, "round_size": 4} | settings),
            store=tmp_path / str(slots),
            limits=Limits(concurrency=slots),
        )
        result = learner.run_sync(
            load_task("triage-v1"), instances=3, train_instances=8, arms=("none", "learned")
        )
        learned = result.arms["learned"]
        found.append((learned["memory_digest"], learned["episodes_digest"]))
        if "mode" in settings:
            continue  # Without outcomes the offline critic finds nothing to say.
        assert learned["citations"]["shown"] > 0
        assert "lessons cited of those shown: learned" in result.table()
        assert "output tokens of the actor per attempt: none" in result.table()
    assert found[0] == found[1]
