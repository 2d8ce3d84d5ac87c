"""Programs as critics: what they find, where by character, and that a critique carries it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verbalrl import ChatAgent, Learner, ScriptedModel, load_task
from verbalrl.critics import ProgrammaticCritic, adapt_critic
from verbalrl.critics.checks import (
    CHECKS,
    failed_tests,
    false_steps,
    pattern,
    quoted,
    repeated_actions,
    schema,
    sql_errors,
)
from verbalrl.critics.spans import places, span_of, text_of
from verbalrl.critics.view import CritiqueCase
from verbalrl.errors import ConfigurationError, UnknownNameError
from verbalrl.methods import reflexion
from verbalrl.models import CallContext, MemoryJournal, Request, Slots
from verbalrl.prompts import library
from verbalrl.records import (
    Action,
    Critique,
    Episode,
    EpisodeSpec,
    Instance,
    Observation,
    Span,
    Step,
    StopReason,
    Trajectory,
    WriteCritique,
)
from verbalrl.store import open_store


def attempt(*steps: tuple[str, str, str], success: bool | None = False) -> Episode:
    """Observation, action and feedback of each step."""
    made = tuple(
        Step(n=n, observation=Observation(text=o), action=Action(text=a), feedback=f)
        for n, (o, a, f) in enumerate(steps, start=1)
    )
    return Episode(
        id="ep_1",
        run="run",
        arm="learned",
        seed=0,
        spec=EpisodeSpec(instance="i0"),
        trajectory=Trajectory(steps=made),
        success=success,
        stop_reason=StopReason.TERMINATED,
    )


def found(check: Any, episode: Episode) -> list[tuple[int, str, str]]:
    """Step, part and words of every finding."""
    return [(f.step, f.span.part, quoted(episode, f)) for f in check(episode)]


@pytest.mark.parametrize(
    ("query", "error", "words"),
    [
        ("select nam from e", "no such column: nam", ("action", "nam")),
        ("select x.nam from e x", "no such column: x.nam", ("action", "x.nam")),
        ("select name from emp", "no such table: emp", ("action", "emp")),
        ("selec name from e", 'near "selec": syntax error', ("action", "selec")),
        ("select a from e, f", "ambiguous column name: main.a", ("action", "a")),
        ("select 1", "no such function: nvl", ("feedback", "no such function: nvl")),
    ],
)
def test_an_sql_error_is_placed_at_the_name_it_objects_to(
    query: str, error: str, words: tuple[str, str]
) -> None:
    episode = attempt(("", query, f"Wrong: the query fails ({error})."))
    assert found(sql_errors, episode)[0][1:] == words
    assert found(sql_errors, attempt(("", query, "Correct."))) == []


def test_a_false_step_is_placed_by_character_and_rounding_is_allowed() -> None:
    text = "1,200 / 7 = 171.43, then 3 * 4 = 13 and 1,000 + 1 = 1,002"
    episode = attempt(("", text, ""))
    assert [words for *_, words in found(false_steps, episode)] == [
        "3 * 4 = 13",
        "1,000 + 1 = 1,002",
    ]
    assert found(false_steps, attempt(("", "8 / 0 = 0", ""))) == [(1, "action", "8 / 0 = 0")]


def test_a_failed_test_is_placed_at_the_line_that_it_names_or_in_the_feedback() -> None:
    program = "def f(x):\n    return x / 0\n"
    with_line = attempt(("", program, "Wrong: ZeroDivisionError: division by zero (line 2)."))
    assert found(failed_tests, with_line)[0] == (1, "action", "    return x / 0")
    without = attempt(("", program, "Wrong when x is negative: it returns something else."))
    assert found(failed_tests, without)[0][1:] == (
        "feedback",
        "Wrong when x is negative: it returns something else.",
    )
    assert found(failed_tests, attempt(("", program, "Wrong: KeyError."), success=True)) == []


def test_a_repeated_action_is_one_where_the_same_was_seen() -> None:
    episode = attempt(("a", "go", ""), ("b", "go", ""), ("a", "go", ""), ("a", "wait", ""))
    assert found(repeated_actions, episode) == [(3, "action", "go")]


def test_patterns_are_wanted_or_forbidden() -> None:
    episode = attempt(("", "sorry, it is sorry", ""), ("", "#### 4", ""))
    assert found(pattern("####"), episode) == [(1, "action", "sorry, it is sorry")]
    assert found(pattern("sorry", forbidden=True), episode) == [(1, "action", "sorry")] * 2
    with pytest.raises(ConfigurationError, match="pattern"):
        pattern("(")


SHAPE = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("text", "why", "words"),
    [
        ('{"a": 1}', "", ""),
        ('{"a": "1"}', "a: expected integer", '{"a": "1"}'),
        ("{}", "'a' is missing", "{}"),
        ('{"a": 1,, }', "no JSON", ", }"),
    ],
)
def test_an_answer_is_held_against_a_schema(text: str, why: str, words: str) -> None:
    findings = list(schema(SHAPE)(attempt(("", text, ""))))
    assert bool(findings) == bool(why)
    if findings:
        assert why in findings[0].why
        assert quoted(attempt(("", text, "")), findings[0]).endswith(words)


texts = st.text(alphabet='ab 1=+*"{}:,\n', max_size=40)


@given(st.lists(st.tuples(texts, texts, texts), max_size=4))
def test_every_span_lies_within_its_text(steps: list[tuple[str, str, str]]) -> None:
    episode = attempt(*steps)
    for check in (*CHECKS.values(), pattern("a+", forbidden=True), schema(SHAPE)):
        for finding in check(episode):
            step = episode.trajectory.steps[finding.step - 1]
            length = len(text_of(step, finding.span.part))
            assert 0 <= finding.span.start <= finding.span.end <= length


@given(texts, st.integers(0, 39), st.integers(1, 39))
def test_a_quote_that_was_cut_from_a_text_is_found_in_it(text: str, start: int, size: int) -> None:
    quote = text[start : start + size]
    assert not quote.strip() or any(
        text[a:b].split() == quote.split() for a, b in places(text, quote)
    )


def test_a_quote_that_stands_twice_or_nowhere_has_no_place() -> None:
    step = Step(
        n=1, observation=Observation(text="a red\n lamp"), action=Action(text="press press red")
    )
    assert span_of(step, "press") is None
    assert span_of(step, "blue") is None
    assert span_of(step, "") is None
    assert span_of(step, "red") == Span(part="action", start=12, end=15)
    assert span_of(step, "A Red lamp") == Span(part="observation", start=0, end=11)


def written(critic: Any, episode: Episode, **of_instance: Any) -> Critique:
    instance = Instance(id="i0", goal="Compute.", **of_instance)
    work = WriteCritique(episodes=(episode.id,))
    case = CritiqueCase(id="cr_1", work=work, episodes=(episode,), instance=instance)
    context = CallContext(MemoryJournal(), Slots(), owner="cr_1")
    critique: Critique = asyncio.run(critic.write(case, context))
    return critique


def test_the_critique_says_it_in_words_with_spans_and_one_lesson_of_a_kind() -> None:
    episode = attempt(("Add up.", "3 * 4 = 13, 3 * 4 = 13 and 2 + 2 = 5", "Wrong."))
    critique = written(ProgrammaticCritic("arithmetic"), episode)
    assert (critique.status, critique.verdict, critique.usage.calls) == ("accepted", "failure", 0)
    # Quoted twice, and each cause still has its own place.
    starts = [c.span.start for c in critique.causes if c.span]
    assert starts == [0, 12, 27]
    (lesson,) = critique.proposals
    assert lesson.instruction.startswith("compute every step again")
    assert "3 * 4 = 13 does not hold" in critique.refinement


def test_where_nothing_is_found_there_is_no_critique() -> None:
    critique = written(ProgrammaticCritic(), attempt(("", "4", "Wrong.")))
    assert (critique.status, critique.refusal) == ("refused", "empty")


def test_critics_that_are_programs_have_names() -> None:
    critic = adapt_critic("checks:sql,arithmetic", library())
    assert isinstance(critic, ProgrammaticCritic)
    assert critic.name == "checks:sql,arithmetic"
    every = adapt_critic("checks", library())
    assert getattr(every, "name", "") == "checks:tests,sql,arithmetic,repeated"
    with pytest.raises(UnknownNameError, match="unknown check 'sqll'; did you mean: sql"):
        adapt_critic("checks:sqll", library())
    with pytest.raises(ConfigurationError, match="takes checks"):
        ProgrammaticCritic(3)  # type: ignore[arg-type]


def test_reflexion_learns_from_a_program_and_pays_for_no_critic(tmp_path: Path) -> None:
    task = load_task("arithmetic-v1")

    def answer(request: Request) -> dict[str, Any]:
        heeded = "compute every step again" in request.messages[-1].text
        return {"thought": "", "action": "2 + 2 = 4" if heeded else "2 + 2 = 5", "lessons_used": []}

    learner = Learner(
        ChatAgent(ScriptedModel(answer)),
        method=reflexion(trials=2),
        critic="checks:arithmetic",
        store=tmp_path,
    )
    result = learner.run_sync(task, instances=1, arms=("learned",))
    with open_store(tmp_path) as store:
        answers = [e.answer for e in store.episodes(run=result.run)]
        config = store.runs()[0].config
    assert answers == ["2 + 2 = 5", "2 + 2 = 4"]
    assert config["critic"] == "checks:arithmetic"
    assert result.arms["learned"]["tokens"]["critic"]["calls"] == 0
