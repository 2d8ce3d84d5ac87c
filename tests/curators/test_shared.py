from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from tests.curators.builders import (
    ACTIONS,
    add,
    critique,
    curate,
    curation,
    episode,
    lesson,
    op,
    reply,
    rests_on,
    says,
    some,
)
from verbalrl import ChatAgent, Learner, load_task, methods
from verbalrl.curators import PROMPT_INPUTS, CuratorReply, adapt_curator
from verbalrl.errors import ConfigurationError, ReplayMismatch
from verbalrl.models import DelayedModel, MemoryJournal, Request, ScriptedModel
from verbalrl.prompts import PromptLibrary
from verbalrl.records import Commit, Objection, Operation, Origin, Status
from verbalrl.store.reduce import reduce

NOTHING = reply()


def is_merge(request: Request) -> bool:
    return "<proposals>" in request.messages[-1].text


def shown(request: Request, tag: str) -> str:
    text = request.messages[-1].text
    return text.split(f"<{tag}>\n")[1].split(f"</{tag}>")[0]


def answering(propose: Any, merge: Any = NOTHING) -> ScriptedModel:
    return ScriptedModel(lambda request: merge if is_merge(request) else propose)


def test_templates_and_inputs_agree() -> None:
    PromptLibrary().check(PROMPT_INPUTS, exact=True)


def test_groups_propose_in_order_and_one_call_merges() -> None:
    model = answering(NOTHING, reply(add("choose cobalt", "it says so", 1, 20)))
    commit = curate(curation(some(20)), model)
    assert [is_merge(r) for r in model.requests] == [False] * 3 + [True]
    firsts = [shown(r, "evidence").split("]")[0] for r in model.requests]
    assert firsts == ["[1", "[9", "[17", "[1"]
    assert "[20] " in shown(model.requests[-1], "evidence")
    assert len(commit.updates) == 1
    assert commit.updates[0].op is Operation.ADD
    assert commit.updates[0].votes == {"support": 2}
    assert commit.critiques == tuple(c.id for _, c in some(20))
    assert commit.base == 4
    assert commit.usage.calls == 4
    assert len(commit.updates[0].prompt_sha) == 64


def test_observation_feedback_and_proposals_are_shown() -> None:
    model = answering(NOTHING)
    ep = episode("t1", "Enterprise customer wants to cancel.", "cobalt", success=True)
    curate(
        curation(
            [(ep, critique(ep, says("choose cobalt", "cancel", also_possible=("enterprise",))))]
        ),
        model,
    )
    text = model.requests[0].messages[-1].text
    assert "[1] outcome: success | action: cobalt | feedback: Correct." in text
    assert "observation: Enterprise customer wants to cancel." in text
    assert "proposed: When cancel: choose cobalt" in text
    assert "(also possible: enterprise)" in text
    assert shown(model.requests[0], "actions").split() == [
        f"{x}" for a in ACTIONS for x in ("-", a)
    ]


def test_goals_that_differ_stand_beside_their_evidence(tmp_path: Path) -> None:
    model = answering(NOTHING)
    critic = ScriptedModel(
        lambda _: {"verdict": "failure", "causes": [{"step": 1, "why": "It looked elsewhere."}]}
    )
    learner = Learner(
        ChatAgent("offline:apprentice"),
        method=methods.handbook(trials=1, max_steps=2),
        critic=critic,
        curator=model,
        store=tmp_path,
    )
    task = load_task("household-v1")
    learner.run_sync(task, instances=1, train_instances=2, arms=("learned",))
    text = shown(model.requests[0], "evidence")
    assert "<goal>\n" + task.summary in model.requests[0].messages[-1].text
    goals = {i.goal for i in task.instances("train")}
    told = re.findall(r"    goal: (.*)\n    observation: ", text)
    assert len(set(told)) == 2
    assert set(told) <= goals


