"""No test reaches beyond this machine, none sees the keys of whoever runs it."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")

SLOW_S = 900
"""After so long a slow test hangs; a machine that is slow and shared may need a part of it."""

_LOCAL_NAMES = frozenset({"localhost", "::1", "0.0.0.0", "::", ""})
_ENVIRONMENT = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_BASE_URL",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "VERBALRL_STORE",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give slow tests that name no time of their own more than the quick ones have."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_S))


def is_loopback(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    return name is None or name in _LOCAL_NAMES or str(name).startswith("127.")


@pytest.fixture(autouse=True)
def refused_hosts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Refuses sockets beyond loopback; yields the hosts that were asked for."""
    refused: list[str] = []

    def refuse(host: object) -> None:
        if not is_loopback(host):
            refused.append(str(host))
            raise OSError(f"tests stay on this machine, refused: {host!r}")

    def guard_method(name: str) -> None:
        real = getattr(socket.socket, name)

        def guarded(self: socket.socket, *args: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6):
                refuse(args[-1][0])
            return real(self, *args)

        monkeypatch.setattr(socket.socket, name, guarded)

    real_lookup = socket.getaddrinfo

    def guarded_lookup(host: Any, *args: Any, **kwargs: Any) -> Any:
        refuse(host)
        return real_lookup(host, *args, **kwargs)

    for name in ("connect", "connect_ex", "sendto"):
        guard_method(name)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_lookup)
    yield refused
    # Code that swallows the OSError must not hide the attempt.
    assert not refused, f"the test tried to reach {refused}"


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
