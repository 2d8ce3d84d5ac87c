"""Models by name."""

from __future__ import annotations

from ..errors import ConfigurationError, UnknownNameError, check_kind
from .anthropic import Anthropic
from .base import Model
from .offline import OfflineModel
from .openai import OpenAIChat, OpenAIResponses
from .person import PersonModel
from .remote import Place, RemoteModel
from .retry import RetryPolicy
from .transport import Transport

_OFFLINE = "apprentice"
_REMOTE: dict[str, type[RemoteModel]] = {
    cls.provider: cls for cls in (OpenAIChat, OpenAIResponses, Anthropic)
}
_KNOWN = (f"offline:{_OFFLINE}", *(f"{provider}:NAME" for provider in _REMOTE), "person")


def load_model(
    name: str | Model,
    *,
    base_url: str | None = None,
    offline: bool = False,
    policy: RetryPolicy | None = None,
    transport: Transport = "httpx",
    keyless: bool = False,
) -> Model:
    """The model `name`, written `provider:name`; a model is given back as it is.

    `offline:apprentice` needs no key and no network; `offline:apprentice#N` has habit N.
    `openai:NAME` speaks chat completions, `openai-responses:NAME` responses, `anthropic:NAME`
    messages; keys come from the environment, as for the SDKs. `person` asks on the terminal,
    `person:FOLDER` through files.

    Args:
        name: The name, or a model.
        base_url: Of a compatible server; None means the provider's own, or the one in the
            environment (`OPENAI_BASE_URL`, `ANTHROPIC_BASE_URL`), as for the SDKs.
        offline: The server is no language model but one for tests: it gets no key, is told the
            sampling seed, and what it answers counts as simulated.
        policy: How often and how long a call is tried.
        transport: `aiohttp` (with the extra of that name) takes less CPU per call when many are
            in flight; `fastest` is aiohttp where it can be had.
        keyless: The model is for a forecast only: it needs no key, and answers nothing.

    Raises:
        UnknownNameError: No such provider or model.
        ConfigurationError: The name is incomplete, a key is missing, or a setting means nothing.
    """
    if isinstance(name, Model):
        return name
    _check_kinds(name, base_url, policy)
    provider, _, rest = name.partition(":")
    if provider == "scripted":
        raise ConfigurationError("a scripted model needs replies: use ScriptedModel([...])")
    if provider == "person":
        if base_url is not None or offline:
            raise ConfigurationError(f"base_url and offline mean nothing to {name!r}")
        return PersonModel(rest or None)
    if provider in _REMOTE:
        patience = policy or RetryPolicy()
        return _remote(provider, rest, Place(base_url, offline, patience, transport, keyless))
    if provider != "offline":
        raise UnknownNameError.of("model", name, _KNOWN, "write PROVIDER:NAME")
    if base_url is not None or offline:
        setting = f"base_url={base_url!r}" if base_url is not None else "offline=True"
        raise ConfigurationError(f"{setting} means nothing to {name!r}")
    model, mark, habit = rest.partition("#")
    if model != _OFFLINE:
        raise UnknownNameError.of("model", name, (f"offline:{_OFFLINE}",))
    if mark and not habit.isdecimal():
        raise ConfigurationError(f"{name!r}: the habit after # is a whole number")
    return OfflineModel(int(habit or 0))


def asks_server(name: str) -> bool:
    """Whether the model `name` is asked over HTTP, so that `base_url` means something to it."""
    return name.partition(":")[0] in _REMOTE


def _check_kinds(name: object, base_url: object, policy: object) -> None:
    if not isinstance(name, str):
        raise ConfigurationError(
            f"a model is wanted, or its name such as {_KNOWN[0]!r}, not {type(name).__name__}"
        )
    if base_url is not None:
        check_kind(base_url, str, f"{name}: base_url takes the address of a server")
    if policy is not None:
        check_kind(policy, RetryPolicy, f"{name}: policy takes a RetryPolicy")


def _remote(provider: str, model: str, place: Place) -> Model:
    if not model.strip():
        raise ConfigurationError(f"{provider}: needs the name of a model: write {provider}:NAME")
    if place.offline and place.base_url is None:
        raise ConfigurationError("offline=True needs the base_url of the server for tests")
    return _REMOTE[provider](model, place)
