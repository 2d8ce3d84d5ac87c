"""Self-Refine as in algorithm 1 of the paper: which prompt, in which order, with what in it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from tests.loop.world import safes
from tests.methods.world import Told, acts, roles, tell
from verbalrl import ChatAgent, Learner, ScriptedModel, load_task
from verbalrl.methods import SelfRefine, check_method, self_refine
from verbalrl.records import Episode
from verbalrl.store import open_store


def in_turn(*colours: str) -> Any:
    left = itertools.chain(colours, itertools.repeat(colours[-1]))
    return lambda _: acts(next(left))


def feedback(verdict: str = "failure", why: str = "", sure: float = 0.5) -> dict[str, Any]:
    causes = [{"step": 1, "quote": "", "why": why}] if why else []
    refinement = f"Mend it: {why}." if why else ""
    return {"verdict": verdict, "causes": causes, "refinement": refinement, "confidence": sure}


def faulting(*whys: str) -> Any:
    """Faults an output for each of these, then is content."""
    left = iter(whys)

    def reply(_: str) -> dict[str, Any]:
        why = next(left, "")
        return feedback("failure" if why else "success", why)

    return reply


def purposes(told: Told) -> list[tuple[str, int]]:
    return sorted((e.spec.purpose, e.spec.candidate) for e in told.episodes)


def test_output_feedback_refinement_until_the_feedback_is_content(tmp_path: Path) -> None:
    actor = in_turn("red", "blue", "green")
    told = tell(tmp_path, self_refine(), actor, faulting("red is loud", "blue is cold"))
    assert roles(told) == ["actor", "critic", "actor", "critic", "actor", "critic"]
    assert purposes(told) == [("attempt", 0), ("search", 1), ("search", 2), ("search", 3)]
    attempt = next(e for e in told.episodes if e.spec.purpose == "attempt")
    assert (attempt.answer, attempt.success) == ("green", True)
    # What is submitted is done again, in the same world, and nobody is asked for it.
    assert attempt.trajectory.steps[0].replayed is True
    worlds = {e.trajectory.steps[0].observation.text for e in told.episodes}
    assert len(worlds) == 1
    assert told.result.arms["learned"]["success_rate"] == 1.0


def test_the_refining_prompt_holds_the_whole_history_and_feedback_only_the_output(
    tmp_path: Path,
) -> None:
    actor = in_turn("red", "blue", "green")
    told = tell(tmp_path, self_refine(), actor, faulting("red is loud", "blue is cold"))
    first, _, second, on_blue, third, _ = (text for _, text in told.asked)
    assert "previous_output" not in first
    assert "<previous_output>\nred\n" in second
    assert "Mend it: red is loud." in second
    assert "earlier_outputs" not in second
    assert "Output 1: red\nCritique: red is loud" in third
    assert "<previous_output>\nblue\n" in third
    assert "Action: blue" in on_blue
    assert "red is loud" not in on_blue
    # Nobody has told how it went, and nobody tells the critic.
    for role, text in told.asked:
        told_so = ("click", "Reward", "success:", "It opens")
        assert role != "critic" or not any(word in text for word in told_so)


def test_with_the_last_pair_alone_older_outputs_are_forgotten(tmp_path: Path) -> None:
    actor = in_turn("red", "blue", "green")
    told = tell(tmp_path, SelfRefine(history="last"), actor, faulting("too loud", "too cold"))
    assert "earlier_outputs" not in told.asked[4][1]


@pytest.mark.parametrize("refinements", [0, 1, 4])
def test_it_stops_after_as_many_refinements_as_are_allowed(
    tmp_path: Path, refinements: int
) -> None:
    never = faulting(*(f"fault {n} here" for n in range(9)))
    told = tell(tmp_path, self_refine(refinements=refinements), in_turn("red"), never)
    assert roles(told).count("actor") == 1 + refinements
    # The last output needs no feedback: nothing would come of it.
    assert roles(told).count("critic") == refinements


def test_feedback_that_cannot_be_used_ends_the_loop(tmp_path: Path) -> None:
    told = tell(tmp_path, self_refine(), in_turn("red"), lambda _: feedback("failure"))
    assert roles(told) == ["actor", "critic"]
    assert told.critiques[0].status == "refused"


def test_feedback_that_is_content_is_no_refused_critique(tmp_path: Path) -> None:
    told = tell(tmp_path, self_refine(), in_turn("red"), faulting())
    assert [(c.status, c.verdict) for c in told.critiques] == [("accepted", "success")]


def test_the_best_output_by_its_own_feedback_can_be_kept(tmp_path: Path) -> None:
    scores = iter([0.2, 0.9, 0.4])
    actor = in_turn("red", "green", "blue")
    told = tell(
        tmp_path,
        SelfRefine(keep="best", refinements=2),
        actor,
        lambda _: feedback("failure", "it is odd here", next(scores)),
    )
    assert roles(told).count("critic") == 3
    attempt = next(e for e in told.episodes if e.spec.purpose == "attempt")
    assert attempt.answer == "green"


def test_a_failed_attempt_begins_anew_with_nothing_remembered(tmp_path: Path) -> None:
    told = tell(tmp_path, self_refine(trials=2), in_turn("red"), faulting("too loud"))
    attempts = [e for e in told.episodes if e.spec.purpose == "attempt"]
    assert [e.trial for e in attempts] == [1, 2]
    starts = [text for role, text in told.asked if role == "actor" and "previous" not in text]
    assert len(starts) == 2


@pytest.mark.parametrize("keep", ["last", "best"])
def test_it_keeps_the_contract_of_plans(keep: Any) -> None:
    check_method(SelfRefine(keep=keep, trials=2))


def test_a_critic_that_is_a_program_is_told_no_outcome_either(tmp_path: Path) -> None:
    agent = ChatAgent(ScriptedModel(lambda _: acts("2 + 2 = 5")))
    learner = Learner(agent, method=self_refine(), critic="checks", store=tmp_path)
    learner.run_sync(load_task("arithmetic-v1"), instances=1, arms=("learned",))
    with open_store(tmp_path) as store:
        said = store.critique_page({}).rows
        episodes = store.episodes()
    assert [c.verdict for c in said] == ["failure"] * 4
    assert all("Wrong" not in c.quote for critique in said for c in critique.causes)
    revised = [e.spec.revises.critique for e in episodes if e.spec.revises]
    assert revised[0].startswith("2 + 2 = 5 does not hold")


@pytest.mark.parametrize("action", ["green", "red"])
def test_a_critic_that_is_a_function_is_told_no_more_than_a_model(
    tmp_path: Path, action: str
) -> None:
    seen: list[Episode] = []

    def critic(episodes: tuple[Episode, ...]) -> str:
        seen.extend(episodes)
        return json.dumps({"refinement": "Take another colour, this one is loud."})

    agent = ChatAgent(ScriptedModel(lambda _: acts(action)))
    learner = Learner(agent, method=self_refine(refinements=1), critic=critic, store=tmp_path)
    learner.run_sync(safes("green", max_steps=1), arms=("learned",))
    episode = seen[0]
    # Who did not open it was cut at the limit, which would tell.
    assert (episode.terminated, episode.truncated) == (False, False)
    assert (episode.success, episode.reward.value, episode.trajectory.final) == (None, None, None)
    assert (episode.trajectory.steps[0].feedback, episode.trajectory.steps[0].reward) == ("", None)
    with open_store(tmp_path) as store:
        assert store.critique_page({}).rows[0].verdict == "unclear"
