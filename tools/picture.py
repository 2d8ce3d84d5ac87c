"""Makes the picture of a report that README.md shows: `python -m tools.picture [docs/report.png]`.

It runs gridnav-v1 on the offline model, writes the report, and lets Chromium (Debian's `chromium`
will do) take its upper part. Nothing but a new look of the report calls for doing it again.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from verbalrl.cli import main as verbalrl

WIDTH, HEIGHT = 890, 865
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--no-first-run", "--hide-scrollbars", f"--window-size={WIDTH},{HEIGHT}",
)  # fmt: skip
RUN = ("run", "gridnav-v1", "--method", "reflexion", "--model", "offline:apprentice")


def picture(target: Path, *sizes: str) -> None:
    """Write the picture; `sizes` are further options of the run."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise SystemExit(f"tools.picture: needs one of {', '.join(BROWSERS)}")
    with tempfile.TemporaryDirectory() as place:
        store, report = ["--store", f"{place}/store"], Path(place, "report.html")
        for words in ([*RUN, *sizes], ["report", "-o", str(report)]):
            if code := verbalrl([*words, *store]):
                raise SystemExit(code)
        command = [found, *FLAGS, f"--user-data-dir={place}/profile"]
        command += [f"--screenshot={target.resolve()}", report.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


if __name__ == "__main__":
    picture(Path(sys.argv[1] if sys.argv[1:] else "docs/report.png"), "--seeds", "3")
