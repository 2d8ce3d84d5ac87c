"""The support agent of the examples, on a loopback server whose model does what its lessons say."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import openai
import pytest

from tests.loop.test_resume import ROOT
from tests.serving.worlds import coach_of, lessons
from verbalrl.cli import main
from verbalrl.records import Status
from verbalrl.serving import Coach

TICKET = "My cup came broken, order 17."
TEXT = "do offer a refund at once when the cup came broken"
REFUND, SORRY = "Here is your refund.", "We are sorry to hear that."


class _Handler(BaseHTTPRequestHandler):
    """Calls the tool first; then offers a refund only where a lesson says so."""

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["content-length"])).decode()
        delta: dict[str, Any] = {"role": "assistant"}
        if '"role":"tool"' not in raw:
            function = {"name": "get_order", "arguments": json.dumps({"number": "17"})}
            call = {"index": 0, "id": "c1", "type": "function", "function": function}
            delta["tool_calls"] = [call]
        else:
            delta["content"] = REFUND if "do offer a refund" in raw else SORRY
        head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for choice in (
            {"delta": delta, "finish_reason": None},
            {"delta": {}, "finish_reason": "stop"},
        ):
            part = head | {"choices": [{"index": 0, **choice}]}
            self.wfile.write(f"data: {json.dumps(part)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def client() -> Iterator[openai.OpenAI]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    with openai.OpenAI(api_key="of nobody", base_url=url) as made:
        yield made
    server.shutdown()
    server.server_close()
    thread.join()


def agent() -> Any:
    place = ROOT / "examples" / "support_agent.py"
    spec = importlib.util.spec_from_file_location("support_agent", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def handled(coach: Coach, client: openai.OpenAI, source: str) -> tuple[str, str]:
    """A ticket of a customer: the id of the episode, and the answer."""
    with coach.episode(TICKET, source=source) as episode:
        reply = agent().answer(coach.wrap(client), "m", TICKET)
    return episode.id, reply


def test_it_repeats_a_mistake_until_the_operator_has_said_so(
    tmp_path: Path, client: openai.OpenAI
) -> None:
    with coach_of(tmp_path) as coach:
        handled(coach, client, "ann")
        name, reply = handled(coach, client, "bob")
        assert reply == SORRY
        coach.feedback(name, reward=0.0, text=TEXT, origin="operator")
        coach.learn_sync()
        assert handled(coach, client, "cid")[1] == REFUND


def test_a_customers_word_waits_for_approval(
    tmp_path: Path, client: openai.OpenAI, capsys: pytest.CaptureFixture[str]
) -> None:
    with coach_of(tmp_path) as coach:
        name, _ = handled(coach, client, "ann")
        coach.feedback(name, reward=0.0, text=TEXT, source="ann")
        coach.learn_sync()
        assert handled(coach, client, "ann")[1] == SORRY
        (lesson,) = lessons(coach).values()
        assert main(["behaviors", "--status", "quarantined", "--store", str(tmp_path)]) == 0
        assert lesson.id in capsys.readouterr().out
        assert main(["approve", lesson.id, "--store", str(tmp_path)]) == 0
        assert handled(coach, client, "ann")[1] == REFUND


def test_or_for_a_second_customer(tmp_path: Path, client: openai.OpenAI) -> None:
    with coach_of(tmp_path) as coach:
        for customer in ("ann", "bob"):
            name, reply = handled(coach, client, customer)
            assert reply == SORRY
            coach.feedback(name, reward=0.0, text=TEXT, source=customer)
            coach.learn_sync()
        (lesson,) = lessons(coach).values()
        assert lesson.status is Status.PROVISIONAL
        replies = {handled(coach, client, "cid")[1] for _ in range(40)}
        # On trial: most prompts carry it, and some do without.
        assert replies == {REFUND, SORRY}
