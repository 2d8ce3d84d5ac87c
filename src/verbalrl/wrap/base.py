"""What a wrapped client and the episode it stands in say to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..records import Usage


@dataclass(frozen=True, slots=True)
class Blocks:
    """What one prompt gets from memory; pinned for the episode."""

    stable: str
    """For the end of the system text that is there; empty when there is nothing."""
    volatile: str
    """For the first user message; empty when there is nothing."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One model call that a wrapped client made, without what we added to it."""

    provider: str
    """`openai` or `anthropic`."""
    api: str
    """`chat`, `responses` or `messages`."""
    model: str
    request: tuple[Mapping[str, Any], ...]
    """The caller's messages as plain JSON data, without our blocks; system text, where there is
    any, is a first entry with the role `system`."""
    reply: Mapping[str, Any] | None
    """The assistant's message as plain JSON data: `{"role": "assistant", "content": str,
    "tool_calls": [{"id": …, "name": …, "arguments": …}]}`; None when the call failed."""
    usage: Usage
    error: str
    """Empty, or one line: the class of the error and its message, without secrets."""
    seconds: float
    """From the request until the reply was complete."""
    tools: tuple[str, ...] = ()
    """The names of the tools that the request offered."""
    ran: tuple[str, ...] = ()
    """Those that the provider itself ran for the reply, such as a web search."""


class EpisodeDoor(Protocol):
    """What a wrapped client needs of the episode it stands in."""

    def see(self, request: tuple[Mapping[str, Any], ...]) -> None:
        """Told the caller's messages before `blocks` is asked for.

        The first call's text is the situation that lessons are recalled for.
        """

    async def ready(self) -> None:
        """Awaited on an event loop before `blocks` is asked for.

        What takes long the first time is done elsewhere meanwhile, so that the loop goes on.
        """

    def blocks(self) -> Blocks:
        """What every prompt of the episode gets: recalled at the first call, then the same."""

    def record(self, exchange: Exchange) -> None:
        """Take a call that ended, one step.

        It is handed to another thread, and never raises unless the coach is strict.
        """


class CoachDoor(Protocol):
    """What a wrapped client needs of the coach."""

    strict: bool
    """Whether errors of memory are raised; otherwise they are logged and the call goes on."""

    def current(self) -> EpisodeDoor | None:
        """The episode of this context; None outside of one: nothing is injected or recorded."""
