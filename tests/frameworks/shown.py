"""What tests of frameworks share: a tool, a coach with one episode, what must be sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.wrap.doors import STABLE, VOLATILE, Coach, Episode
from tests.wrap.server import TEXT, Server

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SYSTEM = "You help."
ASKED = "Where is order 17?"
FOUND = "It is on its way."
WORDS = "When something arrives broken, refund the order instead of sending a coupon."


def look_up(order: str) -> str:
    """Look an order up."""
    return FOUND


class Broken(Episode):
    """An episode whose memory fails."""

    def blocks(self) -> Any:
        raise OSError("the disk is gone")


def count(text: str, raw: bytes) -> int:
    return raw.decode().count(json.dumps(text)[1:-1])


def check_sent(server: Server, episode: Episode) -> None:
    """One tool call and one answer: guidance once in each request, each request a step."""
    asked = server.take()
    assert [(count(STABLE, a.raw), count(VOLATILE, a.raw)) for a in asked] == [(1, 1), (1, 1)]
    assert all(a.raw.index(b"You help.") < a.raw.index(b"do S.") for a in asked)
    assert all(a.raw.index(b"order 17?") < a.raw.index(b"do V.") for a in asked)
    first, second = episode.exchanges
    assert [m["role"] for m in first.request if m.get("role") != "system"] == ["user"]
    assert FOUND in str(second.request)
    assert "<guidance>" not in str((first.request, second.request))
    assert said(first.reply)["tool_calls"][0]["name"] == "look_up"
    assert said(second.reply)["content"] == TEXT
    assert [e.usage.output for e in (first, second)] == [4, 4]
    assert [e.usage.cache_read for e in (first, second)] == [3, 3]


def check_bare(server: Server) -> None:
    assert [count("<guidance>", a.raw) for a in server.take()] == [0, 0]


def said(reply: Mapping[str, Any] | None) -> Mapping[str, Any]:
    assert reply is not None
    return reply


def coach_of(episode: Episode | None) -> Coach:
    return Coach(usual=episode, strict=episode is None or not isinstance(episode, Broken))


def example_learns(name: str, address: str, folder: Path) -> None:
    """The example makes the mistake, and does not after an operator's word and `learn`."""
    known = {
        "OPENAI_BASE_URL": address,
        "OPENAI_API_KEY": "a-key-of-nobody",
        "SUPPORT_MODEL": "any",
        "VERBALRL_STORE": str(folder / "store"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }

    def run(arguments: Sequence[str]) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env=os.environ | known,
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    script = str(EXAMPLES / "frameworks" / name)
    told, _, episode = run([script, "My lamp came broken. Order 17.", "ann"]).rpartition("\n")
    assert "A coupon of 10 %" in told
    said = ["--failure", "--origin", "operator", "--text", WORDS]
    run(["-m", "verbalrl", "feedback", episode, *said])
    run(["-m", "verbalrl", "learn"])
    assert "Order 23 is refunded" in run([script, "It is in pieces. Order 23.", "bob"])
