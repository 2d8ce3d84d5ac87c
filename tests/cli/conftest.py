"""A store with one run in it, written through the store's own doors; no learner, no model."""

import asyncio
from pathlib import Path

import pytest

from tests.cli.filled import fill


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a store with one small run."""
    place = tmp_path / "store"
    asyncio.run(fill(place))
    return place
