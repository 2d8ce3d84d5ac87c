"""Guidance into a user's own client: the same type and the same calls, whose prompts carry it."""

from __future__ import annotations

from typing import TypeVar

from ..errors import ConfigurationError
from .anthropic import wrap_anthropic
from .base import Blocks, CoachDoor, EpisodeDoor, Exchange
from .openai import wrap_openai

__all__ = [
    "Blocks",
    "CoachDoor",
    "EpisodeDoor",
    "Exchange",
    "wrap",
    "wrap_anthropic",
    "wrap_openai",
]

C = TypeVar("C")


def wrap(client: C, coach: CoachDoor, episode: EpisodeDoor | None = None) -> C:
    """A client of the type of `client` whose prompts carry what `coach` has learned.

    The client itself stays as it is, and the copy has `for_episode(episode)`. Chat completions,
    responses and messages are covered however they are asked for; other calls pass untouched, and
    so do all calls outside an episode.

    Args:
        client: An `OpenAI`, `AsyncOpenAI`, `Anthropic` or `AsyncAnthropic`, or of a subclass.
        coach: Says which episode a call belongs to.
        episode: The one that all calls belong to, whatever the context says.

    Raises:
        ConfigurationError: It is no such client.
    """
    # By name: to ask `isinstance` both SDKs would be imported, and one may be missing.
    homes = {kind.__module__.partition(".")[0] for kind in type(client).__mro__}
    if "openai" in homes:
        return wrap_openai(client, coach, episode)
    if "anthropic" in homes:
        return wrap_anthropic(client, coach, episode)
    raise ConfigurationError(
        f"wrap takes a client of OpenAI or Anthropic (sync or async), not {type(client).__name__}"
    )