def test_only_group_decides_where_a_merge_could_see_nothing_new() -> None:
    model = answering(reply(add("choose cobalt")))
    commit = curate(curation(some(8), lessons=(lesson("a"),)), model)
    assert [is_merge(r) for r in model.requests] == [False]
    assert [u.op for u in commit.updates] == [Operation.ADD]


def test_evidence_of_earlier_rounds_is_shown_to_the_merging_call() -> None:
    model = answering(NOTHING)
    curate(curation(some(2), earlier=some(3, "old")), model)
    propose, merge = model.requests
    assert "old1" not in propose.messages[-1].text
    assert "old1" in merge.messages[-1].text
    assert shown(merge, "evidence").startswith("[1] ")


def test_evidence_that_does_not_fit_is_counted() -> None:
    commit = curate(
        curation(some(2), earlier=some(200, "old"), evidence_tokens=800), answering(NOTHING)
    )
    assert any(r.startswith("evidence: ") and "not shown" in r for r in commit.rejected)


def test_lessons_given_to_the_agent_are_shown_and_supported() -> None:
    known = lesson("a", votes={"support": 3, "against": 1})
    ep = episode("t1", given=(known,), success=True)
    model = answering(reply(op("support", lessons=[1], evidence=[1])))
    commit = curate(curation([(ep, critique(ep, says("choose amber")))], lessons=(known,)), model)
    assert "[1] When a ticket: choose a (support 3, against 1)" in shown(
        model.requests[0], "lessons"
    )
    assert "lessons given: 1" in shown(model.requests[0], "evidence")
    assert [(u.op, u.lesson) for u in commit.updates] == [(Operation.SUPPORT, "a")]


def test_unusable_lessons_are_not_shown() -> None:
    model = answering(NOTHING)
    gone = [
        lesson(s.value, status=s) for s in Status if s not in (Status.ACTIVE, Status.PROVISIONAL)
    ]
    curate(curation(some(1), lessons=(*gone, lesson("a"))), model)
    assert shown(model.requests[0], "lessons").count("\n") == 1


def test_proposals_reach_the_merging_call_and_nothing_is_dropped_silently() -> None:
    model = answering(
        reply(add("choose cobalt", "it says so", 1, name="c"), add("choose violet", "x", 99)),
        reply(op("add", proposals=[1]), add("choose amber", "", 1), add("wait", "y", 77)),
    )
    commit = curate(curation(some(9), group=9, **{}), model)
    # One group: it decides by itself.
    assert [u.op for u in commit.updates] == [Operation.ADD]
    assert "evidence 99 was not shown" in commit.rejected[0]
    model = answering(
        reply(add("choose cobalt", "it says so", 1, name="c"), add("choose violet", "x", 99)),
        reply(op("add", proposals=[1]), add("wait", "y", 77)),
    )
    commit = curate(curation(some(2), earlier=some(1, "old")), model)
    assert "[1] add | lessons: none | evidence: 1" in shown(model.requests[-1], "proposals")
    assert [u.body.instruction for u in commit.updates if u.body] == ["choose cobalt"]
    assert any("group 1: add 'choose violet': evidence 99" in r for r in commit.rejected)
    assert any("evidence 77 was not shown" in r for r in commit.rejected)


def test_proposals_not_taken_up_are_recorded() -> None:
    model = answering(reply(add("choose cobalt", "x", 1, name="c")), NOTHING)
    commit = curate(curation(some(2), earlier=some(1, "old")), model)
    assert commit.updates == ()
    assert commit.rejected == ("proposal 1 (add 'c'): not taken up",)


def test_proposed_support_stands_unless_the_merge_touches_the_lesson() -> None:
    support = reply(op("support", lessons=[1], evidence=[1]))
    case = curation(some(2), earlier=some(1, "old"), lessons=(lesson("a"), lesson("b")))
    commit = curate(case, answering(support, NOTHING))
    assert [(u.op, u.lesson) for u in commit.updates] == [(Operation.SUPPORT, "a")]
    assert commit.rejected == ()
    retire = reply(op("retire", lessons=[1], evidence=[1]))
    commit = curate(case, answering(support, retire))
    assert [u.op for u in commit.updates] == [Operation.RETIRE]


