import re
import sqlite3
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import verbalrl as vrl
from benchmarks.honesty import Given
from verbalrl.errors import ConfigurationError
from verbalrl.models import Request, ScriptedModel
from verbalrl.records import Action, Instance, StepResult
from verbalrl.tasks import load_task
from verbalrl.tasks.text2sql import TextToSql

ROOT = Path(__file__).parents[2]
WORLD = TextToSql.open(ROOT / "tasks" / "text2sql-v1", {}, 0)


def everything(ref: str = "text2sql-v1") -> list[Instance]:
    task = load_task(ref)
    return [*task.instances("train", 0, 1000), *task.instances("test", 0, 1000)]


def judged(instance: Instance, text: str, ref: str = "text2sql-v1") -> StepResult:
    environment = load_task(ref).environment(instance)
    environment.reset(0)
    return environment.step(Action(text=text))


def test_what_a_stranger_would_write_is_wrong_everywhere_and_no_right_answer_is_empty() -> None:
    databases: dict[str, sqlite3.Connection] = {}
    found = [q for questions in WORLD.splits.values() for q in questions]
    for question in found:
        name = question.schema.name
        if name not in databases:
            databases[name] = sqlite3.connect(":memory:")
            databases[name].executescript(question.schema.script)
        ask = databases[name].execute
        gold, naive = ask(question.gold).fetchall(), ask(question.naive).fetchall()
        assert gold not in ([], [(0,)], [(None,)]), question.text
        assert Counter(gold) != Counter(naive), question.text
    for connection in databases.values():
        connection.close()
    assert len({(q.schema.name, q.text) for q in found}) == len(found) == 720


def test_what_a_stranger_would_write_is_told_why_it_is_wrong() -> None:
    for instance in everything()[::180]:
        assert judged(instance, instance.answers[0]).success is True
        naive = judged(instance, str(instance.data["naive"]))
        assert naive.success is False
        assert str(instance.data["hint"]) in naive.feedback


def test_each_rule_is_met_in_both_splits_by_other_questions() -> None:
    task = load_task("text2sql-v1")
    both = (task.instances("train", 0, 1000), task.instances("test", 0, 1000))
    assert [len(found) for found in both] == [480, 240]
    hints, texts = ([{str(i.data[k]) for i in found} for found in both] for k in ("hint", "text"))
    assert hints[0] == hints[1]
    assert len(hints[0]) == 15
    assert not texts[0] & texts[1]


def test_the_task_seed_decides_which_questions_are_for_the_test() -> None:
    drawn = [
        {i.answers for i in load_task("text2sql-v1", task_seed=seed).instances("test", 0, 1000)}
        for seed in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "there is no query"),
        ("selec 1", "the query fails"),
        ("create table x(a)", "not authorized"),
        ("select 12345 as n", "not the right ones"),
    ],
)
def test_what_is_wrong_with_a_query_is_said(query: str, said: str) -> None:
    result = judged(everything()[0], query)
    assert said in result.feedback
    assert (result.success, result.terminated) == (False, True)


def test_partial_rewards() -> None:
    large = next(i for i in everything() if "ids of the large" in str(i.data["text"]))
    wider = large.answers[0].replace("select o.id", "select o.id, o.amount")
    assert judged(large, wider).reward == pytest.approx(2 / 3)
    assert judged(large, wider, "text2sql-v1?reward=paverl").reward == 1.0
    assert judged(large, "select 12345 as n").reward == 0.05
    assert judged(large, "select 1", "text2sql-v1?reward=paverl").reward == 0.0
    with pytest.raises(ConfigurationError, match="reward"):
        load_task("text2sql-v1?reward=kind")


# What somebody who knows the house puts for what a stranger would: where, which text, by what.
RIGHT = {
    "revenue": (r"$", " and o.status = 'paid'"),
    "our customers|customers do we": (r"$", " and c.deleted = 0"),
    "large orders": ("> 100", ">= 60"),
    "overdue": (r"$", " and l.days > 21"),
    "borrowed": (
        "> 0",
        "> (select count(*) from loan l where l.book = b.id and l.returned = 0)",
    ),
    "real loans": (r"$", " and l.days >= 3"),
    "visits were there": (r"$", " and v.state = 'held'"),
    "long visits": ("> 60", "> 40"),
    "grown-up": ("2008", "2010"),
    "we sold": (r"$", " and s.state <> 'cancelled'"),
    "rooms can we|rooms to let": (r"$", " and r.closed = 0"),
    "long stays": (">= 7", ">= 5"),
    "driven|drives": (r"$", " and t.purpose = 'work'"),
    "vehicles": (r"$", " and v.retired = 0"),
    "long tours": ("> 300", ">= 150"),
}


