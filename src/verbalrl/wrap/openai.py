"""OpenAI's clients, and those of compatible services that are subclasses of them."""

from __future__ import annotations

from typing import TypeVar

from ..errors import ConfigurationError
from .base import CoachDoor, EpisodeDoor
from .calls import Binding
from .client import wrapped

C = TypeVar("C")

_APIS = {"/chat/completions": "chat", "/responses": "responses"}


def wrap_openai(client: C, coach: CoachDoor, episode: EpisodeDoor | None = None) -> C:
    """A client of the type of `client` whose prompts carry what `coach` has learned.

    Args:
        client: An `OpenAI` or `AsyncOpenAI`, or of a subclass; it stays as it is.
        coach: Says which episode a call belongs to.
        episode: The one that all calls belong to, whatever the context says.

    Raises:
        ConfigurationError: It is no such client.
    """
    import openai

    if not isinstance(client, openai.OpenAI | openai.AsyncOpenAI):
        raise ConfigurationError(
            f"wrap_openai takes an OpenAI or AsyncOpenAI client, not {type(client).__name__}"
        )
    bound: C = wrapped(client, Binding(coach, episode, "openai", _APIS))
    return bound
