"""The coin of the gate `measured`: fixed by seed, instance, trial and content, and recorded."""

from tests.memory.test_recall import PROMPTS, SHARED, lesson, line
from verbalrl.memory import recall
from verbalrl.memory.trial import Draw, toss
from verbalrl.records import Guidance, GuidanceSpec, Status

POOL = [
    *(lesson(f"p{n}", status=Status.PROVISIONAL) for n in range(400)),
    lesson("a"),
    lesson("c", when="a zebra crossing ahead", when_not="never", status=Status.PROVISIONAL),
    line("r", 1).replace(scope=SHARED, status=Status.PROVISIONAL),
]


def given(draw: Draw = (0, "i", 1), **spec: object) -> Guidance:
    known = {"source": "recall", "scopes": (SHARED,), "chance": 0.8, "budget": 1_000_000}
    tossed = toss(POOL, GuidanceSpec.model_validate(known | spec), "nothing burns", draw)
    return tossed.recorded(recall(POOL, tossed.spec, situation="nothing burns", prompts=PROMPTS))


def injected(guidance: Guidance) -> set[str]:
    return {x.lesson for x in guidance.lines}


def test_a_fifth_of_those_on_trial_is_withheld_and_nothing_else() -> None:
    here = injected(given())
    assert 0.72 < (len(here) - 2) / 400 < 0.88
    assert {"a", "r"} <= here


def test_the_coin_depends_on_seed_instance_and_trial_alone() -> None:
    assert given() == given((0, "i", 1))
    others = [(1, "i", 1), (0, "j", 1), (0, "i", 2)]
    assert all(injected(given(draw)) != injected(given()) for draw in others)


def test_who_was_eligible_is_recorded_with_its_probability() -> None:
    uses = {u.lesson: u for u in given().uses}
    assert (uses["a"].probability, uses["r"].probability) == (1.0, 1.0)
    tossed = {n: (u.outcome, u.probability) for n, u in uses.items() if n.startswith("p")}
    assert set(tossed.values()) == {("injected", 0.8), ("withheld", 0.8)}
    assert len(tossed) == 400
    # One whose condition does not hold would not have been there: it is not tossed for.
    assert "c" not in uses or uses["c"].outcome == "condition"


def test_without_a_chance_all_go_in_and_what_is_forced_is_not_tossed_for() -> None:
    assert len(injected(given(chance=1.0))) == 402
    for trial in range(9):
        assert "p0" in injected(given((3, "i", trial), force_in=("p0",)))
