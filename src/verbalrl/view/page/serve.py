"""Serving the page to this machine alone."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from ...errors import ConfigurationError
from ...store import Store
from .app import application
from .guard import Keys

HOST = "127.0.0.1"


def serve(store: Store, port: int, ready: Callable[[str], None]) -> None:
    """Serve the page of `store` until it is interrupted; `ready` gets the address with the token.

    Args:
        store: Whose.
        port: At which port of 127.0.0.1; 0: any that is free.
        ready: Called once requests are taken.

    Raises:
        ConfigurationError: The port is taken.
    """
    try:
        listening = socket.create_server((HOST, port))
    except OSError as error:
        raise ConfigurationError(
            f"port {port} cannot be listened at ({error.strerror}); give another --port"
        ) from error
    with listening:
        port, keys = listening.getsockname()[1], Keys()
        config = uvicorn.Config(
            application(store, keys, port), log_config=None, access_log=False, server_header=False
        )
        ready(f"http://{HOST}:{port}/?token={keys.token}")
        uvicorn.Server(config).run(sockets=[listening])
