"""Every prompt, rendered from fixed inputs, against a stored text; so that a change is read.

`REFRESH_GOLDEN=1 pytest tests/test_golden.py` writes the texts anew. Read the diff.
"""

import os
from pathlib import Path
from typing import Any

import jinja2.meta
import pytest

from tests.apprentice.prompting import PROMPTS, environment, render
from tests.test_prompts import INPUTS
from verbalrl.prompts import PromptLibrary

GOLDEN = Path(__file__).parent / "golden"

LINES: list[dict[str, Any]] = [
    {"alias": 1, "name": "damp clay", "when": "the clay is damp", "when_not": "",
     "instruction": "let it dry first"},
    {"alias": 2, "name": "tall pots", "when": "the pot is tall", "when_not": "it has a lid",
     "instruction": "do not choose top shelf"},
    {"alias": 3, "name": "care", "when": "", "when_not": "", "instruction": "touch nothing twice"},
]  # fmt: skip
STEPS: list[dict[str, Any]] = [
    {"n": 1, "observation": "A tall pot.\nIts rim is thin.", "action": "middle shelf",
     "feedback": "It fits.", "reward": "0", "notes": ["person: look at the rim"]},
    {"n": 2, "observation": "A flat dish.", "action": "top shelf", "feedback": "It falls.",
     "reward": "-1", "notes": []},
]  # fmt: skip
ATTEMPTS: list[dict[str, Any]] = [
    {"n": 1, "steps": STEPS, "success": "false", "stop": "terminated", "reward": "-1"},
    {"n": 2, "steps": STEPS[:1], "success": "true", "stop": "terminated", "reward": "1"},
]
LESSONS = [dict(line, support=3, against=n) for n, line in enumerate(LINES)]
EVIDENCE: list[dict[str, Any]] = [
    {"alias": 1, "outcome": "failure", "goal": "Fill the\ntop shelf.",
     "observation": "A flat dish.\nIt is glazed.",
     "action": "top shelf", "feedback": "It falls.", "given": [2],
     "proposals": [{"when": "the dish is flat", "when_not": "", "instruction": "avoid top shelf",
                    "also_possible": ["it is glazed", "it is cold"]}]},
    {"alias": 2, "outcome": "success", "goal": "", "observation": "A tall pot.",
     "action": "middle shelf", "feedback": "It fits.", "given": [], "proposals": []},
]  # fmt: skip
PROPOSALS: list[dict[str, Any]] = [
    {"alias": 1, "op": "add", "lessons": [], "evidence": [1], "name": "flat", "when_not": "",
     "when": "the dish is flat", "instruction": "avoid top shelf", "reason": "It fell."},
    {"alias": 2, "op": "support", "lessons": [2], "evidence": [2], "name": "", "when": "",
     "when_not": "", "instruction": "", "reason": ""},
]  # fmt: skip
CONDITIONS: list[dict[str, Any]] = [
    {"alias": 1, "when": "the pot is tall", "when_not": "it has a lid",
     "examples_not": ["A tall shelf\nwith a pot.", "The pot is not tall."]},
    {"alias": 2, "when": "the clay is damp", "when_not": "", "examples_not": []},
]  # fmt: skip
PAST = {name: STEPS[0][name] for name in ("n", "observation", "action", "feedback")}
PASTS = [{name: step[name] for name in PAST} for step in STEPS]
SHELVES = ["top shelf", "middle shelf"]
STEP: dict[str, Any] = {
    "goal": "Load the kiln.", "volatile": [], "texts": [], "notes": [], "history": [],
    "observation": "A flat dish.", "actions": SHELVES, "previous": None, "memos": [],
}  # fmt: skip
CURATION: dict[str, Any] = {
    "goal": "Load the kiln.", "actions": SHELVES, "lessons": LESSONS, "evidence": EVIDENCE,
    "directions": [], "step": None,
}  # fmt: skip
BELIEFS: dict[str, Any] = CURATION | {
    "lessons": [lesson | {"aspect": "shape"} for lesson in LESSONS[:2]],
    "evidence": [
        EVIDENCE[0] | {"proposals": [EVIDENCE[0]["proposals"][0] | {"aspect": "glaze"}]},
        EVIDENCE[1],
    ],
    "directions": ["Flat dishes\nlost; keep them low.", "Tall pots won."],
    "step": {"agreed": 71, "change": 29, "lines": 1},
}
PLACE: dict[str, Any] = {
    "goal": "Load the kiln.", "observation": "A flat dish.", "actions": SHELVES,
}  # fmt: skip
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "actor-act-memos": (
        "actor/act.jinja",
        STEP | {
            "history": [PAST],
            "memos": [
                {"n": 1, "said": "step 1, glaze analyst", "text": "The glaze\nruns."},
                {"n": 2, "said": "the attempt before, step 4, you yourself", "text": "It held."},
            ],
            "notes": [{"author": "cvar", "text": "Risk alert: in doubt, hold."}],
        },
    ),
    "actor-system": ("actor/system.jinja", {"role": "kiln hand", "stable": LINES}),
    "actor-system-bare": ("actor/system.jinja", {"role": "", "stable": []}),
    "actor-manager": ("actor/manager.jinja", {"role": "kiln master", "stable": LINES}),
    "actor-manager-bare": ("actor/manager.jinja", {"role": "", "stable": []}),
    "actor-analyst": (
        "actor/analyst.jinja", {"who": "clay", "role": "You fear damp.", "stable": LINES}
    ),
    "actor-analyst-bare": ("actor/analyst.jinja", {"who": "clay", "role": "", "stable": []}),
    "actor-report": (
        "actor/report.jinja",
        {"goal": "Load the kiln.", "volatile": LINES[1:2], "texts": ["Your reports counted."],
         "lines": ["The clay is damp.", "A pot is tall."]},
    ),
    "actor-report-bare": (
        "actor/report.jinja",
        {"goal": "Load the kiln.", "volatile": [], "texts": [], "lines": ["The clay is dry."]},
    ),
    "actor-act": (
        "actor/act.jinja",
        STEP | {
            "volatile": LINES[1:2], "texts": ["Plates go up."], "history": [PAST],
            "notes": [{"author": "person", "text": "mind\nthe rim"}],
            "previous": {"output": "top shelf", "critique": "too high"},
        },
    ),
    "actor-act-bare": ("actor/act.jinja", STEP),
    "actor-act-refined": (
        "actor/act.jinja",
        STEP | {
            "previous": {
                "output": "middle shelf", "critique": "too low",
                "earlier": [["top shelf\nfirst", "too high"], ["no shelf", "it must stand\nfast"]],
            },
        },
    ),
    "actor-served-stable": ("actor/served_stable.jinja", {"lines": LINES}),
    "actor-served-volatile": ("actor/served_volatile.jinja", {"lines": LINES[1:2]}),
    "critic-operator": (
        "critic/operator.jinja",
        {"goal": "kiln", "feedback": ["say\nwhen it cools"],
         "attempts": [{"n": 1, "success": "false", "stop": "terminated", "reward": "0", "steps": [
             {"n": 1, "observation": "", "action": "look_up", "feedback": "", "reward": "",
              "notes": []}]}]},
    ),
    "critic-system": ("critic/system.jinja", {}),
    "critic-critique": (
        "critic/critique.jinja",
        {"goal": "Load the kiln.", "actions": SHELVES, "attempts": ATTEMPTS[:1],
         "earlier": LINES, "feedback": ["the dish\nbroke"]},
    ),
    "critic-pair": (
        "critic/pair.jinja",
        {"goal": "Load the kiln.", "actions": SHELVES, "attempts": ATTEMPTS, "earlier": [],
         "feedback": []},
    ),
    "critic-success": (
        "critic/success.jinja",
        {"goal": "Load the kiln.", "actions": SHELVES, "attempts": ATTEMPTS[1:], "earlier": [],
         "feedback": []},
    ),
    "critic-trades": (
        "critic/trades.jinja",
        {"goal": "Load the kiln.", "actions": SHELVES, "attempts": ATTEMPTS,
         "aspects": ["shape", "glaze", "other"], "trades": [
             {"attempt": 1, "first": 1, "last": 1, "action": "middle shelf", "result": "0",
              "won": None},
             {"attempt": 1, "first": 2, "last": 4, "action": "top shelf", "result": "-1",
              "won": False},
             {"attempt": 2, "first": 1, "last": 1, "action": "middle\nshelf", "result": "1",
              "won": True}]},
    ),
    "critic-trades-bare": (
        "critic/trades.jinja",
        {"goal": "Load the kiln.", "actions": None, "attempts": ATTEMPTS, "aspects": [], "trades": [
             {"attempt": 2, "first": 1, "last": 1, "action": "middle shelf", "result": "",
              "won": None}]},
    ),
    "critic-critique-group": (
        "critic/critique.jinja",
        {"goal": "Load the kiln.", "actions": None, "attempts": ATTEMPTS, "earlier": [],
         "feedback": []},
    ),
    "critic-reviewer": ("critic/reviewer.jinja", {}),
    "critic-feedback": (
        "critic/feedback.jinja",
        {"goal": "Load the kiln.", "actions": SHELVES, "steps": STEPS},
    ),
    "critic-judge": ("critic/judge.jinja", {}),
    "critic-group": (
        "critic/group.jinja",
        {"goal": "Load the kiln.", "observation": "A flat dish.", "candidates": [
            {"n": 1, "output": "top shelf\nthen shut", "result": "It stands."},
            {"n": 2, "output": "middle shelf", "result": ""}]},
    ),
    "critic-plan": ("critic/plan.jinja", PLACE | {"plan": [], "problems": []}),
    "critic-plan-again": (
        "critic/plan.jinja",
        PLACE | {"plan": ["look at\nthe dish", "choose top shelf"], "problems": ["it may fall"]},
    ),
    "critic-problems-plan": (
        "critic/problems.jinja", PLACE | {"plan": ["choose top shelf"], "draft": ""},
    ),
    "critic-problems-draft": (
        "critic/problems.jinja", PLACE | {"plan": [], "draft": "top shelf"},
    ),
    "notes-plan": ("notes/plan.jinja", {"steps": ["look\nat it", "choose top shelf"]}),
    "notes-problems": ("notes/problems.jinja", {"problems": ["it may\nfall", "it is hot"]}),
    "notes-form-listed": (
        "notes/form.jinja", {"draft": "top", "listed": True, "pattern": ""},
    ),
    "notes-form-pattern": (
        "notes/form.jinja", {"draft": "top", "listed": False, "pattern": "shelf [0-9]"},
    ),
    "notes-ground": ("notes/ground.jinja", {"draft": "top shelf"}),
    "notes-repeated": ("notes/repeated.jinja", {"draft": "top shelf", "times": 3}),
    "notes-risk": (
        "notes/risk.jinja",
        {"lost": "1.20%", "before": "-0.40%", "now": "-1.20%", "tail": "1 %", "safe": "hold"},
    ),
    "notes-risk-lost": (
        "notes/risk.jinja", {"lost": "0.30%", "before": "", "now": "", "tail": "1 %", "safe": ""},
    ),
    "notes-risk-fell": (
        "notes/risk.jinja",
        {"lost": "", "before": "+0.50%", "now": "+0.20%", "tail": "1 %", "safe": "hold"},
    ),
    "mcp-instructions": (
        "mcp/instructions.jinja", {"scopes": ["support", "sales"], "writes": True},
    ),
    "mcp-instructions-bare": ("mcp/instructions.jinja", {"scopes": ["support"], "writes": False}),
    "curator-system": (
        "curator/system.jinja",
        {"operations": ["add", "revise", "merge", "support", "retire"], "max_lessons": 40,
         "counts": False},
    ),
    "curator-system-counts": (
        "curator/system.jinja",
        {"operations": ["add", "revise", "support", "retire"], "max_lessons": 40, "counts": True},
    ),
    "curator-system-support": (
        "curator/system.jinja",
        {"operations": ["support"], "max_lessons": 40, "counts": False},
    ),
    "curator-beliefs": (
        "curator/beliefs.jinja",
        {"operations": ["add", "revise", "merge", "support", "retire"], "max_lessons": 24,
         "counts": False, "aspects": ["shape", "glaze", "other"]},
    ),
    "curator-beliefs-votes": (
        "curator/beliefs.jinja",
        {"operations": ["support", "retire"], "max_lessons": 24, "counts": True, "aspects": []},
    ),
    "curator-propose-beliefs": ("curator/propose.jinja", BELIEFS),
    "curator-merge-beliefs": (
        "curator/merge.jinja",
        BELIEFS | {
            "proposals": [PROPOSALS[0] | {"aspect": "shape"}, PROPOSALS[1]], "nominations": [],
        },
    ),
    "curator-propose": ("curator/propose.jinja", CURATION),
    "curator-merge": (
        "curator/merge.jinja", CURATION | {"proposals": PROPOSALS, "nominations": []},
    ),
    "curator-merge-pairs": (
        "curator/merge.jinja",
        CURATION | {
            "proposals": PROPOSALS,
            "nominations": [
                {"proposal": 1, "lessons": [2], "opposed": True},
                {"proposal": 0, "lessons": [1, 3], "opposed": False},
            ],
        },
    ),
    "actor-tools": ("actor/tools.jinja", {"role": "kiln hand", "stable": LINES}),
    "actor-tools-bare": ("actor/tools.jinja", {"role": "", "stable": []}),
    "actor-tools-goal": (
        "actor/tools_goal.jinja",
        {"goal": "Load the kiln.", "volatile": LINES[1:2], "texts": ["Plates go up."]},
    ),
    "actor-tools-goal-bare": (
        "actor/tools_goal.jinja", {"goal": "Load the kiln.", "volatile": [], "texts": []},
    ),
    "actor-tools-turn": (
        "actor/tools_turn.jinja",
        {"feedback": "It fits.", "observation": "A flat dish.\nIt is glazed.", "omitted": 7,
         "previous": {"output": "top shelf", "critique": "too high"},
         "notes": [{"author": "person", "text": "mind\nthe rim"}], "actions": SHELVES},
    ),
    "actor-tools-turn-only": (
        "actor/tools_turn.jinja",
        {"feedback": "", "observation": "A flat dish.", "omitted": 0, "previous": None,
         "notes": [], "actions": []},
    ),
    "memory-attempt": (
        "memory/attempt.jinja",
        {"goal": "Load the\nkiln.", "outcome": "success", "omitted": 2, "steps": PASTS},
    ),
    "memory-attempt-own": (
        "memory/attempt.jinja",
        {"goal": "", "outcome": "failure", "omitted": 0, "steps": PASTS[1:]},
    ),
    "memory-applies": (
        "memory/applies.jinja",
        {"situation": "A tall pot, to be fired\nby noon.", "lessons": CONDITIONS},
    ),
    "export-turn": (
        "export/turn.jinja",
        {"goal": "Load the kiln.", "feedback": "", "observation": "A flat dish.",
         "actions": SHELVES},
    ),
    "export-turn-later": (
        "export/turn.jinja",
        {"goal": "", "feedback": "It falls.", "observation": "A tall pot.\nIts rim is thin.",
         "actions": []},
    ),
    "models-json": ("models/json.jinja", {"schema_text": '{"type": "object"}'}),
    "shared-guidance": (
        "_shared/guidance.jinja",
        {"stable": LINES[:2], "volatile": LINES[2:], "texts": ["Plates go up."]},
    ),
    "shared-history": ("_shared/history.jinja", {"step": PAST}),
}  # fmt: skip
FILES = sorted(path.relative_to(PROMPTS).as_posix() for path in PROMPTS.rglob("*.jinja"))


