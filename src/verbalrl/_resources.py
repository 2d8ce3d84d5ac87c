"""Where the shipped folders are: prompts and task folders.

It only finds them; it neither reads nor checks what is inside.
"""

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parent


def root(name: Literal["prompts", "tasks"], *, package: Path = _PACKAGE) -> Path:
    """The folder `name`: the checkout's if this is one, else the copy inside the wheel.

    Raises:
        FileNotFoundError: Neither is there, so the installation is incomplete.
    """
    # The checkout goes first: an editable install also leaves stale copies in `_data`.
    for folder in (*_in_checkout(name, package), package / "_data" / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f"verbalrl: folder {name!r} is missing beside {package}; install verbalrl again"
    )


def _in_checkout(name: str, package: Path) -> tuple[Path, ...]:
    if package.parent.name != "src":
        return ()
    checkout = package.parents[1]
    project = checkout / "pyproject.toml"
    if not project.is_file() or 'name = "verbalrl"' not in project.read_text(encoding="utf-8"):
        return ()
    return (checkout / name,)
