"""The call context: every model call of a run is keyed, looked up, asked, made durable, handed on.

A context belongs to one owner (an episode, a critique, a curation). `at` gives views of it for a
step, a role or a hook; `active` makes a view the ambient one, so that `model.ask` and `ask_sync`
find it. A view ends with its block: what comes later is refused, and who still waits is let go.
Retries are not here, they wrap the model; budgets and alarms are in `account`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, TypeVar

from ..errors import ModelError, ReplayMismatch, RunHalted, StorageError, VerbalRLError, boundary
from ..ids import canonical_json, key_id, seed_from, sha256_text
from ..records import CallRecord, Usage
from .account import Account
from .base import Model, ambient, with_schema
from .cache import CallPlace, Shelf
from .fence import Fence, late
from .journal import Journal
from .messages import Reply, Request, admitted
from .slots import Slots
from .structured import Schema, answered, parser

T = TypeVar("T")


class TokensSpent(ModelError):
    """The owner's token limit is reached; not asked."""


class _Content(NamedTuple):
    """What a model gets to see of a request, and its hash."""

    text: str
    sha: str

    @classmethod
    def of(cls, request: Request) -> _Content:
        text = request.content()
        return cls(text, sha256_text(text))


@dataclass(slots=True)
class _Shared:
    """What all views of one context have in common."""

    usage: dict[str, Usage] = field(default_factory=dict)
    ordinals: dict[tuple[str, int, str], int] = field(default_factory=dict)
    token_limit: int | None = None
    mismatch: ReplayMismatch | None = None
    broken: StorageError | None = None
    halted: RunHalted | None = None
    tokens_spent: bool = False
    asked: int = 0
    replayed: int = 0


