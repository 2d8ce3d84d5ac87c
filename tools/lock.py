"""Writes `requirements.lock`: one exact pin per package, for every supported Python and platform.

The file holds names, versions and markers only; where packages come from is each machine's own
setting, so no address is written. The resolver is installed into a folder that is thrown away.
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = "requirements.lock"
HEADER = """\
# Exact versions of everything that `make install` puts into .venv; made by `make lock`.
"""
OPTIONS = (
    "--universal",
    "--python-version=3.11",
    # It has the extras that tests of this environment need; frameworks have one of their own.
    "--group=dev",
    "--upgrade",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-annotate",
    "--no-header",
    "--quiet",
)


def resolve(folder: Path) -> str:
    """The pins, as a resolver installed into `folder` finds them."""
    venv.create(folder, with_pip=True)
    python = folder / "bin/python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "uv"], check=True)
    done = subprocess.run(
        [python, "-m", "uv", "pip", "compile", "pyproject.toml", *OPTIONS],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def main() -> int:
    """Write the lock, unless it would name an address."""
    with tempfile.TemporaryDirectory() as folder:
        pins = resolve(Path(folder))
    if "://" in pins:
        print("lock: a resolved package has an address instead of a version; nothing written")
        return 1
    (ROOT / LOCK).write_text(HEADER + pins, encoding="utf-8")
    print(f"{LOCK}: {len(pins.splitlines())} pins")
    return 0


if __name__ == "__main__":
    sys.exit(main())
