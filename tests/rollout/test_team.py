"""Teams: who sees what, who is asked when, and that working ahead changes nothing."""

import asyncio
import gc
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.rollout.corridor import INSTANCE, CorridorTask, context, play, played, spec
from verbalrl import ChatAgent, Limits, ScriptedModel, Team
from verbalrl.agents import AgentLike, check_agent
from verbalrl.agents.report import report_text
from verbalrl.critics import CritiqueCase
from verbalrl.critics.view import trust
from verbalrl.curators.sources import sourced
from verbalrl.errors import ConfigurationError, ModelError
from verbalrl.methods import plans
from verbalrl.models import DelayedModel, MemoryJournal, Request, Slots
from verbalrl.records import (
    Action,
    Credit,
    Critique,
    Episode,
    EpisodeSpec,
    Evidence,
    Guidance,
    GuidanceSpec,
    Observation,
    Origin,
    Situation,
    StepResult,
    StopReason,
    TextPart,
    WriteCritique,
)
from verbalrl.rollout.teamwork import AHEAD

SEEN = {"news": "Rain is near.", "risk": "The roof leaks.", "filing": "A form was filed."}


class Days:
    """Six days, or fewer where `done` is said; analysts see a text of their own on each."""

    roles = tuple(SEEN)

    def __init__(self) -> None:
        self.day = 1
        self.last = "nothing"
        self.asked: list[tuple[str, int]] = []

    def preview(self, role: str, step: int) -> Observation:
        if step > 6:
            raise ValueError(f"no day {step}")
        self.asked.append((role, step))
        return Observation(text=f"{SEEN[role]}\nIt is day {step}.")

    def left(self, roles: Sequence[str]) -> Observation:
        rest = " ".join(SEEN[role] for role in SEEN if role not in roles)
        text = f"Day {self.day}. You did {self.last}. {rest}".strip()
        return Observation(text=text, actions=("work", "rest", "done"))

    def reset(self, seed: int, /) -> Observation:
        return self.left(())

    def step(self, action: Action, /) -> StepResult:
        self.day, self.last = self.day + 1, action.text
        over = self.day > 6 or action.text == "done"
        return StepResult(
            observation=self.left(()), reward=0.5, terminated=over, success=over, feedback="So."
        )


def days(make: Callable[[], Any] = Days, *, inline: bool = True) -> CorridorTask:
    task = CorridorTask(make, inline=inline)
    task.max_steps = 6
    return task


def replies(word: str = "work", done_on: int = 0) -> Callable[[Request], Any]:
    """A manager who credits the first report, and one report that there is not."""

    def answer(request: Request) -> Any:
        today = request.messages[-1].plain.rsplit("<observation>", 1)[-1]
        word_now = "done" if done_on and f"Day {done_on}." in today else word
        credits = [{"report": 1, "worth": "useful"}, {"report": 9, "worth": "decisive"}]
        return {"thought": "", "action": word_now, "lessons_used": [], "credits": credits}

    return answer


def reports(request: Request) -> Any:
    return {"points": [2, 1, 2, 7], "reading": "Better stay in. [2]"}


def team(ahead: bool = True, *, roles: Sequence[str] = tuple(SEEN), done_on: int = 0) -> Team:
    manager = ScriptedModel(replies(done_on=done_on))
    analysts: dict[str, AgentLike] = {r: ChatAgent(ScriptedModel(reports)) for r in roles}
    return Team(ChatAgent(manager), analysts, ahead=ahead)


def asked_of(agent: AgentLike) -> list[Request]:
    found = getattr(getattr(agent, "function", agent), "model", None)
    assert isinstance(found, ScriptedModel)
    return found.requests


def test_each_analyst_sees_its_source_and_the_manager_all_reports() -> None:
    own = team()
    episode = play(own, days())
    for role, analyst in own.analysts.items():
        texts = [r.messages[-1].plain for r in asked_of(analyst)]
        assert [f"day {n}." in t for n, t in enumerate(texts, 1)] == [True] * 6
        assert all(SEEN[role] in t for t in texts)
        # Nothing of other analysts, of what was done, of the account.
        others = [SEEN[r] for r in SEEN if r != role] + ["You did", "work", "Better stay in"]
        assert not any(word in t for t in texts for word in others)
    first, second = (r.messages[-1].plain for r in asked_of(own)[:2])
    told = [f"{r.capitalize()} analyst: It is day 2. {SEEN[r]} Better stay in." for r in SEEN]
    assert "\n".join(["Day 2. You did work.", *told]) in second
    assert "day 2" not in first
    step = episode.trajectory.steps[1]
    assert [r.role for r in step.reports] == list(SEEN)
    assert step.observation.text == "\n".join(["Day 2. You did work.", *told])
    assert step.action.credits == (Credit(report=1, worth="useful"),)
    assert episode.trajectory.final == Observation(
        text="Day 7. You did work. " + " ".join(SEEN.values()), actions=("work", "rest", "done")
    )


