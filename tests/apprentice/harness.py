"""A small closed loop around the apprentice: real prompts, toy tasks, nothing of the framework.

It stands in for lanes, rounds and recall with the least code that keeps their meaning, so that the
apprentice can be tuned and tested by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.apprentice.prompting import render
from tests.apprentice.toys import Choice, Instance, Shared
from verbalrl.models.apprentice import answer

Line = dict[str, Any]
Ask = Callable[[list[tuple[str, str]], dict[str, Any] | None, int], Any]

LESSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "when": {"type": "string"},
        "when_not": {"type": "string"},
        "instruction": {"type": "string"},
        "also_possible": {"type": "array", "items": {"type": "string"}},
        "step": {"type": "integer", "minimum": 1},
    },
    "required": ["name", "when", "when_not", "instruction", "also_possible", "step"],
    "additionalProperties": False,
}
CRITIQUE = {
    "$defs": {
        "Lesson": LESSON,
        "Verdict": {"enum": ["success", "failure", "unclear"], "type": "string"},
        "Cause": {
            "type": "object",
            "properties": {
                "step": {"type": "integer"},
                "quote": {"type": "string"},
                "why": {"type": "string"},
            },
            "required": ["step", "quote", "why"],
        },
    },
    "type": "object",
    "properties": {
        "verdict": {"$ref": "#/$defs/Verdict"},
        "causes": {"type": "array", "items": {"$ref": "#/$defs/Cause"}},
        "lessons": {"type": "array", "items": {"$ref": "#/$defs/Lesson"}},
        "keeps": {"type": "array", "items": {"type": "integer"}},
        "refinement": {"type": "string"},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "reveals_answer": {"type": "boolean"},
    },
    "required": [
        "verdict", "causes", "lessons", "keeps", "refinement", "confidence", "reveals_answer",
    ],
}  # fmt: skip
OPERATIONS = {
    "$defs": {
        "Operation": {
            "type": "object",
            "properties": {
                "op": {"enum": ["add", "revise", "merge", "support", "retire"], "type": "string"},
                "lessons": {"type": "array", "items": {"type": "integer"}},
                "evidence": {"type": "array", "items": {"type": "integer"}},
                "proposals": {"type": "array", "items": {"type": "integer"}},
                "name": {"type": "string"},
                "when": {"type": "string"},
                "when_not": {"type": "string"},
                "instruction": {"type": "string"},
                "reason": {"type": "string"},
            },
        }
    },
    "type": "object",
    "properties": {"operations": {"type": "array", "items": {"$ref": "#/$defs/Operation"}}},
    "required": ["operations"],
}


def reply_schema(actions: Sequence[str]) -> dict[str, Any]:
    """The actor's reply, with the actions as an enum where they are listed."""
    action: dict[str, Any] = {"type": "string"}
    if actions:
        action["enum"] = list(actions)
    return {
        "type": "object",
        "properties": {
            "thought": {"type": "string"},
            "action": action,
            "lessons_used": {"type": "array", "items": {"type": "integer"}},
        },
        "required": ["thought", "action", "lessons_used"],
    }


def seed_of(*parts: object) -> int:
    """The seed of one request; the arm is not among the parts."""
    data = "|".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.sha256(data).digest()[:6], "big")


def same(text: str) -> str:
    """Leaves a text as it is."""
    return text


@dataclass
class Loop:
    """What a run changes: how text reads, how lessons are shown, who answers."""

    habit: int = 0
    rename: Callable[[str], str] = same
    reword: Callable[[Line], Line] | None = None
    as_text: Callable[[Line], str] | None = None
    ask: Ask | None = None
    recorded: list[tuple[Any, ...]] = field(default_factory=list)
    record: bool = False
    no_keeps: bool = False
    batch: int = 32
    passes: int = 3
    trace: list[list[list[Line]]] = field(default_factory=list)

    def reply(self, system: str, user: str, schema: dict[str, Any], seed: int) -> Any:
        """One request to the model."""
        messages = [("system", system), ("user", user)]
        found = (self.ask or self._apprentice)(messages, schema, seed)
        if self.record:
            self.recorded.append((messages, schema, seed, found))
        return found

    def _apprentice(self, messages: Any, schema: Any, seed: int) -> Any:
        return answer(messages, schema, seed, self.habit)