def test_group_is_not_bound_by_the_cap_but_the_merge_is() -> None:
    lessons = (lesson("a"), lesson("b"))
    model = answering(
        reply(add("choose cobalt", "x", 1)),
        reply(
            op("retire", lessons=[2], evidence=[1]), op("add", proposals=[1]), add("wait", "y", 2)
        ),
    )
    case = curation(some(2), earlier=some(1, "old"), lessons=lessons, max_lessons=2)
    commit = curate(case, model)
    assert [u.op for u in commit.updates] == [Operation.RETIRE, Operation.ADD]
    assert any("the list is full (2 lessons)" in r for r in commit.rejected)


def test_missing_when_is_asked_for_once() -> None:
    model = ScriptedModel(
        [reply(add("choose cobalt", "")), reply(add("choose cobalt", "it says so", 1))]
    )
    commit = curate(curation(some(1)), model)
    assert len(model.requests) == 2
    assert "`when` is empty" in model.requests[1].messages[-1].text
    assert len(commit.updates) == 1
    assert commit.rejected == ()


def test_still_missing_when_is_rejected_and_the_rest_stands() -> None:
    bad = reply(add("choose cobalt", ""), add("wait", "it is late", 1))
    model = ScriptedModel([bad, bad])
    commit = curate(curation(some(1)), model)
    assert [u.body.instruction for u in commit.updates if u.body] == ["wait"]
    assert "`when` is empty" in commit.rejected[0]


def texts(commit: Commit) -> list[str]:
    return sorted(u.body.instruction for u in commit.updates if u.body)


def test_second_answer_of_the_mended_part_alone_leaves_the_rest() -> None:
    good, support = add("wait", "it is late", 1), op("support", lessons=[1], evidence=[1])
    first = reply(good, support, add("choose cobalt", ""))
    model = ScriptedModel([first, reply(add("choose cobalt", "it says so", 1))])
    commit = curate(curation(some(1), lessons=(lesson("a"),)), model)
    assert texts(commit) == ["choose cobalt", "wait"]
    assert [u.lesson for u in commit.updates if u.op is Operation.SUPPORT] == ["a"]
    assert commit.rejected == ()


def test_what_the_second_answer_replaces_or_gives_up_is_recorded() -> None:
    first = reply(
        op("support", lessons=[1], evidence=[1]),
        add("go", "it is late", 1),
        add("choose cobalt", ""),
    )
    second = reply(op("retire", lessons=[1], evidence=[1]), add("go", "it is night", 1))
    commit = curate(curation(some(1), lessons=(lesson("a"),)), ScriptedModel([first, second]))
    assert [u.op for u in commit.updates] == [Operation.RETIRE, Operation.ADD]
    assert commit.rejected == (
        "add 'choose cobalt': `when` is empty; say how the situation can be recognised before"
        " acting",
        "support [1]: replaced when it was asked again",
        "add 'go': replaced when it was asked again",
    )


def test_the_whole_list_again_changes_nothing_but_what_was_mended() -> None:
    good = add("wait", "it is late", 1)
    model = ScriptedModel(
        [reply(good, add("choose cobalt", "")), reply(good, add("choose cobalt", "so", 1))]
    )
    commit = curate(curation(some(1)), model)
    assert texts(commit) == ["choose cobalt", "wait"]
    assert commit.rejected == ()


def test_failing_second_asking_leaves_the_first_answer() -> None:
    bad = reply(add("choose cobalt", ""), add("wait", "it is late", 1))
    model = ScriptedModel([bad, RuntimeError("no network")])
    commit = curate(curation(some(1)), model)
    assert len(commit.updates) == 1
    assert not commit.failure
    assert (
        commit.lacking == "asked once more: model_error: scripted raised RuntimeError: no network"
    )
    assert commit.lacking in commit.rejected


