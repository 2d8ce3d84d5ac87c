"""Models by name."""

from __future__ import annotations

from ..errors import ConfigurationError, UnknownNameError
from .base import Model
from .offline import OfflineModel

_OFFLINE = "apprentice"


def load_model(name: str | Model, *, base_url: str | None = None) -> Model:
    """The model `name`, written `provider:name`; a model is given back as it is.

    `offline:apprentice` needs no key and no network; `offline:apprentice#N` has habit N.

    Raises:
        UnknownNameError: No such provider or model.
        ConfigurationError: The name is incomplete, or `base_url` means nothing to it.
    """
    if isinstance(name, Model):
        return name
    provider, _, rest = name.partition(":")
    if provider == "scripted":
        raise ConfigurationError("a scripted model needs replies: use ScriptedModel([...])")
    if provider != "offline":
        raise UnknownNameError.of("model", name, (f"offline:{_OFFLINE}",), "write PROVIDER:NAME")
    if base_url is not None:
        raise ConfigurationError(f"base_url={base_url!r} means nothing to {name!r}")
    model, mark, habit = rest.partition("#")
    if model != _OFFLINE:
        raise UnknownNameError.of("model", name, (f"offline:{_OFFLINE}",))
    if mark and not habit.isdecimal():
        raise ConfigurationError(f"{name!r}: the habit after # is a whole number")
    return OfflineModel(int(habit or 0))