@dataclass
class Attempt:
    """One attempt, as the critic gets to see it."""

    goal: str
    actions: list[str] | None
    steps: list[dict[str, Any]]
    success: bool
    stop: str
    reward: float
    given: list[Line]


def attempt(
    loop: Loop, instance: Instance, lessons: Sequence[Line], key: object, trial: int
) -> Attempt:
    """Runs one episode with the lessons given."""
    say = loop.rename
    actions = [say(a) for a in instance.actions]
    original = dict(zip(actions, instance.actions, strict=True))
    shown = [loop.reword(line) for line in lessons] if loop.reword else list(lessons)
    shown = [dict(line, alias=n) for n, line in enumerate(shown, 1)]
    texts = [loop.as_text(line) for line in shown] if loop.as_text else []
    stable = [] if loop.as_text else shown
    steps: list[dict[str, Any]] = []
    observation, success, stop = instance.reset(), False, "max_steps"
    system = render("actor/system.jinja", role="", stable=stable)
    for n in range(1, instance.limit + 1):
        user = render(
            "actor/act.jinja", goal=say(instance.goal), volatile=[], texts=texts, notes=[],
            history=steps, observation=say(observation), actions=actions or None, previous=None,
            memos=[],
        )  # fmt: skip
        seed = seed_of(key, trial, n)
        action = loop.reply(system, user, reply_schema(actions), seed)["action"]
        result = instance.step(original.get(action, action))
        steps.append(
            {
                "n": n, "observation": say(observation), "action": action,
                "feedback": say(result.feedback), "reward": f"{result.reward:g}", "notes": [],
            }
        )  # fmt: skip
        observation = result.observation
        if result.done:
            success, stop = result.success, "terminated"
            break
    reward = sum(float(step["reward"]) for step in steps)
    return Attempt(say(instance.goal), actions or None, steps, success, stop, reward, shown)


def criticise(loop: Loop, made: Attempt, key: object, trial: int) -> dict[str, Any]:
    """The critique of one attempt."""
    user = render(
        "critic/critique.jinja", goal=made.goal, actions=made.actions, earlier=made.given,
        feedback=[],
        attempts=[
            {
                "n": trial, "steps": made.steps, "success": str(made.success).lower(),
                "stop": made.stop, "reward": f"{made.reward:g}",
            }
        ],
    )  # fmt: skip
    seed = seed_of(key, trial, "critic")
    found: dict[str, Any] = loop.reply(render("critic/system.jinja"), user, CRITIQUE, seed)
    return found


Trace = list[list[list[Line]]]
"""What each instance was given, by trial."""


def run_instances(
    loop: Loop,
    instances: Sequence[Instance],
    seed: int,
    learn: bool = False,
    trials: int = 5,
    given: Trace | None = None,
) -> list[float]:
    """Share of instances solved by each trial; `given` hands out fixed lessons instead."""
    memories: list[list[Line]] = [[] for _ in instances]
    windows: list[list[list[Line]]] = [[] for _ in instances]
    solved_at: list[int | None] = [None] * len(instances)
    for trial in range(1, trials + 1):
        loop.trace.append([list(memory) for memory in memories])
        for n, instance in enumerate(instances):
            if solved_at[n] is not None:
                continue
            lessons = given[trial - 1][n] if given else memories[n]
            made = attempt(loop, instance, lessons, (seed, n), trial)
            if made.success:
                solved_at[n] = trial
            elif learn:
                memories[n] = _reflect(loop, made, memories[n], windows[n], (seed, n), trial)
    return [
        sum(at is not None and at <= trial for at in solved_at) / len(instances)
        for trial in range(1, trials + 1)
    ]


def _reflect(
    loop: Loop, made: Attempt, memory: list[Line], window: list[list[Line]], key: object, trial: int
) -> list[Line]:
    """The lines shown at the next trial: those of the last three critiques and those kept."""
    found = criticise(loop, made, key, trial)
    window.append(found["lessons"])
    kept = [line for n, line in enumerate(memory, 1) if n in found["keeps"]]
    if loop.no_keeps:
        return [line for lessons in window[-3:] for line in lessons]
    return [*kept, *found["lessons"]]


@dataclass
class Scope:
    """The shared memory of a run."""

    lessons: list[Line] = field(default_factory=list)
    evidence: list[dict[str, Any]] = field(default_factory=list)


