"""A `chroma run` server of this machine."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from verbalrl.errors import IndexFailure
from verbalrl.memory.chroma import ChromaIndex


@contextmanager
def chroma_server(folder: Path, port: int) -> Iterator[str]:
    """Its URL, once it answers."""
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--path", str(folder)]
    with subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            for _ in range(300):
                try:
                    probe = ChromaIndex(url, "vr-probe")
                    probe.count()
                    probe.drop()
                    break
                except IndexFailure:
                    time.sleep(0.1)
            yield url
        finally:
            process.terminate()
