"""The guard around every test refuses what it says it refuses."""

import socket
import threading

import pytest


@pytest.mark.parametrize("call", ["connect", "connect_ex"])
def test_address_beyond_loopback_is_refused(call: str, refused_hosts: list[str]) -> None:
    with socket.socket() as sock, pytest.raises(OSError, match="stay on this machine"):
        getattr(sock, call)(("192.0.2.1", 80))
    assert refused_hosts == ["192.0.2.1"]
    refused_hosts.clear()


def test_name_lookup_is_refused(refused_hosts: list[str]) -> None:
    with pytest.raises(OSError, match="stay on this machine"):
        socket.getaddrinfo("example.invalid", 443)
    refused_hosts.clear()


def test_loopback_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=lambda: server.accept()[0].close())
        thread.start()
        socket.create_connection(server.getsockname()).close()
        thread.join()
