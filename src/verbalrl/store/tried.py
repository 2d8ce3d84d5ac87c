"""Which lessons a coin was tossed for in which episode, and how that ended: what effects need."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, Protocol

from ..effects.trials import Trial, bounded
from ..records import Proof
from . import proofs

_SAID = """
  SELECT {what} FROM feedback f
  WHERE f.episode = e.id AND coalesce(f.success, f.reward) IS NOT NULL
    AND (f.origin = 'operator' OR lower(coalesce(f.source, '')) <> 'agent')
  ORDER BY f.origin = 'operator' DESC, f.origin = 'task' DESC, f.success IS NULL, f.seq DESC
  LIMIT 1"""
_OTHERS = _SAID.format(what="coalesce(f.success, max(-1.0, min(1.0, f.reward)))")
_WHO = "CASE WHEN f.origin IN ('operator', 'task') THEN '' ELSE coalesce(f.source, s.source) END"
_JUDGE = f"nullif(coalesce(({_SAID.format(what=_WHO)}), s.source), '')"
"""Whose word the outcome is; null where it is the operator's, or of nobody whose name is known."""
# Most bodies need not be taken apart to see that their supplier is another.
_OUTCOME = f"""
  CASE WHEN instr(e.body, '"supplier":"agent"')
         AND json_extract(e.body, '$.reward.supplier') = 'agent' THEN ({_OTHERS})
       WHEN e.success IS NOT NULL THEN e.success
       ELSE max(-1.0, min(1.0, e.reward)) END"""
"""Success, else the reward between -1 and 1. What an agent says of itself shows nothing, and takes
nothing from what others said."""

# Outcomes once by episode, not once by use; rows of one lesson and role, as one for each step, are
# brought together outside, where that takes a third of the time.
_ROWS = f"""
WITH e AS MATERIALIZED (
  SELECT e.id, {{round}} AS round, e.instance, e.trial, {{judge}} AS judge,
    CASE WHEN e.status = 'finished' AND e.stop_reason <> 'timeout' THEN {_OUTCOME} END AS outcome
  FROM episodes e WHERE {{where}} AND e.purpose = 'attempt')
SELECT e.round, e.instance, e.trial, e.id, u.content, u.role, u.outcome <> 'withheld',
  u.probability, e.outcome, iif(u.block IS NULL, 0, u.tokens), e.judge
FROM e CROSS JOIN uses u ON u.episode = e.id WHERE u.probability > 0 AND u.probability < 1
"""
_RUN = _ROWS.format(
    judge="NULL",
    round="e.round",
    where="e.run = ?1 AND e.arm = ?2 AND e.seed = ?3 AND e.split = 'train' AND e.round <= ?4",
)
# What was taken out for good, a source or an episode, decides no longer either.
_STANDS = """
NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.kind = 'episode' AND t.name = e.id
  OR t.kind = 'source' AND (t.name = s.source
    OR t.name IN (SELECT f.source FROM feedback f WHERE f.episode = e.id)))"""
# One stratum a week: who is served and what they ask moves with time.
_SERVED = _ROWS.format(
    judge=_JUDGE,
    round="CAST((julianday(s.at) - 2440587.5) / 7 AS INTEGER)",
    where="e.id IN (SELECT episode FROM served WHERE scope = ?1 AND state <> 'open') AND "
    + _STANDS,
).replace("WHERE e.id", "JOIN served s ON s.episode = e.id WHERE e.id")

SEPARATOR = "\x1f"


def key(content: str, role: str) -> str:
    """What is under test: a text, and the role that reads it."""
    return f"{content}{SEPARATOR}{role}"


class Through(Protocol):
    """What runs a reading function: a store."""

    def _read(self, work: Callable[[sqlite3.Connection], Any]) -> Any: ...

    def _do(self, work: Callable[[sqlite3.Connection], Any]) -> Any: ...


class Tried:
    """The part of a store that effects are found from."""

    def trials(self: Through, run: str, arm: str, seed: int, through: int = 1 << 62) -> list[Trial]:
        """The trials of one arm and seed in the learning rounds up to `through`, in a fixed order.

        Several seeds are no rounds of each other: each has lessons of its own.
        """
        found: list[Trial] = self._read(lambda c: _trials(c, _RUN, (run, arm, seed, through)))
        return found

    def served_trials(self: Through, scope: str) -> list[Trial]:
        """The trials of the episodes that were served in `scope`; a week is a round.

        Of one who judges far more of them than others the first ones count (`effects.bounded`).
        """
        found: list[Trial] = self._read(lambda c: _trials(c, _SERVED, (scope,)))
        return found

    def tossed(self: Through, lesson: str) -> bool:
        """Whether a coin was ever tossed for a lesson; without, it has no effect to look for."""
        found: bool = self._read(lambda c: _tossed(c, lesson))
        return found

    def put_proof(self: Through, made: Proof) -> Proof:
        """Keep what trying a lesson off and on has shown; one that is kept already stays."""
        kept: Proof = self._do(lambda c: proofs.put(c, made))
        return kept

    def proofs(self: Through, lesson: str) -> tuple[Proof, ...]:
        """What was shown of a lesson, oldest first."""
        found: tuple[Proof, ...] = self._read(lambda c: proofs.of(c, lesson))
        return found


def _tossed(connection: sqlite3.Connection, lesson: str) -> bool:
    return bool(
        connection.execute(
            "SELECT EXISTS (SELECT 1 FROM uses WHERE lesson = ?"
            " AND probability > 0 AND probability < 1)",
            (lesson,),
        ).fetchone()[0]
    )


def _trials(connection: sqlite3.Connection, query: str, values: tuple[Any, ...]) -> list[Trial]:
    found: dict[tuple[int, str, int, str, str], tuple[Trial, str | None]] = {}
    for number, unit, trial, episode, content, role, inside, *more in connection.execute(
        query, values
    ):
        chance, outcome, tokens, judge = more
        name = key(content, role)
        place = (number, unit, trial, episode, name)
        if seen := found.get(place):
            inside, tokens = inside and seen[0].inside, max(tokens, seen[0].tokens)
        made = Trial(name, number, unit, bool(inside), chance, outcome, tokens)
        found[place] = (made, judge)
    return bounded(found[place] for place in sorted(found))
