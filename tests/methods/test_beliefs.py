"""Who is given which beliefs."""

from typing import Any

from tests.curators.builders import critique, says
from tests.curators.builders import episode as attempt
from tests.methods.test_credited import episode, step
from verbalrl import load_task
from verbalrl.curators.evidence import CUT, Item, fit, items_of
from verbalrl.methods import Cvrf, beliefs
from verbalrl.records import (
    Batch,
    ClosedRound,
    CurateLessons,
    EpisodeSpec,
    Instance,
    InstanceView,
    Lesson,
    LessonBody,
    LessonKind,
    OpenRound,
    Origin,
    PastCritique,
    SharedView,
    Status,
)


def belief(name: str, audience: str, trust: Origin) -> Lesson:
    body = LessonBody(kind=LessonKind.BELIEF, instruction=f"do {name}", audience=audience)
    return Lesson(id=name, scope="t", body=body, status=Status.PROVISIONAL, trust=trust)


def test_analysts_get_trusted_beliefs_of_their_aspect_whatever_they_see() -> None:
    instance = Instance(id="t/train/0", goal="g")
    known = (
        belief("own", "news", Origin.TASK),
        belief("strange", "news", Origin.UNTRUSTED),
        belief("other", "risk", Origin.TASK),
    )
    view = InstanceView(instance, "t", "t#0", lessons=known)
    given = beliefs.guidance(view, ("news", "risk"), 500)
    # What strangers have part in goes in by its condition and within the bounds of recall alone.
    assert {role: spec.force_in for role, spec in given.items()} == {
        "actor": (), "news": ("own",), "risk": ("other",),
    }  # fmt: skip
    assert [given[role].audience for role in ("actor", "news")] == [None, "news"]


def test_analysts_hear_of_the_last_round_alone() -> None:
    rewards = {1: 4.0, 2: 0.5}
    tried = tuple(
        episode(step(1, reward, "useful")).replace(
            id=f"ep_{n}", spec=EpisodeSpec(instance="i", round=n, trial=n)
        )
        for n, reward in rewards.items()
    )
    view = InstanceView(Instance(id="i", goal="g"), "t", "t#0", episodes=tried, number=3)
    told = beliefs.guidance(view, ("news",), 500)["news"].beside
    assert told == "Your reports counted in 1 of 1 decisions; in these the team earned +0.5."


def reported(day: int) -> Item:
    """A day of a team that has all analysts, and a lesson of a critic who copies most of it."""
    task = load_task("trading-v1?horizon=60")
    desk: Any = task.environment(task.instances("train", 0, 1)[0])
    said = [f"{role.title()} analyst: {desk.preview(role, day).text}" for role in desk.roles]
    seen = "\n".join((f"Day {day} of 60.", "You were short.", *said))
    when, rest = " ".join(seen.split()[:45]), ("Trading is lively", said[-1])
    feedback = "The price went up 1.0% while you were long: a good day, +1.0% after costs."
    ep = attempt(f"d{day}", seen, "buy", feedback=feedback)
    (item,) = items_of(critique(ep, says("choose buy", when, also_possible=rest)), {ep.id: ep})
    return item


def test_what_all_analysts_said_is_shown_of_a_round_of_two_periods() -> None:
    read = PastCritique(
        id="cr", episodes=("ep",), instance="i", trial=2, template="critic/trades", sample=0,
        status="accepted", refusal=None, verdict="success",
    )  # fmt: skip
    done = ClosedRound(1, OpenRound(instances=("i",)), 0, critiques=(read,))
    batch = Cvrf().plan_shared(SharedView(scope="t", train=("i",), rounds=(done,)))
    assert isinstance(batch, Batch)
    (work,) = batch.work
    assert isinstance(work, CurateLessons)
    # Twelve critiques of eight lessons.
    new = [reported(day) for day in range(1, 49)] * 2
    shown, width, left = fit(new, (), work.evidence_tokens)
    views = [item.view(1, width, {}) for item in shown]
    assert (len(views), left) == (96, 0)
    assert not any(CUT in view.observation for view in views)
