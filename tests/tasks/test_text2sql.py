import re
from collections.abc import Mapping
from typing import Any

import pytest

import verbalrl as vrl
from benchmarks.honesty import Given
from verbalrl.errors import ConfigurationError
from verbalrl.models import Request, ScriptedModel
from verbalrl.records import Action, Instance, StepResult
from verbalrl.tasks import load_task


def everything(ref: str = "text2sql-v1") -> list[Instance]:
    task = load_task(ref)
    return [*task.instances("train", 0, 50), *task.instances("test", 0, 50)]


def judged(instance: Instance, text: str, ref: str = "text2sql-v1") -> StepResult:
    environment = load_task(ref).environment(instance)
    environment.reset(0)
    return environment.step(Action(text=text))


def test_what_a_stranger_would_write_is_wrong_everywhere_and_told_why() -> None:
    found = everything()
    assert len(found) == 18
    for instance in found:
        assert judged(instance, instance.answers[0]).success is True
        naive = judged(instance, str(instance.data["naive"]))
        assert naive.success is False
        assert str(instance.data["hint"]) in naive.feedback


def test_each_kind_of_question_is_in_both_splits() -> None:
    task = load_task("text2sql-v1")
    both = (task.instances("train"), task.instances("test"))
    train, test = ({str(i.data["hint"]) for i in found} for found in both)
    assert train == test
    assert len(test) == 5


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
    large = next(i for i in everything() if "large" in str(i.data["text"]))
    wider = large.answers[0].replace("select id", "select id, amount")
    assert judged(large, wider).reward == pytest.approx(2 / 3)
    assert judged(large, wider, "text2sql-v1?reward=paverl").reward == 1.0
    assert judged(large, "select 12345 as n").reward == 0.05
    assert judged(large, "select 1", "text2sql-v1?reward=paverl").reward == 0.0
    with pytest.raises(ConfigurationError, match="reward"):
        load_task("text2sql-v1?reward=kind")


RIGHT = {
    "revenue": (r"$", " and o.status = 'paid'"),
    "How many customers": (r"$", " and deleted = 0"),
    "large": ("amount > 100", "amount >= 60"),
    "overdue": (r"$", " and l.days > 21"),
    "borrowed": (
        "b.copies > 0",
        "b.copies > (select count(*) from loan l where l.book = b.id and l.returned = 0)",
    ),
}


def test_right_lessons_raise_success_and_wrong_ones_do_not() -> None:
    task = load_task("text2sql-v1")
    naive = {i.data["text"]: str(i.data["naive"]) for i in task.instances("test", 0, 50)}

    def clerk(request: Request) -> Mapping[str, Any]:
        """Writes what a stranger would, changed where a lesson names the question."""
        text = "\n".join(m.text for m in request.messages)
        query = next(q for shown, q in naive.items() if str(shown) in text)
        for when, old, new in re.findall(r"When (.*?): put '(.*?)' for '(.*?)'$", text, re.M):
            if when in text.rsplit("Question:", 1)[1]:
                query = re.sub(new, lambda _, old=old: old, query, count=1)  # type: ignore[misc]
        return {"action": query}

    def rate(lessons: str) -> float:
        texts = {i.id: (lessons,) for i in task.instances("test", 0, 50)} if lessons else {}
        plan = Given(name="retry", learns="shared", trials=1, split="test", texts=texts)
        learner = vrl.Learner(vrl.ChatAgent(ScriptedModel(clerk)), method=plan)
        arms = learner.run_sync(task, instances=5, arms=("learned",)).arms
        return float(arms["learned"]["success_rate"])

    lines = "\n".join(f"When {w}: put '{new}' for '{old}'" for w, (old, new) in RIGHT.items())
    assert rate("") == 0.0
    assert rate(lines.replace("= 'paid'", "is not null")) > 0.5
    assert rate("When large: put 'amount > 200' for 'amount > 100'") == 0.0
