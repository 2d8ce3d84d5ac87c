"""Answers are kept over runs, each under the call that asked, and what is no answer is not kept."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.models.faultd import Faultd
from verbalrl.errors import ModelError, StorageError
from verbalrl.models import (
    AnswerCache,
    CallContext,
    MemoryJournal,
    Message,
    Model,
    Reply,
    Request,
    ScriptedModel,
    Shelf,
    Slots,
    load_model,
)
from verbalrl.records import Usage

ASK = Request(messages=(Message(role="user", text="Which way?"),))


class Server(ScriptedModel):
    """A scripted model that stands for one behind a server."""

    address = "openai:any http://a"


def ask(cache: AnswerCache, model: Model, owner: str = "ep", **view: Any) -> Reply:
    context = CallContext(
        MemoryJournal(), Slots(1), owner=f"run_x/{owner}", cache=Shelf(cache, owner)
    )

    async def asked() -> Reply:
        try:
            return await context.at(**view).ask(model, ASK)
        finally:
            await model.aclose()

    reply = asyncio.run(asked())
    assert context.usage[view.get("role", "actor")] == reply.usage
    return reply


def test_the_second_run_gets_the_answer_and_pays_nothing(tmp_path: Path) -> None:
    usage = Usage(input=5, output=2, calls=1, cost_usd=0.25)
    model = Server([Reply(text="north", usage=usage)])
    with AnswerCache(tmp_path) as cache:
        assert ask(cache, model).usage == usage
    with AnswerCache(tmp_path) as cache:
        again = ask(cache, model)
    assert again.text == "north"
    assert again.usage == usage.replace(reused=7, cost_usd=0.0)
    assert len(model.requests) == 1


def test_every_place_of_a_call_has_an_answer_of_its_own(tmp_path: Path) -> None:
    places: list[dict[str, Any]] = [
        {},
        {"owner": "another"},
        {"step": 1},
        {"role": "critic"},
        {"hook": "after_step"},
    ]
    model = Server([str(n) for n in range(len(places))])
    with AnswerCache(tmp_path) as cache:
        for _ in range(2):
            texts = [ask(cache, model, **place).text for place in places]
            assert texts == [str(n) for n in range(len(places))]


def test_another_model_address_or_request_is_another_answer(tmp_path: Path) -> None:
    with Faultd(lambda asked: asked.body["model"]) as server, AnswerCache(tmp_path) as cache:
        url = server.url("openai")
        models = [
            load_model("openai:a", base_url=url, offline=True),
            load_model("openai:b", base_url=url, offline=True),
            load_model("openai:a", base_url=url),
            load_model("openai:a", base_url=url.replace("127.0.0.1", "localhost"), offline=True),
            load_model("openai-responses:a", base_url=url, offline=True),
        ]
        for _ in range(2):
            for model in models:
                assert ask(cache, model).text == model.name.partition(":")[2]
        assert len(server.asked) == len(models)


@pytest.mark.parametrize("finish", ["length", "refusal"])
def test_what_is_no_whole_answer_is_not_kept(tmp_path: Path, finish: Any) -> None:
    model = Server([Reply(text="nor", finish=finish), "north"])
    with AnswerCache(tmp_path) as cache:
        assert [ask(cache, model).text for _ in range(3)] == ["nor", "north", "north"]


def test_errors_are_not_kept(tmp_path: Path) -> None:
    with Faultd(lambda asked: "north", script=["400"]) as server, AnswerCache(tmp_path) as cache:
        model = load_model("openai:any", base_url=server.url("openai"), offline=True)
        with pytest.raises(ModelError):
            ask(cache, model)
        assert ask(cache, model).text == "north"


def test_models_without_an_address_are_asked_every_time(tmp_path: Path) -> None:
    model = ScriptedModel(["north", "south"])
    with AnswerCache(tmp_path) as cache:
        assert [ask(cache, model).text for _ in range(2)] == ["north", "south"]


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    with AnswerCache(tmp_path / "deep" / "er") as cache:
        ask(cache, Server(["north"]))
        files = list((tmp_path / "deep" / "er").glob("answers.db*"))
        assert len(files) > 1
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def foreign(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE mine (x)")
        connection.commit()


def newer(file: Path) -> None:
    AnswerCache(file.parent).close()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 9")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda file: file.write_bytes(b"no database, but long enough" * 40), "not a database"),
        (foreign, "something else"),
        (newer, "version 9"),
        (lambda file: file.mkdir(), "directory"),
    ],
)
def test_what_is_no_cache_is_a_line_and_left_alone(tmp_path: Path, spoil: Any, said: str) -> None:
    file = tmp_path / "answers.db"
    spoil(file)
    before = file.read_bytes() if file.is_file() else b""
    with pytest.raises(StorageError, match=said) as error:
        AnswerCache(tmp_path)
    assert "remove it, or name another folder" in str(error.value)
    assert "\n" not in str(error.value)
    assert (file.read_bytes() if file.is_file() else b"") == before


def test_a_damaged_answer_stops_the_work_with_a_line(tmp_path: Path) -> None:
    with AnswerCache(tmp_path) as cache:
        ask(cache, Server(["north"]))
        with closing(sqlite3.connect(tmp_path / "answers.db")) as connection:
            connection.execute("UPDATE answers SET reply = '{\"text\": 1'")
            connection.commit()
        context = CallContext(MemoryJournal(), Slots(1), owner="x", cache=Shelf(cache, "ep"))
        with pytest.raises(StorageError, match="an answer in it is damaged"):
            asyncio.run(context.ask(Server([]), ASK))
        assert isinstance(context.fatal, StorageError)


WRITER = """
import sys
from verbalrl.models import AnswerCache, Reply
with AnswerCache(sys.argv[1]) as cache:
    for n in range(150):
        key = f"shared-{n}" if n % 2 else f"own-{sys.argv[2]}-{n}"
        cache.put(key, "m", Reply(text=f"{key} of {sys.argv[2]}"))
        assert cache.get(key).text.startswith(key)
"""


def test_processes_share_one_cache(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    writers = [subprocess.Popen([*command, str(n)]) for n in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    with closing(sqlite3.connect(tmp_path / "answers.db")) as connection:
        assert connection.execute("SELECT count(*) FROM answers").fetchone()[0] == 75 + 3 * 75
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
