"""Bytes of system text and guidance that a prompt cache finds again, at the end and in front.

Ten episodes of five calls, a system prompt of 2 kB, and a revision after each episode: guidance
grows from 0 to 1,500 tokens, half of it in the stable block, half in the volatile one, which is
another one for each episode. A request shares with the one before it all bytes up to the first
that differs, whole prompt in the order that providers read it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from verbalrl.ids import token_estimate
from verbalrl.memory.render import guidance_text
from verbalrl.prompts import PromptLibrary
from verbalrl.records import Guidance, GuidanceLine
from verbalrl.wrap.base import Blocks
from verbalrl.wrap.blocks import merged

EPISODES, CALLS, SYSTEM_BYTES, TOKENS = 10, 5, 2_000, 1_500
GOALS = {"one revision": 0.90, "across a revision": 0.60}


class Sent(NamedTuple):
    """One request: its revision, its text, and which parts of the text are system or guidance."""

    revision: int
    text: str
    parts: tuple[tuple[int, int], ...]


def lines(name: str, tokens: int) -> tuple[GuidanceLine, ...]:
    """Lessons of about `tokens`; more tokens are the same ones and further ones after them."""
    found: list[GuidanceLine] = []
    used = 0
    while used < tokens:
        n = len(found)
        when = f"a customer asks for {name} {n}"
        instruction = f"look up the order first, then follow rule {n * 7 % 101} of the handbook"
        found.append(GuidanceLine(alias=n + 1, lesson=f"l{n}", when=when, instruction=instruction))
        used += token_estimate(f"- [{n + 1}] When {when}: {instruction}\n")
    return tuple(found)


def block(shown: tuple[GuidanceLine, ...], prompts: PromptLibrary) -> str:
    """The lines between tags; empty for none."""
    text = guidance_text(Guidance(stable=shown), prompts)
    return f"<guidance>\n{text}\n</guidance>" if text else ""


def body(system: str, episode: int, call: int) -> dict[str, Any]:
    """What the caller asks: the system text, the case, and the history of its earlier calls."""
    case = {"role": "user", "content": f"Ticket {episode}: " + "the parcel is late. " * 20}
    said: list[dict[str, Any]] = [{"role": "system", "content": system}, case]
    for n in range(call):
        said.append({"role": "assistant", "content": f"I look at step {n} of ticket {episode}."})
        said.append({"role": "user", "content": f"Step {n} says: " + "in transit. " * 10})
    return {"messages": said}


def requests(*, in_front: bool) -> Iterator[Sent]:
    """All requests in the order in which they are sent."""
    prompts = PromptLibrary()
    system = ("Speak plainly, stay polite, and name the rule that you follow. " * 40)[:SYSTEM_BYTES]
    for episode in range(EPISODES):
        tokens = TOKENS * episode // (EPISODES - 1)
        stable = block(lines("a refund", tokens // 2), prompts)
        volatile = block(lines(f"the matter of case {episode},", tokens - tokens // 2), prompts)
        for call in range(CALLS):
            asked = body(system, episode, call)
            if in_front:
                head = "\n\n".join(filter(None, (stable, volatile, system)))
                asked["messages"][0]["content"] = head
                yield sent(episode, asked, [head])
            else:
                asked |= merged("chat", asked, Blocks(stable, volatile))
                yield sent(episode, asked, [asked["messages"][0]["content"], volatile])


def sent(revision: int, asked: dict[str, Any], parts: list[str]) -> Sent:
    """The request with the places of `parts`."""
    text = "\n".join(f"{m['role']}: {m['content']}" for m in asked["messages"])
    places = [(text.index(part), len(part)) for part in parts if part]
    return Sent(revision, text, tuple((at, at + size) for at, size in places))


def shared(before: Sent, after: Sent) -> tuple[int, int]:
    """Of the bytes of system text and guidance of `after`: those in the common prefix, and all."""
    pairs = zip(before.text, after.text, strict=False)
    size = next((n for n, (a, b) in enumerate(pairs) if a != b), len(before.text))
    kept = sum(max(0, min(end, size) - start) for start, end in after.parts)
    return kept, sum(end - start for start, end in after.parts)


def figures(*, in_front: bool) -> dict[str, tuple[float, float]]:
    """By kind of pair, the share of all bytes and that of the worst pair."""
    found: dict[str, list[tuple[int, int]]] = {kind: [] for kind in GOALS}
    for before, after in pairwise(requests(in_front=in_front)):
        same = before.revision == after.revision
        found["one revision" if same else "across a revision"].append(shared(before, after))
    return {
        kind: (
            sum(kept for kept, _ in pairs) / sum(size for _, size in pairs),
            min(kept / size for kept, size in pairs),
        )
        for kind, pairs in found.items()
    }


def main() -> None:
    """Print a line per kind of pair, the variant in front beside ours."""
    ours, front = figures(in_front=False), figures(in_front=True)
    print("pairs of requests | at the end: all bytes, worst pair | in front | goal")
    for kind, goal in GOALS.items():
        (share, worst), (other, other_worst) = ours[kind], front[kind]
        told = "holds" if share >= goal else "MISSED"
        shown = f"{share:.1%}, {worst:.1%} | {other:.1%}, {other_worst:.1%}"
        print(f"{kind} | {shown} | at least {goal:.0%} of all bytes: {told}")


if __name__ == "__main__":
    main()
