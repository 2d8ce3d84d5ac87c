"""Nothing is sent that might not fit; nobody waits for ever; what is unknown counts as spent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import pytest

from verbalrl import Budget, ScriptedModel
from verbalrl.errors import (
    CallRefused,
    CallTimedOut,
    ConfigurationError,
    ModelError,
    RunHalted,
)
from verbalrl.ids import coin
from verbalrl.models import (
    Account,
    Amount,
    CallContext,
    MemoryJournal,
    Message,
    Model,
    OfflineModel,
    Price,
    Prices,
    Reply,
    Request,
    Slots,
)
from verbalrl.models.budget import MEDIA_TOKENS, Purse, most_read
from verbalrl.models.prices import PICO
from verbalrl.records import MediaPart, Tool, Usage

T = TypeVar("T")
PRICES = Prices(models={"random": Price(input=3, output=15, cache_read=0.3, cache_write=3.75)})


def wait(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def request(text: str = "What now?", **fields: Any) -> Request:
    return Request(messages=(Message(role="user", text=text),), **fields)


class Random(Model):
    """Takes a random time and reports random usage: never more than a server may."""

    name = "random"

    def __init__(self, seed: int) -> None:
        self.seed, self.calls, self.tokens, self.pico, self.peak = seed, 0, 0, 0, 0
        self.under_way = 0

    async def complete(self, request: Request, /) -> Reply:
        self.calls += 1
        self.under_way += 1
        self.peak = max(self.peak, self.under_way)
        draws = [coin(name, self.seed, request.call_key) for name in ("t", "i", "c", "w", "o", "x")]
        await asyncio.sleep(draws[0] * 0.001)
        self.under_way -= 1
        if draws[5] > 0.9:
            raise ModelError("it is not my day")
        read = int(draws[1] * len(request.messages[0].text.encode()))
        cached = int(draws[2] * read)
        assert request.max_output is not None
        usage = Usage(
            input=read - cached,
            cache_read=int(draws[3] * cached),
            cache_write=cached - int(draws[3] * cached),
            output=int(draws[4] * (request.max_output + 1)),
            calls=1,
        )
        self.tokens += usage.total
        self.pico += PRICES.models["random"].pico(usage)
        return Reply(text="Go on.", usage=usage)


async def swarm(model: Model, account: Account, slots: int, calls: int = 40) -> list[Any]:
    """Many calls at once, through contexts as a run makes them."""
    shared = Slots(slots)

    def call(n: int) -> Awaitable[Reply]:
        context = CallContext(MemoryJournal(), shared, f"ep_{n}", account=account)
        return context.ask(model, request("word " * (1 + n % 7)))

    return await asyncio.gather(*(call(n) for n in range(calls)), return_exceptions=True)


@pytest.mark.parametrize("slots", [1, 8, 32])
@pytest.mark.parametrize("bound", ["tokens", "cost_usd", "calls"])
def test_no_overshoot(bound: str, slots: int) -> None:
    for seed in range(20):
        model = Random(seed)
        share = 0.1 + 0.8 * coin("cap", seed)
        cap: Any = {
            "tokens": int(5_000 * share),
            "cost_usd": 0.07 * share,
            "calls": int(35 * share),
        }
        budget = Budget(max_output=300, prices=PRICES, **{bound: cap[bound]})
        account = Account(budget)
        ended = wait(swarm(model, account, slots))
        spent = {"tokens": model.tokens, "cost_usd": model.pico / PICO, "calls": model.calls}
        assert spent[bound] <= cap[bound]
        # It stopped for want of budget, and only when the next call might not have fitted.
        assert any(isinstance(e, RunHalted) for e in ended)
        figures: Any = account.figures()
        assert figures["spent"]["tokens"] == model.tokens
        assert figures["spent"]["calls"] == model.calls
        assert figures["exhausted"] == bound
        assert model.peak <= slots


def test_a_call_waits_for_others_to_give_back() -> None:
    async def scene() -> list[Any]:
        # Seven of a worst case of about 450 do not fit at once; ten, some later, do.
        model = Random(1)
        ended = await swarm(model, Account(Budget(tokens=3_000, max_output=300)), 32, calls=10)
        assert model.peak > 1
        return ended

    assert not any(isinstance(e, RunHalted) for e in wait(scene()))


def test_who_waits_first_goes_first_and_nobody_overtakes() -> None:
    async def scene() -> list[str]:
        purse, went = Purse(Budget(tokens=100)), list[str]()

        async def go(name: str, worst: int) -> None:
            await purse.reserve(Amount(worst, 0, 1))
            went.append(name)

        await purse.reserve(Amount(60, 0, 1))
        tasks = [asyncio.create_task(go("large", 90)), asyncio.create_task(go("small", 10))]
        await asyncio.sleep(0)
        assert went == []
        purse.settle(Amount(60, 0, 1), Amount(5, 0, 1))
        await asyncio.sleep(0)
        assert went == ["large"]
        purse.settle(Amount(90, 0, 1), Amount(85, 0, 1))
        await asyncio.gather(*tasks)
        return went

    assert wait(scene()) == ["large", "small"]


def test_who_is_cancelled_while_waiting_lets_the_next_one_through() -> None:
    async def scene() -> Purse:
        purse = Purse(Budget(tokens=100))
        await purse.reserve(Amount(60, 0, 1))
        large = asyncio.create_task(purse.reserve(Amount(90, 0, 1)))
        small = asyncio.create_task(purse.reserve(Amount(30, 0, 1)))
        await asyncio.sleep(0)
        large.cancel()
        await asyncio.wait_for(small, 5)
        # Cancelled after its turn came: what was set aside is given back.
        late = asyncio.create_task(purse.reserve(Amount(50, 0, 1)))
        await asyncio.sleep(0)
        purse.settle(Amount(60, 0, 1), Amount())
        late.cancel()
        with pytest.raises(asyncio.CancelledError):
            await late
        await asyncio.wait_for(purse.reserve(Amount(70, 0, 1)), 5)
        return purse

    assert wait(scene()).spent == Amount()


def test_the_end_of_a_budget_says_what_it_would_have_taken() -> None:
    async def scene() -> None:
        purse = Purse(Budget(cost_usd=0.5), Amount(0, PICO // 4, 3))
        await purse.reserve(Amount(10, PICO // 4, 1))
        purse.settle(Amount(10, PICO // 4, 1), Amount(10, PICO // 8, 1))
        await purse.reserve(Amount(10, PICO // 4, 1))

    with pytest.raises(RunHalted) as caught:
        wait(scene())
    said = "the budget of $0.5000: $0.3750 spent, the next call may take $0.2500"
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("fails", "spent"),
    [
        (CallRefused("refused: 400"), 0),
        (ModelError("no"), 0),
        # It may be worked on, and billed, all the same.
        (CallTimedOut("no answer within 1 s"), 400 + 16 + len(request().content())),
        (asyncio.CancelledError(), 400 + 16 + len(request().content())),
    ],
    ids=["refused", "broke", "late", "cancelled"],
)
def test_what_a_call_without_an_answer_takes(fails: BaseException, spent: int) -> None:
    class Failing(Model):
        async def complete(self, request: Request, /) -> Reply:
            task = asyncio.current_task()
            if isinstance(fails, asyncio.CancelledError) and task is not None:
                # One that is raised by hand is the model's own failure.
                task.cancel()
                await asyncio.sleep(0)
            raise fails

    account = Account(Budget(tokens=10_000, max_output=400))

    async def scene() -> None:
        with pytest.raises(type(fails)):
            await account.answer(Failing(), request(), request().content())

    wait(scene())
    figures: Any = account.figures()
    assert figures["spent"]["tokens"] == spent
    assert figures["spent"]["calls"] == 1


def test_repairs_are_calls_like_others() -> None:
    model = ScriptedModel(lambda _: "no JSON")
    account = Account(Budget(calls=2))

    async def scene() -> None:
        context = CallContext(MemoryJournal(), Slots(1), "ep", account=account)
        await context.ask_for(model, request(), {"type": "object"})

    with pytest.raises(RunHalted, match="the budget of 2 calls: 2 spent, the next call may take 1"):
        wait(scene())
    assert len(model.requests) == 2


@pytest.mark.parametrize(
    ("own", "cap", "sent"), [(None, 500, 500), (200, 500, 200), (900, 500, 500), (900, None, 900)]
)
def test_the_cap_of_the_run_is_sent_and_not_journaled(
    own: int | None, cap: int | None, sent: int
) -> None:
    model, journal = ScriptedModel(["Yes."]), MemoryJournal()

    async def ask(budget: Budget) -> Reply:
        context = CallContext(journal, Slots(1), "ep", account=Account(budget))
        return await context.ask(model, request(max_output=own))

    first = wait(ask(Budget(max_output=cap)))
    assert [r.max_output for r in model.requests] == [sent]
    # So that another budget meets the same journal.
    assert wait(ask(Budget(max_output=cap and cap + 1, tokens=9_999))) == first


@pytest.mark.parametrize(
    ("budget", "cap"),
    [
        (Budget(), None),
        (Budget(calls=5, seconds=3), None),
        (Budget(cost_usd=1), 8_192),
        (Budget(tokens=1_000_000), 8_192),
        (Budget(tokens=32_000), 2_000),
        (Budget(tokens=9_000), 1_024),
        (Budget(tokens=1_000_000, max_output=77), 77),
    ],
)
def test_the_output_cap_follows_from_the_bounds(budget: Budget, cap: int | None) -> None:
    assert budget.resolved().max_output == cap
    assert budget.resolved().resolved() == budget.resolved()


def test_a_budget_without_room_for_a_reply_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no room for one call"):
        Budget(tokens=500).resolved().check()
    Budget(tokens=500, max_output=100).check()


def test_the_bound_of_what_is_read_covers_everything_sent() -> None:
    def bound(asked: Request) -> int:
        return most_read(asked, asked.content())

    text = "für 三 🎈 " * 50
    assert bound(request(text)) >= len(text.encode())
    schema: dict[str, Any] = {"type": "object", "properties": {"a": {"enum": ["x" * 999]}}}
    # In the request, and once more in words.
    assert bound(request(output_schema=schema)) - bound(request()) >= 3 * 999
    tool = Tool(name="look", description="y" * 500)
    assert bound(request(tools=(tool,))) - bound(request()) >= 500
    image = MediaPart(media_type="image/png", uri="https://example.org/a.png")
    shown = Request(messages=(Message(role="user", parts=(image, image)),))
    assert bound(shown) >= 2 * MEDIA_TOKENS


def test_a_callers_swallowed_stop_is_seen(tmp_path: Any) -> None:
    account = Account(Budget(calls=1))
    model = ScriptedModel(["One.", "Two."])

    async def scene() -> CallContext:
        context = CallContext(MemoryJournal(), Slots(1), "ep", account=account)
        asks: Callable[[], Awaitable[Reply]] = lambda: context.ask(model, request())  # noqa: E731
        await asks()
        with pytest.raises(RunHalted):
            await asks()
        return context

    assert isinstance(wait(scene()).fatal, RunHalted)


def test_an_alarm_reaches_those_who_wait_for_their_turn() -> None:
    class Slow(Model):
        sent = 0

        def __init__(self) -> None:
            self.asked, self.told = asyncio.Event(), asyncio.Event()

        async def complete(self, request: Request, /) -> Reply:
            self.sent += 1
            self.asked.set()
            await self.told.wait()
            return Reply(text="Go on.", usage=Usage(input=1, output=1, calls=1))

    account = Account(Budget(tokens=1_000, max_output=600))

    async def scene() -> tuple[int, list[Any]]:
        model = Slow()
        calls = asyncio.ensure_future(swarm(model, account, 8, calls=4))
        await model.asked.wait()
        account.halt(RunHalted("the key was revoked", alarm=True))
        model.told.set()
        ended = await calls
        return model.sent, ended

    sent, ended = wait(scene())
    assert sent == 1
    assert [str(e) for e in ended if isinstance(e, RunHalted)] == ["the key was revoked"] * 3


def test_the_offline_model_keeps_its_cap() -> None:
    asked = request("Say something at length. " * 50)
    whole = wait(OfflineModel().complete(asked))
    cap = whole.usage.output - 1
    cut = wait(OfflineModel().complete(asked.model_copy(update={"max_output": cap})))
    assert whole.text.startswith(cut.text)
    assert (cut.finish, cut.usage.output <= cap) == ("length", True)
    kept = wait(OfflineModel().complete(asked.model_copy(update={"max_output": cap + 1})))
    assert (kept.text, kept.finish) == (whole.text, "stop")
