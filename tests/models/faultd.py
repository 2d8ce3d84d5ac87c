"""A raw-socket server on loopback that speaks chat completions, responses and messages.

It answers with the offline apprentice, or with whatever it is given, and plays faults by name: a
script, one fault per request and good answers after it; or `each`, of which every distinct request
meets one, once. It runs in a thread and loop of its own.

    with Faultd(script=["503"]) as server:
        model = load_model("openai:any", base_url=server.url("openai"), offline=True)
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from itertools import chain
from typing import Any

from verbalrl.ids import token_estimate
from verbalrl.models.apprentice import answer

SEED_HEADER = "x-verbalrl-sample-seed"
Answerer = Callable[["Asked"], str]
APIS = ("openai", "openai-responses", "anthropic")
_PATHS = {"/v1/chat/completions": APIS[0], "/v1/responses": APIS[1], "/v1/messages": APIS[2]}


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    api: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def messages(self) -> list[tuple[str, str]]:
        """Role and text of each message, the system text first."""
        system = self.body.get("instructions") or self.body.get("system")
        turns = self.body.get("messages") or self.body.get("input") or []
        shown = [(str(t.get("role", "tool")), _text(t.get("content"))) for t in turns]
        return [("system", _text(system)), *shown] if system else shown

    @property
    def schema(self) -> dict[str, Any] | None:
        """The output schema."""
        holders = {
            "openai": lambda b: b["response_format"]["json_schema"]["schema"],
            "openai-responses": lambda b: b["text"]["format"]["schema"],
            "anthropic": lambda b: b["output_config"]["format"]["schema"],
        }
        with contextlib.suppress(KeyError):
            found: dict[str, Any] = holders[self.api](self.body)
            return found
        return None

    @property
    def seed(self) -> int:
        """The sampling seed."""
        return int(self.headers.get(SEED_HEADER, 0))


class Calls(str):
    """An answer of text and tool calls: (id, name, arguments as JSON text) each."""

    calls: tuple[tuple[str, str, str], ...] = ()

    @classmethod
    def of(cls, *calls: tuple[str, str, str], text: str = "") -> Calls:
        """The answer that makes `calls` after `text`."""
        answer = cls(text)
        answer.calls = calls
        return answer


def apprentice(asked: Asked) -> str:
    """What the offline apprentice answers."""
    given = answer(asked.messages, asked.schema, asked.seed)
    return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)


class Faultd:
    """The server; `asked` holds every request that arrived whole; nobody listens before `open`."""

    def __init__(
        self,
        answerer: Answerer = apprentice,
        script: Iterable[str] = (),
        each: Sequence[str] = (),
    ) -> None:
        self.answerer = answerer
        self.each = each
        self._met: set[str] = set()
        self.asked: list[Asked] = []
        self.script: Iterator[str] = iter(script)
        self.drip_s = 0.05
        self.connections = self.most = self._open = 0
        # Bound, not listening: until `open`, whoever connects is refused.
        self._sock = socket.socket()
        self._sock.bind(("127.0.0.1", 0))
        self._server: asyncio.Server | None = None
        self.port: int = self._sock.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="faultd", daemon=True)

    def url(self, api: str) -> str:
        """The base URL as the SDK of `api` wants it."""
        return f"http://127.0.0.1:{self.port}" + ("" if api == "anthropic" else "/v1")

    def play(self, *faults: str, always: bool = False) -> None:
        """From now on these faults, the last one for ever if `always`."""
        self.asked.clear()
        self.script = chain(faults, _forever(faults[-1])) if always else iter(faults)

    def __enter__(self) -> Faultd:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Begin to listen."""
        self._thread.start()
        start = asyncio.start_server(self._serve, sock=self._sock, backlog=256)
        self._server = asyncio.run_coroutine_threadsafe(start, self._loop).result(5)

    def close(self) -> None:
        """End all connections and the thread."""
        if self._server is None:
            self._sock.close()
            self._loop.close()
            return
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
        mine = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in mine:
            task.cancel()
        await asyncio.gather(*mine, return_exceptions=True)
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open += 1
        self.most = max(self.most, self._open)
        with contextlib.suppress(
            ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError
        ):
            while asked := await _request(reader):
                self.asked.append(asked)
                if not await self._answer(asked, self._fault(asked), writer):
                    break
        self._open -= 1
        writer.close()
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await writer.wait_closed()

    def _fault(self, asked: Asked) -> str:
        seen = json.dumps([asked.body, asked.seed], sort_keys=True)
        if self.each and seen not in self._met:
            self._met.add(seen)
            return self.each[len(self._met) % len(self.each)]
        return next(self.script, "ok")

    async def _answer(self, asked: Asked, fault: str, writer: asyncio.StreamWriter) -> bool:
        """Play `fault`; False when the connection is to end."""
        if fault in ("hang", "reset-before"):
            await (asyncio.sleep(60) if fault == "hang" else _reset(writer))
            return False
        good = _json(envelope(asked, self.answerer(asked)))
        if fault == "ok":
            writer.write(_http(200, good, connection="keep-alive"))
            await writer.drain()
            return True
        if fault == "drip":
            writer.write(_http(200, b"", length=len(good) + 10_000))
            for byte in good:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(self.drip_s)
            return False
        writer.write(_played(fault, asked, good, self.answerer))
        await writer.drain()
        if fault == "reset-mid-body":
            await asyncio.sleep(0.01)
            await _reset(writer)
        return False