@pytest.mark.parametrize("name", CASES)
def test_a_prompt_reads_as_stored(name: str) -> None:
    template, variables = CASES[name]
    found = render(template, **variables)
    stored = GOLDEN / f"{name}.txt"
    if os.environ.get("REFRESH_GOLDEN"):
        stored.write_text(found, encoding="utf-8")
    assert found == stored.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_the_library_renders_the_same_from_typed_inputs(name: str) -> None:
    template, variables = CASES[name]
    prompt = template.removesuffix(".jinja")
    typed = INPUTS[prompt].model_validate(variables)
    stored = (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
    assert PromptLibrary().render(prompt, typed).text == stored


def test_every_prompt_has_a_golden_text() -> None:
    rendered = [f for f in FILES if f.removesuffix(".jinja") in INPUTS]
    assert sorted({template for template, _ in CASES.values()}) == rendered
    assert all(f.startswith("_shared/") for f in set(FILES) - set(rendered))
    assert {f"{name}.txt" for name in CASES} == {f.name for f in GOLDEN.iterdir()}


@pytest.mark.parametrize("file", FILES)
def test_a_prompt_file_opens_with_its_purpose_and_is_short(file: str) -> None:
    text = (PROMPTS / file).read_text(encoding="utf-8")
    assert text.startswith("{#\n  Purpose: ")
    assert len(text.splitlines()) <= (100 if file == "critic/system.jinja" else 60)


@pytest.mark.parametrize("name", CASES)
def test_a_prompt_uses_its_variables_and_no_others(name: str) -> None:
    template, variables = CASES[name]
    source = (PROMPTS / template).read_text(encoding="utf-8")
    assert jinja2.meta.find_undeclared_variables(environment().parse(source)) == set(variables)


BARE = ("actor-system-bare", "actor-act-bare", "actor-manager-bare", "actor-analyst-bare",
        "actor-report-bare")  # fmt: skip


def test_without_lessons_there_is_no_trace_of_guidance() -> None:
    bare = [render(*CASES[n][:1], **CASES[n][1]) for n in BARE]
    assert not any("guidance" in text or "earlier attempts" in text for text in bare)


@pytest.mark.parametrize("name", CASES)
def test_each_tag_stands_once(name: str) -> None:
    template, variables = CASES[name]
    lines = render(template, **variables).split("<example>")[0].splitlines()
    tags = [line for line in lines if line.startswith("<") and not line.startswith("<attempt")]
    tags = [tag for tag in tags if tag != "</attempt>"]
    assert len(tags) == len(set(tags))
