"""Runs, their episodes, critiques, and two runs side by side."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from ...errors import UnknownNameError
from ...records import SERVE, SERVED, RunRecord
from ...result import plots
from ...result.curves import Curve, Gap, gaps, known_curves
from ...store import EPISODE_SORTS, MAIN, OUTCOMES, Group, as_it_is
from .. import facts, trading
from ..again import command_line
from ..charts import svg
from ..compare import arms_table, compare, read_side, settings_table, whole
from ..lists import ARMS, ROWS, episode_row, episodes_table, run_rows
from ..rows import ordered
from ..tables import Table
from ..trajectory import citations
from ..wording import episode_word, supplied, tokens_text
from .asking import chosen, number, page, sheet, store_of, text


def front(request: Request) -> Response:
    """The runs, the newest first."""
    store = store_of(request)
    offset = number(request, "offset", 0) or 0
    found = store.run_page(ARMS, limit=ROWS, offset=offset)
    rows = run_rows(store, found.rows)
    return page(request, "runs.html", "Runs", rows=rows, total=found.total, offset=offset)


def run(request: Request) -> Response:
    """One run: its arms, and what it was set to."""
    store = store_of(request)
    record = as_it_is(store, store.run(request.path_params["run"]))
    figures = ended(record)
    groups = groups_of(request, record)
    return page(
        request,
        "run.html",
        f"{record.task} under {record.method}",
        record=record,
        figures=figures,
        headline=facts.headline(figures, gaps(figures), record.config) if figures else "",
        learned=facts.learned(record.config),
        caveats=facts.caveats(figures) if figures else simulated(record),
        arms=facts.arms_table(figures) if figures else None,
        plots=plots_of(figures) if figures else (),
        tables=_tables(figures) if figures else (),
        groups=groups,
        going=progress_of(record, groups),
        lessons={b: n for b, n in store.lesson_counts(record.id).items() if n},
        command=command_line(record),
        served=record.method == SERVE,
        main=MAIN,
        settings=facts.settings_table(record),
    )


def progress(request: Request) -> Response:
    """How far a run is: the part of its page that changes."""
    store = store_of(request)
    record = as_it_is(store, store.run(request.path_params["run"]))
    groups = groups_of(request, record)
    going = progress_of(record, groups)
    return page(request, "progress.html", "", record=record, groups=groups, going=going)


def episodes(request: Request) -> Response:
    """The episodes of a run."""
    store = store_of(request)
    record = store.run(request.path_params["run"])
    asked = chosen(request, ("arm", "instance"))
    seed, outcome = number(request, "seed"), text(request, "outcome") or None
    sort, offset = text(request, "sort") or "lane", number(request, "offset", 0) or 0
    as_file = text(request, "as") == "csv"
    found = store.episode_page(
        {**asked, "run": record.id, "seed": seed},
        outcome=outcome,
        sort=sort,
        limit=None if as_file else ROWS,
        offset=0 if as_file else offset,
    )
    states = store.states([e.id for e in found.rows if e.arm == SERVED])
    rows = [episode_row(e, states) for e in found.rows]
    if as_file:
        return sheet(episodes_table(rows))
    return page(
        request,
        "episodes.html",
        f"Episodes of {record.id}",
        record=record,
        rows=rows,
        found=found,
        asked={**asked, "seed": seed, "outcome": outcome, "sort": sort},
        arms=list(dict.fromkeys(b.arm for b in store.branches(record.id) if b.arm)),
        sorts=tuple(EPISODE_SORTS),
        outcomes=OUTCOMES,
    )


def is_long(request: Request) -> bool:
    """Whether the episode asked for is one that takes long to tell."""
    return store_of(request).is_long(request.path_params["episode"])


def episode(request: Request) -> Callable[[], Response]:
    """What makes the page of one episode, step by step."""
    store, name = store_of(request), request.path_params["episode"]
    found = store.episode(name)
    if found is None:
        if store.states([name]).get(name) == "open":
            raise UnknownNameError(f"episode {name} is still open: it is shown once it has ended")
        raise UnknownNameError(f"there is no episode {name!r}")
    critiques = store.critiques_of(found.id)
    served = found.arm == SERVED
    return partial(
        page,
        request,
        "episode.html",
        f"{found.instance} trial {found.trial}",
        episode=found,
        # What was served was given lessons of main.
        home=MAIN if served else found.branch,
        served=store.served(found.id) if served else None,
        feedback=store.feedback(found.id) if served else (),
        went=episode_word(found),
        supplied=supplied(found),
        critiques=critiques,
        cited=citations(found, critiques),
        usage={role: tokens_text(of) for role, of in found.usage.items()},
    )


def critique(request: Request) -> Response:
    """One critique."""
    store, name = store_of(request), request.path_params["critique"]
    found = store.critique(name)
    if found is None:
        raise UnknownNameError(f"there is no critique {name!r}")
    spent = tokens_text(found.usage)
    return page(
        request,
        "critique.html",
        f"Critique of {found.instance} trial {found.trial}",
        critique=found,
        spent=spent,
    )


def comparison(request: Request) -> Response:
    """Two runs of one task side by side."""
    store = store_of(request)
    names = [text(request, "one"), text(request, "other")]
    known = [r for r in store.run_page().rows if r.method != SERVE]
    found, same = None, ""
    if all(names):
        ids = {store.run(name).id for name in names}
        # Zeros in every row would pass for a finding.
        same = ids.pop() if len(ids) == 1 else ""
    if all(names) and not same:
        one, other = (read_side(store, name) for name in names)
        found = compare(store, one, other, request.app.state.compared)
    return page(
        request,
        "compare.html",
        "Two runs",
        names=names,
        known=known,
        found=found,
        same=same,
        arms=arms_table(found) if found else None,
        returns=trading.returns_table(found.returns) if found else None,
        whole=whole(found) if found else (),
        settings=settings_table(found) if found else None,
        caveats=simulated(found.one) if found else (),
    )


def groups_of(request: Request, record: RunRecord) -> tuple[Group, ...]:
    """The attempts by arm and seed; of a run that is done they do not change, and are kept.

    What was served changes also later, by what is said of it.
    """
    known: dict[str, tuple[Group, ...]] = request.app.state.groups
    store = store_of(request)
    # A proof makes no attempts: all that it has are probes.
    found = known.get(record.id) or store.groups(record.id) or store.groups(record.id, "probe")
    if record.status == "done" and record.method != SERVE:
        known[record.id] = found
    return found


def ended(record: RunRecord) -> dict[str, Any]:
    """The figures that a run ended with, its arms in order; empty before."""
    return ordered(record.result, record) if record.result else {}


def simulated(record: RunRecord) -> tuple[str, ...]:
    """What must be said of the figures of a simulated model."""
    return (facts.SIMULATED,) if record.simulated else ()


def progress_of(record: RunRecord, groups: tuple[Group, ...]) -> tuple[int, int] | None:
    """(arms and seeds times instances begun, in all) of a run that goes on; None of others."""
    if record.status != "running":
        return None
    config: dict[str, Any] = dict(record.config)
    span = config.get("instances")
    if not (isinstance(span, list) and len(span) == 2 and None not in span):
        return None
    lanes = len(config.get("arms") or (1,)) * len(config.get("seeds") or (1,))
    whole = int(span[1] - span[0]) * lanes
    return min(whole, sum(g.instances for g in groups)), whole


def _tables(figures: dict[str, Any]) -> tuple[Table, ...]:
    made = (
        trading.measures_table(figures),
        facts.tokens_table(figures),
        facts.critics_table(figures),
        facts.failures_table(figures),
    )
    return tuple(table for table in made if table)


def plots_of(figures: dict[str, Any]) -> tuple[Markup, ...]:
    """The plots of a run that has ended."""
    return _plots(known_curves(figures), gaps(figures))


@lru_cache(maxsize=64)
def _plots(curves: tuple[Curve, ...], apart: tuple[Gap, ...]) -> tuple[Markup, ...]:
    """Drawn once: the figures of a run that has ended do not change."""
    made = []
    if curves:
        made.append(svg("curves", "Learning curves", lambda: plots.learning_curves(curves)))
    if apart:
        made.append(svg("differences", "Against retry", lambda: plots.differences(apart)))
    return tuple(made)
