"""The base of all records."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A frozen value. Identity and storage live elsewhere; behaviour is limited to properties."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    def replace(self, **changes: Any) -> Self:
        """A validated copy with `changes`."""
        return self.model_validate({**dict(self), **changes})
