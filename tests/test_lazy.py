"""Packages whose names are imported on use: the same names as type checkers see."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import verbalrl

ROOT = Path(verbalrl.__file__).parent
LAZY = sorted(
    file.parent.relative_to(ROOT.parent).as_posix().replace("/", ".")
    for file in ROOT.rglob("__init__.py")
    if "on_use(" in file.read_text(encoding="utf-8")
)


def _declared(package: str) -> dict[str, str]:
    """What type checkers see: names by their homes."""
    tree = ast.parse((ROOT.parent / package.replace(".", "/") / "__init__.py").read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    return {
        alias.name: node.module or ""
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@pytest.mark.parametrize("package", LAZY)
def test_names_are_those_that_type_checkers_see(package: str) -> None:
    module = importlib.import_module(package)
    assert vars(module)["_homes"] == _declared(package)
    assert all(getattr(module, name) is not None for name in _declared(package))


def test_there_are_such_packages_and_they_list_their_names() -> None:
    assert {"verbalrl", "verbalrl.store", "verbalrl.methods"} <= set(LAZY)
    assert {"Learner", "methods", "__version__"} <= set(dir(verbalrl))
    assert set(verbalrl.__all__) <= set(dir(verbalrl))


def test_a_function_is_not_hidden_by_the_file_of_its_name() -> None:
    code = (
        "import verbalrl.store.reduce, verbalrl.store as s, verbalrl.methods.reflexion as r\n"
        "from verbalrl.store.reduce import apply\n"
        "assert callable(s.reduce) and s.apply is apply and callable(r)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_says_where_it_was_looked_for() -> None:
    with pytest.raises(AttributeError, match=r"'verbalrl\.store' has no attribute 'Stor'"):
        _ = importlib.import_module("verbalrl.store").Stor
    with pytest.raises(ImportError, match="cannot import name 'Stor'"):
        from verbalrl.store import Stor  # type: ignore[attr-defined]  # noqa: F401
