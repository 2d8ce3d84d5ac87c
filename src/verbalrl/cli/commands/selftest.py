"""`verbalrl selftest`: does the gate claim anything where there is nothing to find?"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from ...effects import Claims, claims
from ...effects.verdicts import USUAL
from ...errors import ConfigurationError
from ...integrations import load_task
from ...learner import Learner
from ...methods import reflexion
from ...result import RunResult
from ...tasks import Task
from ..app import DONE, FAILED
from ..budgets import budget_of, budget_options
from ..building import Setup, learner_of, server_options
from ..options import json_option, store_option, verbose_option
from ..output import emit_json, note, say
from ..reading import opened

POSITIVE = click.IntRange(min=1)
LOOK = 32


@click.command()
@click.option(
    "--task", "name", default="triage-v1", show_default=True, metavar="TASK", help="What is tried."
)
@click.option("--model", required=True, metavar="P:NAME", help="Model of the agent.")
@server_options
@click.option("--instances", type=POSITIVE, default=60, show_default=True, help="Per seed.")
@click.option(
    "--seeds", type=click.IntRange(1, 1000), default=4, show_default=True, help="How many."
)
@click.option("--draws", type=POSITIVE, default=1000, show_default=True, help="Placebo coins.")
@click.option("--task-seed", type=click.IntRange(min=0), default=0, help="Makes other instances.")
@click.option("--concurrency", type=POSITIVE, metavar="C", help="Model calls at a time.")
@click.option("--trust-code", is_flag=True, help="Let a task folder run its own Python.")
@budget_options
@store_option
@json_option
@verbose_option
@click.pass_context
def selftest(context: click.Context, /, **given: Any) -> None:
    """Count false claims where nothing is to find.

    The task is attempted without any lesson; then placebo coins are tossed over its outcomes and
    looked at after every 32 episodes, as the gate does. Claims of a benefit or of a harm are false.
    """
    task = load_task(given["name"], task_seed=given["task_seed"], trust_code=given["trust_code"])
    run, outcomes = _attempted(task, given)
    found = claims(outcomes, draws=given["draws"], look=LOOK)
    context.exit(_told(run, len(outcomes), found, as_json=given["as_json"]))


def _attempted(task: Task, given: dict[str, Any]) -> tuple[str, list[tuple[str, float]]]:
    """The run without lessons, and its outcomes in the order of seeds and instances."""
    store: Path = given["store"]
    setup = Setup(
        model=given["model"],
        store=store,
        method=reflexion(trials=1),
        concurrency=given["concurrency"],
        budget=budget_of(given),
    )
    learner = learner_of(setup.at(given["base_url"], given["offline_server"]))
    result = asyncio.run(_run(learner, task, given))
    with opened(store) as kept:
        episodes = sorted(kept.episodes(run=result.run, steps=False), key=lambda e: e.seed)
    known = (e for e in episodes if e.success is not None and not e.broke)
    judged = [(e.instance, float(e.success is True)) for e in known]
    if len(judged) < LOOK:
        raise ConfigurationError(
            f"selftest: {len(judged)} outcomes are known, and a look needs {LOOK}; "
            "give more --instances or --seeds, or a task that judges"
        )
    return result.run, judged


async def _run(learner: Learner, task: Task, given: dict[str, Any]) -> RunResult:
    try:
        seeds = tuple(range(given["seeds"]))
        return await learner.run(task, instances=given["instances"], seeds=seeds, arms=("none",))
    finally:
        await learner.aclose()


def _told(run: str, episodes: int, found: Claims, *, as_json: bool) -> int:
    level = USUAL.level
    worst = max(found.helps, found.harms) / found.draws
    # Two standard errors of a rate of `level` over so many draws.
    bar = level + 2 * (level * (1 - level) / found.draws) ** 0.5
    if as_json:
        rates = {"helps": found.helps / found.draws, "harms": found.harms / found.draws}
        emit_json({"run": run, "episodes": episodes, "draws": found.draws, **rates, "level": level})
    else:
        helps, harms = found.helps / found.draws, found.harms / found.draws
        say(
            f"over {episodes} episodes of {run} and {found.draws} draws of coins: a benefit was "
            f"claimed in {helps:.1%} of them, a harm in {harms:.1%} (stated: at most {level:.0%})"
        )
    if worst > bar:
        note("more than was stated: do not let the gate decide on this task")
        return FAILED
    return DONE
