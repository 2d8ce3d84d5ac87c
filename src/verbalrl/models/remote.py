"""What all models behind an SDK share: clients per loop, one exchange, fall-backs, the policy.

The SDK builds, signs and sends requests; the bytes that come back are read here, because the SDKs
raise raw errors for half of what servers do wrong, or none. A subclass says how a request is
written, sent and its answer read.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote, urlsplit
from weakref import WeakKeyDictionary

from pydantic import BaseModel, JsonValue

from ..errors import CallRefused, ConfigurationError, ModelError
from ..ids import sha256_json
from ..prompts import library
from ..records import Record
from ..text import REDACTED, redact
from .base import Model
from .faults import decoded, of_status
from .limiter import limiter_of
from .messages import Message, Reply, Request, estimated_usage
from .retry import RetryPolicy, Transient
from .transport import Transport, http_client, of_one_address, post

MAX_BODY = 8 << 20
"""Bytes of an answer: reading stops there, and the answer counts as cut at its length limit."""
SEED_HEADER = "x-verbalrl-sample-seed"
"""Sent to servers that the user marked offline, and to no other."""
NO_KEY = "no-key"
"""What offline servers get in place of a key."""


class Sdk(NamedTuple):
    """An SDK, with the two of its names that are not the same in all of them."""

    module: Any
    client: Callable[..., Any]
    error: type[Exception]
    """The base of its exceptions."""


class Answer(Protocol):
    """A response whose body has not been read."""

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """The body, piece by piece."""

    async def aclose(self) -> None:
        """Let its connection go."""


class JsonInputs(Record):
    """What `models/json` is rendered from."""

    schema_text: str


class Place(NamedTuple):
    """Where a model is asked, and how patiently."""

    base_url: str | None = None
    offline: bool = False
    policy: RetryPolicy = RetryPolicy()
    transport: Transport = "httpx"
    keyless: bool = False
    """Nothing will be asked, as in a forecast: no key is needed, and every call is refused."""


class RemoteModel(Model):
    """A model behind an SDK's client."""

    provider: str
    path: str
    """Where requests go, below the address."""
    url_variable: str
    url_tail: str = ""
    """What the SDK adds to an address by itself; it may stand at the end of a given one."""
    schema_names: tuple[str, ...] = ()
    """Words by which a 400 says that the server takes no output schema."""
    _key: str | None
    """What clients sign with, found by `prepare`; None: the SDK finds it itself."""

    def __init__(self, model: str, place: Place) -> None:
        self.name = f"{self.provider}:{model}"
        self.model = model
        self.simulated = place.offline
        # The SDKs read the address from the environment too; it is checked like a given one.
        address = place.base_url or os.environ.get(self.url_variable) or None
        if address:
            check_url(address)
            address = address.rstrip("/").removesuffix(self.url_tail)
        self._place = place._replace(base_url=address)
        where = self._place.base_url or ""
        self.address = f"{self.name} {where}{' offline' if place.offline else ''}"
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()
        self._no_schema = False
        self._bad_schemas: set[str] = set()
        self._secrets = () if place.keyless else self.prepare()

    @property
    def server(self) -> dict[str, JsonValue] | None:
        """Where it is asked, as a run records it; None for the provider's own address."""
        if self._place.base_url is None:
            return None
        return {"base_url": self._place.base_url, "offline": self._place.offline}

    @abstractmethod
    def prepare(self) -> tuple[str, ...]:
        """Check what a client needs; gives the secrets that no text of ours may hold."""

    @abstractmethod
    def sdk(self) -> Sdk:
        """The SDK, imported on use."""

    def client(self) -> Any:
        """A new client that neither retries nor follows redirects with our key."""
        sdk, silence = self.sdk(), self._place.policy.silence_s
        timeout = sdk.module.Timeout(silence, connect=min(10.0, silence))
        client = sdk.client(
            api_key=self._key,
            base_url=self._place.base_url,
            max_retries=0,
            timeout=timeout,
            http_client=http_client(sdk.module, self._place.transport, timeout),
        )
        return of_one_address(client)

    @abstractmethod
    def written(self, request: Request, schema: Mapping[str, Any] | None) -> dict[str, Any]:
        """`request` as the body that the protocol wants."""

    @abstractmethod
    def read(self, body: dict[str, Any]) -> Reply:
        """The reply in `body`; without usage when the server reports none."""

    async def complete(self, request: Request, /) -> Reply:
        """The provider's reply.

        Raises:
            CallRefused: It said no for good.
            ProviderDown: It failed too often, or asks for too long a wait.
            CallTimedOut: The deadline passed.
        """
        policy = self._place.policy
        if self._place.keyless:
            raise CallRefused(f"{self.name} was loaded without a key, so it answers nothing")
        turn = limiter_of(f"{self.provider.partition('-')[0]} {self._place.base_url or ''}").turn(
            request.role, policy
        )
        # Not under the deadline, which is for what a call costs once it is sent.
        await turn.take()
        try:
            return await policy.call(lambda: turn.send(lambda: self._attempt(request)), self.name)
        finally:
            turn.give_back()

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.close()

    async def send(
        self, client: Any, written: dict[str, Any], headers: Mapping[str, str]
    ) -> Answer:
        """The answer to what is `written`, its body not read yet; the caller closes it.

        By the client itself rather than the method of the protocol, which would look at each
        argument in search of what to translate, on a body that is in the protocol's words already.
        """
        answer: Answer = await post(client, self.path, written, headers)
        return answer

    async def _attempt(self, request: Request) -> Reply:
        by_sdk = self._takes(request.output_schema)
        try:
            return await self._exchange(request, by_sdk=by_sdk)
        except CallRefused as refusal:
            if not by_sdk or not self._learned(refusal, request):
                raise
        return await self._exchange(request, by_sdk=False)

    async def _exchange(self, request: Request, *, by_sdk: bool) -> Reply:
        schema = request.output_schema if by_sdk else None
        own = request if by_sdk or request.output_schema is None else in_text(request)
        headers = {SEED_HEADER: str(request.sample_seed)} if self._place.offline else {}
        body, failure = await self._sent(self.written(own, schema), headers)
        if failure is not None:
            raise failure
        if len(body) > MAX_BODY:
            kept = body[:MAX_BODY].decode("utf-8", "replace")
            return Reply(finish="length", usage=estimated_usage(request, kept), model=self.model)
        try:
            reply = self.read(decoded(body))
        except (ModelError, Transient) as error:
            self._owned(error)
            raise
        if reply.usage.total == 0:
            return reply.model_copy(update={"usage": estimated_usage(request, reply.text)})
        return reply

    async def _sent(
        self, written: dict[str, Any], headers: Mapping[str, str]
    ) -> tuple[bytes, Exception | None]:
        """The body, or what went wrong: given back, so that no SDK error clings to it."""
        sdk = self.sdk()
        try:
            answer = await self.send(self._client(), written, headers)
            async with aclosing(answer):
                return await _body(answer), None
        except sdk.module.APIStatusError as error:
            return b"", self._of_status(error)
        except sdk.module.APITimeoutError as error:
            if "Timeout" not in (root := _root(error)):
                # So the SDKs call it when aiohttp loses a connection.
                return b"", Transient(f"connection failed ({root})")
            silence = f"silent for {self._place.policy.silence_s:g} s"
            return b"", Transient(silence, overloaded=True)
        except (sdk.module.APIConnectionError, *_transport_errors()) as error:
            return b"", Transient(f"connection failed ({_root(error)})")
        except sdk.error as error:
            return b"", ModelError(f"{self.name}: {type(error).__name__} in the SDK")

    def _of_status(self, error: Any) -> ModelError | Transient:
        headers = {k.lower(): v for k, v in error.response.headers.items()}
        failure = of_status(error.status_code, headers, error.body, time.time())
        self._owned(failure)
        return failure

    def _owned(self, failure: ModelError | Transient) -> None:
        """Give `failure` our name, and take out what must not be told."""
        text = str(failure)
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        # A Transient gets the name when it becomes final.
        failure.args = (f"{self.name}: {text}" if isinstance(failure, ModelError) else text,)

    def _client(self) -> Any:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            # Connections belong to their loop.
            client = self._clients[loop] = self.client()
        return client

    def _takes(self, schema: Mapping[str, Any] | None) -> bool:
        if schema is None or self._no_schema:
            return False
        return not self._bad_schemas or sha256_json(schema) not in self._bad_schemas

    def _learned(self, refusal: CallRefused, request: Request) -> bool:
        """Remember that the server takes no output schema, or not this one, if it says so."""
        said = str(refusal).lower()
        if refusal.status not in (400, 422) or not any(n in said for n in self.schema_names):
            return False
        if "invalid schema" in said or "schema is invalid" in said:
            self._bad_schemas.add(sha256_json(request.output_schema))
        else:
            self._no_schema = True
        return True


