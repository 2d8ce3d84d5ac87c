from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import Any

import pytest

from tests.critics.scenes import GROUP, OLD_SIGN, OLD_WALL, SCENES, case, episode, lesson, step
from tests.test_worth import PLATITUDES, REFUSALS
from verbalrl.critics import FEEDBACK, CritiqueCase, CritiqueReply, adapt_critic, check_critic
from verbalrl.errors import ConfigurationError, CriticError, ReplayMismatch, UnknownNameError
from verbalrl.models import CallContext, MemoryJournal, Model, ScriptedModel, Slots, load_model
from verbalrl.prompts import PromptLibrary
from verbalrl.records import Action, Critique, Note, Observation, Origin, Refusal, Shows, TextPart

PROMPTS = PromptLibrary()
SECRET = "xyzzy"
GOOD: dict[str, Any] = {
    "verdict": "failure",
    "causes": [{"step": 3, "quote": "You fall into a pit", "why": "it creaked"}],
    "lessons": [
        {
            "name": "creaking floors",
            "when": "the floor creaks",
            "when_not": "N/A",
            "instruction": "do not choose south",
            "also_possible": ["column 3"],
            "step": 3,
        }
    ],
    "keeps": [2],
    "refinement": "Go back.",
    "confidence": 0.7,
    "reveals_answer": False,
}


def write(critic: Any, of: CritiqueCase = SCENES["grid"], **settings: Any) -> Critique:
    context = CallContext(settings.pop("journal", MemoryJournal()), Slots(), of.id, **settings)

    async def run() -> Critique:
        return await adapt_critic(critic, PROMPTS).write(of, context)

    return asyncio.run(run())


def test_reply_becomes_a_critique_with_ids_for_numbers() -> None:
    model = ScriptedModel([GOOD])
    critique = write(model)
    assert critique.status == "accepted"
    assert critique.id == "cr_1"
    assert critique.episodes == ("ep_i/1_1",)
    assert (critique.instance, critique.trial) == ("i/1", 1)
    assert critique.keeps == (OLD_SIGN.id,)
    assert critique.shown == (OLD_WALL.id, OLD_SIGN.id)
    assert critique.causes[0].model_dump() == {
        "step": 3,
        "trial": 1,
        "quote": "You fall into a pit",
        "why": "it creaked",
        "episode": "ep_i/1_1",
        "span": {"part": "feedback", "start": 21, "end": 40},
    }
    assert critique.proposals[0].when_not == ""
    assert critique.proposals[0].also_possible == ("column 3",)
    assert critique.confidence == 0.7
    assert critique.usage.calls == 1
    assert critique.model == "scripted"
    assert len(critique.prompt_sha) == 64
    assert model.requests[0].role == "critic"


def test_nothing_hidden_is_in_the_request() -> None:
    model = ScriptedModel([GOOD])
    write(model)
    request = model.requests[0].model_dump_json()
    assert SECRET not in request
    assert "east, east, south, south" not in request


def test_refused_critique_keeps_what_was_said() -> None:
    critique = write(ScriptedModel([{**GOOD, "causes": [{"step": 9, "quote": "", "why": "x"}]}]))
    assert (critique.status, critique.refusal) == ("refused", Refusal.UNGROUNDED)
    assert critique.proposals
    assert "step 9" in critique.detail


def test_revealing_critique_is_marked_even_if_it_did_not_say_so() -> None:
    reply = {**GOOD, "causes": [], "lessons": [], "refinement": "It is east, east, south, south."}
    critique = write(ScriptedModel([reply]))
    assert critique.refusal is Refusal.REVEALING
    assert critique.reveals_answer


@pytest.mark.parametrize("told", [{"outcome": True}, {"reward": True}, {"feedback": True}, {}])
def test_only_who_was_told_nothing_may_say_the_answer(told: dict[str, bool]) -> None:
    shows = Shows(outcome=False, reward=False, feedback=False).replace(**told)
    grid = SCENES["grid"]
    work = grid.work.replace(template=FEEDBACK, shows=shows)
    critique = write(lambda _episodes: "Go east, east, south, south.", replace(grid, work=work))
    assert critique.refusal is (Refusal.REVEALING if told else None)


def test_unspoken_confidence_is_unknown() -> None:
    reply = {k: v for k, v in GOOD.items() if k != "confidence"}
    assert write(ScriptedModel([reply])).confidence is None


