"""The shortest way to success where Gymnasium publishes a table of transitions."""

from __future__ import annotations

from collections import deque
from typing import Any

from ._gym_types import Moved, Words

_Edge = tuple[int, int]


def shortest(environment: Any, start: Any, words: Words) -> tuple[str, ...] | None:
    """The actions that lead from `start` to success; None where chance or no table forbids it."""
    table = getattr(environment, "P", None)
    if table is None or words.success is None:
        return None
    came_from: dict[int, _Edge] = {}
    waiting = deque([int(start)])
    while waiting:
        state = waiting.popleft()
        for action, outcomes in table[state].items():
            if len({int(outcome[1]) for outcome in outcomes}) > 1:
                return None
            _, after, reward, terminated = outcomes[0]
            moved = Moved(state, after, float(reward), float(reward), bool(terminated))
            if terminated and words.success(moved):
                return _way(came_from, int(start), (state, action), words)
            if not terminated and after not in came_from and after != int(start):
                came_from[int(after)] = (state, action)
                waiting.append(int(after))
    return None


def _way(came_from: dict[int, _Edge], start: int, last: _Edge, words: Words) -> tuple[str, ...]:
    edges = [last]
    while edges[-1][0] != start:
        edges.append(came_from[edges[-1][0]])
    return tuple(words.actions[action] for _, action in reversed(edges))
