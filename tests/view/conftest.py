"""A store with one run in it, as the readers' tests have it."""

from tests.cli.conftest import folder as folder
