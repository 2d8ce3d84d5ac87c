import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from verbalrl.errors import ConfigurationError
from verbalrl.records import (
    Action,
    MediaPart,
    Observation,
    Origin,
    StepResult,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from verbalrl.tasks import RenamedTask, Task, check_task, load_task, play, random_policy
from verbalrl.tasks.renamed import FUNCTION_WORDS, RenamedEnvironment, Renaming

KEEP = frozenset({"wrong", "correct", "failed", "success"})


def texts(task: Task, seed: int = 0) -> list[str]:
    found = []
    for instance in task.instances("train", 0, 8):
        played = play(task, instance, random_policy(seed))
        found.append(instance.goal)
        for step in played.steps:
            found += [step.observation.text, *(step.observation.actions or ()), step.action.text]
            found.append(step.feedback)
    return found


def words(texts: list[str]) -> list[str]:
    return [word.casefold() for text in texts for word in re.findall(r"[^\W\d_]+", text)]


@pytest.mark.parametrize("name", ["gridnav-v1", "triage-v1"])
def test_every_content_word_is_renamed_one_to_one(name: str) -> None:
    plain, renamed = load_task(name), RenamedTask(load_task(name), KEEP, seed=3)
    pairs = set(zip(words(texts(plain)), words(texts(renamed)), strict=True))
    assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs)
    for before, after in pairs:
        assert (before == after) == (before in KEEP | FUNCTION_WORDS)
    assert not {a for a, b in pairs if a != b} & {b for _, b in pairs}


@pytest.mark.parametrize("name", ["gridnav-v1", "triage-v1"])
def test_digits_marks_and_outcomes_stay(name: str) -> None:
    plain, renamed = load_task(name), RenamedTask(load_task(name), KEEP, seed=3)
    for before, after in zip(texts(plain), texts(renamed), strict=True):
        assert re.sub(r"[^\W\d_]+", "w", before) == re.sub(r"[^\W\d_]+", "w", after)
    for old, new in zip(
        plain.instances("test", 0, 9), renamed.instances("test", 0, 9), strict=True
    ):
        assert old.id == new.id
        first, second = (play(t, i, random_policy(1)) for t, i in ((plain, old), (renamed, new)))
        assert first.success == second.success
        assert [s.reward for s in first.steps] == [s.reward for s in second.steps]


@pytest.mark.parametrize("name", ["gridnav-v1", "triage-v1"])
def test_a_renamed_task_keeps_the_contract(name: str) -> None:
    check_task(RenamedTask(load_task(name), KEEP, seed=1))


def test_seeds_give_other_words_and_equal_seeds_the_same() -> None:
    task = load_task("triage-v1")
    first, again, other = (RenamedTask(task, KEEP, seed=s) for s in (1, 1, 2))
    assert texts(first) == texts(again) != texts(other)
    assert first.sha == again.sha != other.sha


def test_answers_in_free_text_are_mapped_back(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text('{"question": "Is the sky blue or green?", "answer": "Blue"}\n')
    renamed = RenamedTask(load_task(file), seed=5)
    instance = renamed.instances("train")[0]
    environment = renamed.environment(instance)
    shown = environment.reset(0).text
    assert "blue" not in shown.casefold()
    assert instance.answers[0].casefold() in shown
    assert environment.step(Action(text=instance.answers[0])).success
    assert "blue" not in environment.execute(Action(text=instance.answers[0]))  # type: ignore[attr-defined]
    environment.close()  # type: ignore[attr-defined]


def test_case_is_kept() -> None:
    renaming = Renaming(frozenset({"the"}), 0)
    after = renaming.text("The cat, THE CAT and the Cat")
    assert re.sub("[a-z]+", "x", re.sub("[A-Z][A-Z]+", "X", after)) == "Tx x, X X x x Cx".replace(
        "C", after[-8]
    )
    assert renaming.back(after) == "The cat, THE CAT and the Cat"


def test_two_words_with_one_name_are_an_error() -> None:
    renaming = Renaming(frozenset(), 0)
    made = renaming.text("cat")
    renaming._back[made] = "dog"
    with pytest.raises(ConfigurationError, match="another seed"):
        renaming.text("cat")


def test_previews_are_renamed_and_offered_only_where_there_are_any() -> None:
    task = RenamedTask(load_task("trading-v1"), KEEP, seed=3)
    at: Any = task.environment(task.instances("train", 0, 1)[0])
    seen = at.reset(0).text
    assert at.roles == ("news", "filing", "momentum", "volatility", "risk")
    assert all(at.preview(role, 1).text in seen for role in at.roles if role != "news")
    assert at.left(at.roles).text in seen
    other = RenamedTask(load_task("gridnav-v1"), KEEP, seed=3)
    assert not hasattr(other.environment(other.instances("train", 0, 1)[0]), "preview")


class Told:
    """Shows what a customer wrote; analysts, too."""

    seen = Observation(
        parts=(
            TextPart(text="the parcel is late", origin=Origin.UNTRUSTED, source="ann"),
            ToolCallPart(id="1", name="track", arguments='{"parcel": 17}'),
            ToolResultPart(call_id="1", text="the parcel waits", source="tool:track"),
            MediaPart(media_type="image/png", uri="file.png"),
        )
    )

    def reset(self, seed: int, /) -> Observation:
        return self.seen

    def step(self, action: Action, /) -> StepResult:
        return StepResult(observation=self.seen)

    def preview(self, role: str, step: int) -> Observation:
        return self.seen

    def left(self, roles: Sequence[str]) -> Observation:
        return self.seen


def test_parts_keep_whose_words_they_are() -> None:
    renaming = Renaming(KEEP, 3)
    at: Any = RenamedEnvironment(Told(), renaming)
    shown = [at.reset(0), at.step(Action(text="wait")).observation]
    for seen in (*shown, at.preview("news", 1), at.left(())):
        parts = seen.parts
        assert [(p.kind, p.origin, p.source) for p in parts] == [
            (p.kind, p.origin, p.source) for p in Told.seen.parts
        ]
        assert parts[0].text == renaming.text("the parcel is late") != "the parcel is late"
        assert "parcel" not in seen.text + parts[1].arguments + parts[2].text
