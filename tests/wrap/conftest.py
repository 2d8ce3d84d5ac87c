from collections.abc import Iterator

import pytest

from tests.wrap.server import Server


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running