@pytest.mark.parametrize(
    ("said", "keeps"),
    [
        ({k: v for k, v in GOOD.items() if k != "keeps"}, (OLD_WALL.id, OLD_SIGN.id)),
        ({**GOOD, "keeps": []}, ()),
        ({**GOOD, "keeps": [2]}, (OLD_SIGN.id,)),
        ("turn back when the floor creaks", (OLD_WALL.id, OLD_SIGN.id)),
    ],
)
def test_saying_nothing_of_earlier_lessons_keeps_them(said: Any, keeps: tuple[str, ...]) -> None:
    assert write(lambda _episodes: said).keeps == keeps
    if isinstance(said, dict):
        assert write(ScriptedModel([said])).keeps == keeps


def test_bad_json_is_repaired() -> None:
    critique = write(ScriptedModel(["not JSON", GOOD]))
    assert critique.status == "accepted"
    assert critique.usage.calls == 2


def test_unusable_replies_make_a_failed_critique() -> None:
    critique = write(ScriptedModel(["no", "still no", "never"]))
    assert (critique.status, critique.refusal) == ("failed", Refusal.UNUSABLE)
    assert critique.raw == "never"
    assert critique.usage.calls == 3


def test_model_failure_makes_a_failed_critique() -> None:
    critique = write(ScriptedModel([RuntimeError("no network\nsecond line")]))
    assert (critique.status, critique.refusal) == ("failed", None)
    assert critique.detail == "model_error: scripted raised RuntimeError: no network"


def test_replayed_call_is_asked_once() -> None:
    journal, model = MemoryJournal(), ScriptedModel([GOOD])
    assert write(model, journal=journal) == write(model, journal=journal)
    assert len(model.requests) == 1


def test_journal_of_another_request_is_not_swallowed() -> None:
    journal = MemoryJournal()
    write(ScriptedModel([GOOD]), journal=journal)
    other = SCENES["ticket"]
    with pytest.raises(ReplayMismatch):
        write(ScriptedModel([GOOD]), other, journal=journal)


def test_swallowed_mismatch_of_a_callable_comes_to_light() -> None:
    journal, model = MemoryJournal(), ScriptedModel(lambda _request: "fine")

    async def ask(episodes: Any) -> str:
        prompt = f"{len(episodes)} {episodes[0].trajectory.steps[0].observation.text}"
        try:
            return f"look around before you move; {await model.ask(prompt)}"
        except ReplayMismatch:
            return "look around before you move"

    assert write(ask, journal=journal).status == "accepted"
    with pytest.raises(ReplayMismatch):
        write(ask, SCENES["ticket"], journal=journal)


def test_offline_model_writes_accepted_critiques() -> None:
    for name in ("grid", "ticket", "ticket_solved"):
        critique = write("offline:apprentice", SCENES[name])
        assert critique.status == "accepted", (name, critique.refusal, critique.detail)
        assert critique.proposals


@pytest.mark.parametrize(
    ("said", "status", "refusal"),
    [
        ("turn back when the floor creaks", "accepted", None),
        (GOOD, "accepted", None),
        (CritiqueReply.model_validate(GOOD), "accepted", None),
        ('{"refinement": "turn back when the floor creaks"}', "accepted", None),
        (None, "refused", Refusal.EMPTY),
        ("", "refused", Refusal.EMPTY),
        ("42", "refused", Refusal.ANSWER),
        ("true", "refused", Refusal.ANSWER),
        (7, "failed", None),
        ({"lessons": "none"}, "failed", None),
    ],
)
def test_callables_say_text_reply_or_nothing(said: Any, status: str, refusal: Any) -> None:
    critique = write(lambda _episodes: said)
    assert (critique.status, critique.refusal) == (status, refusal), critique.detail
    assert critique.verdict == ("unclear" if status == "failed" else "failure")


def test_callable_that_raises_makes_a_failed_critique() -> None:
    def broken(_episodes: Any) -> str:
        raise KeyError("oops")

    critique = write(broken)
    assert critique.status == "failed"
    said = re.escape("critic_error: the critic raised KeyError: 'oops' (test_critique.py:")
    assert re.fullmatch(said + r"\d+, in broken\)", critique.detail), critique.detail


def test_text_of_callables_is_cleaned() -> None:
    critique = write(lambda _episodes: "use the key sk-abcdefghijklmnop1234567890\x00 at the door")
    assert "[redacted] at the door" in critique.proposals[0].instruction


