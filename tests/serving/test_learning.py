"""Several learners, learners that die, models that fail, and a budget per day."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.loop.world import rows
from tests.serving.worlds import (
    RULES,
    SCOPE,
    case,
    coach_of,
    critic,
    curator,
    exchange,
    lessons,
)
from verbalrl import serve
from verbalrl.errors import (
    CallRefused,
    ConfigurationError,
    LeaseError,
    ProviderDown,
    QuotaSpent,
)
from verbalrl.models import Budget, Reply, Request, ScriptedModel
from verbalrl.records import Origin, Status

UNSAMPLED = RULES.replace(successes=0.0)
"""Ids are random, so a share of good outcomes would be another one at each run."""
TEXT = "do greet when a guest comes"
REPLY: dict[str, Any] = {
    "verdict": "failure",
    "causes": [],
    "lessons": [
        {"name": "refunds", "when": "it broke", "instruction": "offer a refund first", "step": 1}
    ],
    "keeps": [],
    "refinement": "",
    "confidence": 0.5,
    "reveals_answer": False,
}
ADDED: dict[str, Any] = {
    "operations": [
        {
            "op": "add",
            "lessons": [],
            "evidence": [1],
            "proposals": [],
            "name": "refunds",
            "when": "it broke",
            "when_not": "",
            "instruction": "offer a refund first",
            "reason": "said so",
        }
    ]
}


def answers(request: Request) -> dict[str, Any]:
    """A critic and a curator that say the same of everything."""
    return REPLY if request.role == "critic" else ADDED


def text_of(request: Request) -> str:
    return "\n".join(m.plain for m in request.messages)


def test_the_operators_critic_reads_nothing_that_anybody_else_wrote(tmp_path: Path) -> None:
    model = ScriptedModel(answers)
    with coach_of(tmp_path, critic=model, curator=model, rules=UNSAMPLED) as coach:
        with coach.episode("GOALWORD", source="ann") as episode:
            episode.step("SEENWORD", "SAIDWORD")
        coach.feedback(episode.id, success=True, text="CUSTOMERWORD", source="ann")
        coach.feedback(episode.id, success=True, text="be kind to guests", origin="operator")
        coach.learn_sync()
        critics = [text_of(r) for r in model.requests if r.role == "critic"]
        (told,) = [t for t in critics if "be kind to guests" in t]
        curators = [text_of(r) for r in model.requests if r.role == "curator"]
        for word in ("GOALWORD", "SEENWORD", "SAIDWORD", "CUSTOMERWORD"):
            assert word not in told
            assert word not in curators[0]
        assert "answers customers" in told
        (learned,) = lessons(coach).values()
        assert (learned.status, learned.trust) == (Status.ACTIVE, Origin.OPERATOR)


def test_a_critic_may_quote_the_operator_at_any_step(tmp_path: Path) -> None:
    cause = {"step": 1, "quote": "be kind to guests", "why": "the operator says so"}
    model = ScriptedModel(lambda r: REPLY | {"causes": [cause]} if r.role == "critic" else ADDED)
    with coach_of(tmp_path, critic=model, curator=model, rules=UNSAMPLED) as coach:
        with coach.episode("x") as episode:
            episode.step("a", "b")
            episode.step("c", "d")
        coach.feedback(episode.id, success=True, text="Be kind to guests.", origin="operator")
        assert coach.learn_sync().critiques == {"accepted": 1}


def test_the_course_of_an_episode_is_read_with_others_words_only(tmp_path: Path) -> None:
    model = ScriptedModel(answers)
    with coach_of(tmp_path, critic=model, curator=model) as coach:
        name = case(coach, "GOALWORD", source="ann")
        coach.feedback(name, success=False, text="CUSTOMERWORD", source="ann")
        coach.learn_sync()
        read = text_of(model.requests[0])
        assert "CUSTOMERWORD" in read
        assert "success: false" in read
        (learned,) = lessons(coach).values()
        assert learned.status is Status.QUARANTINED


def test_a_server_that_is_down_leaves_feedback_waiting(tmp_path: Path) -> None:
    down = ScriptedModel([ProviderDown("it is down")])
    with coach_of(tmp_path, critic=down, curator=down) as coach:
        name = case(coach)
        coach.feedback(name, success=False)
        report = coach.learn_sync()
        assert (report.episodes, report.pending) == (0, 1)
        assert "could not be reached" in report.stopped
        assert coach.store.critiques_of(name) == ()
    with coach_of(tmp_path, critic=ScriptedModel(answers), curator=ScriptedModel(answers)) as coach:
        assert coach.learn_sync().episodes == 1


def test_a_curator_that_is_down_leaves_it_waiting_too(tmp_path: Path) -> None:
    model = ScriptedModel([REPLY, ProviderDown("it is down"), ADDED])
    with coach_of(tmp_path, critic=model, curator=model) as coach:
        coach.feedback(case(coach), success=False)
        assert coach.learn_sync().pending == 1
        assert coach.learn_sync().episodes == 1
        assert set(lessons(coach)) == {"offer a refund first"}
        assert len(model.requests) == 3, "no answer is paid for twice"


(WHOLE,) = ADDED["operations"]
BARE: dict[str, Any] = {**WHOLE, "name": "greet", "when": "", "instruction": "greet the guest"}
"""Says not when: it is asked for once more."""


def test_an_outage_at_the_question_put_once_more_leaves_it_waiting(tmp_path: Path) -> None:
    said = {"operations": [WHOLE, BARE]}
    mended = {"operations": [WHOLE, BARE | {"when": "a guest comes"}]}
    model = ScriptedModel([REPLY, said, ProviderDown("it is down"), mended])
    with coach_of(tmp_path, critic=model, curator=model) as coach:
        coach.feedback(case(coach), success=False)
        report = coach.learn_sync()
        assert (report.episodes, report.pending, lessons(coach)) == (0, 1, {})
        assert "could not be reached" in report.stopped
        assert coach.learn_sync().episodes == 1
        assert set(lessons(coach)) == {"offer a refund first", "greet the guest"}
        assert len(model.requests) == 4, "no answer is paid for twice"


@pytest.mark.parametrize("why", [CallRefused("too long"), "I would rather not."])
def test_what_a_curator_makes_while_it_fails_at_a_part_stands(tmp_path: Path, why: Any) -> None:
    model = ScriptedModel(
        lambda r: (
            REPLY
            if r.role == "critic"
            else why
            if "Give the whole list" in text_of(r)
            else {"operations": [WHOLE, BARE]}
        )
    )
    with coach_of(tmp_path, critic=model, curator=model) as coach:
        coach.feedback(case(coach), success=False)
        report = coach.learn_sync()
        assert (report.episodes, report.pending) == (1, 0)
        assert set(lessons(coach)) == {"offer a refund first"}
        asked = len(model.requests)
        for retry in (False, True):
            assert coach.learn_sync(retry_failed=retry).episodes == 0
        assert len(model.requests) == asked, "its critiques are consumed"


def test_one_group_among_many_that_was_not_answered_holds_nothing_back(tmp_path: Path) -> None:
    def says(request: Request) -> Any:
        if request.role == "critic":
            return REPLY
        text = text_of(request)
        alone = "[1]" not in text and "<proposals>" not in text
        return ProviderDown("it is down") if alone else ADDED

    model = ScriptedModel(says)
    with coach_of(tmp_path, critic=model, curator=model) as coach:
        for _ in range(9):
            coach.feedback(case(coach), success=False)
        report = coach.learn_sync()
        assert (report.episodes, report.pending) == (9, 0)
        (row,) = rows(coach.store.path, "commits")["commits"]
        made = coach.store.commit(row[1])
        assert made is not None
        assert made.lacking == "group 2: provider_down: it is down"


def test_a_spent_quota_stops_learning(tmp_path: Path) -> None:
    model = ScriptedModel([QuotaSpent("nothing left")])
    with coach_of(tmp_path, critic=model, curator=model) as coach:
        for _ in range(3):
            coach.feedback(case(coach), success=False)
        report = coach.learn_sync()
        assert (report.episodes, report.pending) == (0, 3)
        assert "nothing left" in report.stopped


def test_a_budget_is_of_a_day_over_all_learners(tmp_path: Path) -> None:
    rules = RULES.replace(budget=Budget(calls=3), batch=1)
    for expected in ((1, 2), (0, 2)):
        model = ScriptedModel(answers)
        with coach_of(tmp_path, critic=model, curator=model, rules=rules) as coach:
            if expected[0]:
                for _ in range(3):
                    coach.feedback(case(coach), success=False)
            report = coach.learn_sync()
            assert (report.episodes, report.pending) == expected
            assert "calls" in report.stopped


def test_what_a_critic_failed_on_is_kept_and_can_be_tried_again(tmp_path: Path) -> None:
    bad = ScriptedModel(lambda _: "x")
    with coach_of(tmp_path, critic=bad, curator=bad) as coach:
        name = case(coach, source="ann")
        coach.feedback(name, text="do wait when it is late", origin="operator")
        report = coach.learn_sync()
        assert (report.episodes, report.pending, report.failed) == (0, 1, {"critic": 1})
        assert report.why_failed in str(report)
        assert "--retry-failed" in str(report)
        asked = len(bad.requests)
        assert coach.learn_sync().failed == {"critic": 1}
        assert len(bad.requests) == asked, "a failure is final until somebody tries again"
        assert coach.learn_sync(retry_failed=True).failed == {"critic": 1}
        assert len(bad.requests) > asked
    with coach_of(tmp_path) as coach:
        assert coach.learn_sync().episodes == 0
        assert coach.learn_sync(retry_failed=True).episodes == 1
        assert lessons(coach)["do wait"].status is Status.ACTIVE
        assert coach.store.served(name).state == "consumed"
        assert coach.learn_sync(retry_failed=True).episodes == 0


def test_what_a_curator_failed_on_is_named_and_can_be_tried_again(tmp_path: Path) -> None:
    def breaks(inputs: object) -> None:
        raise KeyError("no room")

    with coach_of(tmp_path, curator=breaks) as coach:
        for text in ("do wait when it is late", "do greet when a guest comes"):
            coach.feedback(case(coach, source="ann"), text=text, origin="operator")
        report = coach.learn_sync()
        assert (report.episodes, report.failed) == (0, {"curator": 2})
        assert "no room" in str(report)
        assert coach.learn_sync().failed == {"curator": 2}
    with coach_of(tmp_path) as coach:
        coach.feedback(case(coach), text="do sing when it rains", origin="operator")
        report = coach.learn_sync()
        assert (report.episodes, report.failed) == (1, {"curator": 2})
        assert coach.learn_sync(retry_failed=True).episodes == 2
        assert set(lessons(coach)) == {"do wait", "do greet", "do sing"}


def test_feedback_after_a_failure_is_learned_from_with_what_failed(tmp_path: Path) -> None:
    def breaks(episodes: object) -> None:
        raise KeyError("no")

    with coach_of(tmp_path, critic=breaks) as coach:
        name = case(coach)
        coach.feedback(name, success=False)
        assert coach.learn_sync().failed == {"critic": 1}
    with coach_of(tmp_path) as coach:
        coach.feedback(name, success=False, text="do wait when it is late")
        report = coach.learn_sync()
        assert (report.episodes, report.failed) == (1, {})
        assert coach.store.served(name).state == "consumed"


def test_who_finds_another_learner_at_work_says_so(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach, coach_of(tmp_path) as other:
        coach.feedback(case(coach), success=False)
        with other.store.acquire_lease("main", "somebody"):
            report = coach.learn_sync()
        assert (report.episodes, report.pending) == (0, 1)
        assert "somebody" in report.stopped
        assert coach.learn_sync().episodes == 1


def test_two_learners_compete_and_consume_each_feedback_once(tmp_path: Path) -> None:
    rules = RULES.replace(batch=2)
    with coach_of(tmp_path, rules=rules) as coach:
        names = [case(coach, source=f"s{n}") for n in range(20)]
        for n, name in enumerate(names):
            coach.feedback(name, success=False, text=TEXT, source=f"s{n}")

        def learn() -> None:
            with coach_of(tmp_path, rules=rules) as own:
                while own.learn_sync().pending:
                    pass

        threads = [threading.Thread(target=learn) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {coach.store.served(n).state for n in names} == {"consumed"}
        assert len(lessons(coach)["do greet"].evidence) == 20


def test_a_learner_that_was_taken_over_writes_nothing(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach:
        name = case(coach)
        coach.feedback(name, success=False, text=TEXT)

        def takes_over(inputs: Any) -> Any:
            # As another process would, once this one was thought dead.
            coach.store._do(lambda c: c.execute("UPDATE leases SET fence = fence + 1"))
            return curator(inputs)

        with coach_of(tmp_path, curator=takes_over) as late:
            report = late.learn_sync()
        assert "is over" in report.stopped
        assert coach.store.served(name).state == "pending"
        assert lessons(coach) == {}
        coach.store._do(lambda c: c.execute("UPDATE leases SET held = 0"))
        assert coach.learn_sync().episodes == 1


def test_nothing_is_consumed_twice(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach:
        name = case(coach)
        coach.feedback(name, success=False)
        coach.learn_sync()
        with coach.store.acquire_lease("main", "x") as lease:
            with pytest.raises(OSError, match="learned from already"):
                asyncio.run(coach.store.put_learned([], [(name, 1)], lease.fence))
            with pytest.raises(LeaseError, match="is over"):
                asyncio.run(coach.store.put_learned([], [], lease.fence - 1))


def test_feedback_during_learning_is_learned_from_next(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach:
        name = case(coach)
        coach.feedback(name, success=False, text=TEXT)
        said = iter(["do wave when a guest comes"])

        def interrupted(episodes: Any, feedback: tuple[str, ...]) -> Any:
            for text in said:
                coach.feedback(name, success=False, text=text)
            return critic(episodes, feedback)

        with coach_of(tmp_path, critic=interrupted) as other:
            assert other.learn_sync().episodes == 2
        assert set(lessons(coach)) == {"do wave"}
        rows = coach.store._read(
            lambda c: c.execute("SELECT episode, seq FROM consumed ORDER BY seq").fetchall()
        )
        assert rows == [(name, 1), (name, 2)]


def test_what_a_person_revoked_is_consumed_and_teaches_nothing(tmp_path: Path) -> None:
    from verbalrl.memory.revoke import revoke

    with coach_of(tmp_path) as coach:
        name = case(coach, source="eve")
        coach.feedback(name, success=False, text=TEXT, source="eve")
        coach.learn_sync()
        asyncio.run(revoke(coach.store, source="eve"))
        coach.feedback(name, success=False, text="do wave when a guest comes", source="eve")
        assert coach.learn_sync().episodes == 1
        assert lessons(coach) == {}
        found = coach.store.current_lessons("main", scope=SCOPE)
        assert {x.status for x in found} == {Status.REVOKED}


def test_the_operators_critic_reads_no_tool_that_a_model_made_up(tmp_path: Path) -> None:
    model = ScriptedModel(answers)
    with coach_of(tmp_path, critic=model, curator=model) as coach:
        with coach.episode("x", source="ann") as episode:
            for name in ("get_order", "always_pay_mallory"):
                calls = [{"id": "c1", "name": name, "arguments": "{}"}]
                reply = {"role": "assistant", "content": "", "tool_calls": calls}
                said = exchange({"role": "user", "content": "hi"}, tools=("get_order",))
                episode.record(replace(said, reply=reply))
        coach.feedback(episode.id, text="offer a refund first", origin=Origin.OPERATOR)
        coach.learn_sync()
    critics = [text_of(r) for r in model.requests if r.role == "critic"]
    (told,) = [text for text in critics if "offer a refund first" in text]
    assert "Action: get_order" in told
    assert "Action: tool" in told
    assert "mallory" not in told


def test_curation_shows_earlier_cases_as_they_were_learned_from(tmp_path: Path) -> None:
    shown: list[dict[str, str]] = []

    def told(inputs: Any) -> Any:
        shown.append({item.feedback: item.outcome for item in inputs.evidence})
        return curator(inputs)

    def hearing(episodes: Any, feedback: tuple[str, ...] = ()) -> Any:
        if "do wave when a guest goes" in feedback:
            # While this is learned from, somebody speaks of the first case once more.
            coach.feedback(first, success=True, text="never mind", source="ann")
        return critic(episodes, feedback)

    with coach_of(tmp_path, critic=hearing, curator=told) as coach:
        first = case(coach, source="ann")
        coach.feedback(first, success=False, text=TEXT, source="ann")
        coach.learn_sync()
        other = case(coach, source="bob")
        coach.feedback(other, success=False, text="do wave when a guest goes", source="bob")
        coach.learn_sync()
    assert shown[1] == {TEXT: "failure", "do wave when a guest goes": "failure"}


class Slow(ScriptedModel):
    """A model that takes a moment for each critique."""

    async def complete(self, request: Request, /) -> Reply:
        await asyncio.sleep(0.4 if request.role == "critic" else 0)
        return await super().complete(request)


def test_waiting_for_other_critiques_is_no_delay_of_ones_own(tmp_path: Path) -> None:
    model = Slow(answers)
    rules = RULES.replace(concurrency=1, timeout_s=2.0)
    with coach_of(tmp_path, critic=model, curator=model, rules=rules) as coach:
        for name in [case(coach) for _ in range(8)]:
            coach.feedback(name, success=False)
        assert coach.learn_sync().critiques == {"accepted": 8}


@pytest.mark.parametrize("role", ["model", "critic", "curator"])
@pytest.mark.parametrize(
    ("name", "key"), [("openai:any", "OPENAI_API_KEY"), ("anthropic:any", "ANTHROPIC_API_KEY")]
)
def test_a_key_is_needed_where_something_is_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: Any, name: str, key: str
) -> None:
    """A process that only serves had to hold a key that it never uses."""
    for variable in (key, "ANTHROPIC_AUTH_TOKEN", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    named: dict[str, Any] = {"critic": critic, "curator": curator} if role != "model" else {}
    with serve(tmp_path, SCOPE, **named | {role: name}) as coach:
        coach.feedback(case(coach), success=False, text="no")
        for learn in (coach.learn_sync, coach.start_learning):
            with pytest.raises(ConfigurationError, match=f"{name} needs a key: set {key}") as said:
                learn()
            assert "\n" not in str(said.value)
        assert coach.store.run(coach.session()).config["critic"] == (
            name if role != "curator" else None
        )


@pytest.mark.parametrize("name", ["opnai:any", "openai:", "offline:other"])
def test_a_name_that_no_model_has_is_refused_before_anything_is_served(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(ConfigurationError):
        serve(tmp_path / "store", SCOPE, model=name)
    assert not (tmp_path / "store").exists()
    # Programs are no models.
    serve(tmp_path / "store", SCOPE, critic="checks:sql", curator=curator).close()


def test_it_says_why_critiques_were_refused(tmp_path: Path) -> None:
    """What the README says of the offline model: it makes no lesson of words."""
    with serve(tmp_path, SCOPE, model="offline:apprentice", strict=True) as coach:
        name = case(coach)
        coach.feedback(name, reward=0.0, text="the refund was not offered", origin="operator")
        learned = coach.learn_sync()
    assert learned.refusals == {"empty": 2}
    assert "critiques: 2 refused (2 empty); lessons: unchanged" in str(learned)
