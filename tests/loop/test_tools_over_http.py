"""Episodes with native tools and media, through the real SDKs over HTTP, on the three APIs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.agents.desk import DESK, TOOLS
from tests.models.faultd import APIS, Asked, Calls, Faultd
from verbalrl import Learner
from verbalrl.agents import ChatAgent
from verbalrl.models import (
    CallContext,
    MemoryJournal,
    Model,
    Reply,
    ScriptedModel,
    Slots,
    load_model,
)
from verbalrl.records import (
    Action,
    Episode,
    EpisodeSpec,
    LaneKey,
    MediaPart,
    Observation,
    Situation,
    Step,
    TextPart,
    ToolCallPart,
)
from verbalrl.rollout import Assignment, run_episode
from verbalrl.store import open_store
from verbalrl.store.digest import episodes_digest

LOOKS = Calls.of(
    ("call_1", "look_up", '{"city": "Aarau"}'),
    ("call_1", "look_up", '{"city": "Bern"}'),
    text="I look both up.",
)
"""Two calls of one action, with the same id, as some servers give them."""
SCRIPT: tuple[str, ...] = (
    LOOKS,
    # Asked once more for, and then right.
    Calls.of(("c", "fly", "{}")),
    Calls.of(("c", "look_up", '{"city": "Atlantis"}')),
    # Asked once more for, and wrong again: it goes to the environment as it is.
    Calls.of(("c", "add", "{1 + 2}")),
    Calls.of(("c", "add", '{"a": "21000"}')),
    Calls.of(("c", "add", '{"a": 21000, "b": 134000}')),
    "155000",
)
PDF = MediaPart(media_type="application/pdf", uri=f"data:application/pdf;base64,{'JVBE' * 9_000}")
PNG = MediaPart(media_type="image/png", uri=f"data:image/png;base64,{'iVBO' * 9_000}")
FAR = MediaPart(media_type="image/jpeg", uri="https://example.org/a.jpg?password=x1&token=abc123")


class Said(NamedTuple):
    """What a request holds, the same on all APIs."""

    calls: list[tuple[str, str, Any]]
    results: list[tuple[str, str]]
    tools: list[str]


def said(asked: Asked) -> Said:
    body = asked.body
    if asked.api == "openai":
        messages = body["messages"]
        made = [c for m in messages for c in m.get("tool_calls", ())]
        return Said(
            [
                (c["id"], c["function"]["name"], json.loads(c["function"]["arguments"]))
                for c in made
            ],
            [(m["tool_call_id"], m["content"]) for m in messages if m["role"] == "tool"],
            [t["function"]["name"] for t in body["tools"]],
        )
    if asked.api == "openai-responses":
        items = body["input"]
        made = [i for i in items if i.get("type") == "function_call"]
        results = [i for i in items if i.get("type") == "function_call_output"]
        return Said(
            [(c["call_id"], c["name"], json.loads(c["arguments"])) for c in made],
            [(r["call_id"], r["output"]) for r in results],
            [t["name"] for t in body["tools"]],
        )
    lists = [m["content"] for m in body["messages"] if isinstance(m["content"], list)]
    blocks = [b for content in lists for b in content]
    results = [b for b in blocks if b["type"] == "tool_result"]
    return Said(
        [(b["id"], b["name"], b["input"]) for b in blocks if b["type"] == "tool_use"],
        [
            (r["tool_use_id"], f"error: {r['content']}" if r["is_error"] else r["content"])
            for r in results
        ],
        [t["name"] for t in body["tools"]],
    )


def answering(script: Iterable[str]) -> Faultd:
    left = iter(script)
    return Faultd(lambda asked: next(left))


def model_of(server: Faultd, api: str) -> Model:
    return load_model(f"{api}:any", base_url=server.url(api), offline=True)


def played(api: str, server: Faultd) -> Episode:
    instance = DESK.instances("train")[0]
    spec, lane = EpisodeSpec(instance=instance.id), LaneKey(run="r", arm="learned", seed=0)

    async def play() -> Episode:
        model = model_of(server, api)
        try:
            return await run_episode(
                Assignment(spec, lane, instance, DESK),
                agent=ChatAgent(model),
                context=CallContext(MemoryJournal(), Slots(), spec.id(lane)),
            )
        finally:
            await model.aclose()

    return asyncio.run(play())


@pytest.fixture(scope="module", params=APIS)
def episode(request: pytest.FixtureRequest) -> tuple[Episode, list[Asked]]:
    with answering(SCRIPT) as server:
        return played(request.param, server), server.asked


def test_an_episode_with_tools_is_played(episode: tuple[Episode, list[Asked]]) -> None:
    done, asked = episode
    assert (done.success, done.failure) == (True, None)
    assert len(asked) == len(SCRIPT)
    texts = [s.action.text for s in done.trajectory.steps]
    assert texts == [
        'look_up({"city": "Aarau"})\nlook_up({"city": "Bern"})',
        'look_up({"city": "Atlantis"})',
        'add({"a": "21000"})',
        'add({"a": 21000, "b": 134000})',
        "155000",
    ]
    assert done.trajectory.steps[0].action.thought == "I look both up."


def test_results_follow_their_calls_under_the_same_ids(
    episode: tuple[Episode, list[Asked]],
) -> None:
    found = said(episode[1][-1])
    assert found.tools == ["look_up", "add"]
    ids = [identity for identity, _, _ in found.calls]
    assert ids == ["s0001c001", "s0001c002", "s0002c001", "s0003c001", "s0004c001"]
    assert [identity for identity, _ in found.results] == ids
    assert [text for _, text in found.results][:2] == ["21000", "134000"]
    assert found.results[4][1] == "155000"


def test_an_error_reaches_the_model_as_one(episode: tuple[Episode, list[Asked]]) -> None:
    found = said(episode[1][-1])
    assert found.results[2][1] == "error: KeyError: 'Atlantis'"
    assert found.results[3][1].startswith("error: TypeError")


def test_what_was_wrong_is_asked_about_and_recorded(episode: tuple[Episode, list[Asked]]) -> None:
    done, asked = episode
    repairs = [s.action.repaired for s in done.trajectory.steps]
    assert [bool(r) for r in repairs] == [False, True, True, False, False]
    assert "there is no tool 'fly'" in repairs[1]
    assert "add: " in repairs[2]
    calls, results = said(asked[2]).calls, said(asked[2]).results
    assert calls[-1] == ("s0002c001", "fly", {})
    assert "there is no tool 'fly'" in results[-1][1]
    # Later steps know nothing of it.
    assert all(name != "fly" for _, name, _ in said(asked[3]).calls)


def test_arguments_that_are_no_json_go_back_as_json(episode: tuple[Episode, list[Asked]]) -> None:
    assert list(said(episode[1][4]).calls[-1][2].values()) == ["{1 + 2}"]


def test_all_apis_make_the_same_episode(episode: tuple[Episode, list[Asked]]) -> None:
    with answering(SCRIPT) as server:
        other = played("openai", server)
    for one, two in zip(episode[0].trajectory.steps, other.trajectory.steps, strict=True):
        assert one.action.replace(repaired="") == two.action.replace(repaired="")
        assert one.observation == two.observation
    assert episodes_digest([episode[0]], [], {}) == episodes_digest([other], [], {})


def media_in(asked: Asked) -> list[str]:
    """Every uri or base64 body of media in a request, in order."""
    found: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                if name in ("url", "image_url", "data", "file_data") and isinstance(inner, str):
                    found.append(inner)
                else:
                    walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(asked.body)
    return found


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("tools", [None, TOOLS])
def test_media_reach_the_request_untouched(api: str, tools: Any) -> None:
    call = ToolCallPart(id="a", name="look_up", arguments="{}")
    past = Step(
        n=1,
        observation=Observation(parts=(TextPart(text="A map."), PNG), tools=tools),
        action=Action(parts=(call,)) if tools else Action(text="look"),
    )
    situation = Situation(
        goal="Read.",
        observation=Observation(parts=(TextPart(text="A letter and a photo."), PDF, FAR)),
        history=(past,),
    )
    answer = LOOKS if tools else json.dumps({"thought": "", "action": "x", "lessons_used": []})
    with answering([answer]) as server:

        async def ask() -> None:
            model = model_of(server, api)
            await ChatAgent(model)(situation)
            await model.aclose()

        asyncio.run(ask())
        (asked,) = server.asked
    bare = [
        p.uri.partition(",")[2] if api == "anthropic" and p.uri.startswith("data:") else p.uri
        for p in (PNG, PDF, FAR)
    ]
    assert media_in(asked) == bare
    text = json.dumps(asked.body)
    assert all(text.count(p.uri.partition(",")[2] or p.uri) == 1 for p in (PNG, PDF))
    assert "A letter and a photo." in text


def test_an_episode_with_tools_comes_back_from_the_store(tmp_path: Path) -> None:
    model = ScriptedModel([_reply(a) for a in SCRIPT])
    with open_store(tmp_path, create=True) as store:
        learner = Learner(ChatAgent(model), store=store)
        learner.run_sync(DESK, instances=1, trials=1, arms=("none",))
        (episode,) = store.episodes()
    assert episode.success is True
    first, second, *_ = episode.trajectory.steps
    assert first.observation.tools == TOOLS
    assert [p.kind for p in first.action.parts] == ["tool_call", "tool_call"]
    assert "there is no tool 'fly'" in second.action.repaired


def _reply(answer: str) -> Reply | str:
    if not isinstance(answer, Calls):
        return answer
    calls = (ToolCallPart(id=i, name=name, arguments=text) for i, name, text in answer.calls)
    return Reply(text=str(answer), parts=tuple(calls), finish="tool_calls")
