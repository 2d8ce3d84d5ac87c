"""A server on loopback that speaks both vendors' protocols, streamed or not, and keeps each body.

A request with tools and no result of one is answered with a call of the first tool, everything else
with the text `{"answer": "ok"}`, which is a reply and fits a schema of one field.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TEXT = '{"answer": "ok"}'
ARGUMENTS = {"order": "17"}
CALL = {"id": "call_1", "name": "look_up", "arguments": json.dumps(ARGUMENTS)}


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        """The body; empty when there is none."""
        found: dict[str, Any] = json.loads(self.raw or b"{}")
        return found


class Server(ThreadingHTTPServer):
    """The server: `asked` holds what arrived, `script` the statuses of the next answers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[Asked] = []
        self.script: list[int] = []
        self.break_streams = False
        self.zips = False
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def url(self, provider: str) -> str:
        """The base URL as the SDK of `provider` wants it."""
        return f"http://127.0.0.1:{self.server_port}" + ("/v1" if provider == "openai" else "")

    def take(self) -> list[Asked]:
        """What arrived since it was last taken."""
        taken, self.asked = self.asked, []
        return taken


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._keep()
        self._send(200, {"object": "list", "data": [], "has_more": False})

    def do_POST(self) -> None:
        asked = self._keep()
        status = self.server.script.pop(0) if self.server.script else 200
        if status != 200:
            error = {"type": "api_error", "message": f"no, key {_key(asked)}"}
            self._send(status, {"type": "error", "error": error})
        elif asked.body.get("stream"):
            self._stream(events(asked))
        else:
            self._send(200, answer(asked))

    def log_message(self, *_: object) -> None:
        pass

    def _keep(self) -> Asked:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, self.path, headers, raw)
        self.server.asked.append(asked)
        return asked

    def _send(self, status: int, body: dict[str, Any]) -> None:
        sent = json.dumps(body).encode()
        self.send_response(status)
        if self.server.zips:
            sent = gzip.compress(sent)
            self.send_header("content-encoding", "gzip")
        # Nothing to wait for before the next attempt.
        self.send_header("retry-after-ms", "1")
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def _stream(self, parts: Iterable[bytes]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for at, part in enumerate(parts):
            if self.server.break_streams and at == 3:
                self.close_connection = True
                return
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")


def _key(asked: Asked) -> str:
    given = asked.headers.get("authorization") or asked.headers.get("x-api-key") or ""
    return given.removeprefix("Bearer ")


def _path(asked: Asked) -> str:
    return asked.path.partition("?")[0]


def _calls(asked: Asked) -> bool:
    return bool(asked.body.get("tools")) and not any(
        mark in asked.raw
        for mark in (b'"tool_result"', b'"function_call_output"', b'"role":"tool"')
    )


def answer(asked: Asked) -> dict[str, Any]:
    """The body of a plain answer."""
    path = _path(asked)
    if path.endswith("/chat/completions"):
        return _chat(asked)
    if path.endswith("/responses"):
        return _responses(asked)
    if path.endswith(("/messages", ":rawPredict", "/invoke")):
        return _messages(asked)
    if path.endswith("/count_tokens"):
        return {"input_tokens": 5}
    if path.endswith("/completions"):
        choice = {"index": 0, "text": "ok", "finish_reason": "stop", "logprobs": None}
        return {"id": "c", "object": "text_completion", "created": 1, "model": "m"} | {
            "choices": [choice]
        }
    row = {"object": "embedding", "index": 0, "embedding": [0.5]}
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return {"object": "list", "data": [row], "model": "m", "usage": usage}


def _function() -> dict[str, Any]:
    return {"name": CALL["name"], "arguments": CALL["arguments"]}


_CHAT_USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 4,
    "total_tokens": 14,
    "prompt_tokens_details": {"cached_tokens": 3},
}


def _chat(asked: Asked) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": TEXT, "refusal": None}
    if _calls(asked):
        call = {"id": CALL["id"], "type": "function", "function": _function()}
        message |= {"content": None, "tool_calls": [call]}
    choice = {"index": 0, "finish_reason": "stop", "logprobs": None, "message": message}
    head = {"id": "c_1", "object": "chat.completion", "created": 1, "model": "m"}
    return head | {"choices": [choice], "usage": _CHAT_USAGE}


