from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.builders import new_store
from verbalrl.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path / "store") as made:
        yield made
