"""A server of this machine that speaks `/embeddings`; what it answers can be played wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Answer = Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]


def good(asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """A vector of three numbers for each text; the rows come in the wrong order."""
    rows = [
        {"index": n, "embedding": [float("a" in text), float("b" in text), 1.0]}
        for n, text in enumerate(asked["input"])
    ]
    return 200, {"data": rows[::-1], "usage": {"prompt_tokens": 7 * len(rows)}}


class EmbeddingServer:
    """Counts its requests; `play` sets the next answers."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self._next: list[Answer] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.asked.append({"path": self.path, **body})
                answer = outer._next.pop(0) if outer._next else good
                status, told = answer(body)
                data = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def play(self, *answers: Answer) -> None:
        self._next = list(answers)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
