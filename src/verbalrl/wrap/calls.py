"""One model call of a wrapped client, from its request to the exchange that is recorded.

Whatever goes wrong in here is logged and the call goes on as if nobody listened, unless the coach
is strict.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from .._logging import get_logger
from ..errors import EpisodeError, VerbalRLError, boundary, first_line
from ..text import redact
from .base import Blocks, CoachDoor, EpisodeDoor, Exchange
from .blocks import carries, merged, without
from .chains import Chains, grown
from .streams import body_of
from .tee import tee
from .wire import failure_of, ran_in, reply_of, request_of, tools_of, usage_of

log = get_logger(__name__)

Decode = Callable[[bytes], bytes]
Reader = Callable[[], Mapping[str, Any]]
T = TypeVar("T")


@dataclass(frozen=True)
class Binding:
    """What makes a client a wrapped one."""

    coach: CoachDoor
    episode: EpisodeDoor | None
    provider: str
    apis: Mapping[str, str]
    """By the path that a request is posted to, the protocol of its body."""
    chains: Chains = field(default_factory=Chains)

    def to(self, episode: EpisodeDoor) -> Binding:
        """The same for `episode`, whatever the context says."""
        return replace(self, episode=episode)


def begun(binding: Binding, options: Any, secrets: Iterable[object]) -> Call | None:
    """The call that `options` (the SDK's) are about; None when it is none, or no episode is on."""
    if str(options.method).lower() != "post":
        return None
    api = binding.apis.get(str(options.url).partition("?")[0])
    return None if api is None else called(binding, api, secrets)


def called(binding: Binding, api: str, secrets: Iterable[object] = ()) -> Call | None:
    """A call that speaks the protocol `api`; None when no episode is on."""
    door = binding.episode
    if door is None:
        with _guarded(binding.coach, "the coach"):
            door = binding.coach.current()
    return None if door is None else Call(binding, door, api, secrets)


class Call:
    """What is known of one call so far."""

    def __init__(
        self, binding: Binding, door: EpisodeDoor, api: str, secrets: Iterable[object]
    ) -> None:
        self._binding, self._door, self._api = binding, door, api
        self._secrets = [s for s in secrets if isinstance(s, str) and s]
        self._started = time.perf_counter()
        self._request: tuple[Mapping[str, Any], ...] = ()
        self._model = ""
        self._body: Mapping[str, Any] = {}
        self._blocks: Blocks | None = None
        self._left = Blocks("", "")
        self._sent: Blocks | None = None
        # Only of a response that was read: one that is listened to would be held in a circle.
        self._content: Any = None
        self._attempt = 0
        self._is_over = False

    async def ready(self) -> None:
        """Wait, on an event loop, for what recall needs at first; a retry waits for nothing."""
        if self._blocks is None:
            with _guarded(self._binding.coach, "guidance"):
                await self._door.ready()

    def inject(self, options: Any) -> None:
        """Put the blocks into `options`, the SDK's own copy for one attempt."""
        with _guarded(self._binding.coach, "guidance"):
            given, extra = options.json_data, options.extra_json
            body = {**(given or {}), **(extra or {})}
            if self._blocks is None:
                self._blocks = self._seen(body)
            if not (self._left.stable or self._left.volatile):
                self._sent = self._blocks
                return
            changed = merged(self._api, body, self._left)
            options.json_data = {**(given or {}), **changed}
            if extra is not None:
                # It wins over the body when the SDK merges them.
                options.extra_json = {**extra, **changed}
            self._sent = self._kept(self._blocks, changed)

    def _kept(self, blocks: Blocks, sent: Mapping[str, Any]) -> Blocks:
        """What of `blocks` a server that keeps the conversation has after this call.

        Responses keep their input, and not the instructions, where a block goes for want of a
        message of the user.
        """
        volatile = self._left.volatile
        if self._api == "responses" and volatile and not carries(sent.get("input"), volatile):
            return replace(blocks, volatile="")
        return blocks

    def carried(self, read: Reader, carry: Callable[[Blocks], T], bare: T) -> T:
        """The request of a framework with its blocks: `carry` puts them in; else `bare`.

        `read` tells the request as its protocol has it.
        """
        request = bare
        with _guarded(self._binding.coach, "guidance"):
            self._blocks = self._seen(read())
            if self._left.stable or self._left.volatile:
                request = carry(self._left)
            self._sent = self._blocks
        return request

    def answered(self, read: Reader) -> None:
        """Record the reply to a framework, which `read` tells as its protocol has it."""
        with _guarded(self._binding.coach, "recording"):
            body = read()
            self._keep(body, redact(failure_of(body)))

    def _seen(self, body: Mapping[str, Any]) -> Blocks:
        self._model = str(body.get("model") or "")
        self._body = body
        self._request = request_of(self._api, body)
        self._door.see(self._request)
        blocks = self._door.blocks()
        self._request = without(self._request, blocks)
        self._left = self._binding.chains.left(body, blocks)
        return blocks

    def arrived(self, response: Any, decode: Decode | None) -> None:
        """Listen to `response`, unless the SDK is about to ask again.

        Args:
            response: Of httpx, its body read or not.
            decode: Makes server-sent events of a body in another framing.
        """
        with _guarded(self._binding.coach, "listening"):
            self._attempt += 1
            self._content = None
            if response.is_stream_consumed:
                # Read before its status was known, or a whole answer.
                self._content = response.content if response.is_success else None
            elif response.is_success:
                tee(response, partial(self._heard, self._attempt, decode))

    def returned(self) -> None:
        """The SDK has handed its result on; a stream has not been read yet."""
        if self._content is not None:
            with _guarded(self._binding.coach, "recording"):
                self._record(self._content, "")

    def failed(self, error: BaseException) -> None:
        """The SDK has raised instead."""
        with _guarded(self._binding.coach, "recording"):
            self._record(self._content or b"", self._told(error))

    def _heard(
        self,
        attempt: int,
        decode: Decode | None,
        read: Callable[[], bytes],
        error: BaseException | None,
    ) -> None:
        # Of several attempts that middleware makes of one call, the last one is the reply.
        if attempt == self._attempt:
            with _guarded(self._binding.coach, "recording"):
                told = "" if error is None else self._told(error)
                content = read()
                self._record(decode(content) if decode else content, told)

    def _record(self, content: bytes, error: str) -> None:
        if self._is_over:
            return
        body = body_of(self._api, content) if content else {}
        unread = "a reply that cannot be read" if content and not body else ""
        self._keep(body, error or unread or redact(failure_of(body)))

    def _keep(self, body: Mapping[str, Any], told: str) -> None:
        self._is_over = True
        seconds = time.perf_counter() - self._started
        if self._sent is not None and not told:
            self._binding.chains.keep(grown(self._api, self._body, body), self._sent)
        self._door.record(
            Exchange(
                provider=self._binding.provider,
                api=self._api,
                model=self._model,
                request=self._request,
                reply=reply_of(self._api, body) if body else None,
                usage=usage_of(self._api, body),
                error=told,
                seconds=seconds,
                tools=tools_of(self._body),
                ran=ran_in(self._api, body),
            )
        )

    def _told(self, error: BaseException) -> str:
        text = str(error)
        for secret in self._secrets:
            text = text.replace(secret, "[redacted]")
        return first_line(f"{type(error).__name__}: {redact(text)}")


@contextmanager
def _guarded(coach: CoachDoor, what: str) -> Iterator[None]:
    try:
        with boundary(EpisodeError, f"wrapped client, {what}"):
            yield
    except VerbalRLError as error:
        if coach.strict:
            raise
        log.warning("wrap.failed", at=what, error=first_line(str(error)))
