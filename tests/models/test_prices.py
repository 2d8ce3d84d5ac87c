"""Prices: read from a file of the user's, exact in sums, free for what is simulated."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from verbalrl import Budget, Model, ScriptedModel, load_prices
from verbalrl.errors import DataError, RunHalted
from verbalrl.models import Account, Message, PersonModel, Price, Prices, Reply, Request, price_of
from verbalrl.models.prices import PICO
from verbalrl.records import Usage

TABLE = """
["openai:one"]
input = 2
output = 8.5
cache_read = 0.5

[two]
input = 1.0
output = 1.0
"""
ASK = Request(messages=(Message(role="user", text="What?"),))


class Named(Model):
    """Answers with one million of each kind of token."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def complete(self, request: Request, /) -> Reply:
        million = 10**6
        usage = Usage(
            input=million, cache_read=million, cache_write=million, output=million, calls=1
        )
        return Reply(text="Yes.", usage=usage)


def answer(account: Account, model: Model) -> Reply:
    return asyncio.run(account.answer(model, ASK, ASK.content()))


@pytest.fixture
def prices(tmp_path: Path) -> Prices:
    file = tmp_path / "prices.toml"
    file.write_text(TABLE)
    return load_prices(file)


def test_toml_and_json_say_the_same(prices: Prices, tmp_path: Path) -> None:
    table = {
        "openai:one": {"input": 2, "output": 8.5, "cache_read": 0.5},
        "two": {"input": 1, "output": 1},
    }
    (tmp_path / "p.json").write_text(json.dumps(table))
    assert load_prices(tmp_path / "p.json") == prices


@pytest.mark.parametrize(
    ("name", "cost"), [("openai:one", 13.0), ("anthropic:two", 4.0), ("two", 4.0), ("one", None)]
)
def test_what_a_call_costs(prices: Prices, name: str, cost: float | None) -> None:
    assert answer(Account(Budget(prices=prices)), Named(name)).usage.cost_usd == cost


def test_without_prices_nothing_is_said_to_be_free() -> None:
    assert answer(Account(), ScriptedModel(["Yes."])).usage.cost_usd is None


def test_what_is_simulated_or_a_person_costs_nothing(prices: Prices) -> None:
    account = Account(Budget(cost_usd=1, prices=prices))
    assert answer(account, ScriptedModel(["Yes."])).usage.cost_usd == 0
    assert price_of(PersonModel(ask=lambda _: "Yes."), None) == Price(input=0, output=0)


def test_a_model_without_a_price_is_not_asked_under_a_cost_bound(prices: Prices) -> None:
    account = Account(Budget(cost_usd=1, prices=prices))
    with pytest.raises(RunHalted, match="no price is known for three") as caught:
        answer(account, Named("three"))
    assert caught.value.alarm


def test_sums_are_exact() -> None:
    price = Price(input=0.1, output=0.2)
    total = sum(price.pico(Usage(input=1, output=1)) for _ in range(10_000))
    assert total == 3 * 10**9
    assert total / PICO == 0.003
    assert price.most(1, 1) == price.pico(Usage(input=1, output=1))
    dear = Price(input=1, output=1, cache_read=0.1, cache_write=1.25)
    assert dear.most(1000, 0) == dear.pico(Usage(cache_write=1000))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("p.toml", "[openai:one]\ninput = 1", "not TOML"),
        ("p.json", "{", "not JSON"),
        ("p.toml", "", "a table per model"),
        ("p.json", "[1]", "a table per model"),
        ("p.toml", "[one]\ninput = 1", "one.output: missing; give it; prices are USD per million"),
        ("p.toml", "[one]\ninput = -1\noutput = 1", "one.input: give 0 or more"),
        ("p.toml", "[one]\ninput = 1\noutput = inf", "one.output"),
        ("p.toml", "[one]\ninput = 1\noutput = 1\ncached = 1", "one.cached"),
        ("p.toml", "[gpt-1.5]\ninput = 1\noutput = 1", "quote a name"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError) as caught:
        load_prices(tmp_path / name)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        load_prices(tmp_path / "none.toml")


def test_every_kind_of_token_has_a_price() -> None:
    given: Any = {"input": 1, "output": 2, "cache_read": 3, "cache_write": 4}
    price = Price(**given)
    for name, dollars in given.items():
        assert price.pico(Usage(**{name: 10**6})) == dollars * PICO
