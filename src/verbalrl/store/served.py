"""What happens to one episode while serving: statements, each within the caller's transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ..errors import StorageError, UnknownNameError
from ..records import (
    Action,
    Episode,
    Feedback,
    Observation,
    Origin,
    Reward,
    RewardSupplier,
    Served,
    Step,
    TextPart,
)
from . import episodes
from .rows import dump, insert, load, now

_SERVED = "episode, run, scope, instance, source, goal, state, feedback, consumed"
_FEEDBACK = "episode, seq, origin, source, reward, success, text, step, at"
AGENT = "agent"
"""The source under which an agent judges itself."""
ERASED = "{}"
"""The body of an episode that was purged."""


class Judged(NamedTuple):
    """The outcome of an episode, as far as anybody has said."""

    success: bool | None
    reward: Reward


def judged(feedback: Sequence[Feedback]) -> Judged:
    """The outcome that `feedback`, in the order of its numbers, leads to.

    What the operator says stands over what others say, and that over what the agent says of
    itself; among equals the last one stands. Where a part of it is the agent's, the agent is who
    judged: that confirms nothing.
    """
    success: tuple[tuple[int, bool], bool, RewardSupplier] | None = None
    value: tuple[tuple[int, bool], float, RewardSupplier] | None = None
    for said in feedback:
        belief = believed(said)
        if said.success is not None and (success is None or belief >= success[0]):
            success = belief, said.success, supplier(said)
        if said.reward is not None and (value is None or belief >= value[0]):
            value = belief, said.reward, supplier(said)
    last = max(feedback, key=lambda f: (f.origin.rank, f.seq), default=None)
    by = [part[2] for part in (value, success) if part is not None]
    by = by or [RewardSupplier.USER if last is None else supplier(last)]
    reward = Reward(
        value=None if value is None else value[1],
        supplier=RewardSupplier.AGENT if RewardSupplier.AGENT in by else by[0],
    )
    return Judged(None if success is None else success[1], reward)


def believed(said: Feedback) -> tuple[int, bool]:
    """How far an outcome of `said` stands over those of others."""
    return said.origin.rank, supplier(said) is not RewardSupplier.AGENT


def supplier(said: Feedback) -> RewardSupplier:
    """Who judged with `said`."""
    if said.origin is Origin.OPERATOR:
        return RewardSupplier.OPERATOR
    if said.source is not None and said.source.casefold() == AGENT:
        return RewardSupplier.AGENT
    return RewardSupplier.ENVIRONMENT if said.origin is Origin.TASK else RewardSupplier.USER


def begin(connection: sqlite3.Connection, made: Served, token: str, body: Episode) -> None:
    """Record that an episode has begun; one that has begun already stays as it is."""
    if connection.execute("SELECT 1 FROM served WHERE episode = ?", (made.episode,)).fetchone():
        return
    name_source(connection, made.source, Origin.UNTRUSTED)
    values = made.model_dump() | {"token": token, "body": dump(body), "at": now()}
    insert(connection, "served", values)


def rewrite(connection: sqlite3.Connection, body: Episode) -> None:
    """What is known of an open episode by now."""
    connection.execute(
        "UPDATE served SET body = ? WHERE episode = ? AND state = 'open'", (dump(body), body.id)
    )


def add_step(connection: sqlite3.Connection, episode: str, step: Step) -> None:
    """One more step of an open episode; one of that number stays as it is."""
    connection.execute(
        "INSERT OR IGNORE INTO served_steps (episode, i, body)"
        " SELECT episode, ?, ? FROM served WHERE episode = ? AND state = 'open'",
        (step.n - 1, dump(step), episode),
    )


def end(connection: sqlite3.Connection, identity: str, bare: Episode | None) -> bool:
    """End an open episode as `bare`, or as abandoned; False where it has ended already.

    Its steps are those that were recorded; without any, one that shows the goal.
    """
    row = connection.execute(
        "SELECT body, goal, source, feedback FROM served WHERE episode = ? AND state = 'open'",
        (identity,),
    ).fetchone()
    if row is None:
        return False
    body, goal, source, feedback = row
    made = bare if bare is not None else load(Episode, body)
    found = connection.execute(
        "SELECT body FROM served_steps WHERE episode = ? ORDER BY i", (identity,)
    ).fetchall()
    steps = tuple(load(Step, text) for (text,) in found) or (_bare_step(goal, source),)
    said = of(connection, identity)
    outcome = judged(said)
    trajectory = made.trajectory.model_copy(update={"steps": steps})
    changes: dict[str, Any] = {"trajectory": trajectory, "answer": steps[-1].action.text}
    if said:
        changes |= outcome._asdict()
    episodes.put_episode(connection, made.model_copy(update=changes))
    connection.execute("DELETE FROM served_steps WHERE episode = ?", (identity,))
    state = "pending" if feedback else "abandoned" if made.status == "abandoned" else "closed"
    connection.execute("UPDATE served SET state = ? WHERE episode = ?", (state, identity))
    return True


def _bare_step(goal: str, source: str | None) -> Step:
    seen = TextPart(text=goal, origin=Origin.UNTRUSTED, source=source)
    return Step(n=1, observation=Observation(parts=(seen,)), action=Action())


def say(connection: sqlite3.Connection, said: Feedback, key: str | None) -> int:
    """Append feedback; its number, the first one's where the same key was given before."""
    key = key or None
    if key is not None:
        known = connection.execute(
            "SELECT seq FROM feedback WHERE episode = ? AND idempotency_key = ?",
            (said.episode, key),
        ).fetchone()
        if known is not None:
            return int(known[0])
    row = connection.execute(
        "SELECT feedback, state FROM served WHERE episode = ?", (said.episode,)
    ).fetchone()
    if row is None:
        raise UnknownNameError(
            f"no served episode has the id {said.episode!r}; feedback takes the id of an episode "
            "that a coach has begun"
        )
    number, state = int(row[0]) + 1, row[1]
    name_source(connection, said.source, said.origin)
    values = said.model_dump() | {"seq": number, "idempotency_key": key, "at": now()}
    insert(connection, "feedback", values)
    connection.execute(
        "UPDATE served SET feedback = ?, state = ? WHERE episode = ?",
        (number, "open" if state == "open" else "pending", said.episode),
    )
    _project(connection, said.episode)
    return number


