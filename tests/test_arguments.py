"""What the Python doors say to an argument of a wrong type: one line, what, where, what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import verbalrl
from verbalrl import ChatAgent, Learner, ScriptedModel, load_task, methods
from verbalrl.errors import ConfigurationError, UnknownNameError

# As people write it that use no type checker.
vrl: Any = verbalrl

CASES: dict[str, tuple[Callable[[], Any], str]] = {
    "open_store": (
        lambda: vrl.open_store(5),
        "open_store takes a folder, such as '.verbalrl', not 5",
    ),
    "load_prices": (
        lambda: vrl.load_prices(5),
        "load_prices takes a file, such as 'prices.toml', not 5",
    ),
    "scripted": (
        lambda: vrl.ScriptedModel(5),
        "ScriptedModel takes a list of replies or a function of the request, not 5",
    ),
    "scripted text": (
        lambda: vrl.ScriptedModel("go left"),
        "ScriptedModel takes a list of replies or a function of the request, not 'go left'",
    ),
    "check_method": (
        lambda: vrl.check_method("x"),
        "check_method takes a method such as methods.reflexion(), not 'x'",
    ),
    "check_method of a class": (
        lambda: vrl.check_method(methods.Reflexion),
        "check_method takes a method such as methods.reflexion(), not the class Reflexion",
    ),
    "prompt_tokens": (
        lambda: vrl.ChatAgent(ScriptedModel([]), prompt_tokens="a"),
        "ChatAgent: prompt_tokens takes a number of tokens, not 'a'",
    ),
    "prompts": (
        lambda: vrl.ChatAgent(ScriptedModel([]), prompts=5),
        "ChatAgent: prompts takes a folder, not 5",
    ),
    "limits": (
        lambda: vrl.Limits(concurrency="many"),
        "Limits: concurrency='many': give a whole number",
    ),
    "limits budget": (
        lambda: vrl.Limits(budget=5),
        "Limits: budget=5: give a table or a Budget",
    ),
    "limits unnamed": (
        lambda: vrl.Limits(5),
        "Limits takes its settings by name, such as Limits(max_steps=…), not 5",
    ),
    "load_task": (lambda: vrl.load_task(5), "load_task takes a name, a folder or a file, not 5"),
    "load_model": (
        lambda: vrl.load_model(5),
        "a model is wanted, or its name such as 'offline:apprentice', not int",
    ),
    "base_url": (
        lambda: vrl.load_model("openai:any", base_url=5),
        "openai:any: base_url takes the address of a server, not 5",
    ),
    "load_embedder": (
        lambda: vrl.load_embedder(5),
        "an embedder is wanted, or its name such as 'hash', not 5",
    ),
    "index": (
        lambda: vrl.Memory(index=5),
        "index= takes exact, chroma:FOLDER or chroma:URL, not 5",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_type_is_one_line(name: str) -> None:
    call, said = CASES[name]
    with pytest.raises(ConfigurationError) as caught:
        call()
    assert str(caught.value) == said


def test_a_setting_that_run_does_not_have_is_named(tmp_path: Path) -> None:
    learner = Learner(ChatAgent(ScriptedModel([])), store=tmp_path / "store")
    with pytest.raises(TypeError, match="'foo'"):
        learner.run_sync(load_task("gridnav-v1"), foo=1)
    with pytest.raises(ConfigurationError, match="resume takes the id of a run, not 5"):
        learner.resume_sync(5, load_task("gridnav-v1"))  # type: ignore[arg-type]
    assert not (tmp_path / "store").exists()


def test_names_that_are_left_out_are_counted() -> None:
    few, many = ([f"name {n:02}" for n in range(count)] for count in (20, 21))
    assert str(UnknownNameError.of("x", "zzz", few)).endswith("name 18, name 19")
    assert str(UnknownNameError.of("x", "zzz", many)).endswith("name 10, name 11 and 9 more")
