"""Serving: an agent that runs already learns from what becomes of its work."""

from __future__ import annotations

from pathlib import Path

from ..critics import CriticLike
from ..curators import CuratorLike
from ..errors import ConfigurationError
from ..models import Model
from ..records import Gate
from ..store import Store
from .coach import Coach as Coach
from .episode import ServedEpisode as ServedEpisode
from .judges import Models
from .learned import Learned as Learned
from .saying import check_type
from .saying import correction_of as correction_of
from .saying import said_of as said_of
from .settings import ServeRules as ServeRules

_GATES = ("none", "measured", "review")


def serve(
    store: Store | Path | str = ".verbalrl",
    scope: str = "agent",
    *,
    model: Model | str | None = None,
    critic: CriticLike | None = None,
    curator: CuratorLike | None = None,
    gate: Gate = "measured",
    rules: ServeRules | None = None,
    strict: bool = False,
) -> Coach:
    """A coach for an agent that runs already: it wraps clients, records episodes, and learns.

    Args:
        store: A folder, or an open store. Its branch main is what prompts read and `learn` writes.
        scope: Names what the lessons are for, such as `support`; other scopes are not touched.
        model: Criticises and curates, unless others are named; asked only by `learn`, which is
            when a model by name needs its key.
        critic: As for a `Learner`: a name, a model, or a callable.
        curator: The same; by default the critic's model.
        gate: How a lesson on trial becomes active: `none` at once, `measured` on its effect (until
            then four prompts of five carry it), `review` by a person.
        rules: Budget per day, which outcomes are critiqued, and what else there is to tell.
        strict: Raise errors of memory rather than log them and go on without lessons.

    Raises:
        ConfigurationError: A setting that cannot work, such as a name that no model has.
        StorageError: The store cannot be opened.
    """
    check_type("store", store, Store | Path | str, "a folder, or an open store")
    check_type("scope", scope, str, "a name such as 'support'")
    check_type("rules", rules, ServeRules | None, "vrl.ServeRules(…)")
    if isinstance(store, str) and not store.strip():
        raise ConfigurationError("store= names a folder; it is empty")
    if not scope.strip():
        raise ConfigurationError("scope= names what the lessons are for; it is empty")
    if gate not in _GATES:
        raise ConfigurationError(f"gate={gate!r}; it is one of {', '.join(_GATES)}")
    judge = critic if critic is not None else model
    writer = curator if curator is not None else _model_of(model if model is not None else judge)
    models = Models(judge, writer)
    models.check()
    return Coach(
        store,
        scope.strip(),
        models,
        gate=gate,
        strict=strict,
        rules=rules or ServeRules(),
    )


def _model_of(critic: object) -> Model | str | None:
    """The model behind a critic, which curates too."""
    if isinstance(critic, (str, Model)):
        return critic
    model = getattr(critic, "model", None)
    return model if isinstance(model, Model) else None
