"""A reader of README.md corrects what the demo learned: the next request carries the correction."""

from __future__ import annotations

import html
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from benchmarks._server import reply
from tests.view.browser import served
from tools.docs import Session, session

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FIELD = re.compile(r'<(?:input|textarea)[^>]* name="(\w+)"[^>]*?(?: value="([^"]*)")?[^>]*>([^<]*)')


class Listener(ThreadingHTTPServer):
    """A model server on loopback that keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.asked.append(json.dumps(json.loads(body), ensure_ascii=False))
        answer = json.dumps(reply(self.path, body)).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def listening() -> Iterator[Listener]:
    with Listener() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def edit_on_the_page(client: httpx.Client, lesson: str, instruction: str) -> None:
    """What a browser sends when the form of a lesson is filled in and its button pressed."""
    at = f"/lessons/{lesson}"
    listed = client.get("/lessons")
    assert f'href="{at}' in listed.text
    whole = client.get(at).text
    form = re.search(rf'<form method="post" action="{at}/edit">(.*?)</form>', whole, re.S)
    assert form
    fields = {k: html.unescape(value or text) for k, value, text in FIELD.findall(form[1])}
    assert fields["instruction"].startswith("choose hand to ")
    origin = {"origin": str(client.base_url).rstrip("/")}
    done = client.post(f"{at}/edit", data=fields | {"instruction": instruction}, headers=origin)
    assert done.status_code == 200
    assert instruction in html.unescape(done.text)


def requests_of_a_run(at: Session, branch: str) -> list[str]:
    """What a run that starts with `branch` asks the model of its agent."""
    with listening() as server:
        base = f"http://127.0.0.1:{server.server_port}/v1"
        model = f"--model openai:any --base-url {base} --offline-server"
        options = "--no-learn --arms learned --instances 2"
        at.shell(f"verbalrl run triage-v1 {model} --from {branch} {options}")
        return server.asked


def test_from_demo_to_report_to_page_to_the_edited_text_in_the_request() -> None:
    with session() as at:
        at.shell("verbalrl demo --store .verbalrl --instances 8")
        at.shell("verbalrl report -o report.html")
        listed = at.shell("verbalrl behaviors --limit 2")
        branch = re.search(r"on branch (\S+)", listed)
        assert branch
        first, second = at.ids["le_"][:2]
        assert first in Path(at.folder, "report.html").read_text("utf-8")
        before = requests_of_a_run(at, branch[1])
        with (
            served(at.folder / ".verbalrl") as address,
            httpx.Client(base_url=address.partition("/?")[0], follow_redirects=True) as client,
        ):
            assert client.get(address).status_code == 200
            edit_on_the_page(client, first, "ask the door keeper")
            # The page goes on while the command line writes.
            at.shell(f'verbalrl edit {second} --instruction "ring the small bell"')
            after = requests_of_a_run(at, branch[1])
            assert "ring the small bell" in client.get(f"/lessons/{second}").text
        for text in ("ask the door keeper", "ring the small bell"):
            assert not any(text in body for body in before)
            assert after
            assert all(text in body for body in after)
            at.shell("verbalrl episodes")
            assert text in at.shell(f"verbalrl show {at.ids['ep_'][0]}")