def _forever(fault: str) -> Iterator[str]:
    while True:
        yield fault


async def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    # Lingering for no time makes the end a RST.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _request(reader: asyncio.StreamReader) -> Asked | None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    headers = {k.strip().lower(): v.strip() for k, _, v in (s.partition(":") for s in lines if s)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    api = _PATHS.get(first.split(" ")[1].partition("?")[0])
    return Asked(api, headers, json.loads(body)) if api else None


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content)
    return str(content or "")


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _http(status: int, body: bytes, length: int | None = None, **more: str) -> bytes:
    # Whoever is not told would use a connection again that is about to end.
    headers = {"content-type": "application/json", "connection": "close"} | {
        k.replace("_", "-"): v for k, v in more.items()
    }
    headers["content-length"] = str(len(body) if length is None else length)
    lines = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    return f"HTTP/1.1 {status} Status\r\n{lines}\r\n".encode() + body


def envelope(asked: Asked, text: str, finish: str = "ok") -> dict[str, Any]:
    """A documented answer of the API; `finish` is ok, length or refusal."""
    body = _envelope(asked, str(text), finish)
    return _with_calls(asked.api, body, text.calls) if isinstance(text, Calls) else body


def _with_calls(
    api: str, body: dict[str, Any], calls: tuple[tuple[str, str, str], ...]
) -> dict[str, Any]:
    if api == "openai":
        choice = body["choices"][0]
        choice["finish_reason"] = "tool_calls"
        choice["message"]["content"] = choice["message"]["content"] or None
        choice["message"]["tool_calls"] = [
            {"id": i, "type": "function", "function": {"name": name, "arguments": arguments}}
            for i, name, arguments in calls
        ]
    elif api == "openai-responses":
        body["output"] = [m for m in body["output"] if m["content"][0]["text"]] + [
            {"type": "function_call", "call_id": i, "name": name, "arguments": arguments}
            for i, name, arguments in calls
        ]
    else:
        body["stop_reason"] = "tool_use"
        body["content"] = [b for b in body["content"] if b["text"]] + [
            {"type": "tool_use", "id": i, "name": name, "input": _input(arguments)}
            for i, name, arguments in calls
        ]
    return body


def _input(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        # Here arguments come decoded: what is no JSON cannot be said, only what does not fit.
        return {"text": arguments}


def _envelope(asked: Asked, text: str, finish: str) -> dict[str, Any]:
    read, written = sum(token_estimate(t) for _, t in asked.messages), token_estimate(text)
    model = asked.body["model"]
    if asked.api == "anthropic":
        reason = {"ok": "end_turn", "length": "max_tokens", "refusal": "refusal"}[finish]
        content = [] if finish == "refusal" else [{"type": "text", "text": text}]
        usage = {"input_tokens": read, "output_tokens": written}
        common = {"id": "msg_1", "type": "message", "role": "assistant", "model": model}
        return common | {"content": content, "stop_reason": reason, "usage": usage}
    if asked.api == "openai":
        reason = {"ok": "stop", "length": "length", "refusal": "stop"}[finish]
        refused = finish == "refusal"
        message = {
            "role": "assistant",
            "content": None if refused else text,
            "refusal": "No." if refused else None,
        }
        choice = {"index": 0, "finish_reason": reason, "message": message}
        usage = {
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
        }
        common = {"id": "c_1", "object": "chat.completion", "created": 1, "model": model}
        return common | {"choices": [choice], "usage": usage}
    part = {"type": "output_text", "text": text, "annotations": []}
    if finish == "refusal":
        part = {"type": "refusal", "refusal": "No."}
    body: dict[str, Any] = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": model,
        "status": "incomplete" if finish == "length" else "completed",
        "output": [{"type": "message", "id": "m_1", "role": "assistant", "content": [part]}],
        "usage": {"input_tokens": read, "output_tokens": written, "total_tokens": read + written},
    }
    if finish == "length":
        body["incomplete_details"] = {"reason": "max_output_tokens"}
    return body


