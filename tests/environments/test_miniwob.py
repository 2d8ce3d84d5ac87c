"""MiniWoB++ as it is installed, in the Chromium of this machine."""

from __future__ import annotations

import re
import shutil
import time
from typing import Any

import pytest

from verbalrl.errors import ConfigurationError, UnknownNameError
from verbalrl.integrations import load_task
from verbalrl.records import Action, Origin, Situation
from verbalrl.tasks import Policy, play

pytest.importorskip("miniwob", reason="miniwob is not installed")
if shutil.which("chromedriver") is None:
    pytest.skip("there is no Chromium driver", allow_module_level=True)


def number(pattern: str, text: str) -> str:
    found = re.search(rf"\[(\d+)\] {pattern}", text)
    assert found, text
    return found[1]


def clicking(situation: Situation) -> Action:
    wanted = situation.observation.text.split("button ")[1].split(".")[0].splitlines()[0]
    return Action(text=f"click [{number(f'button .{wanted}', situation.observation.text)}]")


def entering(situation: Situation) -> Action:
    text = situation.observation.text
    if situation.step == 1:
        wanted = text.split('Enter "')[1].split('"')[0]
        return Action(text=f'type [{number("input_text", text)}] "{wanted}"')
    return Action(text=f"click {number('button', text)}")


def focusing(situation: Situation) -> Action:
    return Action(text=f"click [{number('input_text', situation.observation.text)}].")


PAGES: dict[str, Policy] = {
    "click-test-2": clicking,
    "enter-text": entering,
    "focus-text": focusing,
}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_five_episodes_that_end_in_success(page: str) -> None:
    task = load_task(f"miniwob:{page}")
    assert (task.id, task.learns, task.max_steps) == (f"miniwob:{page}", "instance", 12)
    assert task.observations is Origin.TASK
    played = [play(task, instance, PAGES[page]) for instance in task.instances("train", 0, 5)]
    for episode in played:
        assert (episode.success, episode.ended) == (True, True)
        assert episode.results[-1].reward == 1.0
    assert play(task, task.instances("train", 0, 1)[0], PAGES[page], 1) == played[0]
    if page == "enter-text":
        assert len({episode.steps[0].observation.text for episode in played}) == 5


@pytest.mark.slow
def test_a_wrong_click_is_a_failure_and_nonsense_none() -> None:
    task = load_task("miniwob:click-test-2?max_steps=3")
    instance = task.instances("train", 0, 1)[0]
    said = iter(["dance", "click [999]", "press F13"])
    idle = play(task, instance, lambda _: Action(text=next(said)))
    assert (idle.success, idle.ended, len(idle.steps)) == (False, False, 3)
    assert len({step.observation.text for step in idle.steps}) == 1

    def other(situation: Situation) -> Action:
        right = clicking(situation).text
        buttons = re.findall(r"\[(\d+)\] button", situation.observation.text)
        return Action(text=next(f"click {b}" for b in buttons if f"[{b}]" not in right))

    wrong = play(task, instance, other)
    assert (wrong.success, wrong.results[-1].reward) == (False, -1.0)


@pytest.mark.slow
def test_a_model_may_take_its_time() -> None:
    task = load_task("miniwob:click-test-2")
    instance = task.instances("train", 0, 1)[0]

    def slowly(situation: Situation) -> Action:
        time.sleep(11)
        return clicking(situation)

    assert play(task, instance, slowly).success is True


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ("miniwob:click-tset", "did you mean: click-test"),
        ("miniwob:", "unknown MiniWoB page"),
        ("miniwob:click-test?steps=3", "unknown option"),
    ],
)
def test_what_cannot_work_is_one_line(ref: str, said: str) -> None:
    with pytest.raises(UnknownNameError, match=said) as caught:
        load_task(ref)
    assert "\n" not in str(caught.value)


def test_without_a_browser_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("MINIWOB_CHROME_BINARY", str(tmp_path / "none"))
    monkeypatch.setenv("MINIWOB_CHROMEDRIVER", str(tmp_path / "none"))
    with pytest.raises(ConfigurationError, match="apt-get install chromium") as caught:
        load_task("miniwob:click-test-2")
    assert "\n" not in str(caught.value)
