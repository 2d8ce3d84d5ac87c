"""How a run records who acted, criticised and curated, and where they were asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..models import Model, RemoteModel


def name_of(part: Any) -> str | None:
    """How a run records who acted, criticised or curated."""
    if part is None:
        return None
    model = getattr(part, "model", None)
    return str(getattr(part, "name", "") or (model.name if model else type(part).__name__))


def servers_of(models: Mapping[str, Model]) -> dict[str, Any]:
    """By role, where models are asked that are not asked at their provider. Never a key."""
    remote = {role: m.server for role, m in models.items() if isinstance(m, RemoteModel)}
    return {role: server for role, server in remote.items() if server is not None}