def test_an_analyst_sees_its_source_and_nothing_of_what_the_manager_does() -> None:
    seen: list[Situation] = []

    def analyst(situation: Situation) -> str:
        seen.append(situation)
        return "fine"

    play(Team(lambda s: "work", {"news": analyst}, ahead=False), days())
    assert [s.observation.text for s in seen] == [
        f"Rain is near.\nIt is day {n}." for n in range(1, 7)
    ]
    for situation in seen:
        assert (situation.history, situation.notes, situation.reports) == ((), (), ())
        assert (situation.actions, situation.previous, situation.memos) == (None, None, None)


class Heard(Days):
    """Every analyst's source has a part that `SAID` names."""

    def preview(self, role: str, step: int) -> Observation:
        text = super().preview(role, step).text
        return Observation(parts=(TextPart(text=text, **SAID.get(role, {})),))


SAID: dict[str, Any] = {"news": {"origin": Origin.UNTRUSTED, "source": "site"}}


def test_a_report_is_trusted_no_more_than_what_its_analyst_read() -> None:
    task = days(Heard)
    episode = play(team(), task)
    step = episode.trajectory.steps[0]
    own, *told = step.observation.parts
    assert "\n".join(p.text for p in (own, *told)) == step.observation.text  # type: ignore[union-attr]
    assert [(p.origin, p.source) for p in told] == [
        (Origin.UNTRUSTED, "site"), (None, None), (None, None),
    ]  # fmt: skip
    work = WriteCritique(episodes=(episode.id,))
    case = CritiqueCase("cr_1", work, (episode,), INSTANCE)
    assert trust(case) is Origin.UNTRUSTED
    critique = Critique(
        id="cr_1",
        episodes=(episode.id,),
        instance="i",
        trial=1,
        template="t",
        status="accepted",
        trust=Origin.UNTRUSTED,
    )
    evidence = Evidence(critique="cr_1", episode=episode.id, instance="i", trial=1)
    evidence = sourced(evidence, critique, {episode.id: episode}, Origin.TASK)
    assert (evidence.origin, evidence.sources) == (Origin.UNTRUSTED, ("site",))


def test_an_analyst_may_name_what_it_read_elsewhere() -> None:
    def analyst(situation: Situation) -> Action:
        parts = (TextPart(text="They say buy.", origin=Origin.UNTRUSTED, source="forum"),)
        return Action(parts=(TextPart(text="I looked around."), *parts))

    step = play(Team(lambda s: "work", {"news": analyst}), days()).trajectory.steps[0]
    told = step.observation.parts[-1]
    assert (told.origin, told.source) == (Origin.UNTRUSTED, "forum")
    assert step.reports[0].text == "I looked around. They say buy."


def test_reports_are_among_the_parts_where_the_managers_own_view_has_parts() -> None:
    class Split(Days):
        def left(self, roles: Sequence[str]) -> Observation:
            plain = super().left(roles)
            return plain.replace(parts=(TextPart(text=plain.text),))

    seen = play(team(), days(Split)).trajectory.steps[0].observation
    assert [p.text for p in seen.parts if p.kind == "text"] == seen.text.splitlines()


def test_n_analysts_send_n_messages_a_step_below_a_broadcast() -> None:
    own = team()
    episode = play(own, days())
    n, steps = len(own.roles), episode.trajectory.steps
    assert sum(len(step.reports) for step in steps) == n * len(steps) == 18
    assert sum(len(asked_of(a)) for a in own.analysts.values()) == n * len(steps)
    # Where each of them told all others and the manager, it would be n messages of n + 1 each.
    assert n * len(steps) < n * (n + 1) * len(steps)
    assert len(asked_of(own)) == len(steps)