def test_sync_callable_reaches_its_model() -> None:
    model = ScriptedModel(["it creaked before it broke"])

    def ask(_episodes: Any) -> str:
        return f"turn back: {model.ask_sync('why did it fall?')}"

    critique = write(ask)
    assert critique.status == "accepted"
    assert critique.usage.calls == 1
    assert model.requests[0].role == "critic"


def test_unknown_critics_are_refused_early() -> None:
    with pytest.raises(UnknownNameError):
        adapt_critic("offline:aprentice", PROMPTS)
    with pytest.raises(ConfigurationError, match="critic= takes"):
        adapt_critic(7, PROMPTS)  # type: ignore[arg-type]


def test_trust_is_the_least_of_all_that_was_read() -> None:
    plain = SCENES["ticket"]
    assert write(ScriptedModel([GOOD]), plain).trust is Origin.TASK
    part = TextPart(text="from a page", origin=Origin.UNTRUSTED, source="page")
    seen = step(1, "x", "go", "no")
    seen = seen.replace(observation=Observation(parts=(part,)))
    assert write(ScriptedModel([GOOD]), case(episode(seen))).trust is Origin.UNTRUSTED
    acted = step(1, "x", "go", "no").replace(action=Action(parts=(part,)))
    assert write(ScriptedModel([GOOD]), case(episode(acted))).trust is Origin.UNTRUSTED
    final = episode(step(1, "x", "go", "no"))
    final = final.replace(trajectory=final.trajectory.replace(final=Observation(parts=(part,))))
    assert write(ScriptedModel([GOOD]), case(final)).trust is Origin.UNTRUSTED
    tainted = lesson("le_t", "trust me", trust=Origin.UNTRUSTED)
    had = case(episode(step(1, "x", "go", "no"), had=(tainted,)), known=(tainted,))
    assert write(ScriptedModel([GOOD]), had).trust is Origin.UNTRUSTED
    for origin in (Origin.UNTRUSTED, Origin.TASK, Origin.OPERATOR):
        note = Note(author="hook", text="from a page", origin=origin)
        noted = case(episode(step(1, "x", "go", "no").replace(notes=(note,))))
        expected = Origin.minimum((origin, Origin.TASK))
        assert write(ScriptedModel([GOOD]), noted).trust is expected
    outside = case(episode(step(1, "x", "go", "no")), observations=Origin.UNTRUSTED)
    assert write(ScriptedModel([GOOD]), outside).trust is Origin.UNTRUSTED


def test_causes_of_a_group_carry_their_trials() -> None:
    reply: dict[str, Any] = {
        "verdict": "failure",
        "causes": [
            {"step": 1, "quote": "Nothing happens", "why": ""},
            {"step": 2, "quote": "Time is over", "why": "", "attempt": 2},
        ],
        "lessons": [{"instruction": "press at once when red", "step": 1, "attempt": 2}],
    }
    critique = write(ScriptedModel([reply]), GROUP)
    assert [(c.trial, c.step) for c in critique.causes] == [(1, 1), (2, 2)]
    assert critique.proposals[0].trial == 2
    assert [c.episode for c in critique.causes] == ["ep_i/1_1", "ep_i/1_2"]
    assert critique.proposals[0].episode == "ep_i/1_2"


def test_check_critic_passes_the_offline_model_and_faults_others() -> None:
    model: Model = load_model("offline:apprentice")
    assert check_critic(model) == ()
    assert "none of its lessons says when it applies" in check_critic(
        lambda _episodes: "look at the lock before you choose a key"
    )
    with pytest.raises(CriticError, match="ZeroDivisionError"):
        check_critic(lambda _episodes: 1 / 0)
    with pytest.raises(CriticError, match="no critique of the case"):
        check_critic(_Foreign())


class _Foreign:
    model = None
    simulated = True

    async def write(self, case: CritiqueCase, context: CallContext, /) -> Any:
        return "a text"


@pytest.mark.parametrize("text", [*REFUSALS, *PLATITUDES])
def test_a_proposal_that_gives_no_advice_is_not_kept(text: str) -> None:
    empty = {**GOOD["lessons"][0], "instruction": text}
    critique = write(ScriptedModel([{**GOOD, "lessons": [empty, *GOOD["lessons"]]}]))
    assert [p.instruction for p in critique.proposals] == ["do not choose south"]


@pytest.mark.parametrize("text", REFUSALS)
def test_a_critic_that_refuses_has_said_nothing(text: str) -> None:
    critique = write(lambda *_: text)
    assert (critique.status, critique.refusal, critique.proposals) == ("refused", Refusal.EMPTY, ())
