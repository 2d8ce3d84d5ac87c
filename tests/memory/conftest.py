"""A store with lessons to follow, and what is told of whoever follows it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.memory.following import NAMES, commit, new_store
from verbalrl.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path / "store") as made:
        commit(made, *NAMES)
        yield made


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "verbalrl.memory.following")
    return caplog