def test_tokens_are_billed_by_role() -> None:
    episode = play(team(), days())
    assert set(episode.usage) == {"actor", *SEEN}
    for role in SEEN:
        said = [r for step in episode.trajectory.steps for r in step.reports if r.role == role]
        assert episode.usage[role].total == sum(r.tokens for r in said) > 0
        assert episode.usage[role].calls == 6


def test_what_no_analyst_of_the_team_sees_stays_with_the_manager() -> None:
    episode = play(team(roles=("risk",)), days())
    seen = episode.trajectory.steps[0].observation.text
    assert seen.startswith("Day 1. You did nothing. Rain is near. A form was filed.\nRisk analyst:")


def whole(episode: Episode) -> Any:
    return episode.model_dump(mode="json")


@pytest.mark.parametrize("done_on", [0, 3])
def test_ahead_or_not_the_episode_is_the_same_whatever_the_order(done_on: int) -> None:
    found, orders = [], []
    for ahead, seed in [(False, 0), (True, 0), (True, 1), (True, 2)]:
        slow = DelayedModel(ScriptedModel(reports), seed, high=0.01)
        analysts: dict[str, AgentLike] = {role: ChatAgent(slow) for role in SEEN}
        lead = ChatAgent(DelayedModel(ScriptedModel(replies(done_on=done_on)), seed, high=0.01))
        found.append(whole(play(Team(lead, analysts, ahead=ahead), days())))
        orders.append(tuple(slow.order))
    assert found[1:] == [found[0]] * 3
    assert len(set(orders)) > 1


def test_never_more_than_four_steps_ahead_and_never_beyond_the_last() -> None:
    class Endless(Days):
        """Previews days that will not be played, too."""

        def preview(self, role: str, step: int) -> Observation:
            self.asked.append((role, step))
            return Observation(text=f"It is day {step}.")

    seen: list[tuple[int, int]] = []
    task = days(Endless)

    def lead(situation: Situation) -> str:
        asked = task.made[-1].asked
        seen.append((situation.step, max(step for _, step in asked)))
        return "work"

    play(Team(lead, {role: lambda s: "fine" for role in SEEN}), task)
    assert all(furthest <= min(step + AHEAD, 6) for step, furthest in seen)
    assert len(seen) == 6
    assert seen[0][1] > 1


def test_whose_guidance_is_recalled_step_by_step_does_not_run_ahead() -> None:
    task, seen = days(), list[set[tuple[str, int]]]()

    def lead(situation: Situation) -> str:
        seen.append(set(task.made[-1].asked))
        return "work"

    spec = EpisodeSpec(
        instance=INSTANCE.id, guidance={"news": GuidanceSpec(source="recall", recall="step")}
    )
    members: dict[str, AgentLike] = {"news": lambda s: "fine", "risk": lambda s: "fine"}
    play(Team(lead, members), task, spec, guidance=lambda role, situation, step: Guidance())
    assert [max(n for r, n in asked if r == "news") for asked in seen] == [1, 2, 3, 4, 5, 6]
    assert max(n for r, n in seen[0] if r == "risk") > 1


def test_no_more_calls_at_a_time_than_there_are_slots() -> None:
    slots = Slots(2)
    own = context()
    episode = play(team(), days(), own=type(own)(MemoryJournal(), slots, owner="ep_1"))
    assert len(episode.trajectory.steps) == 6
    assert (slots.peak, slots.in_flight) == (2, 0)


def test_a_waiting_manager_goes_before_analysts() -> None:
    async def run() -> list[str]:
        slots, done = Slots(1), list[str]()

        async def hold(role: str, *order: int) -> None:
            async with slots.hold(role, order):
                done.append(role)
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as group:
            for role, *order in [("actor", 1), ("news", 1, 3), ("risk", 1, 2), ("actor", 9)]:
                group.create_task(hold(str(role), *map(int, order)))
        return done

    assert asyncio.run(run()) == ["actor", "actor", "risk", "news"]


def test_an_early_end_cancels_what_nobody_reads() -> None:
    going, cancelled = 0, 0

    async def slow(situation: Situation) -> str:
        nonlocal going, cancelled
        if "day 1." in situation.observation.text:
            return "fine"
        going += 1
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled += 1
            raise
        return "late"

    async def run() -> tuple[Episode, int]:
        episode = await played(Team(lambda s: "done", {"news": slow}), days())
        return episode, len(asyncio.all_tasks())

    episode, tasks = asyncio.run(run())
    assert episode.stop_reason is StopReason.TERMINATED
    assert going == cancelled == AHEAD
    assert tasks == 1


