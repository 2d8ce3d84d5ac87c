"""An episode and a coach that keep what they are told; and clients of all kinds for a server."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import anthropic
import openai

from tests.wrap.server import Server
from verbalrl.wrap import Blocks, EpisodeDoor, Exchange

STABLE = "<guidance>\n- When it is S: do S.\n</guidance>"
VOLATILE = "<guidance>\n- When it is V: do V.\n</guidance>"
KEY = "a-key-of-nobody"


@dataclass
class Episode:
    """What one episode is told."""

    given: Blocks = field(default_factory=lambda: Blocks(STABLE, VOLATILE))
    seen: list[tuple[Mapping[str, Any], ...]] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)

    def see(self, request: tuple[Mapping[str, Any], ...]) -> None:
        self.seen.append(request)

    async def ready(self) -> None:
        pass

    def blocks(self) -> Blocks:
        return self.given

    def record(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)


_now: ContextVar[EpisodeDoor | None] = ContextVar("now", default=None)


@dataclass
class Coach:
    """A coach whose episode is the one of the context, else `usual`."""

    usual: EpisodeDoor | None = None
    strict: bool = True

    def current(self) -> EpisodeDoor | None:
        return _now.get() or self.usual


def client(kind: str, server: Server, **more: Any) -> Any:
    """The bare client: OpenAI, AsyncOpenAI, Anthropic, AsyncAnthropic."""
    module: Any = openai if "OpenAI" in kind else anthropic
    provider = "openai" if "OpenAI" in kind else "anthropic"
    return getattr(module, kind)(api_key=KEY, base_url=server.url(provider), **more)
