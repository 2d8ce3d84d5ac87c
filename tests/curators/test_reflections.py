from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.curators.builders import episode
from tests.test_worth import PLATITUDES, REFUSALS
from verbalrl.curators import curate_reflections
from verbalrl.memory import recall
from verbalrl.prompts import PromptLibrary
from verbalrl.records import (
    Commit,
    Critique,
    Episode,
    Guidance,
    GuidanceSpec,
    Lesson,
    LessonKind,
    LessonProposal,
    Operation,
    Origin,
    Status,
)
from verbalrl.store.reduce import reduce

SCOPE = "grid-v1/i1"
PROMPTS = PromptLibrary()
Lessons = tuple[Lesson, ...]


def critique(number: int, *says: str, **more: Any) -> Critique:
    settings: dict[str, Any] = {"status": "accepted", "trust": Origin.TASK, **more}
    return Critique(
        id=f"cr{number}",
        episodes=(f"ep{number}",),
        instance="i1",
        trial=number,
        template="critic/critique",
        proposals=tuple(LessonProposal(instruction=s, when=f"when {s}", step=2) for s in says),
        **settings,
    )


def commit(
    of: Critique, lessons: Lessons = (), base: int = 0, episodes: tuple[Episode, ...] = ()
) -> Commit:
    return curate_reflections(
        of,
        lessons,
        episodes=episodes,
        commit=f"cu_{of.id}",
        branch="r/learned/0",
        scope=SCOPE,
        base=base,
    )


def after(made: Commit, lessons: Lessons) -> Lessons:
    """As the store makes it, which fills the scope in."""
    reduced = reduce(lessons, made.updates, made.base + 1)
    return tuple(x.replace(scope=SCOPE) for x in reduced)


def learn(*critiques: Critique) -> Lessons:
    lessons: Lessons = ()
    for base, one in enumerate(critiques):
        lessons = after(commit(one, lessons, base), lessons)
    return lessons


def named(lessons: Lessons, instruction: str) -> Lesson:
    return next(x for x in lessons if x.instruction == instruction)


def injected(lessons: Lessons, window: int | None = 3) -> list[str]:
    spec = GuidanceSpec(source="recall", scopes=(SCOPE,), window=window)
    guidance: Guidance = recall(lessons, spec, situation="", prompts=PROMPTS)
    return [line.instruction for line in guidance.lines]


def test_one_row_per_proposal_active_at_once() -> None:
    lessons = learn(critique(1, "a", "b", confidence=0.8))
    assert [(x.instruction, x.status, x.critique, x.kept_at) for x in lessons] == [
        ("a", Status.ACTIVE, "cr1", 1),
        ("b", Status.ACTIVE, "cr1", 1),
    ]
    assert {x.kind for x in lessons} == {LessonKind.REFLECTION}
    assert lessons[0].evidence[0].model_dump(exclude_defaults=True) == {
        "critique": "cr1",
        "episode": "ep1",
        "instance": "i1",
        "trial": 1,
        "step": 2,
    }
    assert lessons[0].confidence == 0.8
    assert lessons[0].votes == {"support": 1}


def test_kept_lines_move_forward_and_contradicted_ones_are_gone() -> None:
    first = learn(critique(1, "a", "b", "c"))
    ids = {x.instruction: x.id for x in first}
    second = critique(2, "d", shown=tuple(ids.values()), keeps=(ids["a"], ids["c"]))
    made = commit(second, first, 1)
    assert [u.op for u in made.updates] == [
        Operation.SUPPORT,
        Operation.SUPPORT,
        Operation.RETIRE,
        Operation.ADD,
    ]
    lessons = after(made, first)
    assert named(lessons, "a").critique == "cr2"
    assert named(lessons, "a").kept_at == 2
    assert named(lessons, "b").status is Status.RETIRED
    assert injected(lessons) == ["a", "c", "d"]
    assert injected(lessons, window=1) == ["a", "c", "d"]


def test_lines_that_were_not_shown_are_left_alone() -> None:
    first = learn(critique(1, "a", "b"))
    a = named(first, "a").id
    lessons = after(commit(critique(2, "c", shown=(a,), keeps=()), first, 1), first)
    assert named(lessons, "a").status is Status.RETIRED
    assert named(lessons, "b").status is Status.ACTIVE


def test_shared_lessons_among_the_shown_are_left_alone() -> None:
    made = commit(critique(1, "a", shown=("le_shared",), keeps=("le_other",)))
    assert [u.op for u in made.updates] == [Operation.ADD]


def test_equal_text_is_support_even_if_it_was_not_kept() -> None:
    first = learn(critique(1, "a"))
    a = first[0].id
    again = critique(2, "A.", shown=(a,), keeps=())
    again = again.replace(proposals=(again.proposals[0].replace(when="When a"),))
    lessons = after(commit(again, first, 1), first)
    assert len(lessons) == 1
    assert lessons[0].status is Status.ACTIVE
    assert lessons[0].kept_at == 2
    assert lessons[0].votes == {"support": 2}
    assert [e.critique for e in lessons[0].evidence] == ["cr1", "cr2"]