def test_what_was_said_for_nothing_is_not_on_the_bill_of_the_episode() -> None:
    for ahead in (True, False):
        own = team(ahead, done_on=2)
        episode = play(own, days())
        assert episode.usage["news"].calls == 2
        assert len(asked_of(own.analysts["news"])) == (2 + AHEAD if ahead else 2)


def test_the_journal_replays_every_report() -> None:
    journal = MemoryJournal()
    first = play(team(), days(), own=context(journal))
    again = team()
    assert whole(play(again, days(), own=context(journal))) == whole(first)
    assert asked_of(again) == []
    assert all(asked_of(a) == [] for a in again.analysts.values())


def test_half_a_journal_leads_to_the_same_episode() -> None:
    journal, half = MemoryJournal(), MemoryJournal()
    first = play(team(), days(), own=context(journal))
    for n, (key, record) in enumerate(journal.records.items()):
        if n < len(journal.records) // 2:
            half.records[key] = record
    again = team(ahead=False)
    assert whole(play(again, days(), own=context(half))) == whole(first)
    asked = len(asked_of(again)) + sum(len(asked_of(a)) for a in again.analysts.values())
    assert asked == len(journal.records) - len(journal.records) // 2


def test_each_role_is_given_its_own_guidance() -> None:
    given: list[tuple[str, str, int]] = []

    def provider(role: str, situation: Situation, step: int) -> Guidance:
        given.append((role, situation.observation.text, step))
        return Guidance(texts=(f"For {role}.",), text=f"For {role}.")

    wanted = {role: GuidanceSpec(source="recall") for role in ("actor", "news")}
    own = team()
    spec = EpisodeSpec(instance="corridor-v1/0", guidance=wanted)
    episode = play(own, days(), spec, guidance=provider)
    assert [(role, step) for role, _, step in given] == [("news", 0), ("actor", 0)]
    assert given[0][1] == "Rain is near.\nIt is day 1."
    assert {r: g.texts for r, g in episode.guidance.items()} == {
        "news": ("For news.",),
        "actor": ("For actor.",),
    }
    assert "For news." in asked_of(own.analysts["news"])[3].messages[-1].plain
    assert "For" not in asked_of(own.analysts["risk"])[0].messages[-1].plain.split("<goal>")[0]


def test_an_analyst_whose_recall_is_per_step_does_not_run_ahead_of_it() -> None:
    done: list[str] = []

    def lead(situation: Situation) -> str:
        done.append("act")
        return "work"

    def provider(role: str, situation: Situation, step: int) -> Guidance:
        done.append(f"recall {step}")
        return Guidance()

    spec = EpisodeSpec(
        instance="corridor-v1/0", guidance={"news": GuidanceSpec(source="recall", recall="step")}
    )
    play(Team(lead, {"news": lambda s: "fine"}), days(), spec, guidance=provider)
    assert done[:4] == ["recall 1", "act", "recall 2", "act"]


def test_reports_keep_their_order_where_some_do_not_run_ahead() -> None:
    wanted = {"news": GuidanceSpec(source="recall", recall="step")}
    spec = EpisodeSpec(instance="corridor-v1/0", guidance=wanted)
    for ahead in (True, False):
        episode = play(team(ahead), days(), spec, guidance=lambda r, s, n: Guidance())
        orders = {tuple(r.role for r in step.reports) for step in episode.trajectory.steps}
        assert orders == {tuple(SEEN)}


def test_an_analyst_that_fails_ends_the_episode_by_name_and_for_good() -> None:
    def broken(situation: Situation) -> str:
        if "day 3." in situation.observation.text:
            raise ValueError("no paper today")
        return "fine"

    for ahead in (True, False):
        risk = ChatAgent(ScriptedModel(reports))
        own = Team(lambda s: "work", {"news": broken, "risk": risk}, ahead=ahead)
        episode = play(own, days())
        # What was paid for at the step that failed is on the bill.
        assert episode.usage["risk"].calls == 3
        assert episode.stop_reason is StopReason.AGENT_ERROR
        assert episode.failure is not None
        assert "news analyst: " in episode.failure.message
        assert "no paper today" in episode.failure.message
        assert (len(episode.trajectory.steps), episode.failure.step) == (2, 3)


