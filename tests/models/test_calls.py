"""Calls are keyed, looked up, made once, durable before they are handed on."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import BaseModel

from verbalrl.errors import ModelError, ReplayMismatch, RunHalted
from verbalrl.models import (
    Account,
    CallContext,
    MemoryJournal,
    Message,
    Reply,
    Request,
    ScriptedModel,
    Slots,
    TokensSpent,
    UnusableReply,
)
from verbalrl.records import CallRecord, Usage


class Way(BaseModel):
    way: str


def request(text: str = "Which way?") -> Request:
    return Request(messages=(Message(role="user", text=text),))


def context(journal: MemoryJournal, **changes: Any) -> CallContext:
    return CallContext(journal, Slots(2), owner="ep_1", sample_seed=7, **changes)


def run(make: Callable[[], Awaitable[Any]]) -> Any:
    async def inner() -> Any:
        return await make()

    return asyncio.run(inner())


def ask(own: CallContext, model: ScriptedModel, text: str = "Which way?") -> Reply:
    return asyncio.run(own.ask(model, request(text)))


def test_second_time_the_answer_comes_from_the_journal() -> None:
    journal, model = MemoryJournal(), ScriptedModel(["north", "south"])
    for _ in range(2):
        fresh = context(journal)
        replies = [ask(fresh, model) for _ in range(2)]
        assert [r.text for r in replies] == ["north", "south"]
    assert len(model.requests) == 2
    assert (fresh.asked, fresh.replayed) == (0, 2)


def test_replayed_usage_equals_live_usage() -> None:
    journal, model = MemoryJournal(), ScriptedModel(["north"])
    live, replayed = context(journal), context(journal)
    for each in (live, replayed):
        ask(each, model)
    assert live.usage == replayed.usage
    assert live.usage["actor"].calls == 1
    assert live.tokens_used == live.usage["actor"].total > 0


def test_another_request_under_the_same_key_is_a_mismatch() -> None:
    journal = MemoryJournal()
    run(lambda: context(journal).ask(ScriptedModel(["north"]), request()))
    again = context(journal)
    with pytest.raises(ReplayMismatch, match="ep_1"):
        run(lambda: again.ask(ScriptedModel(["south"]), request("Another question?")))
    assert again.mismatch is not None


def test_new_generation_asks_anew() -> None:
    journal = MemoryJournal()
    run(lambda: context(journal).ask(ScriptedModel(["north"]), request()))
    other = context(journal, generation=1)
    assert run(lambda: other.ask(ScriptedModel(["south"]), request("Other?"))).text == "south"


def test_keys_and_seeds_differ_by_place() -> None:
    model = ScriptedModel(lambda _: "x")
    base = context(MemoryJournal())

    async def each() -> None:
        for view in (base, base, base.at(step=2), base.at(role="critic"), base.at(hook="h")):
            await view.ask(model, request())

    asyncio.run(each())
    assert len({r.call_key for r in model.requests}) == 5
    assert len({r.sample_seed for r in model.requests}) == 5
    assert model.requests[3].role == "critic"


def test_seed_does_not_depend_on_the_owner() -> None:
    model = ScriptedModel(lambda _: "x")
    for owner in ("ep_1", "ep_2"):
        ask(CallContext(MemoryJournal(), Slots(), owner, sample_seed=3), model)
    assert model.requests[0].sample_seed == model.requests[1].sample_seed
    assert model.requests[0].call_key != model.requests[1].call_key
    assert model.requests[0].sha() == model.requests[1].sha()


def test_repairs_are_journaled_one_by_one() -> None:
    journal, model = MemoryJournal(), ScriptedModel(["no", "never", {"way": "north"}])
    for _ in range(2):
        way, reply = run(lambda: context(journal).ask_for(model, request(), Way))
        assert way == Way(way="north")
        assert reply.text == '{"way": "north"}'
    assert len(model.requests) == len(journal.records) == 3


def test_what_is_new_is_not_looked_for() -> None:
    class Blind(MemoryJournal):
        def lookup(self, key: str, generation: int, /) -> CallRecord | None:
            raise AssertionError("looked for an answer that nobody can have journaled")

    journal = Blind()
    reply = run(lambda: context(journal, is_new=True).ask(ScriptedModel(["north"]), request()))
    assert reply.text == "north"
    assert len(journal.records) == 1


def test_usage_is_kept_when_no_reply_can_be_used() -> None:
    own = context(MemoryJournal())
    with pytest.raises(UnusableReply):
        run(lambda: own.ask_for(ScriptedModel(["no"] * 3), request(), Way))
    assert own.usage["actor"].calls == 3


def test_reply_is_durable_before_it_is_handed_on() -> None:
    order: list[str] = []

    class Slow(MemoryJournal):
        async def append(self, record: CallRecord, /) -> None:
            await asyncio.sleep(0.01)
            await super().append(record)
            order.append("durable")

    async def ask() -> None:
        await context(Slow()).ask(ScriptedModel(["north"]), request())
        order.append("handed on")

    asyncio.run(ask())
    assert order == ["durable", "handed on"]


def test_cancellation_does_not_take_back_a_paid_answer() -> None:
    class Slow(MemoryJournal):
        async def append(self, record: CallRecord, /) -> None:
            await asyncio.sleep(0.02)
            await super().append(record)

    async def ask() -> int:
        journal = Slow()
        task = asyncio.create_task(context(journal).ask(ScriptedModel(["north"]), request()))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait({task})
        await asyncio.sleep(0.03)
        return len(journal.records)

    assert asyncio.run(ask()) == 1


def test_text_is_cleaned_before_it_is_journaled() -> None:
    journal, model = MemoryJournal(), ScriptedModel(["nor\x00th api_key=abcdef123456"])
    reply = run(lambda: context(journal).ask(model, request()))
    assert reply.text.startswith("north")
    assert "abcdef123456" not in reply.text + next(iter(journal.records.values())).reply


def test_what_a_model_raises_is_its_own_fault() -> None:
    with pytest.raises(ModelError, match="scripted raised ValueError: boom"):
        run(lambda: context(MemoryJournal()).ask(ScriptedModel([ValueError("boom")]), request()))


def test_token_limit_stops_further_calls() -> None:
    own = context(MemoryJournal())
    own.limit_tokens(10)
    model = ScriptedModel(lambda _: Reply(text="x", usage=Usage(input=6, output=4)))
    run(lambda: own.ask(model, request()))
    with pytest.raises(TokensSpent):
        run(lambda: own.ask(model, request()))
    assert own.tokens_spent
    assert len(model.requests) == 1


def test_requests_can_be_left_out_of_the_journal() -> None:
    journal = MemoryJournal()
    run(lambda: context(journal, keep_requests=False).ask(ScriptedModel(["x"]), request()))
    record = next(iter(journal.records.values()))
    assert record.request == ""
    assert len(record.request_sha) == 64


def test_once_is_made_once_and_bills_again() -> None:
    journal, model = MemoryJournal(), ScriptedModel(["fine"])
    made: list[int] = []

    async def decide(own: CallContext) -> str:
        with own.active(step=1, role="critic", hook="h.after_step") as view:

            async def make() -> str:
                made.append(1)
                return await model.ask("Is it fine?")

            return await view.once("the step", make)

    contexts = [context(journal), context(journal)]
    assert [asyncio.run(decide(c)) for c in contexts] == ["fine", "fine"]
    assert len(made) == len(model.requests) == 1
    assert contexts[0].usage == contexts[1].usage
    assert set(contexts[0].usage) == {"critic"}
    assert sorted(r.kind for r in journal.records.values()) == ["hook", "model"]


def test_once_for_another_subject_is_a_mismatch() -> None:
    journal = MemoryJournal()

    async def make() -> str:
        return "fine"

    run(lambda: context(journal).once("one step", make))
    with pytest.raises(ReplayMismatch):
        run(lambda: context(journal).once("another step", make))


def test_taking_over_forgets_nothing_that_makes_the_work_worthless() -> None:
    """A report that went well does not let an owner go on whose own call was refused."""
    account = Account()
    account.halt(RunHalted("the budget is spent"))
    halted, clean = context(MemoryJournal(), account=account), context(MemoryJournal()).apart(1)
    with pytest.raises(RunHalted):
        ask(halted, ScriptedModel(["north"]))
    before = halted.fatal
    halted.take(clean)
    assert halted.fatal is before is not None
    clean.take(halted)
    assert clean.fatal is before