def test_model_failure_consumes_the_critiques_without_updates() -> None:
    model = ScriptedModel(lambda _request: RuntimeError("no network"))
    commit = curate(curation(some(3)), model)
    assert commit.updates == ()
    assert len(commit.critiques) == 3
    assert commit.failure == "model_error: scripted raised RuntimeError: no network"


def test_one_failing_group_does_not_stop_the_others() -> None:
    def answer(request: Request) -> Any:
        if not is_merge(request) and "Ticket t9:" in request.messages[-1].text:
            return RuntimeError("no network")
        return reply(op("add", proposals=[1])) if is_merge(request) else reply(add("wait", "x", 1))

    commit = curate(curation(some(9)), ScriptedModel(answer))
    assert len(commit.updates) == 1
    assert any(r.startswith("group 2: model_error") for r in commit.rejected)
    assert commit.lacking.startswith("group 2: model_error")


@pytest.mark.parametrize("part", ["Ticket t9:", "Give the whole list"])
def test_what_was_answered_without_a_part_is_no_answer_with_it(part: str) -> None:
    def answer(request: Request) -> dict[str, Any]:
        text = request.messages[-1].text
        if is_merge(request):
            return reply(*(op("add", proposals=[n]) for n in range(1, text.count("] add ") + 1)))
        if "Ticket u1:" in text:
            return reply(op("support", lessons=[1], evidence=[10]))
        if "Ticket t9:" in text:
            return reply(add("go", "it is late" if "Give the whole list" in text else "", 9))
        return reply(add("wait", "it is time", 1))

    def broken(request: Request) -> Any:
        down = part in request.messages[-1].text and not is_merge(request)
        return RuntimeError("no network") if down else answer(request)

    # The second level begins with what the first one has made.
    new = [*some(9, trust=Origin.OPERATOR), *some(1, "u")]
    case, journal = curation(new, lessons=(lesson("a"),)), MemoryJournal()
    partly, model = curate(case, ScriptedModel(broken), journal), ScriptedModel(answer)
    answered = {key for key, _ in journal.records}
    whole = curate(case, model, journal)
    assert whole == curate(case, ScriptedModel(answer))
    assert (bool(partly.lacking), whole.lacking) == (True, "")
    assert len(whole.updates) == len(partly.updates) + 1
    assert not {request.call_key for request in model.requests} & answered


def test_failing_merge_makes_no_updates() -> None:
    model = ScriptedModel(
        lambda r: RuntimeError("gone") if is_merge(r) else reply(add("wait", "x", 1))
    )
    commit = curate(curation(some(9)), model)
    assert commit.updates == ()
    assert "gone" in commit.failure


def test_refused_and_failed_critiques_are_no_evidence() -> None:
    new = [*some(1), *some(1, "bad", status="refused"), *some(1, "worse", status="failed")]
    model = answering(NOTHING)
    commit = curate(curation(new), model)
    assert len(commit.critiques) == 3
    assert "bad" not in model.requests[0].messages[-1].text
    assert curate(curation(some(2, status="refused")), ScriptedModel([])).failure == ""


def test_critique_without_a_step_is_recorded() -> None:
    new = some(1)
    bare = new[0][0].replace(trajectory=new[0][0].trajectory.replace(steps=()))
    commit = curate(curation([(bare, new[0][1])]), ScriptedModel([]))
    assert commit.rejected == ("critique cr_ep_t01_1: no step to show",)


