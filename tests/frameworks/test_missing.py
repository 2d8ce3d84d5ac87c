"""Without its package a framework's adapter says what to install."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.wrap.doors import Coach
from verbalrl.errors import ConfigurationError
from verbalrl.integrations import langchain, openai_agents, pydantic_ai


@pytest.mark.parametrize(
    ("make", "module", "extra"),
    [
        (openai_agents.model_provider, "agents", "openai-agents"),
        (langchain.middleware, "langchain.agents.middleware", "langchain"),
        (pydantic_ai.capability, "pydantic_ai.capabilities", "pydantic-ai"),
    ],
)
def test_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, make: Callable[..., Any], module: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError) as raised:
        make(Coach())
    assert str(raised.value).endswith(f'pip install "verbalrl[{extra}]"')
    assert "\n" not in str(raised.value)
