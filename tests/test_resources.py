"""Shipped folders are found in a checkout and in a wheel."""

from pathlib import Path

import pytest

from verbalrl import _resources
from verbalrl._version import __version__


def _package(folder: Path) -> Path:
    package = folder / "verbalrl"
    package.mkdir(parents=True)
    return package


def test_checkout_is_used_before_stale_copies(tmp_path: Path) -> None:
    package = _package(tmp_path / "src")
    (tmp_path / "pyproject.toml").write_text('name = "verbalrl"\n')
    (tmp_path / "prompts").mkdir()
    (package / "_data/prompts").mkdir(parents=True)
    assert _resources.root("prompts", package=package) == tmp_path / "prompts"


def test_wheel_uses_its_own_copy(tmp_path: Path) -> None:
    package = _package(tmp_path / "site-packages")
    (tmp_path / "tasks").mkdir()
    (package / "_data/tasks").mkdir(parents=True)
    assert _resources.root("tasks", package=package) == package / "_data/tasks"


def test_folder_of_another_project_is_not_taken(tmp_path: Path) -> None:
    package = _package(tmp_path / "src")
    (tmp_path / "pyproject.toml").write_text('name = "host"\n')
    (tmp_path / "tasks").mkdir()
    with pytest.raises(FileNotFoundError) as caught:
        _resources.root("tasks", package=package)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["prompts", "tasks"])
def test_this_installation_has_its_folders(name: str) -> None:
    assert _resources.root(name).is_dir()  # type: ignore[arg-type]


def test_version_has_three_numbers() -> None:
    assert [part.isdigit() for part in __version__.split(".")] == [True] * 3
