"""A client of the same type that carries guidance: the SDK's own copy, of a subclass made for it.

Both SDKs send every call through `request`, prepare its body in `_prepare_options` once per attempt
and hand the answer to `_process_response`; a subclass of the client's own class sees each path
once, whichever helper asked. Two of the names are private: the tests run with the lowest and the
newest versions that are supported.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import ContextVar
from functools import lru_cache, wraps
from typing import Any

from ..errors import ConfigurationError, first_line
from .base import EpisodeDoor
from .calls import Binding, Call, Decode, begun

_HELD = "_verbalrl"
_SEAMS = ("request", "_prepare_options", "_process_response", "copy", "with_options")
_call: ContextVar[Call | None] = ContextVar("verbalrl_wrapped_call", default=None)


def wrapped(client: Any, binding: Binding) -> Any:
    """A copy of `client` that is bound to `binding`; a wrapped client is bound anew.

    Raises:
        ConfigurationError: Its class is made so that it cannot be copied.
    """
    base = type(client)
    if missing := [name for name in _SEAMS if not callable(getattr(base, name, None))]:
        raise ConfigurationError(f"wrap: {base.__qualname__} has no {missing[0]}; update its SDK")
    try:
        copied = _bare(client).copy()
    except TypeError as error:
        told = first_line(str(error))
        raise ConfigurationError(
            f"wrap: {base.__qualname__} cannot be copied: {told}; give its `copy` what it needs"
        ) from error
    return _bound(copied, binding)


def _bare(client: Any) -> Any:
    """`client`, or of a wrapped one a twin of the SDK's own class that shares all it holds.

    The SDKs ask for the exact class before they hand credentials on to a copy.
    """
    base = getattr(type(client), "verbalrl_base", None)
    if base is None:
        return client
    twin = object.__new__(base)
    twin.__dict__.update(client.__dict__)
    return twin


def _bound(copied: Any, binding: Binding) -> Any:
    kind: Any = type(copied)
    copied.__class__ = _subclass(kind)
    setattr(copied, _HELD, binding)
    return copied


@lru_cache(maxsize=64)
def _subclass(base: Any) -> Any:
    is_async = inspect.iscoroutinefunction(base.request)
    seams = _async_seams(base) if is_async else _sync_seams(base)

    def for_episode(self: Any, episode: EpisodeDoor) -> Any:
        """This client for `episode` alone, wherever it is used: no context variable is asked."""
        held: Binding = getattr(self, _HELD)
        return wrapped(self, held.to(episode))

    copies = {name: _copying(getattr(base, name)) for name in ("copy", "with_options")}
    members = {"verbalrl_base": base, "for_episode": for_episode, "__doc__": base.__doc__}
    # Its name goes into the user agent.
    shown = {"__module__": base.__module__, "__qualname__": base.__qualname__}
    return type(base.__name__, (base,), {**shown, **members, **seams, **copies})


def _copying(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def copy(self: Any, *args: Any, **options: Any) -> Any:
        return _bound(original(_bare(self), *args, **options), getattr(self, _HELD))

    return copy


def _sync_seams(base: Any) -> dict[str, Any]:
    @wraps(base.request)
    def request(self: Any, cast_to: Any, options: Any, **more: Any) -> Any:
        call = _begun(self, options)
        # None too: a hook of one call may make another one that is none of ours.
        token = _call.set(call)
        try:
            result = base.request(self, cast_to, options, **more)
        except BaseException as error:
            if call is not None:
                call.failed(error)
            raise
        finally:
            _call.reset(token)
        if call is not None:
            call.returned()
        return result

    @wraps(base._prepare_options)
    def _prepare_options(self: Any, options: Any) -> Any:
        _inject(options)
        return base._prepare_options(self, options)

    @wraps(base._process_response)
    def _process_response(self: Any, **given: Any) -> Any:
        _arrived(self, given["response"])
        return base._process_response(self, **given)

    found = (request, _prepare_options, _process_response)
    return {function.__name__: function for function in found}


def _async_seams(base: Any) -> dict[str, Any]:
    @wraps(base.request)
    async def request(self: Any, cast_to: Any, options: Any, **more: Any) -> Any:
        call = _begun(self, options)
        # None too: a hook of one call may make another one that is none of ours.
        token = _call.set(call)
        try:
            result = await base.request(self, cast_to, options, **more)
        except BaseException as error:
            if call is not None:
                call.failed(error)
            raise
        finally:
            _call.reset(token)
        if call is not None:
            call.returned()
        return result

    @wraps(base._prepare_options)
    async def _prepare_options(self: Any, options: Any) -> Any:
        call = _call.get()
        if call is not None:
            await call.ready()
        _inject(options)
        return await base._prepare_options(self, options)

    @wraps(base._process_response)
    async def _process_response(self: Any, **given: Any) -> Any:
        _arrived(self, given["response"])
        return await base._process_response(self, **given)

    found = (request, _prepare_options, _process_response)
    return {function.__name__: function for function in found}


def _begun(client: Any, options: Any) -> Call | None:
    binding: Binding | None = getattr(client, _HELD, None)
    if binding is None:
        return None
    secrets = (getattr(client, name, None) for name in ("api_key", "auth_token"))
    return begun(binding, options, secrets)


def _inject(options: Any) -> None:
    call = _call.get()
    if call is not None:
        call.inject(options)


def _arrived(client: Any, response: Any) -> None:
    call = _call.get()
    if call is not None:
        call.arrived(response, _decoder(client, response))


def _decoder(client: Any, response: Any) -> Decode | None:
    """For replies of Bedrock, whose events come in frames of their own."""
    if "eventstream" not in response.headers.get("content-type", ""):
        return None
    decoder = client._make_sse_decoder()

    def decode(content: bytes) -> bytes:
        events = decoder.iter_bytes(iter([content]))
        return b"".join(f"data: {event.data}\n\n".encode() for event in events)

    return decode
