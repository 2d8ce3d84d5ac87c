"""`verbalrl episodes`: the attempts of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import click

from ...records import SERVE, SERVED, Episode, Served, Usage
from ...store import EPISODE_SORTS, OUTCOMES, Page, Store
from ..options import branch_options, limit_of, more_rows, paging, reader
from ..output import emit_json, heading, note, one_line, plural, table
from ..reading import MAIN, check_instance, check_known, find_run, opened
from ..telling import episode_state

_HEADS = ("episode", "arm", "seed", "instance", "trial", "outcome", "reward", "ended", "tokens")
_ARM, _SEED, _INSTANCE = 1, 2, 3


@click.command()
@paging(EPISODE_SORTS, "lane", "Order: lane is by arm, seed, instance and trial.")
@click.option("--outcome", type=click.Choice(OUTCOMES), help="Only those that went so.")
@click.option("--failed", is_flag=True, help="Only those that failed or broke.")
@click.option("--instance", metavar="I", help="Only of this instance: its id, or the end of it.")
@click.option("--seed", type=int, metavar="N", help="Only of this seed.")
@click.option("--arm", metavar="ARM", help="Only of this arm.")
@branch_options("all arms and seeds")
@reader
def episodes(store: Path, as_json: bool, **asked: Any) -> None:
    """List the episodes of a run.

    Without --run or --branch: of the latest run, all arms and seeds; where the latest was recorded
    while serving, all that was served, as with --branch main.
    """
    if asked["failed"] and asked["outcome"]:
        raise click.UsageError("give --failed or --outcome, not both")
    with opened(store) as kept:
        where = _place(kept, asked)
        found = kept.episode_page(
            {k: v for k, v in {**where, "instance": asked["instance"]}.items() if k != "branch"},
            outcome="not-solved" if asked["failed"] else asked["outcome"],
            sort=asked["sort"],
            limit=limit_of(asked, as_json),
            offset=asked["offset"],
        )
        if not found.total:
            _check_known(kept, where)
            check_instance(kept, where.get("run"), asked["instance"])
        served = kept.served_among([e.id for e in found.rows if e.arm == SERVED])
    if as_json:
        listed = [_summary(e, served.get(e.id)) for e in found.rows]
        emit_json({"store": str(store), **where, "total": found.total, "episodes": listed})
        return
    _tell(f"run {where['run']}" if "run" in where else "served", found, served)


def _tell(title: str, page: Page[Episode], served: Mapping[str, Served]) -> None:
    """The table; what all rows share stands once in the heading, so that names stay whole."""
    title, found = f"{title}: {plural(page.total, 'episode')}", page.rows
    if not found:
        past = f", none after the first {page.offset:,}" if page.total else ""
        heading(f"{title}{past}")
        return
    if all(episode.id in served for episode in found):
        _tell_served(title, [(episode, served[episode.id]) for episode in found])
    else:
        _tell_run(title, found)
    if more := more_rows(len(found), page.total, page.offset):
        note(more)


def _tell_served(title: str, found: Sequence[tuple[Episode, Served]]) -> None:
    """What was served: a case has a column where its key tells more than the episode's id."""
    heads = ("episode", "scope", "case", "outcome", "reward", "state", "tokens", "goal")
    rows = [
        (
            episode.id,
            served.scope,
            None if served.instance == episode.id else one_line(served.instance, 40),
            "error" if episode.failure is not None else episode_state(episode),
            _reward(episode),
            served.state,
            _tokens(episode),
            one_line(served.goal, 60),
        )
        for episode, served in found
    ]
    scopes = {served.scope for _, served in found}
    hidden = ({"scope"} if len(scopes) == 1 else set()) | (
        {"case"} if all(row[2] is None for row in rows) else set()
    )
    heading(", ".join([title, *(f"scope {name}" for name in scopes if len(scopes) == 1)]))
    shown = [n for n, head in enumerate(heads) if head not in hidden]
    table(
        [heads[n] for n in shown],
        [[row[n] for n in shown] for row in rows],
        flexible=len(shown) - 1,
    )


def _tell_run(title: str, found: Sequence[Episode]) -> None:
    place = shared_place([episode.instance for episode in found])
    rows = [_row(episode, len(place)) for episode in found]
    same = [n for n in (_ARM, _SEED) if len({row[n] for row in rows}) == 1]
    said = [f"{_HEADS[n]} {rows[0][n]}" for n in same] + ([f"instances {place}…"] if place else [])
    heading(", ".join([title, *said]))
    shown = [n for n in range(len(_HEADS)) if n not in same]
    table(
        [_HEADS[n] for n in shown],
        [[row[n] for n in shown] for row in rows],
        flexible=shown.index(_INSTANCE),
    )


def shared_place(names: Sequence[str]) -> str:
    """The path with which all `names` begin: `gridnav-v1/train/`; empty when there is none."""
    columns = zip(*(name.split("/")[:-1] for name in names), strict=False)
    shared = takewhile(lambda parts: len(set(parts)) == 1, columns)
    return "".join(f"{parts[0]}/" for parts in shared)


def _place(store: Store, asked: dict[str, Any]) -> dict[str, Any]:
    where: dict[str, Any] = {"arm": asked["arm"], "seed": asked["seed"]}
    if asked["branch"] is not None:
        if asked["run"] is not None:
            raise click.UsageError("give --branch or --run, not both")
        branch = store.branch(asked["branch"])
        if branch.run is None:
            if not store.all_served(limit=1):
                raise click.UsageError(f"no episodes ran on branch {branch.id!r}; give --run")
            return _served(branch.id, where)
        given = {"arm": branch.arm, "seed": branch.seed}
        where = {key: given[key] if value is None else value for key, value in where.items()}
        where["run"] = branch.run
    else:
        run = find_run(store, asked["run"])
        if run.method == SERVE and asked["run"] is None:
            return _served(MAIN, where)
        where["run"] = run.id
    return where


def _served(branch: str, where: dict[str, Any]) -> dict[str, Any]:
    """All that was served, whichever session did; `branch` is learned from it."""
    if where["arm"] is not None:
        check_known("arm", where["arm"], {SERVED})
    return {"branch": branch, **where, "arm": SERVED}


def _check_known(store: Store, where: dict[str, Any]) -> None:
    """Raise `UnknownNameError` for an arm or a seed that the run, or serving, has not."""
    branches = [b for b in store.branches(where.get("run")) if "run" in where or b.arm == SERVED]
    for name in ("arm", "seed"):
        if where[name] is not None:
            known = {str(getattr(branch, name)) for branch in branches}
            check_known(name, str(where[name]), known)


def _row(episode: Episode, cut: int) -> tuple[object, ...]:
    return (
        episode.id,
        episode.arm,
        episode.seed,
        episode.instance[cut:],
        episode.trial,
        # What broke stands under `ended`.
        "error" if episode.failure is not None else episode_state(episode),
        _reward(episode),
        episode.stop_reason.value,
        _tokens(episode),
    )


def _reward(episode: Episode) -> str | None:
    return None if episode.reward.value is None else f"{episode.reward.value:g}"


def _tokens(episode: Episode) -> int:
    return sum(episode.usage.values(), Usage()).total


def _summary(episode: Episode, served: Served | None) -> dict[str, Any]:
    kept = episode.model_dump(mode="json", exclude={"trajectory", "guidance"})
    if served is not None:
        kept |= {"state": served.state, "scope": served.scope, "goal": served.goal}
    return {**kept, "branch": episode.branch, "instance": episode.instance, "trial": episode.trial}
