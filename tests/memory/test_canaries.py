"""Fifty secrets in what an environment shows and a critic repeats: none is found anywhere."""

import json
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import verbalrl as vrl
from verbalrl.cli.app import main
from verbalrl.ids import sha256_text
from verbalrl.models import Request, ScriptedModel
from verbalrl.text import notice_environment

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
    # Nothing tells it but the environment, in which it is the value of a variable.
    "the code word {x}",
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


@pytest.fixture
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Variables with the secrets that have no pattern."""
    for n in range(len(KINDS) - 1, ROWS, len(KINDS)):
        monkeypatch.setenv(f"SERVICE_{n}_TOKEN", canary(n))
    yield
    monkeypatch.undo()
    notice_environment()


@pytest.mark.usefixtures("_environment")
def test_fifty_secrets_reach_no_sink(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    notice_environment()
    asked = [f"Use {secret(n)} now." for n in range(ROWS)]
    rows = [{"id": f"q{n}", "question": q, "answer": "x"} for n, q in enumerate(asked)]
    file, place = tmp_path / "leaky.jsonl", tmp_path / "store"
    file.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    prompts: list[str] = []

    def agent(instance: vrl.Instance, guidance: vrl.Guidance) -> str:
        """Repeats what it was asked, with whatever secret there was."""
        prompts.append(f"{instance.text}\n{guidance}")
        return f"I used {instance.text} and {secret(len(prompts) % ROWS)}"

    turn = iter(range(10_000))

    def critic(request: Request) -> dict[str, Any]:
        """Puts a key into whatever it says."""
        key = secret(next(turn) % ROWS)
        lesson = {"when": f"asked for {key}", "instruction": f"put {key} in", "step": 1}
        cause = {"step": 1, "why": f"it lacks {key}"}
        return {"verdict": "failure", "causes": [cause], "lessons": [lesson], "refinement": key}

    told = ScriptedModel(critic, name="critic")
    learner = vrl.Learner(
        agent=agent, method=vrl.methods.reflexion(trials=2), critic=told, store=place
    )
    caplog.set_level(logging.DEBUG, "verbalrl")
    learner.run_sync(vrl.load_task(str(file)), arms=("learned",))
    with vrl.open_store(place):
        # The write-ahead log stands beside the file as long as somebody has it open.
        sinks = {f.name: f.read_bytes() for f in place.iterdir() if f.is_file()}
    assert any(name.endswith(".db-wal") for name in sinks)
    capfd.readouterr()
    for words in (["reflections"], ["critiques"], ["episodes"], ["runs"], ["memory", "audit"]):
        assert main([*words, "--json", "-v", "--store", str(place)]) == 0
    assert main(["export", "--store", str(place)]) == 0
    out, err = capfd.readouterr()
    prompts += [m.text for r in told.requests for m in r.messages]
    for name, text in (("json", out), ("log", err + caplog.text), ("prompt", "".join(prompts))):
        sinks[name] = text.encode()
    assert out.count("[redacted]") > ROWS
    assert sinks["prompt"].count(b"[redacted]") > ROWS
    assert caplog.text
    assert found_in(sinks) == []
