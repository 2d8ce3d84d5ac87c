"""Test doubles and models by name."""

import asyncio
import doctest
from pathlib import Path

import pytest

from verbalrl.errors import ConfigurationError, ModelError, UnknownNameError
from verbalrl.models import (
    CallContext,
    CountingModel,
    MemoryJournal,
    Message,
    Reply,
    Request,
    ScriptedModel,
    Slots,
    load_model,
)
from verbalrl.models.apprentice import answer

ASK = Request(messages=(Message(role="user", text="Which way?"),), sample_seed=4)


def test_script_fails_loudly_when_exhausted() -> None:
    model = ScriptedModel(["north"])
    model.ask_sync("?")
    with pytest.raises(ModelError, match="exhausted after 1 replies"):
        model.ask_sync("?")


def test_script_takes_text_dicts_replies_errors_and_functions() -> None:
    model = ScriptedModel(["a", {"b": 1}, Reply(text="c", model="m"), KeyError("d")])
    replies = [asyncio.run(model.complete(ASK)) for _ in range(3)]
    assert [r.text for r in replies] == ["a", '{"b": 1}', "c"]
    assert replies[0].usage.total > 0
    with pytest.raises(KeyError):
        asyncio.run(model.complete(ASK))
    echo = ScriptedModel(lambda r: r.messages[-1].text)
    assert echo.ask_sync("north") == "north"


def test_call_is_on_disk_before_it_is_answered(tmp_path: Path) -> None:
    path = tmp_path / "calls"
    seen: list[str] = []

    def reply(request: Request) -> str:
        seen.append(path.read_text())
        return "x"

    model = CountingModel(ScriptedModel(reply), path)
    own = CallContext(MemoryJournal(), Slots(), "ep_1")

    async def ask() -> None:
        for _ in range(2):
            await own.ask(model, ASK)

    asyncio.run(ask())
    assert [len(s.splitlines()) for s in seen] == [1, 2]
    assert len(set(path.read_text().split())) == 2


def test_offline_model_is_the_apprentice_behind_a_door() -> None:
    model = load_model("offline:apprentice#3")
    assert model.simulated
    assert model.name == "offline:apprentice#3"
    reply = asyncio.run(model.complete(ASK.model_copy(update={"call_key": "k", "role": "critic"})))
    assert reply.text == answer([("user", "Which way?")], None, 4, 3)
    assert load_model("offline:apprentice").name == "offline:apprentice"
    assert load_model(model) is model


@pytest.mark.parametrize("name", ["offline:aprentice", "offlin:apprentice", "apprentice"])
def test_unknown_model_names_what_there_is(name: str) -> None:
    with pytest.raises(UnknownNameError, match="offline:apprentice"):
        load_model(name)


@pytest.mark.parametrize("name", ["scripted", "offline:apprentice#x", "offline:apprentice#"])
def test_incomplete_name_says_what_is_missing(name: str) -> None:
    with pytest.raises(ConfigurationError):
        load_model(name)


def test_base_url_is_refused_where_it_means_nothing() -> None:
    with pytest.raises(ConfigurationError, match="base_url"):
        load_model("offline:apprentice", base_url="http://localhost")


def test_the_example_of_a_tool_call_is_what_a_model_answers() -> None:
    names: dict[str, object] = {}
    text = ScriptedModel.__doc__ or ""
    example = doctest.DocTestParser().get_doctest(text, names, "example", None, 0)
    ran = doctest.DocTestRunner().run(example, clear_globs=False)
    assert (ran.failed, ran.attempted) == (0, 4)
    model = example.globs["model"]
    first, second = (asyncio.run(model.complete(ASK)) for _ in range(2))
    assert [(p.name, p.arguments) for p in first.parts] == [("look_up", '{"city": "Rome"}')]
    assert (first.finish, second.text) == ("tool_calls", "Rome has 2.7 million people.")
