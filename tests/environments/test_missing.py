"""Without its package an adapter says what to install, and a strange prefix what there is."""

import sys

import pytest

from verbalrl.cli import main
from verbalrl.errors import ConfigurationError
from verbalrl.integrations import ADAPTERS, load_task

MODULES = {
    "gym": "gymnasium",
    "reasoning": "reasoning_gym",
    "inspect": "inspect_ai",
    "miniwob": "miniwob",
    "textworld": "textworld",
    "alfworld": "alfworld",
    "textarena": "textarena.envs.registration",
}


def test_every_adapter_is_tried_here() -> None:
    assert MODULES.keys() == ADAPTERS.keys()


@pytest.mark.parametrize("prefix", MODULES)
def test_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    monkeypatch.setitem(sys.modules, MODULES[prefix], None)
    with pytest.raises(ConfigurationError) as caught:
        load_task(ADAPTERS[prefix].example)
    assert f'pip install "verbalrl[{ADAPTERS[prefix].extra}]"' in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ("gymn:Taxi-v4", "did you mean: gym"),
        ("textarna:Mastermind-v0", "did you mean: textarena"),
        ("gsm8:rows.jsonl", "did you mean: gsm8k"),
        ("gymn:" + "x" * 300, "did you mean: gym"),
        ("gym:Taxi", "did you mean: Taxi-v4"),
    ],
)
def test_names_that_nothing_answers_to(
    ref: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", ref, "--model", "offline:apprentice"]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
