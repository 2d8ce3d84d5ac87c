"""The methods of the field as pure plans; `method(name)` finds one by its name."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from ..errors import ConfigurationError, UnknownNameError
from .arms import ALL_ARMS as ALL_ARMS
from .arms import ARMS as ARMS
from .arms import BEST_OF_N as BEST_OF_N
from .arms import LEARNED as LEARNED
from .arms import MEANINGS as MEANINGS
from .arms import arm as arm
from .attempts import Attempts as Attempts
from .base import CommitCheck as CommitCheck
from .base import Learns as Learns
from .base import Method as Method
from .base import MethodSettings as MethodSettings
from .base import Requirement as Requirement
from .base import Selector as Selector
from .check import check_method as check_method
from .critique_refine import CritiqueRefine as CritiqueRefine
from .critique_refine import critique_refine as critique_refine
from .critique_revise import CritiqueRevise as CritiqueRevise
from .critique_revise import critique_revise as critique_revise
from .cvrf import Cvrf as Cvrf
from .cvrf import cvrf as cvrf
from .expel import Expel as Expel
from .expel import expel as expel
from .group_eval import GroupEval as GroupEval
from .group_eval import group_eval as group_eval
from .handbook import Handbook as Handbook
from .handbook import handbook as handbook
from .hindsight import Hindsight as Hindsight
from .hindsight import hindsight as hindsight
from .hint import Hint as Hint
from .hint import hint as hint
from .prove import Prove as Prove
from .rci import Rci as Rci
from .rci import rci as rci
from .reflexion import Reflexion as Reflexion
from .reflexion import reflexion as reflexion
from .scoped_feedback import ScopedFeedback as ScopedFeedback
from .scoped_feedback import scoped_feedback as scoped_feedback
from .self_refine import SelfRefine as SelfRefine
from .self_refine import self_refine as self_refine

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