def test_late_reports_end_the_episode() -> None:
    async def slow(situation: Situation) -> str:
        await asyncio.sleep(60)
        return "late"

    limits = Limits(step_timeout_s=0.05)
    episode = play(Team(lambda s: "work", {"news": slow}), days(), limits=limits)
    assert (episode.stop_reason, episode.trajectory.steps) == (StopReason.TIMEOUT, ())


def test_a_token_limit_ends_the_episode_at_the_same_step_ahead_or_not() -> None:
    ends = [whole(play(team(a), days(), limits=Limits(max_tokens=6000))) for a in (True, False)]
    assert ends[0] == ends[1]
    assert ends[0]["stop_reason"] == "tokens"


def test_sync_analysts_and_an_environment_in_a_thread_work_too() -> None:
    episode = play(Team(lambda s: "work", {"news": lambda s: "wet\n day"}), days(inline=False))
    assert episode.trajectory.steps[5].reports[0].text == "wet day"


def test_without_previews_the_episode_fails_before_a_call() -> None:
    own = team()
    episode = play(own)
    assert episode.stop_reason is StopReason.TASK_ERROR
    assert asked_of(own) == []


def test_a_single_agent_is_asked_as_ever() -> None:
    model = ScriptedModel(replies())
    play(ChatAgent(model), days())
    schema = json.dumps(model.requests[0].output_schema)
    assert "credits" not in schema
    assert "analyst" not in model.requests[0].messages[0].plain


@pytest.mark.parametrize(
    ("points", "reading", "said"),
    [
        ([2], "Rain.", "b two Rain."),
        ([3, 1, 3], "", "c three a one"),
        ([], "It is wet.", "a one It is wet."),
        ([0, 9, -1], "B TWO.", "a one"),
        ([1], "[1] a one\n[2] b two", "a one"),
    ],
)
def test_a_report_is_lines_word_for_word_and_then_a_reading(
    points: list[int], reading: str, said: str
) -> None:
    assert report_text(("a one", "b two", "c three"), points, reading) == said


@pytest.mark.parametrize(
    ("manager", "analysts", "what"),
    [
        (lambda s: "x", {}, "no analyst"),
        (lambda s: "x", {"actor": lambda s: "x"}, "'actor' cannot be an analyst's role"),
        (lambda s: "x", {"The News": lambda s: "x"}, "'The News' cannot be"),
        (lambda s: "x", {"news": lambda i, g: "x"}, "must take a Situation"),
        (lambda i, g: "x", {"news": lambda s: "x"}, "takes (instance, guidance)"),
        (lambda s: "x", [lambda s: "x"], "agents by role"),
    ],
)
def test_what_is_no_team_is_refused_in_one_line(manager: Any, analysts: Any, what: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(what)) as refused:
        Team(manager, analysts)
    assert "\n" not in str(refused.value)


def test_a_team_passes_the_checks_of_agents() -> None:
    assert check_agent(Team(ChatAgent("offline:apprentice"), {"news": lambda s: "x"})) == ()


def test_failures_of_several_analysts_are_all_taken_note_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = ScriptedModel(lambda _: ModelError("no reply"))
    analysts: dict[str, AgentLike] = {role: ChatAgent(broken) for role in SEEN}
    episode = play(Team(ChatAgent(ScriptedModel(replies())), analysts), days())
    assert episode.stop_reason is StopReason.MODEL_ERROR
    gc.collect()
    assert [r.getMessage() for r in caplog.records if r.name == "asyncio"] == []


def test_a_replayed_prefix_shows_what_the_analysts_said() -> None:
    """It showed the sources themselves, which a manager never sees."""
    first = play(team(), days(Heard))
    again = team()
    did, heard = plans.actions_of(first)[:3], plans.heard_in(first)[:3]
    other = play(again, days(Heard), spec=spec(prefix=did, heard=heard))
    steps = other.trajectory.steps
    assert [s.replayed for s in steps] == [True] * 3 + [False] * 3
    for step, before in zip(steps, first.trajectory.steps, strict=True):
        assert step.observation == before.observation
        assert [r.text for r in step.reports] == [r.text for r in before.reports]
    assert [[r.tokens > 0 for r in s.reports] for s in steps[2:4]] == [[False] * 3, [True] * 3]
    for analyst in again.analysts.values():
        assert len(asked_of(analyst)) == 3
    assert other.usage["news"].calls == 3