def test_groups_lie_within_one_level_of_trust() -> None:
    new = [
        *some(1),
        *some(1, "web", trust=Origin.UNTRUSTED),
        *some(1, "boss", trust=Origin.OPERATOR),
    ]
    model = answering(reply(add("wait", "x", 1)))
    lessons = (
        lesson("alpha"),
        lesson("sly", trust=Origin.UNTRUSTED),
        lesson("op", trust=Origin.OPERATOR),
    )
    commit = curate(curation(new, lessons=lessons), model)
    operator, task, untrusted = (r.messages[-1].text for r in model.requests)
    assert ("boss1" in operator, "t1" in operator, "web1" in operator) == (True, False, False)
    assert ("boss1" in task, "t1:" in task, "web1" in task) == (False, True, False)
    assert ("boss1" in untrusted, "web1" in untrusted) == (False, True)
    assert "choose sly" not in operator + task
    assert "choose alpha" not in operator
    assert "choose alpha" in untrusted
    # The same words: the first one makes the lesson, the others confirm it by their own weight.
    assert [(u.op, u.trust, u.status) for u in commit.updates] == [
        (Operation.ADD, Origin.OPERATOR, Status.ACTIVE),
        (Operation.SUPPORT, Origin.TASK, None),
        (Operation.SUPPORT, Origin.UNTRUSTED, None),
    ]
    after = {x.id: x for x in reduce(lessons, commit.updates, 5)}
    made = after[commit.updates[0].lesson]
    assert made.trust is Origin.OPERATOR
    assert made.votes == {"support": 1, "support_task": 1, "support_untrusted": 1}


def test_untrusted_text_enters_quarantine_and_can_be_corroborated() -> None:
    first = curate(curation(some(1, trust=Origin.UNTRUSTED)), answering(reply(add("wait", "x", 1))))
    assert first.updates[0].status is Status.QUARANTINED
    lessons = tuple(x.replace(scope="tickets-v1") for x in reduce((), first.updates, 1))
    model = answering(reply(op("support", lessons=[1], evidence=[1])))
    case = curation(some(1, "u", trust=Origin.UNTRUSTED), lessons=lessons)
    second = curate(case, model)
    assert "wait" in shown(model.requests[0], "lessons")
    assert [u.op for u in second.updates] == [Operation.SUPPORT]
    trusted = answering(NOTHING)
    curate(curation(some(1), lessons=lessons), trusted)
    assert shown(trusted.requests[0], "lessons").strip() == ""


@pytest.mark.parametrize(
    ("gate", "status"),
    [("none", Status.ACTIVE), ("measured", Status.PROVISIONAL), ("review", Status.PROVISIONAL)],
)
def test_gate_decides_how_lessons_enter(gate: Any, status: Status) -> None:
    commit = curate(curation(some(1), gate=gate), answering(reply(add("wait", "x", 1))))
    assert commit.updates[0].status is status


def test_a_method_may_narrow_the_operations() -> None:
    model = answering(reply(op("retire", lessons=[1], evidence=[1])))
    commit = curate(
        curation(some(1), lessons=(lesson("a"),), operations=(Operation.ADD, Operation.SUPPORT)),
        model,
    )
    system = model.requests[0].messages[0].text
    assert "Allowed operations: add, support." in system
    assert commit.updates == ()
    assert "not allowed" in commit.rejected[0]


def test_check_is_heard_once_and_then_refuses() -> None:
    asked: list[Commit] = []

    def check(commit: Commit, lessons: Any) -> Objection | None:
        asked.append(commit)
        return Objection(why="too much at once") if len(commit.updates) > 1 else None

    two, one = reply(add("wait", "x", 1), add("go", "y", 1)), reply(add("wait", "x", 1))
    model = ScriptedModel([two, one])
    commit = curate(curation(some(1), check=check), model)
    assert "too much at once" in model.requests[1].messages[-1].text
    assert len(commit.updates) == 1
    assert len(asked) == 2
    stubborn = curate(curation(some(1), check=check), ScriptedModel([two, two]))
    assert stubborn.updates == ()
    assert "too much at once" in stubborn.failure
    assert len(stubborn.rejected) == 2

    def mends(commit: Commit, lessons: Any) -> Objection | None:
        kept = commit.replace(updates=commit.updates[:1])
        return Objection(why="too much", kept=kept) if len(commit.updates) > 1 else None

    bare = reply(add("wait", "", 1), add("go", "y", 1))
    model = ScriptedModel([bare, RuntimeError("no network"), two])
    assert "no network" in curate(curation(some(1), check=check), model).lacking
    mended = curate(curation(some(1), check=mends), ScriptedModel([two, two]))
    assert [u.body.when for u in mended.updates if u.body] == ["x"]
    assert len(mended.rejected) == 1
    assert mended.failure == ""