@dataclass(frozen=True)
class CallContext:
    """Journal, slot, key and seed for the calls of one owner."""

    journal: Journal
    slots: Slots
    owner: str
    """The id of an episode, a critique or a curation."""
    role: str = "actor"
    """Whose slot priority and whose bill; part of the key."""
    sample_seed: int = 0
    generation: int = 0
    is_new: bool = False
    """Nothing was journaled for this generation of the owner before: no answer is looked for."""
    order: tuple[int, ...] = ()
    """The place in line among callers of one role and lane."""
    lane: str = ""
    """Whose share of the slots: the arm and seed."""
    step: int = 0
    hook: str = ""
    cache: Shelf = field(default_factory=Shelf)
    """Where answers of earlier runs are."""
    run: str = ""
    """Whose bill it is in the journal."""
    account: Account | None = None
    """Budget and alarms of the run; None: neither."""
    keep_requests: bool = True
    """False: the journal keeps the hash of a request, not its text."""
    bill: dict[str, Usage] = field(default_factory=dict)
    """What this view has used, by role."""
    _shared: _Shared = field(default_factory=_Shared)
    _fence: Fence = field(default_factory=Fence)
    _loop: asyncio.AbstractEventLoop | None = None

    @property
    def usage(self) -> dict[str, Usage]:
        """What the owner has used so far, by role."""
        return dict(self._shared.usage)

    @property
    def tokens_used(self) -> int:
        """All tokens of the owner so far, in and out, all roles."""
        return sum(u.total for u in self._shared.usage.values())

    @property
    def tokens_spent(self) -> bool:
        """True once a call was refused because the owner's tokens are spent."""
        return self._shared.tokens_spent

    @property
    def mismatch(self) -> ReplayMismatch | None:
        """The first mismatch, also if whoever asked has swallowed it."""
        return self._shared.mismatch

    @property
    def fatal(self) -> VerbalRLError | None:
        """What makes the owner's work worthless, also if whoever asked has swallowed it."""
        return self._shared.broken or self._shared.halted or self._shared.mismatch

    @property
    def asked(self) -> int:
        """How many calls went to a model, not to the journal."""
        return self._shared.asked

    @property
    def replayed(self) -> int:
        """How many answers came from the journal."""
        return self._shared.replayed

    def limit_tokens(self, tokens: int | None) -> None:
        """Refuse further calls of the owner once it has used `tokens`."""
        self._shared.token_limit = tokens

    def at(
        self,
        *,
        step: int | None = None,
        role: str | None = None,
        hook: str | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> CallContext:
        """A view of the same owner, open until closed, with a bill of its own."""
        return replace(
            self,
            step=self.step if step is None else step,
            role=self.role if role is None else role,
            hook=self.hook if hook is None else hook,
            bill={},
            _fence=Fence(),
            _loop=loop or self._loop,
        )

    def apart(self, *order: int) -> CallContext:
        """The same owner with a bill of its own, which `take` adds to this one if ever.

        For work that may turn out to be for nothing; `order` comes after this context's own.
        """
        return replace(self, order=(*self.order, *order), bill={}, _shared=_Shared())

    def take(self, other: CallContext) -> None:
        """Own what was done `apart`: its bill, and what makes the owner's work worthless."""
        own, theirs = self._shared, other._shared
        for role, usage in sorted(theirs.usage.items()):
            self._charge(role, usage)
        own.asked += theirs.asked
        own.replayed += theirs.replayed
        own.mismatch = own.mismatch or theirs.mismatch
        own.broken = own.broken or theirs.broken
        own.halted = own.halted or theirs.halted

    @contextmanager
    def active(
        self, *, step: int | None = None, role: str | None = None, hook: str | None = None
    ) -> Iterator[CallContext]:
        """Make a view ambient while the block runs; it is closed at the end."""
        view = self.at(step=step, role=role, hook=hook, loop=asyncio.get_running_loop())
        token = ambient.set(view)
        try:
            yield view
        finally:
            ambient.reset(token)
            view.close()

    def charge(self, usage: Usage) -> None:
        """Bill what was paid outside of a model call, to this view's role."""
        self._charge(self.role, usage)

    def close(self) -> None:
        """Refuse further calls of this view and let go of threads that wait for one."""
        self._fence.close()

    async def ask(self, model: Model, request: Request, /) -> Reply:
        """The reply to `request`: the journaled one, else the model's, durable before it is here.

        Raises:
            ReplayMismatch: The journal's answer was given to another request.
            ModelError: The call failed for good.
        """
        return await self._send(model, request, self._ordinal(self.role), 0)

    async def ask_for(self, model: Model, request: Request, schema: Schema, /) -> tuple[Any, Reply]:
        """What `schema` makes of the reply, and the last reply; at most two repairs.

        Raises:
            UnusableReply: No reply fitted `schema`; a `ModelError`.
        """
        asking = self._ask_for(model, request, schema)
        loop = asyncio.get_running_loop()
        if self._loop is None or loop is self._loop:
            return await asking
        # A sync agent that runs a loop of its own: the journal lives on the run's.
        return await asyncio.wrap_future(self._fence.submit(asking, self._loop))

    async def _ask_for(self, model: Model, request: Request, schema: Schema) -> tuple[Any, Reply]:
        ordinal = self._ordinal(self.role)
        own = with_schema(request, schema)

        async def send(attempt: Request, repair: int) -> Reply:
            return await self._send(model, attempt, ordinal, repair)

        return await answered(send, own, parser(schema), model.name)

    def wait(self, coroutine: Coroutine[Any, Any, T], /) -> T:
        """The result of `coroutine`, run on the run's loop; for worker threads."""
        if self._loop is None or _runs_here(self._loop):
            coroutine.close()
            raise RuntimeError(
                "ask_sync blocks the event loop here; write `await model.ask(...)` in async code"
            )
        try:
            return self._fence.submit(coroutine, self._loop).result()
        except concurrent.futures.CancelledError:
            raise late() from None

    async def once(
        self,
        content: str,
        make: Callable[[], Awaitable[str]],
        *,
        kind: Literal["hook", "person"] = "hook",
    ) -> str:
        """The outcome of `make` for `content`, made once: later it comes from the journal.

        Its model calls are billed again when it is replayed, so that figures stay equal.
        """
        key, sha = self._key(kind, self._ordinal(kind), 0), sha256_text(content)
        found = self._found(key, sha)
        if found is not None:
            kept = json.loads(found.reply)
            for role, usage in sorted(kept["usage"].items()):
                self._charge(role, Usage.model_validate(usage))
            return str(kept["outcome"])
        outcome = await make()
        if self.fatal is not None:
            # Whoever was asked has swallowed it; what was made of it is worth nothing.
            raise self.fatal
        usage = {role: u.model_dump(mode="json") for role, u in self.bill.items()}
        reply = canonical_json({"outcome": outcome, "usage": usage})
        await self._keep(
            CallRecord(
                key=key,
                generation=self.generation,
                owner=self.owner,
                role=self.role,
                run=self.run,
                kind=kind,
                request_sha=sha,
                request=content if self.keep_requests else "",
                reply=reply,
            )
        )
        return outcome

    async def _send(self, model: Model, request: Request, ordinal: int, repair: int) -> Reply:
        if self._fence.closed:
            raise late()
        key = self._key(self.role, ordinal, repair)
        seed = seed_from(self.sample_seed, self.role, self.step, self.hook, ordinal, repair)
        own = request.model_copy(update={"role": self.role, "call_key": key, "sample_seed": seed})
        content = _Content.of(own)
        found = self._found(key, content.sha)
        if found is not None:
            reply = Reply.model_validate_json(found.reply)
        else:
            place = CallPlace(self.role, self.step, self.hook, ordinal, repair)
            reply = await self._live(model, own, content, place)
        self._charge(self.role, reply.usage)
        return reply

    async def _live(
        self, model: Model, request: Request, content: _Content, place: CallPlace
    ) -> Reply:
        """The reply of an earlier run or of the model, durable.

        The slot is kept until then: a kill never makes us ask again more than the slots hold.
        """
        limit = self._shared.token_limit
        if limit is not None and self.tokens_used >= limit:
            self._shared.tokens_spent = True
            raise TokensSpent(f"the limit of {limit} tokens is reached")
        kept = await self._reused(model, request, content, place)
        if kept is not None:
            return kept
        async with self.slots.hold(self.role, self.order, self.lane):
            self._shared.asked += 1
            reply = await self._asked(model, request, content.text)
            await self._answered(request, content, reply)
        self.cache.put(model, request, place, reply)
        return reply

    async def _reused(
        self, model: Model, request: Request, content: _Content, place: CallPlace
    ) -> Reply | None:
        try:
            kept = self.cache.get(model, request, place)
        except StorageError as error:
            self._shared.broken = error
            raise
        if kept is not None:
            await self._answered(request, content, kept)
        return kept

    async def _answered(self, request: Request, content: _Content, reply: Reply) -> None:
        await self._keep(
            CallRecord(
                key=request.call_key,
                generation=self.generation,
                owner=self.owner,
                role=self.role,
                run=self.run,
                request_sha=content.sha,
                request=content.text if self.keep_requests else "",
                reply=canonical_json(reply.model_dump(mode="json")),
                usage=reply.usage,
            )
        )

    async def _asked(self, model: Model, request: Request, content: str) -> Reply:
        if self.account is None:
            with boundary(ModelError, model.name):
                return admitted(await model.complete(request))
        try:
            return await self.account.answer(model, request, content)
        except RunHalted as halted:
            self._shared.halted = halted
            raise

    def _found(self, key: str, sha: str) -> CallRecord | None:
        found = None if self.is_new else self.journal.lookup(key, self.generation)
        if found is None:
            return None
        if found.request_sha != sha:
            error = ReplayMismatch(
                f"{self.owner}: the journaled call {key} (step {self.step}, role {self.role})"
                " was made from another request"
            )
            self._shared.mismatch = self._shared.mismatch or error
            raise error
        self._shared.replayed += 1
        return found

    async def _keep(self, record: CallRecord) -> None:
        """Append `record`; a cancellation does not take the paid answer away."""
        try:
            await self.journal.begin(record)
        except StorageError as error:
            self._shared.broken = error
            raise

    def _charge(self, role: str, usage: Usage) -> None:
        for bill in (self._shared.usage, self.bill):
            held = bill.get(role)
            bill[role] = usage if held is None else held + usage

    def _key(self, role: str, ordinal: int, repair: int) -> str:
        return key_id("call", self.owner, role, self.step, self.hook, ordinal, repair)

    def _ordinal(self, role: str) -> int:
        place = (role, self.step, self.hook)
        ordinal = self._shared.ordinals.get(place, 0)
        self._shared.ordinals[place] = ordinal + 1
        return ordinal


def _runs_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
