"""A lesson that many prompts of an episode carried is told once, with their number."""

import asyncio
import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.cli import filled
from verbalrl.cli import main
from verbalrl.records import Episode, Use
from verbalrl.store import borne, open_store
from verbalrl.view.page.app import application
from verbalrl.view.page.guard import Keys
from verbalrl.view.rows import read_run

STEPS = 4


@pytest.fixture
def place(folder: Path) -> tuple[Path, str, str]:
    """A store, a lesson, and an episode of a team: the actor recalls at each step, news once."""
    with open_store(folder) as store:
        lesson = store.current_lessons(filled.BRANCH, scope=filled.SCOPE)[0]
        made = _team(lesson.id)
        asyncio.run(store.put_episode(made))
    return folder, lesson.id, made.id


def _team(lesson: str) -> Episode:
    plain = filled.episode(3, success=True)
    first = plain.trajectory.steps[0]
    steps = tuple(first.replace(n=n) for n in range(1, STEPS + 1))
    use = Use(lesson=lesson, version=1, content="c", rank=1, outcome="injected", block="volatile")
    by_step = tuple(use.replace(step=n) for n in range(1, STEPS + 1))
    given = filled.episode(2, success=True).guidance["actor"].replace(left_out=0)
    guidance = {
        "actor": given.replace(uses=by_step),
        "news": given.replace(uses=(use.replace(role="news"),)),
    }
    return plain.replace(
        trajectory=plain.trajectory.model_copy(update={"steps": steps}), guidance=guidance
    )


def told(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main([*words]) == 0
    return capsys.readouterr().out


def test_why_shows_a_lesson_once_with_its_steps(
    place: tuple[Path, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, lesson, episode = place
    out = told(capsys, "why", episode, "--store", str(folder))
    assert "actor: 1 in" in out
    assert "news: 1 in" in out
    assert out.count(lesson) == 2
    assert out.count(f"injected, volatile, {STEPS} steps") == 2
    found = json.loads(told(capsys, "why", episode, "--store", str(folder), "--json"))
    assert [use["steps"] for use in found["guidance"]["actor"]["uses"]] == [STEPS]


def test_history_and_report_count_the_same_prompts(
    place: tuple[Path, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, lesson, episode = place
    out = told(capsys, "history", lesson, "--store", str(folder))
    assert f"in {2 * STEPS} prompts of 1 episode, left out of 0" in out
    assert out.count(episode) == 1
    # All of it is: the heading says so, and no line of an episode again.
    assert out.count("simulated") == 1
    with open_store(folder) as store:
        assert [b.prompts for b in borne(store.carried([lesson]))] == [2 * STEPS]
        views = read_run(store, filled.RUN).lessons[filled.BRANCH]
    view = next(x for x in views if x.id == lesson)
    assert [(c.episode, c.prompts) for c in view.carriers] == [(episode, 2 * STEPS)]
    assert (view.uses.prompts, view.uses.injected, view.uses.solved) == (2 * STEPS, 1, 1)


def test_the_page_of_an_episode_shows_a_lesson_once_for_each_role(
    place: tuple[Path, str, str],
) -> None:
    folder, lesson, episode = place
    with open_store(folder) as store:
        keys = Keys()
        reader = TestClient(application(store, keys, 8123), base_url="http://127.0.0.1:8123")
        reader.get(f"/?token={keys.token}")
        html = reader.get(f"/episodes/{episode}").text
    assert html.count(f"injected, volatile, {STEPS} steps") == 2
    assert html.count(f">{lesson}</a>") == 2
    assert "What the news analyst was given" in html
