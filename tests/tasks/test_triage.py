import re
from collections import Counter
from pathlib import Path

import pytest

from verbalrl.errors import ConfigurationError, DataError
from verbalrl.records import Action, Instance, Split
from verbalrl.tasks import check_task, load_task, play, random_policy
from verbalrl.tasks.triage import Tickets, Triage, action_for

FOLDER = Path(__file__).parents[2] / "tasks" / "triage-v1"
WORLD = Triage.open(FOLDER, {}, 0)
SPLITS: tuple[Split, Split] = ("train", "test")


def tickets(split: Split, count: int) -> list[str]:
    return [str(i.data["text"]) for i in load_task("triage-v1").instances(split, 0, count)]


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def runs(texts: list[str], length: int) -> set[tuple[str, ...]]:
    return {tuple(w[n : n + length]) for w in map(words, texts) for n in range(len(w) - length + 1)}


def sentences(texts: list[str]) -> set[str]:
    return {part.strip().lower() for text in texts for part in re.split(r"[.;:!?]", text)} - {""}


def cells(instances: tuple[Instance, ...]) -> Counter[int]:
    return Counter(int(str(i.data["cell"])) for i in instances)


def test_train_and_test_share_no_sentence_and_no_run_of_eight_words() -> None:
    train, test = tickets("train", 2000), tickets("test", 2000)
    whole = {s for s in sentences(train) & sentences(test) if len(words(s)) > 3}
    assert whole == set()  # after a colon, the cue phrase stands alone in both
    assert runs(train, 8) & runs(test, 8) == set()


def test_templates_of_the_splits_differ() -> None:
    parts = ("openings", "cues", "plans", "details")
    train, test = (
        {t for part in parts for t in getattr(getattr(WORLD.tickets, split), part)}
        for split in SPLITS
    )
    assert train & test == set()


@pytest.mark.parametrize("split", SPLITS)
def test_every_line_of_the_policy_has_as_many_tickets_and_every_team_too(split: Split) -> None:
    instances = load_task("triage-v1").instances(split)
    assert len(instances) == 60
    assert set(cells(instances).values()) == {6}
    assert set(Counter(i.answers for i in instances).values()) == {12}


@pytest.mark.parametrize(("overrides", "lines"), [(0, 9), (1, 10), (2, 11)])
def test_variants_give_each_line_at_least_four_train_tickets(overrides: int, lines: int) -> None:
    counted = cells(load_task(f"triage-v1?overrides={overrides}").instances("train"))
    assert len(counted) == lines
    assert min(counted.values()) >= 4


@pytest.mark.parametrize("split", SPLITS)
def test_the_cue_is_visible_and_the_right_team_follows_from_the_text(split: Split) -> None:
    policy = WORLD.cells()
    for instance in load_task("triage-v1").instances(split, 0, 200):
        text = str(instance.data["text"])
        fitting = [
            cell
            for cell in policy
            if cell.cue in text and any(re.search(rf"\b{plan}\b", text) for plan in cell.plans)
        ]
        assert [action_for(cell.team) for cell in fitting] == list(instance.answers)


def test_cue_words_and_teams_occur_nowhere_else() -> None:
    cue_words = {w for topic in WORLD.tickets.topics for w in words(topic.cue)} - {"a", "an"}
    secret = cue_words | {w.lower() for w in (*WORLD.tickets.plans, *WORLD.tickets.teams)}
    parts = ("openings", "cues", "plans", "details")
    for split in SPLITS:
        templates = [t for p in parts for t in getattr(getattr(WORLD.tickets, split), p)]
        for template in templates:
            assert not secret & set(words(re.sub(r"\{\w+\}", "", template))), template
    for fillings in WORLD.tickets.fill.values():
        assert not secret & set(words(" ".join(fillings)))


def test_plans_predict_no_team() -> None:
    instances = load_task("triage-v1?overrides=0").instances("train", 0, 90)
    count = Counter(
        (i.answers, plan) for i in instances for plan in WORLD.tickets.plans if plan in str(i.data)
    )
    assert max(count.values()) - min(count.values()) <= 10


def test_tickets_differ() -> None:
    assert len(set(tickets("train", 1000))) == 1000


def test_feedback_tells_the_outcome_and_never_another_team() -> None:
    task = load_task("triage-v1")
    for instance in task.instances("train", 0, 10):
        for team in WORLD.tickets.teams:
            environment = task.environment(instance)
            environment.reset(0)
            result = environment.step(Action(text=action_for(team)))
            others = [name for name in WORLD.tickets.teams if name != team]
            assert not any(name in result.feedback for name in others)
            right = (action_for(team),) == instance.answers
            assert (result.success, result.reward, result.terminated) == (right, float(right), True)
            assert result.feedback.startswith("Correct" if right else "Wrong")


def test_execute_does_not_judge() -> None:
    task = load_task("triage-v1")
    first, second = task.instances("train", 0, 2)
    assert first.answers != second.answers
    said = {
        task.environment(i).execute(Action(text="hand to Birch team"))  # type: ignore[attr-defined]
        for i in (first, second)
    }
    assert said == {"The ticket would go into the queue of the Birch team."}


def test_random_policy_is_right_once_in_five() -> None:
    task = load_task("triage-v1")
    played = [play(task, i, random_policy()) for i in task.instances("test", 0, 400)]
    assert 0.14 < sum(p.success is True for p in played) / 400 < 0.26


@pytest.mark.parametrize("query", ["", "?overrides=0", "?overrides=2", "?rule=7"])
def test_contract(query: str) -> None:
    check_task(load_task(f"triage-v1{query}"))


def test_another_rule_is_a_permutation_of_the_teams() -> None:
    plain, other = (load_task(ref) for ref in ("triage-v1", "triage-v1?rule=7"))
    pairs = {
        (a.answers, b.answers)
        for a, b in zip(plain.instances("train"), other.instances("train"), strict=True)
    }
    assert len(pairs) == 5
    assert any(a != b for a, b in pairs)
    assert plain.sha != other.sha


def test_readme_states_the_policy() -> None:
    readme = (FOLDER / "README.md").read_text()
    for cell in WORLD.cells():
        line = next(
            x for x in readme.splitlines() if x.endswith(f"| {cell.team} |") and cell.cue in x
        )
        assert ("exception" in line) == cell.is_exception or cell.cue == "an early cancellation"


@pytest.mark.parametrize(
    ("text", "found"),
    [("teams = [", "tickets.toml"), ("teams = ['A', 'B']", "plans"), (None, "no such file")],
)
def test_broken_tickets_are_one_line(tmp_path: Path, text: str | None, found: str) -> None:
    if text is not None:
        (tmp_path / "tickets.toml").write_text(text)
    with pytest.raises(DataError, match=found) as caught:
        Triage.open(tmp_path, {}, 0)
    assert "\n" not in str(caught.value)


def test_unknown_team_in_the_policy_is_refused() -> None:
    broken = WORLD.tickets.model_dump() | {"topics": ({"cue": "a fire", "team": "Nobody"},)}
    with pytest.raises(ValueError, match="Nobody"):
        Tickets.model_validate(broken)


def test_options_out_of_range_are_one_line() -> None:
    with pytest.raises(ConfigurationError, match=r"overrides=3: overrides: ") as caught:
        load_task("triage-v1?overrides=3")
    assert "\n" not in str(caught.value)
