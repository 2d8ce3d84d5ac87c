"""The table in `faults.md`, played against the three APIs through the real SDKs."""

from __future__ import annotations

import asyncio
import importlib
import logging
import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import BaseModel

from tests.models.faultd import APIS, Asked, Faultd
from verbalrl.errors import CallTimedOut, ConfigurationError, ModelError, VerbalRLError
from verbalrl.models import UnusableReply, load_model
from verbalrl.models.retry import RetryPolicy
from verbalrl.models.transport import Transport, http_client

KEY = "sk-test-0123456789abcdefghijklmn"
ROW = re.compile(r"^\| `([\w-]+)` \| .*? \| (\w+) \| (\d) \| (\w+) \| (\d) \| (.*?) \|$")
LINES = Path(__file__).with_name("faults.md").read_text(encoding="utf-8").splitlines()
TABLE = [found.groups() for found in map(ROW.match, LINES) if found]
TRANSPORTS: tuple[Transport, ...] = ("httpx", "aiohttp")
CASES = [
    pytest.param((api, way), fault, always, (ever if always else once, int(n if always else o)),
                 id=f"{api}-{fault}-{'always' if always else 'once'}-{way}",
                 marks=[] if way == "httpx" else [pytest.mark.slow])
    for fault, once, o, ever, n, _ in TABLE for always in (False, True) for api in APIS
    for way in TRANSPORTS
]  # fmt: skip
FOREIGN = re.compile(
    r"JSONDecode|Unicode\w*Error|KeyError|IndexError|TypeError|API\w*Error|Traceback"
)
SCHEMA_NAMES = dict(zip(APIS, ("response_format", "text.format", "output_config"), strict=True))
QUICK = {"hang": (1.0, 4.0, 16.0), "drip": (0.6, 2.4, 9.6)}
"""Deadlines of the faults that cannot be told before it. What happens is the same under each of
them; the next one is for a machine so busy that connecting alone took the time of one before."""


class Move(BaseModel):
    action: str


@dataclass
class FakeTime:
    """A clock that only sleeping moves."""

    now: float = 0.0
    waits: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def policy(self, deadline_s: float = 600.0) -> RetryPolicy:
        return RetryPolicy(deadline_s=deadline_s, sleep=self.sleep, clock=lambda: self.now)


@pytest.fixture(scope="module")
def server() -> Iterator[Faultd]:
    with Faultd(lambda asked: '{"action": "north"}') as running:
        yield running


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)


def test_the_table_has_all_cases() -> None:
    assert len(TABLE) == 34
    assert len(CASES) == 204 * len(TRANSPORTS)


async def asked(
    api: str, url: str, policy: RetryPolicy, transport: Transport = "httpx"
) -> str | VerbalRLError:
    model = load_model(f"{api}:any", base_url=url, policy=policy, transport=transport)
    try:
        return (await model.ask("Which way?", schema=Move)).action
    except VerbalRLError as error:
        return error
    finally:
        await model.aclose()


@pytest.mark.parametrize(("asks", "fault", "always", "expected"), CASES)
def test_fault_ends_as_the_table_says(
    server: Faultd,
    caplog: pytest.LogCaptureFixture,
    asks: tuple[str, Transport],
    fault: str,
    always: bool,
    expected: tuple[str, int],
) -> None:
    api, transport = asks
    if transport == "aiohttp":
        aiohttp_is_taken(api)
    caplog.set_level(logging.DEBUG)
    for deadline in QUICK.get(fault, (600.0,)):
        if fault == "connect-refused":
            outcome, sent = refused(api, always, transport)
        else:
            server.play(fault, always=always)
            policy = FakeTime().policy(deadline)
            outcome = asyncio.run(asked(api, server.url(api), policy, transport))
            sent = len(server.asked)
        name = "answer" if isinstance(outcome, str) else type(outcome).__name__
        if (name, sent) == expected:
            break
    assert (name, sent) == expected, outcome
    assert isinstance(outcome, ModelError) or outcome == "north"
    assert_no_secret(outcome, caplog)


def aiohttp_is_taken(api: str) -> None:
    """Skip where the SDK is older than its aiohttp."""
    sdk = importlib.import_module("anthropic" if api == "anthropic" else "openai")
    try:
        http_client(sdk, "aiohttp", None)
    except ConfigurationError as error:
        pytest.skip(str(error))


