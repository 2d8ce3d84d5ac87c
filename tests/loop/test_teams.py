"""Runs of teams: equal ahead or not, billed and told by role, refused where they cannot work."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.loop.world import Staged, batch, episode, episodes
from tests.loop.world import run as drive
from verbalrl import ChatAgent, Learner, Limits, ScriptedModel, Team, load_model, load_task
from verbalrl.cli import main
from verbalrl.errors import ConfigurationError
from verbalrl.execution import Forecast
from verbalrl.models import Budget, DelayedModel, Price, Prices
from verbalrl.records import Batch, GuidanceSpec, InstanceView
from verbalrl.result import RunResult
from verbalrl.store import Store, open_store
from verbalrl.view import facts

ROLES = ("news", "risk")
PERIOD = "trading-v1?horizon=5"


def manager(request: Any) -> dict[str, Any]:
    credits = [{"report": 1, "worth": "decisive"}, {"report": 2, "worth": "useless"}]
    return {"thought": "", "action": "buy", "lessons_used": [], "credits": credits}


def team(ahead: bool = True, seed: int = 0) -> Team:
    lead = DelayedModel(ScriptedModel(manager, name="lead"), seed, high=0.002)
    source = ScriptedModel(lambda r: {"points": [1], "reading": "So it goes."}, name="reader")
    slow = DelayedModel(source, seed + 1, high=0.002)
    return Team(ChatAgent(lead), {role: ChatAgent(slow) for role in ROLES}, ahead=ahead)


def learner(agent: Any, **settings: Any) -> Learner:
    return Learner(agent, method="reflexion", critic="offline:apprentice", **settings)


def run(agent: Any, **settings: Any) -> RunResult:
    return learner(agent, **settings).run_sync(
        load_task(PERIOD), instances=2, trials=2, arms=("retry", "learned")
    )


def test_figures_and_digests_are_the_same_ahead_or_not() -> None:
    found = [run(team(ahead, seed)) for ahead, seed in [(False, 0), (True, 5), (True, 9)]]
    # Citations name lessons by their ids, which hold the run.
    arms = [{n: {**arm, "citations": 0} for n, arm in result.arms.items()} for result in found]
    assert arms[1] == arms[0]
    assert arms[2] == arms[0]
    assert arms[0]["learned"]["episodes_digest"]["0"].startswith("d1:")


def test_reports_and_credits_are_part_of_the_digest() -> None:
    def mute(request: Any) -> dict[str, Any]:
        return {"thought": "", "action": "buy", "lessons_used": [], "credits": []}

    def other(request: Any) -> dict[str, Any]:
        return {"points": [1], "reading": "It may differ."}

    leads = [ScriptedModel(mute), ScriptedModel(manager)]
    readers = [ScriptedModel(other), ScriptedModel(lambda r: {"points": [], "reading": ""})]
    digests = {
        str(
            run(Team(ChatAgent(lead), {"news": ChatAgent(reader)})).arms["retry"]["episodes_digest"]
        )
        for lead in leads
        for reader in readers
    }
    assert len(digests) == 4


def test_tokens_messages_and_worth_are_told_by_role() -> None:
    result = run(team())
    arm = result.arms["retry"]
    assert list(arm["tokens"]) == ["actor", "critic", "curator", "news", "risk"]
    decisions = arm["tokens"]["actor"]["calls"]
    assert arm["tokens"]["news"]["calls"] == arm["tokens"]["risk"]["calls"] == decisions
    assert arm["team"] == {
        "decisions": decisions,
        "messages": 2 * decisions,
        "broadcast": 6 * decisions,
        "worth": {
            "news": {"decisive": decisions, "useful": 0, "useless": 0},
            "risk": {"decisive": 0, "useful": 0, "useless": decisions},
        },
    }
    both = sum(a["team"]["decisions"] for a in result.arms.values())
    assert (
        f"team: 2 analysts sent {2 * both} reports before {both} decisions; of use, as the manager"
        f" says: news {both}, risk 0"
    ) in result.table()


def test_the_report_lists_every_role_that_was_paid_for() -> None:
    figures = run(team()).figures
    rows = [row[1] for row in facts.tokens_table(figures).rows if row[0] == "retry"]
    assert rows == ["actor", "news", "risk"]
    arm: Any = figures["arms"]
    used = facts.role_tokens(arm["retry"])
    assert sum(used.values()) == sum(
        t["input"] + t["cached"] + t["output"] for t in arm["retry"]["tokens"].values()
    )


def test_a_single_agent_has_no_word_of_teams_in_its_figures() -> None:
    result = run(ChatAgent("offline:apprentice"))
    assert "team" not in result.arms["retry"]
    assert "team:" not in result.table()


@pytest.mark.parametrize(
    ("task", "roles", "what"),
    [
        ("gridnav-v1", ["news"], "gridnav-v1 previews nothing"),
        (PERIOD, ["news", "gossip"], "has nothing for an analyst 'gossip'; name some of"),
    ],
)
def test_a_team_that_a_task_shows_nothing_is_refused_before_a_call(
    task: str, roles: list[str], what: str, tmp_path: Path
) -> None:
    lead = ScriptedModel(manager)
    own = Team(ChatAgent(lead), {role: ChatAgent(lead) for role in roles})
    with pytest.raises(ConfigurationError, match=what) as refused:
        learner(own, store=tmp_path / "store").run_sync(load_task(task), instances=1)
    assert "\n" not in str(refused.value)
    assert lead.requests == []


def test_a_run_of_a_team_goes_on_with_the_same_team_alone(tmp_path: Path) -> None:
    first = run(team(), store=tmp_path)
    task = load_task(PERIOD)
    with pytest.raises(ConfigurationError, match="cannot resume: 'team' was"):
        learner(ChatAgent(ScriptedModel(manager, name="lead")), store=tmp_path).resume_sync(
            first.run, task
        )
    again = learner(team(ahead=False), store=tmp_path).resume_sync(first.run, task)
    assert again.arms == first.arms


def test_a_resumed_team_reports_in_the_order_in_which_it_was_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ("--store", str(tmp_path))
    command = ("run", PERIOD, "--model", "offline:apprentice", "--team", "risk,news", "--json")
    few = ("--arms", "none", "--instances", "1", "--max-tokens", "2500")
    assert main([*command, *few, *store]) == 0
    stopped = json.loads(capsys.readouterr().out)
    assert stopped["arms"]["none"]["finished"] == 0
    assert main(["resume", stopped["run"], "--max-tokens", "999999", *store]) == 0
    with open_store(tmp_path) as opened:
        (found,) = opened.episodes()
    assert [r.role for r in found.trajectory.steps[0].reports] == ["risk", "news"]


def test_the_models_of_analysts_count_in_the_budget() -> None:
    lead, reader = (load_model(f"openai:{name}", keyless=True) for name in ("lead", "reader"))
    own = Team(ChatAgent(lead), {"news": ChatAgent(reader)})
    prices = Prices(models={"openai:lead": Price(input=1.0, output=1.0)})
    budget = Budget(cost_usd=1.0, max_output=500, prices=prices)
    with pytest.raises(ConfigurationError, match="no price is known for openai:reader"):
        run(own, limits=Limits(budget=budget))


def arm_of(found: Forecast) -> Any:
    arms: Any = found.figures["arms"]
    return arms["none"]


def test_a_forecast_counts_one_call_of_each_analyst_a_step() -> None:
    settings: dict[str, Any] = {"instances": 1, "trials": 1, "arms": ("none",)}
    alone = learner(ChatAgent("offline:apprentice")).forecast_sync(load_task(PERIOD), **settings)
    own = Team(
        ChatAgent("offline:apprentice"), {role: ChatAgent("offline:apprentice") for role in ROLES}
    )
    found = learner(own).forecast_sync(load_task(PERIOD), **settings)
    assert arm_of(found)["calls"] == [15, 15]
    assert arm_of(alone)["calls"] == [5, 5]
    assert arm_of(found)["tokens"][1] > arm_of(alone)["tokens"][1]
    assert "each analyst is asked once" in found.table()
    took = learner(own).run_sync(load_task(PERIOD), **settings).arms["none"]["tokens"]
    assert sum(t["calls"] for t in took.values()) == 15


class Telling(Staged):
    """Tells the news analyst what its reports were worth, beside what is recalled."""

    def stages(self, view: InstanceView) -> Iterator[Batch]:
        told = GuidanceSpec(source="recall", scopes=(view.scope,), beside="Your reports counted.")
        yield batch(episode(view, guidance={"actor": GuidanceSpec(), "news": told}))


def test_what_a_method_gives_beside_recall_reaches_its_role_alone(store: Store) -> None:
    own = team()
    result = drive(store, own, Telling(), load_task(PERIOD), instances=1)
    (found,) = episodes(store, result)
    assert found.guidance["news"].texts == ("Your reports counted.",)
    assert found.guidance["news"].text.strip() == "Your reports counted."
    assert not found.guidance["actor"]


def test_the_journal_holds_the_calls_of_each_role(tmp_path: Path) -> None:
    run(team(), store=tmp_path)
    with closing(sqlite3.connect(tmp_path / "verbalrl.db")) as connection:
        roles = dict(connection.execute("SELECT role, count(*) FROM calls GROUP BY role"))
    assert roles["actor"] == roles["news"] == roles["risk"]
    with open_store(tmp_path) as store:
        assert store.runs()[0].config["team"] == [[r, "Analyst(reader)"] for r in ROLES]


def test_what_hindsight_replays_has_the_reports_and_counts_them_once(tmp_path: Path) -> None:
    """The counterfactuals held the sources, and credits for reports that they did not have."""
    result = Learner(
        team(), method="hindsight", critic=blaming, curator="offline:apprentice", store=tmp_path
    ).run_sync(load_task(PERIOD), train_instances=2, instances=1, trials=1, arms=("learned",))
    with open_store(tmp_path) as store:
        found = store.episodes(run=result.run)
    edits = [e for e in found if e.spec.purpose == "counterfactual"]
    assert any(e.trajectory.steps[0].replayed for e in edits)
    steps = [step for e in found for step in e.trajectory.steps]
    assert all([r.role for r in step.reports] == list(ROLES) for step in steps)
    assert all("\nRisk analyst: " in step.observation.text for step in steps)
    asked = [step for step in steps if not step.replayed]
    assert result.arms["learned"]["team"]["messages"] == 2 * len(asked)


def blaming(episodes: Any, feedback: Any = ()) -> dict[str, Any]:
    return {
        "verdict": "failure",
        "causes": [{"step": 3, "why": "bought"}],
        "refinement": "sell",
        "lessons": [],
    }
