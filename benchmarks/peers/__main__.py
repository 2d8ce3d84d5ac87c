"""Runs one peer's learning loop against the fixed-latency server, in an environment of its own.

    python -m benchmarks.peers gepa            (or dspy, textgrad)

It makes a virtual environment in a temporary folder, installs the peer from the package index by
its requirements file, runs its script, and prints calls, wall, mean calls in flight and wall over
ideal (calls × latency over the workers allowed).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from pathlib import Path

from benchmarks import _server

HERE = Path(__file__).parent
PEERS = ("gepa", "dspy", "textgrad")


def environment(peer: str, folder: Path) -> Path:
    """The Python of a fresh environment that has the peer."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    wanted = str(HERE / f"{peer}.txt")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--requirement", wanted], check=True)
    return python


def measure(peer: str, python: Path, latency: float, workers: int) -> str:
    """One line with the figures of one run of the peer's loop."""
    with _server.running(latency) as port, tempfile.TemporaryDirectory() as scratch:
        settings = {
            "OPENAI_API_KEY": "no-key",
            "OPENAI_API_BASE": f"http://127.0.0.1:{port}/v1",
            "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "DSPY_CACHEDIR": scratch,
            "WORKERS": str(workers),
        }
        began = time.perf_counter()
        done = subprocess.run(
            [str(python), str(HERE / f"{peer}_loop.py")],
            env=os.environ | settings,
            cwd=scratch,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        whole = time.perf_counter() - began
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/calls") as answer:
            calls = json.load(answer)
    wall = float(done.stdout.strip().splitlines()[-1])
    busy = calls * latency
    return (
        f"{peer}: {calls} calls  {wall:.1f} s ({whole:.1f} s with imports)"
        f"  in flight {busy / wall:.1f}  slots in use {busy / wall / workers:.0%}"
        f"  wall over ideal {wall * workers / busy:.1f}  load {os.getloadavg()[0]:.1f}"
    )


def main() -> int:
    """Print the line of each peer asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peers", nargs="+", choices=PEERS)
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--workers", type=int, default=32)
    parser.add_argument("--python", type=Path, help="of an environment that has the peer already")
    given = parser.parse_args()
    for peer in given.peers:
        with tempfile.TemporaryDirectory() as folder:
            python = given.python or environment(peer, Path(folder))
            print(measure(peer, python, given.latency, given.workers), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
