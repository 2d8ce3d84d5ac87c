"""Packages whose names are imported on first use (PEP 562, as a class of modules)."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from types import ModuleType


class _Package(ModuleType):
    """A package that goes to the home of a name when it is first asked for it."""

    def __getattr__(self, name: str) -> object:
        home = vars(self)["_homes"].get(name)
        if home is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        module = importlib.import_module(f".{home or name}", self.__name__)
        value = getattr(module, name) if home else module
        vars(self)[name] = value
        return value

    def __setattr__(self, name: str, value: object) -> None:
        # Importing `store/reduce.py` would bind it in `store`, whose `reduce` is its function.
        if not (isinstance(value, ModuleType) and vars(self)["_homes"].get(name)):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*vars(self), *vars(self)["_homes"]})


def on_use(package: str, names: Mapping[str, str]) -> tuple[str, ...]:
    """Let `package` import each of `names`, told by home, when it is first used; gives them all.

    The home `""` is the package itself: its names are modules. Type checkers read the imports
    that stand beside the call; a test holds that both say the same.
    """
    module = sys.modules[package]
    homes = {name: home for home, listed in names.items() for name in listed.split()}
    vars(module)["_homes"] = homes
    module.__class__ = _Package
    return tuple(homes)