def _project(connection: sqlite3.Connection, identity: str) -> None:
    """Bring the outcome in the episode's row up to what was said."""
    row = connection.execute("SELECT body FROM episodes WHERE id = ?", (identity,)).fetchone()
    if row is None:
        return
    outcome = judged(of(connection, identity))
    kept = load(Episode, row[0])
    bare = {"success": outcome.success, "reward": Reward(supplier=outcome.reward.supplier)}
    connection.execute(
        "UPDATE episodes SET success = ?, reward = ?, body = ? WHERE id = ?",
        (outcome.success, outcome.reward.value, dump(kept.model_copy(update=bare)), identity),
    )


def of(connection: sqlite3.Connection, episode: str) -> tuple[Feedback, ...]:
    """What was said of an episode, as it arrived."""
    rows = connection.execute(
        f"SELECT {_FEEDBACK} FROM feedback WHERE episode = ? ORDER BY seq", (episode,)
    )
    return tuple(_feedback(row) for row in rows)


def find(connection: sqlite3.Connection, prefix: str) -> Served:
    """The served episode of that id, or the only one whose id begins with it."""
    sql = (
        f"SELECT {_SERVED} FROM served WHERE episode >= ? AND episode < ? ORDER BY episode LIMIT 9"
    )
    found = connection.execute(sql, (prefix, f"{prefix}\U0010ffff")).fetchall() if prefix else []
    exact = [row for row in found if row[0] == prefix]
    if len(exact or found) == 1:
        return _served((exact or found)[0])
    if found:
        listed = ", ".join(row[0] for row in found[:8])
        raise UnknownNameError(f"episode {prefix!r} is not unique; it may be: {listed}")
    raise UnknownNameError(f"no served episode has the id {prefix!r}; see `verbalrl episodes`")