def test_groups_are_not_asked_again_for_a_check() -> None:
    model = answering(NOTHING, reply(add("wait", "x", 1)))
    curate(curation(some(9), check=lambda commit, lessons: Objection(why="no")), model)
    assert [is_merge(r) for r in model.requests] == [False, False, True, True]


def test_answers_in_any_order_make_the_same_commit() -> None:
    def answer(request: Request) -> Any:
        if is_merge(request):
            return reply(*(op("add", proposals=[n]) for n in range(1, 5)))
        first = int(shown(request, "evidence").split("]")[0][1:])
        return reply(add(f"wait {first}", f"case {first}", first))

    commits, orders = set(), set()
    for seed in range(4):
        model = DelayedModel(ScriptedModel(answer), seed)
        commits.add(curate(curation(some(30)), model).model_dump_json())
        orders.add(tuple(model.order))
    assert len(commits) == 1
    assert len(orders) > 1


def test_calls_are_journaled_under_stable_keys() -> None:
    journal = MemoryJournal()
    model = answering(reply(add("wait", "x", 1)), reply(op("add", proposals=[1])))
    first = curate(curation(some(20)), model, journal)
    asked = len(model.requests)
    again = curate(curation(some(20)), ScriptedModel([]), journal)
    assert again == first
    assert len(journal.records) == asked == 4
    with pytest.raises(ReplayMismatch):
        curate(curation(some(19)), ScriptedModel([]), journal)


@pytest.mark.parametrize(
    "said",
    [
        [add("wait", "x", 1)],
        reply(add("wait", "x", 1)),
        CuratorReply.model_validate(reply(add("wait", "x", 1))),
        CuratorReply.model_validate(reply(add("wait", "x", 1))).operations,
    ],
)
def test_callables_see_everything_at_once(said: Any) -> None:
    seen = []

    def curator(inputs: Any) -> Any:
        seen.append(inputs)
        return said

    commit = curate(curation(some(20), earlier=some(2, "old"), lessons=(lesson("a"),)), curator)
    (inputs,) = seen
    assert len(inputs.evidence) == 22
    assert inputs.lessons[0].instruction == "choose a"
    assert [u.op for u in commit.updates] == [Operation.ADD]


def test_callables_may_be_async_silent_or_broken() -> None:
    async def nothing(inputs: Any) -> None:
        await asyncio.sleep(0)

    def broken(inputs: Any) -> Any:
        raise KeyError("oops")

    assert curate(curation(some(1)), nothing).failure == ""
    failure = curate(curation(some(1)), broken).failure
    assert failure.startswith("curator_error: the curator raised KeyError: 'oops' (test_shared.py:")
    assert "list of operations" in curate(curation(some(1)), lambda _: "text").failure
    assert "does not fit" in curate(curation(some(1)), lambda _: [{"op": 3}]).failure
    assert "`when` is empty" in curate(curation(some(1)), lambda _: [add("wait", "")]).rejected[0]


def test_no_curator_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="need a curator"):
        adapt_curator(None, PromptLibrary())  # type: ignore[arg-type]


def test_offline_model_finds_the_rule_and_its_exception() -> None:
    new = []
    for n in range(24):
        late, plan = n % 2, n % 3 == 0
        right = "violet" if plan else ("cobalt" if late else "amber")
        seen = f"Parcel {n} came {'late' if late else 'broken'}. {'Gold member.' if plan else ''}"
        ep = episode(f"t{n:02}", seen, right, success=True)
        new.append((ep, critique(ep, says(f"choose {right}", "late" if late else "broken"))))
    commit = curate(curation(new), "offline:apprentice")
    texts = " ".join(f"{u.body.when} {u.body.instruction}" for u in commit.updates if u.body)
    assert "violet" in texts
    assert not commit.failure
    assert all(rests_on(ep).episode == ep.id for ep, _ in new)