def _responses(asked: Asked) -> dict[str, Any]:
    part = {"type": "output_text", "text": TEXT, "annotations": []}
    item: dict[str, Any] = {"type": "message", "id": "m_1", "status": "completed"}
    item |= {"role": "assistant", "content": [part]}
    if _calls(asked):
        item = {"type": "function_call", "id": "f_1", "call_id": CALL["id"], "status": "completed"}
        item |= _function()
    usage = {"input_tokens": 10, "output_tokens": 4, "total_tokens": 14}
    usage |= {"input_tokens_details": {"cached_tokens": 3}}  # type: ignore[dict-item]
    usage |= {"output_tokens_details": {"reasoning_tokens": 0}}  # type: ignore[dict-item]
    head = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "tools": []}
    more = {"parallel_tool_calls": True, "tool_choice": "auto", "status": "completed"}
    return head | more | {"output": [item], "usage": usage}


_USAGE = {"input_tokens": 7, "output_tokens": 4, "cache_read_input_tokens": 3}


def _messages(asked: Asked) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": TEXT}
    if _calls(asked):
        block = {"type": "tool_use", "id": CALL["id"], "name": CALL["name"], "input": ARGUMENTS}
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m"}
    reason = "tool_use" if _calls(asked) else "end_turn"
    return head | {
        "content": [block],
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": _USAGE,
    }


def events(asked: Asked) -> Iterator[bytes]:
    """The events of a streamed answer, cut where no line ends."""
    path = _path(asked)
    ways = {"completions": _chat_events, "responses": _response_events, "messages": _message_events}
    whole = b"".join(ways[path.rpartition("/")[2]](asked))
    for start in range(0, len(whole), 97):
        yield whole[start : start + 97]


def _event(data: object, name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()


def _halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


def _chat_events(asked: Asked) -> Iterator[bytes]:
    head = {"id": "c_1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    deltas: list[dict[str, Any]] = [{"role": "assistant"}]
    if _calls(asked):
        call = {"index": 0, "id": CALL["id"], "type": "function"}
        deltas.append(
            {"tool_calls": [call | {"function": {"name": CALL["name"], "arguments": ""}}]}
        )
        for half in _halves(CALL["arguments"]):
            deltas.append({"tool_calls": [{"index": 0, "function": {"arguments": half}}]})
    else:
        deltas += [{"content": half} for half in _halves(TEXT)]
    for delta in deltas:
        yield _event(head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    yield _event(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    yield _event(head | {"choices": [], "usage": _CHAT_USAGE})
    yield _event("[DONE]")


def _response_events(asked: Asked) -> Iterator[bytes]:
    whole = _responses(asked)
    item = whole["output"][0]
    begun = whole | {"output": [], "status": "in_progress", "usage": None}
    listed: list[dict[str, Any]] = [{"type": "response.created", "response": begun}]
    at = {"output_index": 0, "item_id": item["id"]}
    if item["type"] == "message":
        empty = item | {"content": [], "status": "in_progress"}
        part = item["content"][0]
        where = at | {"content_index": 0}
        listed.append({"type": "response.output_item.added", "output_index": 0, "item": empty})
        added = {"type": "response.content_part.added", "part": part | {"text": ""}}
        listed.append(added | where)
        for half in _halves(TEXT):
            delta = {"type": "response.output_text.delta", "delta": half, "logprobs": []}
            listed.append(delta | where)
        done = {"type": "response.output_text.done", "text": TEXT, "logprobs": []}
        listed.append(done | where)
        listed.append({"type": "response.content_part.done", "part": part} | where)
    else:
        empty = item | {"arguments": ""}
        listed.append({"type": "response.output_item.added", "output_index": 0, "item": empty})
        for half in _halves(CALL["arguments"]):
            listed.append({"type": "response.function_call_arguments.delta", "delta": half} | at)
    listed.append({"type": "response.output_item.done", "output_index": 0, "item": item})
    listed.append({"type": "response.completed", "response": whole})
    for number, event in enumerate(listed):
        yield _event(event | {"sequence_number": number}, event["type"])


def _message_events(asked: Asked) -> Iterator[bytes]:
    whole = _messages(asked)
    block = whole["content"][0]
    if block["type"] == "text":
        empty: dict[str, Any] = block | {"text": ""}
        deltas = [{"type": "text_delta", "text": half} for half in _halves(TEXT)]
    else:
        empty = block | {"input": {}}
        halves = _halves(CALL["arguments"])
        deltas = [{"type": "input_json_delta", "partial_json": half} for half in halves]
    opened = whole | {"content": [], "stop_reason": None, "usage": _USAGE | {"output_tokens": 1}}
    ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    listed: list[dict[str, Any]] = [
        {"type": "message_start", "message": opened},
        {"type": "content_block_start", "index": 0, "content_block": empty},
        {"type": "ping"},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 4}},
        {"type": "message_stop"},
    ]
    for event in listed:
        yield _event(event, event["type"])
