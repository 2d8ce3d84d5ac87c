"""A server of this machine that accepts and then says nothing, but to the requests it is told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Silent:
    """What was asked of it."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        self.answers = answers
        """By the end of a path, the JSON that it is answered with."""
        self.asked: list[str] = []
        """The paths of all requests."""
        self.connections: list[socket.socket] = []
        self.ended = threading.Semaphore(0)
        """Once for each connection that was closed on the other side."""
        self.listener = socket.create_server(("127.0.0.1", 0))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def listen(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._hear, args=(connection,), daemon=True).start()

    def _hear(self, connection: socket.socket) -> None:
        heard = b""
        while True:
            try:
                more = connection.recv(65536)
            except OSError:
                return
            if not more:
                self.ended.release()
                return
            heard += more
            if b"\r\n\r\n" not in heard:
                continue
            path = heard.split(b" ", 2)[1].decode()
            self.asked.append(path)
            heard = b""
            said = next((s for end, s in self.answers.items() if path.endswith(end)), None)
            if said is not None:
                head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(said)}\r\n"
                connection.sendall(f"{head}content-type: application/json\r\n\r\n{said}".encode())


@contextmanager
def silent_server(answers: Mapping[str, str] = {}) -> Iterator[Silent]:
    """One that answers what `answers` tells, and listens until the block ends."""
    server = Silent(answers)
    thread = threading.Thread(target=server.listen, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        # A close alone does not wake who accepts.
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()
        for connection in server.connections:
            connection.close()
        thread.join(10)
