"""Whether the packages of an extra are there."""

from __future__ import annotations

import importlib.util

from ..errors import ConfigurationError


def need(extra: str, what: str, *packages: str) -> None:
    """Raise `ConfigurationError` with the way to install them when packages are missing."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"{what} needs {', '.join(missing)}; install it with `pip install 'verbalrl[{extra}]'`"
        )
