"""How the files of a folder were left by whoever closed it: their sha256 sums, kept beside them."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path

SUMS_NAME = "verbalrl-sums.json"


def _sums(folder: Path) -> dict[str, str]:
    files = (f for f in sorted(folder.rglob("*")) if f.is_file() and f.name != SUMS_NAME)
    return {str(f.relative_to(folder)): _sum(f) for f in files}


def _sum(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def write_sums(folder: Path) -> None:
    """Note how the files are left; nothing happens where that cannot be written."""
    with suppress(OSError):
        (folder / SUMS_NAME).write_text(json.dumps(_sums(folder)), "utf-8")


def sums_differ(folder: Path) -> str:
    """What differs from a clean close; empty too where the last close was none."""
    try:
        known = json.loads((folder / SUMS_NAME).read_text("utf-8"))
        if known == _sums(folder):
            return ""
    except FileNotFoundError:
        return "" if folder.is_dir() else "its folder is gone"
    except (OSError, ValueError):
        return "its sums cannot be read"
    return "its files are not as they were left"