def test_right_lessons_raise_success_and_wrong_ones_lower_it() -> None:
    """A clerk who knows some rules; a lesson adds one, or makes the clerk give one up."""
    task, count = load_task("text2sql-v1"), 20
    known = {i.data["text"]: i for i in task.instances("test", 0, count)}
    knows = {"> 60", "2008", ">= 7"}

    def clerk(request: Request) -> Mapping[str, Any]:
        """Writes what a stranger would, changed where a lesson or habit names the question."""
        text = "\n".join(m.text for m in request.messages)
        instance = next(i for shown, i in known.items() if str(shown) in text)
        query, asked = str(instance.data["naive"]), text.rsplit("Question:", 1)[1]
        lessons = re.findall(r"When (.*?): put '(.*?)' for '(.*?)'$", text, re.M)
        habits = [(when, new, old) for when, (old, new) in RIGHT.items() if old in knows]
        for when, new, old in [*lessons, *habits]:
            if re.search(when, asked) and re.search(old, query):
                return {"action": re.sub(old, lambda _, new=new: new, query, count=1)}  # type: ignore[misc]
        return {"action": query}

    def rate(lessons: str) -> float:
        texts = {i.id: (lessons,) for i in known.values()} if lessons else {}
        plan = Given(name="retry", learns="shared", trials=1, split="test", texts=texts)
        learner = vrl.Learner(vrl.ChatAgent(ScriptedModel(clerk)), method=plan)
        arms = learner.run_sync(task, instances=count, arms=("learned",)).arms
        return float(arms["learned"]["success_rate"])

    lines = "\n".join(f"When {w}: put '{new}' for '{old}'" for w, (old, new) in RIGHT.items())
    none = rate("")
    assert 0.0 < none < 0.5
    assert rate(lines) == 1.0
    wrong = [f"When {w}: put '> 900' for '{o}'" for w, (o, _) in RIGHT.items() if o in knows]
    assert rate("\n".join(wrong)) == 0.0


STAFF = """
[fill]
all = [""]
[[schemas]]
name = "staff"
script = '''
create table e(name text, dept text, sal real, yrs integer);
insert into e values ('ann', 'hr', 10, 1), ('bob', 'it', 20, 2), ('cyd', 'ops', 30, 3),
  ('dan', 'hr', 40, 4), ('eve', 'it', 50, 5);
'''
[[schemas.rules]]
source = "e"
right = "yrs > 0"
hint = "it is not that"
asks = [{ text = "Who is where{all}", select = "name, dept" }]
scopes = [{ text = "?", sql = "yrs < 9" }]
"""
MISPAIRED = (
    "select 'ann' n, 'it' d union all select 'bob', 'hr' union all select 'cyd', 'ops' "
    "union all select 'dan', 'it' union all select 'eve', 'hr'"
)


@pytest.mark.parametrize(
    ("query", "strict", "paverl"),
    [
        ("select name, dept from e", 1.0, 1.0),
        ("select dept, name from e", 1.0, 1.0),
        ("select name, dept from e order by sal desc", 1.0, 1.0),
        ("select name as who, dept as team from e", 1.0, 1.0),
        ("select name from e", 0.5, 0.5),
        ("select name, dept, yrs from e", 0.8, 1.0),
        ("select name, dept from e where yrs < 5", 8 / 9, 0.8),
        ("select name, dept from e where yrs < 4", 0.75, 0.6),
        ("select name, sal from e", 0.5, 0.5),
        (MISPAIRED, 0.2, 1.0),
        ("select name, dept from e union all select 'ann', 'hr'", 10 / 11, 1.0),
        ("select * from e", 2 / 3, 0.0),
        ("select 99 as one, 98 as two", 0.05, 0.05),
        ("selec name, dept from e", 0.0, 0.0),
    ],
)
def test_the_reference_table_of_partial_match(
    query: str, strict: float, paverl: float, tmp_path: Path
) -> None:
    (tmp_path / "schemas.toml").write_text(STAFF)
    earned = {}
    for reward in ("strict", "paverl"):
        world = TextToSql.open(tmp_path, {"reward": reward}, 0)
        problem = world.problem("test", 0)
        instance = Instance(
            id="i", goal="g", split="test", data=problem.data, answers=problem.answers
        )
        result = world.environment(instance).step(Action(text=query))
        earned[reward] = result.reward
        assert result.success is (strict == 1.0)
        assert ("syntax error" in result.feedback) is query.startswith("selec ")
    assert earned == pytest.approx({"strict": strict, "paverl": paverl})
