from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.curators.builders import critique, episode, lesson, says
from verbalrl.curators.evidence import Item, actions_of, cut, fit, items_of
from verbalrl.ids import token_estimate
from verbalrl.records import Cause, EpisodeSpec, LessonProposal, Observation, Step, Trajectory

LONG = "The printer is old. It stands in the hall. " * 30
EXCEPTION = "The customer is on the enterprise plan."


def items(count: int, seen: str = "Ticket {n}.", done: str = "amber") -> list[Item]:
    found: list[Item] = []
    for n in range(count):
        ep = episode(f"t{n:02}", seen.format(n=n), done)
        found += items_of(critique(ep, says("do not choose amber")), {ep.id: ep})
    return found


def test_an_item_shows_the_step_its_proposals_stem_from() -> None:
    ep = episode("t1", "It rains.", "amber", given=(lesson("a"), lesson("b")))
    (item,) = items_of(
        critique(ep, says("x", "it rains", also_possible=("Monday",)), says("y")), {ep.id: ep}
    )
    view = item.view(4, 200, {"b": 7})
    assert (view.alias, view.outcome, view.action, view.feedback) == (
        4,
        "failure",
        "amber",
        "Wrong.",
    )
    assert view.observation == "It rains."
    assert [p.instruction for p in view.proposals] == ["x", "y"]
    assert view.proposals[0].also_possible == ("Monday",)
    assert view.given == (7,)


def test_each_step_that_is_spoken_of_is_an_item() -> None:
    ep = episode("t1")
    first = ep.trajectory.steps[0]
    later = Step(n=2, observation=Observation(text="Later."), action=first.action)
    ep = ep.replace(
        trajectory=Trajectory(steps=(first, later), final=Observation(text="Too late."))
    )
    both = critique(ep, says("x"), LessonProposal(instruction="y", step=2), says("z"))
    found = items_of(both, {ep.id: ep})
    assert [(i.evidence.step, len(i.proposals)) for i in found] == [(1, 2), (2, 1)]
    assert found[1].feedback == "Too late."


def test_critique_without_proposals_shows_its_first_cause() -> None:
    ep = episode("t1", "It rains.")
    (item,) = items_of(critique(ep, causes=(Cause(step=1, trial=1, quote="rains"),)), {ep.id: ep})
    assert item.proposals == ()
    assert item.cited == ("rains",)
    assert len(items_of(critique(ep), {ep.id: ep})) == 1


def test_candidates_of_one_trial_are_told_apart() -> None:
    first, second = (
        episode("t1", f"Ticket {n}.").replace(
            id=f"ep_{n}", spec=EpisodeSpec(instance="t1", candidate=n)
        )
        for n in (1, 2)
    )
    both = critique(
        first,
        says("x", episode="ep_1"),
        says("y"),
        causes=(Cause(step=1, trial=1, quote="Ticket 1", episode="ep_1"),),
    ).replace(episodes=("ep_1", "ep_2"))
    found = items_of(both, {"ep_1": first, "ep_2": second})
    assert [(i.evidence.episode, i.observation) for i in found] == [
        ("ep_1", "Ticket 1."),
        ("ep_2", "Ticket 2."),
    ]
    assert [i.cited for i in found] == [("Ticket 1",), ()]


def test_nothing_to_show_gives_no_item() -> None:
    ep = episode("t1")
    assert items_of(critique(ep, says("x")), {}) == ()
    empty = ep.replace(trajectory=Trajectory())
    assert items_of(critique(ep, says("x")), {ep.id: empty}) == ()


def test_unknown_success_is_judged_by_the_critic() -> None:
    ep = episode("t1", success=None)
    (item,) = items_of(critique(ep, says("x")).replace(verdict="unclear"), {ep.id: ep})
    assert item.outcome == "unclear"


def test_actions_are_all_that_were_admissible() -> None:
    found = items(2)
    assert actions_of(found) == ("amber", "cobalt", "violet")
    assert actions_of([]) is None


def test_cited_parts_survive_the_cut() -> None:
    text = LONG + EXCEPTION + " " + LONG
    assert EXCEPTION in cut(text, 60, ("Enterprise plan",))
    assert EXCEPTION not in cut(text, 60, ())
    assert cut(text, 60, ()).startswith("The printer is old.")
    assert "[…]" in cut(text, 60, ("enterprise plan",))


def test_one_long_sentence_is_cut_around_the_cue() -> None:
    text = "x " * 500 + "enterprise plan " + "y " * 500
    shown = cut(text, 40, ("enterprise plan",))
    assert "enterprise plan" in shown
    assert shown.startswith("[…]")
    assert shown.endswith("[…]")


@given(st.text(max_size=600), st.integers(20, 200), st.lists(st.text(max_size=8), max_size=3))
def test_a_cut_stays_near_its_limit_and_on_one_line(
    text: str, tokens: int, cited: list[str]
) -> None:
    shown = cut(text, tokens, cited)
    assert len(shown.splitlines()) <= 1
    assert shown == cut(text, tokens, cited)
    assert len(shown) <= max(tokens * 4 + 20, 40)


def test_all_is_shown_when_all_fits() -> None:
    new, old = items(3), items(4, "Old {n}.")
    shown, width, left = fit(new, old, 10_000)
    assert shown == (*new, *old)
    assert (width, left) == (240, 0)


def test_new_evidence_goes_first_and_is_narrowed_before_it_is_dropped() -> None:
    new, old = items(10, "Ticket {n}. " + LONG), items(10, "Old {n}. " + LONG)
    shown, width, left = fit(new, old, 1_500)
    assert width < 240
    assert shown[:10] == tuple(new)
    assert left == 20 - len(shown)
    assert sum(i.cost(width) for i in shown) <= 1_500


def test_newest_and_most_diverse_of_earlier_rounds_are_kept() -> None:
    same = items(20, "Ticket {n}.")
    other = items(1, "A rare one {n}.", "violet")
    again = items(5, "The same again.")
    old = [*other, *same, *again]
    cost = max(i.cost(240) for i in old)
    shown, _, left = fit([], old, cost * 4)
    assert other[0] in shown
    assert same[-1] in shown
    assert same[0] not in shown
    assert sum(i.observation == "The same again." for i in shown) == 1
    assert left == len(old) - len(shown)


def test_the_cut_does_not_depend_on_width_alone() -> None:
    assert token_estimate(cut(LONG, 64, ())) <= 80
