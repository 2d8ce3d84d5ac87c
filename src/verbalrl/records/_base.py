"""The bases of all records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import ConfigurationError, named, wanted


class Record(BaseModel):
    """A frozen value. Identity and storage live elsewhere; behaviour is limited to properties."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    def replace(self, **changes: Any) -> Self:
        """A validated copy with `changes`."""
        return self.model_validate({**dict(self), **changes})

    def having(self, **fields: Any) -> Self:
        """This record where it has `fields` as they are; else a copy with them, unvalidated."""
        held = self.__dict__
        if all(held[name] == value for name, value in fields.items()):
            return self
        return self.model_copy(update=fields)


class Settings(Record):
    """A record that users fill in: what cannot work is one line, a `ConfigurationError`."""

    if not TYPE_CHECKING:  # type checkers know the fields

        def __init__(self, *unnamed: Any, **given: Any) -> None:
            if unnamed:
                name, first = type(self).__name__, next(iter(type(self).model_fields))
                raise ConfigurationError(
                    f"{name} takes its settings by name, such as {name}({first}=…), not"
                    f" {named(unnamed[0])}"
                )
            try:
                super().__init__(**given)
            except ValidationError as error:
                raise ConfigurationError(f"{type(self).__name__}: {told(error)}") from None

    def replace(self, **changes: Any) -> Self:
        """A validated copy with `changes`.

        Raises:
            ConfigurationError: They cannot work.
        """
        return type(self)(**{**dict(self), **changes})


def told(error: ValidationError) -> str:
    """The first problem of `error` in one line: where, what was given, what is wanted."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    message = wanted(first)
    if first["type"] in ("extra_forbidden", "missing"):
        return f"{where}: {message}"
    return f"{where}={first['input']!r}: {message}"
