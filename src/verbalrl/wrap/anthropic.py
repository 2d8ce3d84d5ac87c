"""Anthropic's clients, and those of its models elsewhere that the SDK brings."""

from __future__ import annotations

from typing import TypeVar

from ..errors import ConfigurationError
from .base import CoachDoor, EpisodeDoor
from .calls import Binding
from .client import wrapped

C = TypeVar("C")

_APIS = {"/v1/messages": "messages"}


def wrap_anthropic(client: C, coach: CoachDoor, episode: EpisodeDoor | None = None) -> C:
    """A client of the type of `client` whose prompts carry what `coach` has learned.

    Args:
        client: An `Anthropic` or `AsyncAnthropic`, or one for Bedrock or Vertex; it stays as it is.
        coach: Says which episode a call belongs to.
        episode: The one that all calls belong to, whatever the context says.

    Raises:
        ConfigurationError: It is no such client.
    """
    import anthropic

    # The last four are no subclasses of the first two; they send through the same methods.
    kinds = (
        anthropic.Anthropic,
        anthropic.AsyncAnthropic,
        anthropic.AnthropicBedrock,
        anthropic.AsyncAnthropicBedrock,
        anthropic.AnthropicVertex,
        anthropic.AsyncAnthropicVertex,
    )
    if not isinstance(client, kinds):
        raise ConfigurationError(
            "wrap_anthropic takes an Anthropic or AsyncAnthropic client,"
            f" not {type(client).__name__}"
        )
    bound: C = wrapped(client, Binding(coach, episode, "anthropic", _APIS))
    return bound
