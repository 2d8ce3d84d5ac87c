import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.frameworks.shown import EXAMPLES
from tests.wrap.server import Server


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture
def shop() -> Iterator[str]:
    """The address of the stand-in for a model."""
    command = [sys.executable, str(EXAMPLES / "support_server.py"), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()
