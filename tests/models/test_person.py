"""A person as a model, on the terminal and through files."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from verbalrl.agents.chat import move_schema
from verbalrl.errors import ConfigurationError, ModelError
from verbalrl.models import Message, PersonModel, Request, load_model

ASK = Request(
    messages=(Message(role="user", text="Which way?"),),
    output_schema=move_schema(("north", "south")),
    call_key="call_1",
)


def test_a_plain_line_stands_for_the_main_field() -> None:
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        return " north \n"

    reply = asyncio.run(PersonModel(ask=ask).complete(ASK))
    assert json.loads(reply.text) == {"thought": "", "action": "north", "lessons_used": []}
    assert "Which way?" in asked[0]
    assert '"lessons_used"' in asked[0]
    assert reply.usage.total == 0


def test_json_and_free_text_go_as_they_are() -> None:
    whole = '{"action": "south"}'
    assert asyncio.run(PersonModel(ask=lambda _: whole).complete(ASK)).text == whole
    assert PersonModel(ask=lambda _: "south").ask_sync("Which way?") == "south"


def test_an_answer_through_a_file_counts_when_it_rests(tmp_path: Path) -> None:
    async def ask() -> str:
        model = PersonModel(tmp_path, poll_s=0.02)
        asking = asyncio.create_task(model.complete(ASK))
        await asyncio.sleep(0.05)
        assert "Which way?" in (tmp_path / "call_1.question.md").read_text()
        (tmp_path / "call_1.answer.md").touch()
        await asyncio.sleep(0.05)
        assert not asking.done()
        (tmp_path / "call_1.answer.md").write_text("north\n")
        return (await asking).text

    assert json.loads(asyncio.run(ask()))["action"] == "north"


def test_a_closed_terminal_and_a_missing_folder_are_told() -> None:
    def closed(_: str) -> str:
        raise EOFError

    with pytest.raises(ModelError, match="the terminal is closed"):
        asyncio.run(PersonModel(ask=closed).complete(ASK))
    with pytest.raises(ConfigurationError, match="not a folder"):
        load_model("person:/no/such/folder")
    assert load_model("person").name == "person"
