"""Who criticises and who curates, and how a session records it for learners elsewhere."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, NamedTuple

from ..critics import CriticLike, named
from ..curators import CuratorLike
from ..errors import ConfigurationError
from ..execution import servers_of
from ..models import Model, load_model


class Models(NamedTuple):
    """Who criticises and who curates, as they were given."""

    critic: CriticLike | None
    curator: CuratorLike | None

    def check(self) -> None:
        """Raise `ConfigurationError` where a name is none that can be asked.

        Its key is asked for by whoever learns: a process that only serves may have none.
        """
        for part in self:
            if isinstance(part, str) and named(part) is None:
                load_model(part, keyless=True)

    def names(self) -> dict[str, str | None]:
        """By role, how they can be loaded again; what is no model has no name."""
        return {role: _named(part) for role, part in self._asdict().items()}

    def servers(self) -> dict[str, Any]:
        """By role, where they are asked, as runs record it; never an address that holds a key."""
        found = {role: _model(part) for role, part in self._asdict().items()}
        return servers_of({role: model for role, model in found.items() if model is not None})


def _named(part: object) -> str | None:
    return part if isinstance(part, str) else getattr(part, "name", None)


def _model(part: object) -> Model | None:
    """The model behind `part`; None where there is none, or none that can be asked."""
    if isinstance(part, str):
        with suppress(ConfigurationError):
            return load_model(part, keyless=True)
        return None
    model = part if isinstance(part, Model) else getattr(part, "model", None)
    return model if isinstance(model, Model) else None
