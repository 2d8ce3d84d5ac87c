"""Fifty secrets in what an environment shows and a critic repeats: none is found anywhere."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

import verbalrl as vrl
from verbalrl.cli.app import main
from verbalrl.ids import sha256_text
from verbalrl.models import ScriptedModel

ROWS = 50
KINDS = (
    "sk-proj-{x}",
    "AKIA{X}",
    "ghp_{x}",
    "xoxb-{x}",
    "Bearer {x}",
    "password={x}",
    'api_key: "{x}"',
    "https://user:{x}@example.test/",
    "-----BEGIN PRIVATE KEY-----\n{x}\n-----END PRIVATE KEY-----",
    "access_key = {x}",
)


def canary(n: int) -> str:
    """What must not be found: letters and digits of its own, as long as a key has them."""
    return (sha256_text(f"canary {n}") + sha256_text(f"{n} canary"))[:40]


def secret(n: int) -> str:
    x = canary(n)
    return KINDS[n % len(KINDS)].format(x=x, X=x[:16].upper())


def found_in(sinks: dict[str, bytes]) -> list[tuple[str, int]]:
    marks: Iterable[tuple[int, str]] = ((n, canary(n)) for n in range(ROWS))
    return [
        (sink, n)
        for n, mark in marks
        for sink, data in sinks.items()
        if mark.encode() in data or mark[:16].upper().encode() in data
    ]


def test_fifty_secrets_reach_no_sink(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rows = [{"id": f"q{n}", "question": f"Use {secret(n)} now.", "answer": "x"} for n in range(ROWS)]
    file = tmp_path / "leaky.jsonl"
    file.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    place = tmp_path / "store"
    task = vrl.load_task(str(file))
    shown = [s.goal for s in task.instances("train")]
    echo = ScriptedModel(lambda request: request.messages[-1].text[-600:], name="echo")

    def critic(request: object) -> dict[str, object]:
        text = str(getattr(request, "messages", ""))
        keys = [secret(n) for n in range(ROWS) if canary(n)[:8] in text] or [secret(0)]
        lesson = {"when": f"{keys[0]} is asked", "instruction": f"put {keys[0]} in", "step": 1}
        return {"verdict": "failure", "lessons": [lesson], "refinement": keys[0]}

    learner = vrl.Learner(
        agent=vrl.ChatAgent(echo),
        method=vrl.methods.reflexion(),
        critic=ScriptedModel(critic, name="critic"),
        store=place,
    )
    learner.run_sync(task, trials=2, arms=("learned",))
    with vrl.open_store(place):
        # The write-ahead log stands beside the file as long as somebody has it open.
        sinks = {f.name: f.read_bytes() for f in place.iterdir() if f.is_file()}
    assert any(name.endswith(".db") for name in sinks)
    capfd.readouterr()
    commands = [["reflections"], ["critiques"], ["episodes"], ["runs"]]
    for words in commands:
        assert main([*words, "--json", "-v", "--store", str(place)]) == 0
    assert main(["export", "--store", str(place)]) == 0
    out, log = capfd.readouterr()
    prompts = "".join(m.text for r in echo.requests for m in r.messages)
    sinks |= {"json and export": out.encode(), "log": log.encode(), "prompt": prompts.encode()}
    assert "[redacted]" in prompts
    assert shown
    assert found_in(sinks) == []
