"""Methods by name, and with other settings."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from ..errors import ConfigurationError, UnknownNameError
from .base import Method, MethodSettings
from .critique_refine import CritiqueRefine
from .critique_revise import CritiqueRevise
from .cvrf import Cvrf
from .expel import Expel
from .group_eval import GroupEval
from .handbook import Handbook, handbook
from .hindsight import Hindsight
from .hint import Hint
from .prove import Prove
from .rci import Rci
from .reflexion import Reflexion, reflexion
from .scoped_feedback import ScopedFeedback
from .self_refine import SelfRefine

METHODS: Mapping[str, type[MethodSettings]] = {
    "reflexion": Reflexion,
    "expel": Expel,
    "handbook": Handbook,
    "cvrf": Cvrf,
    "self_refine": SelfRefine,
    "rci": Rci,
    "critique_refine": CritiqueRefine,
    "critique_revise": CritiqueRevise,
    "group_eval": GroupEval,
    "hindsight": Hindsight,
    "hint": Hint,
    "scoped_feedback": ScopedFeedback,
}
"""The methods that commands offer."""


_OWN: Mapping[str, type[MethodSettings]] = {"prove": Prove}
"""Methods of commands of their own, so that their runs can be resumed."""


def method(name: str, settings: Mapping[str, JsonValue] | None = None) -> Method:
    """The method `name` with `settings` in place of its defaults."""
    return _made(METHODS.get(name), name, settings)


def stored(name: str, settings: Mapping[str, JsonValue] | None = None) -> Method:
    """The method of a run that is stored; those of commands of their own too."""
    return _made(METHODS.get(name) or _OWN.get(name), name, settings)


def _made(
    kind: type[MethodSettings] | None, name: str, settings: Mapping[str, JsonValue] | None
) -> Method:
    if kind is None:
        raise UnknownNameError.of("method", name, METHODS)
    given = dict(settings or {})
    for key in given:
        if key not in kind.model_fields or key in ("name", "learns"):
            options = [f for f in kind.model_fields if f not in ("name", "learns")]
            raise UnknownNameError.of(f"setting of {name}", key, options)
    built = kind(**given)
    if not isinstance(built, Method):  # pragma: no cover - a programming error in METHODS
        raise ConfigurationError(f"{name!r} is not a method")
    return built


def default_for(learns: str, has_test: bool) -> Method:
    """The method that suits what a task can teach: `instance`, `shared` or `both`."""
    return handbook() if learns != "instance" and has_test else reflexion()


def changed(chosen: Method, changes: Mapping[str, JsonValue]) -> Method:
    """`chosen` with other settings; raises `ConfigurationError` for one that it does not have."""
    if not isinstance(chosen, MethodSettings):
        raise ConfigurationError(f"{chosen.name!r} takes no {', '.join(changes)}; set it yourself")
    for key in changes:
        if key not in type(chosen).model_fields:
            raise UnknownNameError.of(f"setting of {chosen.name}", key, type(chosen).model_fields)
    built = chosen.replace(**changes)
    if not isinstance(built, Method):  # pragma: no cover - a programming error in the method
        raise ConfigurationError(f"{chosen.name!r} is not a method")
    return built


def settings_of(chosen: Method) -> dict[str, JsonValue]:
    """The settings of `chosen` as JSON, such that `method(name, settings)` builds it again."""
    if not isinstance(chosen, MethodSettings):
        return {}
    return chosen.model_dump(mode="json", exclude={"name", "learns"})
