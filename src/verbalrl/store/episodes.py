"""Episodes with their steps and uses, and critiques: stages 1 and 2."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any, TypeVar

from ..records import Critique, Episode, Guidance, Reward, Step, Trajectory, Use
from .rows import dump, dump_json, filled, insert, insert_many, load, load_json, now, page, where

T = TypeVar("T")

_USE = (
    "lesson", "version", "content", "rank", "outcome", "block", "probability", "tokens", "parts",
    "step", "role",
)  # fmt: skip
_EPISODE = "id, reward, components, body"
_LANE = "run, arm, seed, instance, trial, candidate, purpose, id"
_STEPS, _CHARACTERS = 200, 256_000
"""Of one episode; some milliseconds of reading."""


def put_episode(connection: sqlite3.Connection, episode: Episode) -> Episode:
    """The episode as first stored: with steps, uses and reward, or not at all."""
    stored = get_episode(connection, episode.id)
    if stored is not None:
        return stored
    spec = episode.spec
    values = {
        "id": episode.id,
        "run": episode.run,
        "arm": episode.arm,
        "seed": episode.seed,
        "instance": spec.instance,
        "trial": spec.trial,
        "candidate": spec.candidate,
        "purpose": spec.purpose,
        "split": spec.split,
        "round": spec.round,
        "status": episode.status,
        "stop_reason": episode.stop_reason,
        "success": episode.success,
        "reward": episode.reward.value,
        "components": dump_json(episode.reward.components),
        "generation": episode.generation,
        "body": dump(_bare(episode)),
        "at": now(),
    }
    insert(connection, "episodes", values)
    steps = [(episode.id, i, dump(step)) for i, step in enumerate(episode.trajectory.steps)]
    insert_many(connection, "steps", ("episode", "i", "body"), steps)
    uses = [
        (episode.id, slot, i, *_use_row(use))
        for slot, guidance in episode.guidance.items()
        for i, use in enumerate(guidance.uses)
    ]
    insert_many(connection, "uses", ("episode", "slot", "i", *_USE), uses)
    return episode


def get_episode(connection: sqlite3.Connection, identity: str) -> Episode | None:
    """The episode of that id."""
    row = connection.execute(
        f"SELECT {_EPISODE} FROM episodes WHERE id = ?", (identity,)
    ).fetchone()
    return None if row is None else _episode(connection, row, with_steps=True)


def list_episodes(
    connection: sqlite3.Connection,
    conditions: dict[str, Any],
    limit: int | None,
    offset: int,
    *,
    with_steps: bool,
) -> Iterator[Episode]:
    """Episodes in the order (run, arm, seed, instance, trial, candidate, purpose)."""
    for row in _rows(connection, conditions, page(limit, offset)):
        yield _episode(connection, row, with_steps=with_steps)


def but_known(
    connection: sqlite3.Connection, conditions: dict[str, Any], known: Mapping[str, T]
) -> Iterator[Episode | T]:
    """The same with steps; in place of those that are `known` by their ids, what is."""
    for row in _rows(connection, conditions):
        yield known[row[0]] if row[0] in known else _episode(connection, row, with_steps=True)


def _rows(
    connection: sqlite3.Connection, conditions: dict[str, Any], part: str = ""
) -> sqlite3.Cursor:
    clause, arguments = where(conditions)
    sql = f"SELECT {_EPISODE} FROM episodes{clause} ORDER BY {_LANE}{part}"
    return connection.execute(sql, arguments)


def put_critique(connection: sqlite3.Connection, critique: Critique, branch: str) -> Critique:
    """The critique as first stored."""
    stored = get_critique(connection, critique.id)
    if stored is not None:
        return stored
    values = {
        "id": critique.id,
        "branch": branch,
        "instance": critique.instance,
        "trial": critique.trial,
        "template": critique.template,
        "sample": critique.sample,
        "status": critique.status,
        "refusal": critique.refusal,
        "verdict": critique.verdict,
        "trust": critique.trust,
        "body": dump(critique),
        "at": now(),
    }
    insert(connection, "critiques", values)
    rows = [(critique.id, i, episode) for i, episode in enumerate(critique.episodes)]
    insert_many(connection, "critique_episodes", ("critique", "i", "episode"), rows)
    return critique


def get_critique(connection: sqlite3.Connection, identity: str) -> Critique | None:
    """The critique of that id."""
    row = connection.execute("SELECT body FROM critiques WHERE id = ?", (identity,)).fetchone()
    return None if row is None else load(Critique, row[0])


def list_critiques(
    connection: sqlite3.Connection, conditions: dict[str, Any], limit: int | None, offset: int
) -> Iterator[Critique]:
    """Critiques in the order (branch, instance, trial, template, sample)."""
    clause, arguments = where(conditions)
    sql = (
        "SELECT c.body FROM critiques c JOIN branches b ON b.id = c.branch"
        f"{clause} ORDER BY c.branch, c.instance, c.trial, c.template, c.sample, c.id"
        f"{page(limit, offset)}"
    )
    for (body,) in connection.execute(sql, arguments):
        yield load(Critique, body)


def _bare(episode: Episode) -> Episode:
    """The episode without what has tables or columns of its own."""
    guidance = {
        slot: given.model_copy(update={"uses": ()}) for slot, given in episode.guidance.items()
    }
    changes = {
        "trajectory": episode.trajectory.model_copy(update={"steps": ()}),
        "guidance": guidance,
        "reward": Reward(supplier=episode.reward.supplier),
    }
    return episode.model_copy(update=changes)


def is_long(connection: sqlite3.Connection, episode: str) -> bool:
    """Whether an episode has more steps, or more in them, than are read in a moment.

    The index tells their number; their texts are read only until they are too long.
    """
    many = "SELECT count(*) FROM (SELECT 1 FROM steps WHERE episode = ? LIMIT ?)"
    if connection.execute(many, (episode, _STEPS + 1)).fetchone()[0] > _STEPS:
        return True
    # Row by row: SQLite counts the characters of a text, for which it reads it.
    sizes = "SELECT length(body) FROM steps WHERE episode = ? ORDER BY i"
    told = accumulate(size for (size,) in connection.execute(sizes, (episode,)))
    return any(size > _CHARACTERS for size in told)


def bare(_id: str, reward: float | None, components: str, body: str) -> Episode:
    """An episode of a list: without steps and uses."""
    found = load(Episode, body)
    return filled(found, reward=_judged(found, reward, components))


def _judged(found: Episode, value: float | None, components: str) -> Reward:
    # What was validated on its way in; of a list of fifty, this is half of reading them.
    parts = {} if components == "{}" else load_json(components)
    return Reward.model_construct(value=value, components=parts, supplier=found.reward.supplier)


def _episode(connection: sqlite3.Connection, row: tuple[Any, ...], *, with_steps: bool) -> Episode:
    if not with_steps:
        return bare(*row)
    identity, reward, components, body = row
    found = load(Episode, body)
    return filled(
        found,
        reward=_judged(found, reward, components),
        trajectory=_trajectory(connection, identity, found.trajectory),
        guidance=_guidance(connection, identity, found.guidance),
    )


def _trajectory(connection: sqlite3.Connection, episode: str, found: Trajectory) -> Trajectory:
    rows = connection.execute("SELECT body FROM steps WHERE episode = ? ORDER BY i", (episode,))
    # Not filled in place: of a body without one it is the default, which all such episodes share.
    return found.model_copy(update={"steps": tuple(load(Step, body) for (body,) in rows)})


def _guidance(
    connection: sqlite3.Connection, episode: str, found: dict[str, Guidance]
) -> dict[str, Guidance]:
    rows = connection.execute(
        f"SELECT slot, {', '.join(_USE)} FROM uses WHERE episode = ? ORDER BY slot, i", (episode,)
    )
    uses: dict[str, list[Use]] = {}
    for slot, *values in rows:
        named = dict(zip(_USE, values, strict=True))
        named["parts"] = {} if named["parts"] == "{}" else load_json(named["parts"])
        uses.setdefault(slot, []).append(Use.model_validate(named))
    return {slot: filled(given, uses=tuple(uses.get(slot, ()))) for slot, given in found.items()}


def _use_row(use: Use) -> tuple[Any, ...]:
    values = dict(use) | {"parts": dump_json(use.parts)}
    return tuple(values[column] for column in _USE)