def test_line_proposed_twice_at_once_is_one_row() -> None:
    assert len(commit(critique(1, "a", "a")).updates) == 1


def test_retired_line_comes_back_as_itself() -> None:
    first = learn(critique(1, "a"))
    a = first[0].id
    gone = after(commit(critique(2, "b", shown=(a,)), first, 1), first)
    back = after(commit(critique(3, "a"), gone, 2), gone)
    assert named(back, "a").id == a
    assert named(back, "a").status is Status.ACTIVE
    assert (named(back, "a").critique, named(back, "a").kept_at) == ("cr3", 3)


def test_revoked_text_does_not_come_back() -> None:
    first = tuple(x.replace(status=Status.REVOKED) for x in learn(critique(1, "a")))
    made = commit(critique(2, "a"), first, 1)
    assert made.updates == ()
    assert "revoked" in made.rejected[0]


def test_untrusted_text_serves_its_own_instance_and_stays_untrusted() -> None:
    lessons = learn(critique(1, "a", trust=Origin.UNTRUSTED))
    assert (lessons[0].status, lessons[0].trust) == (Status.ACTIVE, Origin.UNTRUSTED)
    assert injected(lessons) == ["a"]


def test_refused_and_failed_critiques_are_consumed_without_effect() -> None:
    first = learn(critique(1, "a"))
    for status in ("refused", "failed"):
        made = commit(critique(2, "b", status=status, shown=(first[0].id,)), first, 1)
        assert made.updates == ()
        assert made.critiques == ("cr2",)


def test_evidence_of_a_group_names_the_attempt() -> None:
    one, three = episode("t", trial=1), episode("t", trial=3)
    two = three.replace(id="ep_t_3b", spec=three.spec.replace(candidate=1))
    tried = (one, three, two)
    group = critique(3, "a").replace(episodes=tuple(e.id for e in tried))

    def named(**changes: Any) -> tuple[str, int]:
        said = group.replace(proposals=(group.proposals[0].replace(**changes),))
        found = commit(said, episodes=tried).updates[0].evidence[0]
        return found.episode, found.trial

    # Trials need not follow each other, and candidates share one.
    assert named(trial=1) == (one.id, 1)
    assert named(trial=3, episode=three.id) == (three.id, 3)
    assert named(trial=3) == (two.id, 3)
    assert named(trial=None) == (two.id, 3)


LINES = st.sampled_from("abcdefg")
TURNS = st.lists(
    st.tuples(st.lists(LINES, max_size=3), st.lists(LINES, max_size=4)), min_size=1, max_size=8
)


@given(TURNS, st.sampled_from([1, 2, 3, None]))
def test_any_history_can_be_stored_and_no_contradicted_line_is_shown(
    turns: list[tuple[list[str], list[str]]], window: int | None
) -> None:
    lessons: Lessons = ()
    for base, (new, kept) in enumerate(turns):
        shown = tuple(x.id for x in lessons if x.usable)
        keeps = tuple(x.id for x in lessons if x.usable and x.instruction in kept)
        made = commit(critique(base + 1, *new, shown=shown, keeps=keeps), lessons, base)
        lessons = after(made, lessons)
        seen = injected(lessons, window)
        assert set(new) <= set(seen)
        assert set(seen) == {*new, *(x.instruction for x in lessons if x.id in keeps)}
        contents = [x.body.content for x in lessons]
        assert len(contents) == len(set(contents))


def test_refusals_and_platitudes_become_no_reflections() -> None:
    said = critique(1, "choose left")
    empty = tuple(
        LessonProposal(instruction=text, when="the door is red")
        for text in (*REFUSALS, *PLATITUDES)
    )
    made = commit(said.replace(proposals=(*empty, *said.proposals)))
    assert [u.body.instruction for u in made.updates if u.body] == ["choose left"]
    assert len(made.rejected) == len(empty)
    assert {why.rpartition(": ")[2] for why in made.rejected} == {
        "it is a refusal",
        "it is a platitude",
    }


def test_a_line_that_restates_what_the_agent_had_is_kept_and_not_added() -> None:
    first = after(commit(critique(1, "choose left")), ())
    had = episode("i1", trial=2, given=first).replace(id="ep2")
    again = critique(2).replace(
        proposals=(
            LessonProposal(instruction="Remember to choose left!", when="when choose left"),
        ),
        shown=(first[0].id,),
    )
    made = commit(again, first, 1, (had,))
    assert [(u.op, u.lesson) for u in made.updates] == [(Operation.SUPPORT, first[0].id)]
    foreign = had.replace(guidance={"actor": Guidance(texts=("When choose left, choose left.",))})
    made = commit(again.replace(shown=()), (), 1, (foreign,))
    assert (made.updates, len(made.rejected)) == ((), 1)
    assert "restated guidance" in made.rejected[0]
