"""What an operation rests on, and what it brings along: votes and near-negative examples. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

from ..records import Evidence, Lesson
from ..store import vote_of
from .desk import Desk
from .evidence import cut
from .nearness import Told, restates
from .schema import OperationReply

EXAMPLES, EXAMPLE_TOKENS = 3, 60
"""Near-negative situations that a lesson keeps, and how long each is."""
START = 2
"""ExpeL's count of a new lesson."""


def counting(lesson: Lesson | None, change: int, desk: Desk) -> dict[str, int]:
    """What ExpeL's count of a lesson changes by; one that has none yet starts with 2."""
    if desk.votes != "expel":
        return {}
    known = lesson is not None and "count" in lesson.votes
    return {"count": change if known else START + change}


def spared(named: Sequence[Lesson], op: OperationReply, desk: Desk) -> tuple[str, ...]:
    """Near-negative situations: those that the lessons had, and where they were given in vain."""
    ids = {x.id for x in named}
    items = [desk.evidence[n] for n in op.evidence]
    vain = [
        cut(item.observation, EXAMPLE_TOKENS, item.cited)
        for item in items
        if item.outcome == "failure" and ids & set(item.given)
    ]
    had = [text for lesson in named for text in lesson.body.examples_not]
    return tuple(dict.fromkeys(filter(None, (*had, *vain))))[-EXAMPLES:]


def restated(op: OperationReply, desk: Desk) -> Told | None:
    """The guidance of an episode it cites that `op` only says again."""
    given = dict.fromkeys(t for n in op.evidence for t in desk.evidence[n].told)
    return next((told for told in given if restates(op, told)), None)


def cited(op: OperationReply, desk: Desk) -> tuple[Evidence, ...]:
    """The evidence that `op` names."""
    return tuple(dict.fromkeys(desk.evidence[n].evidence for n in op.evidence))


def episodes(evidence: Iterable[Evidence]) -> int:
    """From how many episodes it is."""
    return len({e.episode for e in evidence})


def shared(lessons: Sequence[Lesson]) -> dict[str, int]:
    """By name, how many votes of `lessons` together are of episodes that stand behind several.

    Never so many that less than the best supported one's would be left.
    """
    found: dict[str, int] = {}
    for name in ("support", "support_untrusted"):
        behind = [[e for e in x.evidence if vote_of(e, x) == name] for x in lessons]
        twice = sum(map(episodes, behind)) - episodes(chain(*behind))
        votes = [x.votes.get(name, 0) for x in lessons]
        found[name] = min(twice, sum(votes) - max(votes, default=0))
    return found