PROMPT_INPUTS: Mapping[str, type[BaseModel]] = {"models/json": JsonInputs}
"""For `PromptLibrary.check`."""


def in_text(request: Request) -> Request:
    """`request` with its output schema as words at the end of the last message."""
    schema = json.dumps(request.output_schema, ensure_ascii=False)
    added = library().render("models/json", JsonInputs(schema_text=schema)).text
    *before, final = request.messages or (Message(role="user"),)
    if final.role == "user" and not final.parts:
        messages = (*before, Message(role="user", text=f"{final.text}\n\n{added}"))
    else:
        messages = (*before, final, Message(role="user", text=added))
    return request.model_copy(update={"messages": messages})


async def _body(answer: Answer) -> bytes:
    body = bytearray()
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) > MAX_BODY:
            break
    return bytes(body)


def _transport_errors() -> tuple[type[Exception], ...]:
    """What breaks while a body is read comes raw, from whichever of these the SDK stands on."""
    known = (("httpx2", "HTTPError"), ("httpx", "HTTPError"), ("aiohttp", "ClientError"))
    loaded = ((sys.modules.get(module), name) for module, name in known)
    return (OSError, *(getattr(m, name) for m, name in loaded if m is not None))


def _root(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return type(error).__name__


def is_loopback(url: str | None) -> bool:
    """Whether `url` is on this machine."""
    host = (urlsplit(url).hostname or "") if url else ""
    return host in ("localhost", "::1") or host.startswith("127.")


def check_url(url: str) -> None:
    """Raise `ConfigurationError` for what is no address, or one that could hold a key."""
    problem = ""
    try:
        parts = urlsplit(url)
        _ = parts.port
        if parts.scheme not in ("http", "https") or not parts.hostname:
            problem = "write http://HOST:PORT/PATH or https://…"
        elif parts.username or parts.password:
            problem = "a key belongs in the environment, not in an address"
        elif parts.query or parts.fragment:
            problem = "write it without ? and #; it is kept with the run, and must hold no key"
        elif redact(plain := unquote(url)) != plain:
            problem = "it is kept with the run, and holds what looks like a key"
    except ValueError:
        problem = "it is no address"
    if problem:
        raise ConfigurationError(f"base_url: {problem}")
