"""Serving in small: a store, scripted critics and curators, and calls as a wrapped client makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from verbalrl import ServeRules, serve
from verbalrl.curators import CuratorReply
from verbalrl.records import Episode, Lesson, Usage
from verbalrl.serving import Coach, ServedEpisode
from verbalrl.store import LIVE
from verbalrl.wrap.base import Exchange

SCOPE = "support"
RULES = ServeRules(
    about="answers customers",
    trusted_tools=("get_order",),
    good_reward=0.5,
    messages_of_source=True,
)


def critic(episodes: tuple[Episode, ...], feedback: tuple[str, ...] = ()) -> dict[str, Any] | None:
    """One lesson for each `do X when Y` of the last feedback; nothing of it is made up."""
    del episodes
    said = [t.removeprefix("do ").split(" when ") for t in feedback[-1:] if t.startswith("do ")]
    lessons = [{"instruction": f"do {x[0]}", "when": x[1], "name": x[0]} for x in said]
    return {"verdict": "failure", "lessons": lessons, "refinement": "as said"}


def curator(inputs: Any) -> CuratorReply:
    """Every proposal as it stands; equal texts become one lesson."""
    return CuratorReply.model_validate(
        {
            "operations": [
                {
                    "op": "add",
                    "evidence": [item.alias],
                    "name": "as proposed",
                    "when": p.when,
                    "when_not": p.when_not,
                    "instruction": p.instruction,
                }
                for item in inputs.evidence
                for p in item.proposals
            ]
        }
    )


def coach_of(folder: Path, **changes: Any) -> Coach:
    known: dict[str, Any] = {"critic": critic, "curator": curator, "rules": RULES, "strict": True}
    return serve(folder, SCOPE, **known | changes)


def exchange(*messages: dict[str, Any], reply: str = "done", **changes: Any) -> Exchange:
    known: dict[str, Any] = {
        "provider": "openai",
        "api": "chat",
        "model": "m",
        "request": messages,
        "reply": {"role": "assistant", "content": reply},
        "usage": Usage(input=3, output=1, calls=1),
        "error": "",
        "seconds": 0.1,
    }
    return Exchange(**known | changes)


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def call(episode: ServedEpisode, text: str, reply: str = "done") -> str:
    """One call in the episode; what the two blocks held."""
    request = ({"role": "system", "content": "You help."}, user(text))
    episode.see(request)
    blocks = episode.blocks()
    episode.record(exchange(*request, reply=reply))
    return "\n".join(filter(None, (blocks.stable, blocks.volatile)))


def case(coach: Coach, goal: str = "a ticket", source: str | None = None, **named: Any) -> str:
    """A whole episode of one call; its id."""
    with coach.episode(goal, source=source, **named) as episode:
        call(episode, goal)
    return episode.id


def lessons(coach: Coach) -> dict[str, Lesson]:
    """The live lessons by what they say to do."""
    found = coach.store.current_lessons("main", scope=SCOPE)
    return {x.instruction: x for x in found if x.status in LIVE}