def known(connection: sqlite3.Connection, identity: str) -> Served | None:
    """The served episode of exactly that id."""
    sql = f"SELECT {_SERVED} FROM served WHERE episode = ?"
    row = connection.execute(sql, (identity,)).fetchone()
    return None if row is None else _served(row)


def listed(
    connection: sqlite3.Connection,
    states: Sequence[str] = (),
    scope: str | None = None,
    limit: int | None = None,
) -> tuple[Served, ...]:
    """Served episodes in these states (none: all), as they began."""
    marks = ", ".join("?" * len(states))
    where = [f"state IN ({marks})"] if states else []
    where += ["scope = ?"] if scope is not None else []
    clause = f" WHERE {' AND '.join(where)}" if where else ""
    sql = f"SELECT {_SERVED} FROM served{clause} ORDER BY seq LIMIT ?"
    arguments = [*states, *([scope] if scope is not None else []), -1 if limit is None else limit]
    return tuple(_served(row) for row in connection.execute(sql, arguments))


def open_tokens(connection: sqlite3.Connection) -> list[str]:
    """Whose episodes are open."""
    rows = connection.execute("SELECT DISTINCT token FROM served WHERE state = 'open'")
    return [token for (token,) in rows]


def abandon(connection: sqlite3.Connection, tokens: Iterable[str]) -> int:
    """End what those left open that are gone; how many episodes."""
    count = 0
    for token in tokens:
        rows = connection.execute(
            "SELECT episode FROM served WHERE state = 'open' AND token = ? ORDER BY seq", (token,)
        ).fetchall()
        count += sum(end(connection, episode, None) for (episode,) in rows)
    return count


def consume(connection: sqlite3.Connection, learned: Iterable[tuple[str, int]], fence: int) -> None:
    """Record that episodes were learned from, up to the feedback of these numbers.

    Raises `StorageError` where that was recorded before: then nothing is written.
    """
    for episode, seq in learned:
        row = connection.execute(
            "SELECT consumed, feedback FROM served WHERE episode = ?", (episode,)
        ).fetchone()
        if row is None or row[0] >= seq or row[1] < seq:
            raise StorageError(f"feedback {seq} of {episode} was learned from already")
        at = now()
        numbers = [(episode, n, fence, at) for n in range(row[0] + 1, seq + 1)]
        connection.executemany("INSERT INTO consumed VALUES (?, ?, ?, ?)", numbers)
        connection.execute(
            "UPDATE served SET consumed = ?, state = ? WHERE episode = ?",
            (seq, "pending" if row[1] > seq else "consumed", episode),
        )


def take(
    connection: sqlite3.Connection,
    made: Served,
    token: str,
    whole: Episode,
    said: tuple[Feedback, str] | None,
) -> bool:
    """Record an episode that is over, with the first that was said of it and the key of that.

    Whether it is new: one that is known stays as it is, and only what was not said yet is added;
    one that was erased stays so.
    """
    known = connection.execute(
        "SELECT body FROM served WHERE episode = ?", (made.episode,)
    ).fetchone()
    if known is not None and known[0] == ERASED:
        return False
    if known is None:
        begin(connection, made, token, whole)
        for step in whole.trajectory.steps:
            add_step(connection, made.episode, step)
        end(connection, made.episode, whole)
    if said is not None:
        say(connection, *said)
    return known is None


def name_source(connection: sqlite3.Connection, name: str | None, origin: Origin) -> None:
    """Keep the name of a source."""
    if name is not None and origin is not Origin.OPERATOR:
        connection.execute("INSERT OR IGNORE INTO sources VALUES (?, ?, ?)", (name, origin, now()))


def _served(row: Sequence[Any]) -> Served:
    return Served.model_validate(dict(zip(_SERVED.split(", "), row, strict=True)))


def _feedback(row: Sequence[Any]) -> Feedback:
    known = dict(zip(_FEEDBACK.split(", "), row, strict=True))
    success = known["success"]
    return Feedback.model_validate(known | {"success": None if success is None else bool(success)})
