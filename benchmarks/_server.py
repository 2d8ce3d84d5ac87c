"""A model server of fixed latency on loopback: chat completions, responses and messages.

It runs in a process of its own, so that its CPU is not counted, and answers a fixed time after a
request has arrived whole. Its answers are cheap and valid: an actor takes one of the listed
actions, an analyst reports the first line of its source, a critic and a curator write a lesson
whose words follow from the request.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from zlib import crc32

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
APIS = {"openai": CHAT, "openai-responses": RESPONSES, "anthropic": MESSAGES}


@contextmanager
def running(latency_s: float) -> Iterator[int]:
    """The port of a server of this latency, in a process that ends with the block."""
    command = [sys.executable, "-m", "benchmarks._server", str(latency_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def url(api: str, port: int) -> str:
    """The base URL as the SDK of `api` wants it."""
    return f"http://127.0.0.1:{port}" + ("" if api == "anthropic" else "/v1")


def answer(schema: dict[str, Any] | None, body: bytes) -> str:
    """An answer that fits one of our schemas, or a plain text."""
    fields = (schema or {}).get("properties", {})
    word = f"w{crc32(body):08x}"
    if "action" in fields:
        listed = fields["action"].get("enum", [word])
        chosen = listed[crc32(body) % len(listed)]
        move = {"thought": "It may lead on.", "action": chosen, "lessons_used": []}
        if "credits" in fields:
            move["credits"] = [{"report": 1 + crc32(body) % 5, "worth": "useful"}]
        return json.dumps(move)
    if "points" in fields:
        return json.dumps({"points": [1], "reading": f"It may mean {word}."})
    advice = {"name": word, "when": f"the sign reads {word}", "instruction": f"follow {word}"}
    if '"aspect"' in json.dumps(schema):
        advice["aspect"] = "other"
    if "verdict" in fields:
        cause = {"step": 1, "quote": "", "why": f"Nothing there led to {word}."}
        lesson = {**advice, "when_not": "", "also_possible": [], "step": 1}
        critique = {"verdict": "failure", "causes": [cause], "lessons": [lesson], "keeps": []}
        rest = {"refinement": "", "confidence": 0.5, "reveals_answer": False}
        return json.dumps(critique | rest)
    if "operations" in fields:
        cited = {"op": "add", "lessons": [], "evidence": [1], "proposals": []}
        return json.dumps({"operations": [cited | advice | {"when_not": "", "reason": "Seen."}]})
    # In every form in which the peers look for an answer.
    return (
        f"<IMPROVED_VARIABLE>{word}</IMPROVED_VARIABLE>\n```\n{word}\n```\n"
        f"[[ ## answer ## ]]\n{word}\n\n[[ ## reasoning ## ]]\n{word}\n\n[[ ## completed ## ]]"
    )


def reply(path: str, body: bytes) -> dict[str, Any]:
    """The answer to `body` in the form of the protocol that `path` speaks."""
    asked = json.loads(body)
    size = len(body) // 4
    if path == MESSAGES:
        text = answer(_at(asked, "output_config", "format", "schema"), body)
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": asked["model"],
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": size, "output_tokens": len(text) // 4},
        }
    if path == RESPONSES:
        text = answer(_at(asked, "text", "format", "schema"), body)
        content = [{"type": "output_text", "text": text, "annotations": []}]
        item = {"type": "message", "id": "m", "status": "completed", "role": "assistant"}
        return {
            "id": "resp_1",
            "object": "response",
            "created_at": 0,
            "model": asked["model"],
            "status": "completed",
            "output": [item | {"content": content}],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": _usage(size, text, "input", "output"),
        }
    text = answer(_at(asked, "response_format", "json_schema", "schema"), body)
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": asked["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": _usage(size, text, "prompt", "completion"),
    }


def _at(body: dict[str, Any], *keys: str) -> dict[str, Any] | None:
    found: Any = body
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def _usage(size: int, text: str, read: str, written: str) -> dict[str, int]:
    out = len(text) // 4
    return {f"{read}_tokens": size, f"{written}_tokens": out, "total_tokens": size + out}


class Connection(asyncio.Protocol):
    """One connection, kept alive; requests come one after the other, bodies with their length."""

    latency_s = 0.0
    calls = 0

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._data = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to answer through."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer a fixed time after a request is whole."""
        loop = asyncio.get_running_loop()
        arrived = loop.time()
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._data[:end]).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
        size = end + 4 + int(headers.get("content-length", 0))
        if len(self._data) < size:
            return
        body = bytes(self._data[end + 4 : size])
        del self._data[:size]
        path = head[0].split(" ")[1].partition("?")[0]
        if path == "/calls":
            sent, due = json.dumps(Connection.calls).encode(), arrived
        else:
            Connection.calls += 1
            sent, due = json.dumps(reply(path, body)).encode(), arrived + self.latency_s
        lines = ("HTTP/1.1 200 OK", "Content-Type: application/json")
        top = "\r\n".join((*lines, f"Content-Length: {len(sent)}", "", "")).encode()
        loop.call_at(due, self._send, top + sent)

    def _send(self, whole: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(whole)


async def serve(latency_s: float) -> None:
    """Print the port, then serve until the process is ended."""
    Connection.latency_s = latency_s
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