def refused(api: str, always: bool, transport: Transport) -> tuple[str | VerbalRLError, int]:
    """Nobody listens at first; unless `always`, the server opens while the policy waits."""
    late = Faultd(lambda asked: '{"action": "north"}')
    tried = FakeTime()

    async def sleep(seconds: float) -> None:
        await tried.sleep(seconds)
        if not always and len(tried.waits) == 1:
            late.open()

    policy = RetryPolicy(sleep=sleep, clock=lambda: tried.now)
    try:
        outcome = asyncio.run(asked(api, late.url(api), policy, transport))
    finally:
        late.close()
    return outcome, len(tried.waits) + 1


def assert_no_secret(outcome: object, caplog: pytest.LogCaptureFixture) -> None:
    told = caplog.text + "".join(str(vars(r)) for r in caplog.records)
    if isinstance(outcome, VerbalRLError):
        told += "".join(traceback.format_exception(outcome))
        # Not even out of sight: a foreign exception holds the request, and the request the key.
        for error in chain_of(outcome):
            assert isinstance(error, VerbalRLError | ValueError), error
        assert not FOREIGN.search(str(outcome)), outcome
        assert "\n" not in str(outcome)
    assert KEY not in told
    assert "Bearer sk" not in told


def chain_of(error: BaseException) -> Iterator[BaseException]:
    queue: list[BaseException | None] = [error]
    while queue:
        current = queue.pop()
        if current is not None:
            yield current
            queue += [current.__cause__, current.__context__]


@pytest.mark.parametrize("api", APIS)
def test_drip_ends_with_the_deadline(
    server: Faultd, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def timed(deadline: float) -> tuple[object, float]:
        policy = RetryPolicy(deadline_s=deadline)
        model = load_model(f"{api}:any", base_url=server.url(api), policy=policy)
        server.play("drip", always=True)
        started = asyncio.get_running_loop().time()
        try:
            return await model.ask("Which way?", schema=Move), 0.0
        except CallTimedOut as error:
            return error, (asyncio.get_running_loop().time() - started) / deadline
        finally:
            await model.aclose()

    # Loads the SDK.
    server.play("ok")
    assert asyncio.run(asked(api, server.url(api), RetryPolicy())) == "north"
    # A quarter of a longer deadline is more than a busy machine may be late.
    for deadline in (1.6, 6.4, 25.6):
        monkeypatch.setattr(server, "drip_s", deadline / 32)
        outcome, took = asyncio.run(timed(deadline))
        assert isinstance(outcome, CallTimedOut)
        assert took > 0.9
        if took <= 1.25:
            break
    assert took <= 1.25


def test_retry_after_is_honoured_and_a_quarter_more_at_most(server: Faultd) -> None:
    for fault, low, high in (("429-seconds", 2.0, 2.5), ("429-date", 3.0, 6.25)):
        server.play(fault, fault, fault)
        time = FakeTime()
        assert asyncio.run(asked("openai", server.url("openai"), time.policy())) == "north"
        assert len(time.waits) == 3
        assert all(low <= w <= high for w in time.waits), time.waits


def test_no_wait_goes_beyond_the_deadline(server: Faultd) -> None:
    server.play("429-seconds", always=True)
    outcome = asyncio.run(asked("openai", server.url("openai"), FakeTime().policy(deadline_s=5.0)))
    assert "no time is left" in str(outcome)
    assert len(server.asked) == 3


def test_waiting_too_long_is_said_at_once(server: Faultd) -> None:
    server.play("429-9999")
    outcome = asyncio.run(asked("anthropic", server.url("anthropic"), FakeTime().policy()))
    assert "asks to wait 9999 s, more than the 120 s allowed" in str(outcome)


@pytest.mark.parametrize("api", APIS)
def test_refused_schema_goes_as_words_and_is_remembered(server: Faultd, api: str) -> None:
    server.play(f"refuses:Unknown parameter: '{SCHEMA_NAMES[api]}'")

    async def twice() -> list[str]:
        model = load_model(f"{api}:any", base_url=server.url(api))
        try:
            return [(await model.ask("Which way?", schema=Move)).action for _ in range(2)]
        finally:
            await model.aclose()

    assert asyncio.run(twice()) == ["north", "north"]
    assert [has_schema(a) for a in server.asked] == [True, False, False]
    assert [a.messages[-1][1].count('"action"') for a in server.asked] == [0, 2, 2]


def has_schema(asked: Asked) -> bool:
    return asked.schema is not None


def test_unusable_is_a_model_error() -> None:
    assert issubclass(UnusableReply, ModelError)