def run_shared(
    loop: Loop, task: Shared, seed: int, learn: bool = True
) -> tuple[float, list[Line], list[float]]:
    """Success on test after learning on train; also the lessons and the train curve."""
    scope = Scope()
    solved: set[int] = set()
    curve = []
    for trial in range(1, loop.passes + 1) if learn else ():
        todo = [n for n in range(len(task.train)) if n not in solved]
        for start in range(0, len(todo), loop.batch):
            _round(loop, task, scope, todo[start : start + loop.batch], solved, seed, trial)
        curve.append(len(solved) / len(task.train))
    return run_test(loop, task.test, scope.lessons, seed), scope.lessons, curve


def run_test(loop: Loop, test: Sequence[Choice], lessons: Sequence[Line], seed: int) -> float:
    """Success on test instances at trial 1."""
    made = [attempt(loop, c, lessons, (seed, "test", n), 1) for n, c in enumerate(test)]
    return sum(m.success for m in made) / len(made)


def _round(
    loop: Loop,
    task: Shared,
    scope: Scope,
    batch: Sequence[int],
    solved: set[int],
    seed: int,
    trial: int,
) -> None:
    new = []
    for n in batch:
        made = attempt(loop, task.train[n], scope.lessons, (seed, n), trial)
        if made.success:
            solved.add(n)
        critique = criticise(loop, made, (seed, n), trial)
        step = made.steps[-1]
        new.append(
            {
                "outcome": critique["verdict"], "goal": "", "observation": step["observation"],
                "action": step["action"], "feedback": step["feedback"],
                "proposals": critique["lessons"], "given": [x["alias"] for x in made.given],
            }
        )  # fmt: skip
    proposals: list[dict[str, Any]] = []
    common: dict[str, Any] = {"goal": loop.rename(task.train[0].goal)}
    common |= {"directions": [], "step": None}
    common["actions"] = [loop.rename(a) for a in task.train[0].actions]
    common["lessons"] = [
        dict(line, alias=n, support=len(line["evidence"]), against=0)
        for n, line in enumerate(scope.lessons, 1)
    ]
    system = render(
        "curator/system.jinja",
        operations=["add", "revise", "merge", "support", "retire"],
        max_lessons=40,
        counts=False,
    )
    key = (seed, trial, batch[0])
    offset = len(scope.evidence)
    for start in range(0, len(new), 8):
        group = [
            dict(item, alias=offset + start + n) for n, item in enumerate(new[start : start + 8], 1)
        ]
        user = render("curator/propose.jinja", evidence=group, **common)
        found = loop.reply(system, user, OPERATIONS, seed_of(key, start))
        proposals += found["operations"]
    scope.evidence += new
    user = render(
        "curator/merge.jinja",
        evidence=[dict(item, alias=n) for n, item in enumerate(scope.evidence, 1)],
        proposals=[dict(item, alias=n) for n, item in enumerate(proposals, 1)],
        nominations=[],
        **common,
    )
    apply(scope, loop.reply(system, user, OPERATIONS, seed_of(key, "merge"))["operations"])


def apply(scope: Scope, operations: Sequence[dict[str, Any]]) -> None:
    """Carries out the operations on the list; wrong ones are errors here."""
    gone: set[int] = set()
    added: list[Line] = []
    for op in operations:
        assert all(1 <= e <= len(scope.evidence) for e in op["evidence"])
        targets = [scope.lessons[n - 1] for n in op["lessons"]]
        line = {k: op[k] for k in ("name", "when", "when_not", "instruction")}
        cited = set(op["evidence"]).union(*(t["evidence"] for t in targets))
        if op["op"] == "add":
            assert op["evidence"]
            assert line["instruction"]
            assert not targets
            added.append(dict(line, evidence=cited))
        elif op["op"] == "support":
            assert len(targets) == 1
            assert op["evidence"]
            assert not line["instruction"]
            targets[0]["evidence"] = cited
        elif op["op"] == "retire":
            assert len(targets) == 1
            assert op["evidence"]
            gone.add(op["lessons"][0])
        else:
            assert len(targets) == 1 if op["op"] == "revise" else len(targets) >= 2
            gone.update(op["lessons"])
            added.append(dict(line, evidence=cited))
    scope.lessons = [x for n, x in enumerate(scope.lessons, 1) if n not in gone] + added
