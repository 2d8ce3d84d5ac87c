"""The support agent as its user has it: scripts and commands in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MISTAKE = "[send_coupon] A coupon of 10 % went to the customer of order"
RIGHT = "[refund] Order"
WORDS = "When something arrives broken, refund the order instead of sending a coupon."
Run = Callable[..., str]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of the stand-in."""
    command = [sys.executable, str(EXAMPLES / "support_server.py"), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.fixture
def run(server: str, tmp_path: Path) -> Run:
    """Runs a Python module or script in the folder of the test; what it printed."""
    known = {
        "VERBALRL_STORE": str(tmp_path / "store"),
        "OPENAI_BASE_URL": server,
        "OPENAI_API_KEY": "a-key-of-nobody",
        "SUPPORT_MODEL": "any",
    }

    def call(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=os.environ | known,
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


@pytest.mark.parametrize("script", ["support_agent.py", "learn_in_background.py"])
def test_without_a_model_one_line_says_what_to_set(script: str, tmp_path: Path) -> None:
    bare = {k: v for k, v in os.environ.items() if k not in ("SUPPORT_MODEL", "OPENAI_API_KEY")}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / script)],
        cwd=tmp_path,
        env=bare,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("set SUPPORT_MODEL and OPENAI_API_KEY: ")
    assert done.stderr.count("\n") == 1


def test_the_server_answers_a_client_that_offers_no_tools(server: str) -> None:
    said = [{"role": "user", "content": "My lamp came broken."}]
    with openai.OpenAI(base_url=server, api_key="none", max_retries=0) as client:
        reply = client.chat.completions.create(model="any", messages=said)  # type: ignore[arg-type]
    assert "coupon" in (reply.choices[0].message.content or "")


@pytest.fixture
def say(run: Run) -> Run:
    return lambda *arguments: run("-m", "verbalrl", *arguments)


@pytest.fixture
def ask(run: Run) -> Callable[[str, str], tuple[str, str]]:
    """Has a ticket answered; what was printed before the id of the episode, and the id."""

    def call(ticket: str, customer: str) -> tuple[str, str]:
        printed = run(str(EXAMPLES / "support_agent.py"), ticket, customer)
        told, _, episode = printed.strip().rpartition("\n")
        return told, episode

    return call


Ask = Callable[[str, str], tuple[str, str]]


def listed(say: Run, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(say("behaviors", *options, "--json"))["behaviors"]
    return found


@pytest.mark.slow
def test_it_repeats_a_mistake_until_the_operator_has_spoken(ask: Ask, say: Run) -> None:
    for customer in ("ann", "bob"):
        told, episode = ask("My lamp came broken. Order 17.", customer)
        assert MISTAKE in told
        assert "[get_order] Order 17" in told
        assert "It is settled." in told
    say("feedback", episode, "--failure", "--text", WORDS, "--origin", "operator")
    assert MISTAKE in ask("The glass arrived in pieces. Order 23.", "cem")[0]
    say("learn")
    told, _ = ask("The glass arrived in pieces. Order 23.", "cem")
    assert RIGHT in told
    assert MISTAKE not in told


@pytest.mark.slow
def test_a_customers_words_wait_for_approval(ask: Ask, say: Run) -> None:
    _, episode = ask("My lamp came broken. Order 17.", "ann")
    say("feedback", episode, "--failure", "--text", WORDS, "--source", "ann")
    say("learn")
    (lesson,) = listed(say, "--status", "quarantined")
    assert "refund the order" in str(lesson)
    assert MISTAKE in ask("The glass arrived in pieces. Order 23.", "cem")[0]
    assert "quarantined → active" in say("approve", lesson["id"])
    assert RIGHT in ask("The glass arrived in pieces. Order 23.", "cem")[0]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_second_customers_case_puts_it_on_trial(ask: Ask, say: Run) -> None:
    for customer, seen in (("ann", ["quarantined"]), ("bob", ["provisional"])):
        told, episode = ask("My lamp came broken. Order 17.", customer)
        assert MISTAKE in told
        say("feedback", episode, "--failure", "--text", WORDS, "--source", customer)
        say("learn")
        assert [x["status"] for x in listed(say)] == seen
    # On trial it is left out of every fifth prompt by a coin.
    tried = [""]
    while len(tried) < 9 and RIGHT not in tried[-1]:
        tried.append(ask("The glass arrived in pieces. Order 23.", "guest")[0])
    assert RIGHT in tried[-1]


@pytest.mark.slow
def test_a_thread_learns_between_two_cases(run: Run) -> None:
    first, second = run(str(EXAMPLES / "learn_in_background.py")).split("It is settled.")[:2]
    assert MISTAKE in first
    assert RIGHT in second