_PAGE = b"<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>"
_STATUS = {
    "400": ("invalid_request_error", "max_tokens must be at most 4096"),
    "401": ("invalid_api_key", "Incorrect API key provided"),
    "403": ("permission_error", "Your key may not use this model"),
    "404": ("not_found_error", "The model does not exist"),
    "408": ("timeout_error", "Request timed out"),
    "409": ("conflict_error", "Conflict"),
    "413": ("request_too_large", "Request too large"),
    "422": ("invalid_request_error", "Unprocessable"),
    "429": ("rate_limit_error", "Too many requests"),
    "500": ("api_error", "Internal error"),
    "503": ("api_error", "Unavailable"),
    "529": ("overloaded_error", "Overloaded"),
}
_RETRY_AFTER = {"429-seconds": "2", "429-9999": "9999"}
_EMPTY: dict[str, dict[str, Any]] = {
    "openai": {"choices": []},
    "openai-responses": {"output": []},
    "anthropic": {"content": []},
}
_WRONG = {
    "openai": {"choices": "nope"},
    "openai-responses": {"output": "nope"},
    "anthropic": {"content": "nope"},
}


def _played(fault: str, asked: Asked, good: bytes, answerer: Answerer) -> bytes:
    """All bytes of the answer to a request that meets `fault`."""
    if fault in _STATUS:
        kind, message = _STATUS[fault]
        if fault == "401":
            message += f": {asked.headers.get('authorization') or asked.headers.get('x-api-key')}"
        return _http(int(fault), _error(kind, message))
    if fault.startswith("refuses:"):
        return _http(400, _error("invalid_request_error", fault.partition(":")[2]))
    if fault in _RETRY_AFTER:
        return _http(429, _error(*_STATUS["429"]), retry_after=_RETRY_AFTER[fault])
    text = answerer(asked)
    bodies: dict[str, Callable[[], bytes]] = {
        "429-date": lambda: _http(
            429, _error(*_STATUS["429"]), retry_after=formatdate(time.time() + 5, usegmt=True)
        ),
        "429-quota": lambda: _http(429, _error("insufficient_quota", "You exceeded your quota")),
        "502-html": lambda: _http(502, _PAGE, content_type="text/html"),
        "reset-mid-body": lambda: _http(200, good[: len(good) // 2], length=len(good)),
        "short-body": lambda: _http(200, good[: len(good) // 2], length=len(good)),
        "truncated-json": lambda: _http(200, good[: len(good) // 2]),
        "empty-200": lambda: _http(200, b""),
        "invalid-utf8": lambda: _http(200, good[:-2] + b"\xff\xfe" + good[-2:]),
        "html-200": lambda: _http(200, _PAGE, content_type="text/html"),
        "error-200": lambda: _http(200, _error("api_error", "The upstream failed")),
        "wrong-shape": lambda: _http(200, _json(json.loads(good) | _WRONG[asked.api])),
        "no-choices": lambda: _http(200, _json(json.loads(good) | _EMPTY[asked.api])),
        "refusal": lambda: _http(200, _json(envelope(asked, text, "refusal"))),
        "length": lambda: _http(200, _json(envelope(asked, text[: len(text) // 2], "length"))),
        "surrogate-nul": lambda: _http(200, _json(_dirty(envelope(asked, text), text))),
        "ten-mib": lambda: _http(200, _json(envelope(asked, "x" * (10 << 20)))),
    }
    return bodies[fault]()


def _dirty(body: dict[str, Any], text: str) -> dict[str, Any]:
    """`body` without usage, its text between what no store can keep."""
    del body["usage"]
    dirty = json.dumps(f"\ud800\x00{text}\udfff")
    found: dict[str, Any] = json.loads(json.dumps(body).replace(json.dumps(text), dirty))
    return found


def _error(kind: str, message: str) -> bytes:
    return _json({"type": "error", "error": {"type": kind, "code": kind, "message": message}})
