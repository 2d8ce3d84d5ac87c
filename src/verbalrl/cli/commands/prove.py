"""`verbalrl prove`: the same instances without a lesson and with it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click

from ...errors import ConfigurationError
from ...integrations import load_task
from ...learner import Learner
from ...memory.changing import find
from ...memory.measured import caveat
from ...memory.review import review
from ...models import Budget
from ...proving import Planned, done, kept, loser, method_of, plan_of, planned, probed
from ...records import Proof
from ...result.table import causes
from ...store import Store
from ..app import DONE
from ..budgets import budget_of, budget_options
from ..building import Setup, learner_of, server_options
from ..drive import conclude, drive
from ..options import json_option, store_option, verbose_option
from ..output import emit_json, note, note_wrapped, say
from ..reading import find_lesson, opened

_STORED = "the proof is stored with {}"


@dataclass(frozen=True, slots=True)
class ProveOptions:
    """The options of `prove`, as they were given."""

    lesson: str
    against: str | None
    task: str | None
    model: str | None
    base_url: str | None
    offline_server: bool
    instances: int
    passes: int
    seed: int
    task_seed: int
    branch: str | None
    concurrency: int | None
    trust_code: bool
    budget: Budget
    dry_run: bool
    store: Path
    as_json: bool


@click.command("prove")
@click.argument("lesson")
@click.option(
    "--against", metavar="LESSON", help="Stands in its place while off; the loser retires."
)
@click.option("--task", metavar="TASK", help="Where it is tried. [the task of its scope]")
@click.option("--model", metavar="P:NAME", help="Who tries. [who acted when it was learned]")
@server_options
@click.option(
    "--instances", type=click.IntRange(min=2), default=40, show_default=True, help="At most."
)
@click.option(
    "--passes",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Off and on, each so often.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the attempts."
)
@click.option("--task-seed", type=click.IntRange(min=0), default=0, help="Makes other instances.")
@click.option("--branch", metavar="B", help="The memory that it is tried in. [where it stands]")
@click.option("--concurrency", type=click.IntRange(min=1), metavar="C", help="Calls at a time.")
@click.option("--trust-code", is_flag=True, help="Let a task folder run its own Python.")
@budget_options
@click.option("--dry-run", is_flag=True, help="Say what it would take; ask nothing.")
@store_option
@json_option
@verbose_option
@click.pass_context
def prove_command(context: click.Context, /, **options: Any) -> None:
    """Try a lesson off and on; keep what it shows.

    Every instance is attempted without it and with it, again and again. The instances are
    those of the train split in which its condition holds, without those that it stems from. The
    rest of the memory is there on both sides.
    """
    options["budget"] = budget_of(options)
    given = ProveOptions(**{field.name: options[field.name] for field in fields(ProveOptions)})
    context.exit(_prove(given))


def _prove(given: ProveOptions) -> int:
    with opened(given.store) as store:
        home, found = find(store, find_lesson(store, given.lesson), given.branch)
        task = load_task(
            given.task or found.scope, task_seed=given.task_seed, trust_code=given.trust_code
        )
        plan = asyncio.run(
            planned(
                store,
                task,
                found.id,
                branch=home,
                instances=given.instances,
                passes=given.passes,
                against=find_lesson(store, given.against) if given.against else "",
            )
        )
        note(str(plan))
        if given.dry_run:
            return DONE
        learner = _learner(store, plan, given)
        work = probed(learner, task, plan, given.seed)
        ended = drive(learner, work, given.store, max_seconds=given.budget.seconds)
        if ended.result is None:
            return conclude(ended, learner, given.store)
        proof = kept(store, plan, ended.result.run)
        whole = done(store, proof.run)
        lost = _settled(store, proof, home) if whole else ""
        said = caveat(store, proof.run)
    if given.as_json:
        emit_json({**proof.model_dump(mode="json"), "simulated": bool(said)})
    else:
        say(f"{proof}{said}")
        if lost:
            say(f"{lost} is retired", indent=2)
        if whole:
            say(f"{_STORED.format(found.id)}; its episodes are those of {proof.run}", indent=2)
    if ended.result.figures["status"] != "failed":  # else its reason follows
        for line in causes(ended.result.figures):
            note_wrapped(line)
    if not whole:
        note("not all was tried, so no proof is stored yet")
    return conclude(ended, learner, given.store)


def tell_resumed(folder: Path, run: str) -> None:
    """Keep and tell what the proof of a resumed run shows, if it is done now."""
    with opened(folder) as store:
        if not done(store, run):
            return
        plan = plan_of(store, run)
        known = any(proof.run == run for proof in store.proofs(plan.lesson.id))
        proof = kept(store, plan, run)
        lost = "" if known else _settled(store, proof, plan.branch)
        said = caveat(store, run)
    note(f"{proof}{said}; {_STORED.format(proof.lesson)}")
    if lost:
        note(f"{lost} is retired")


def _settled(store: Store, proof: Proof, branch: str) -> str:
    """The lesson that lost, which is retired; empty for neither."""
    if lost := loser(proof):
        asyncio.run(review(store, (lost,), "retire", branch=branch))
    return lost


def _learner(store: Store, plan: Planned, given: ProveOptions) -> Learner:
    model = given.model or _who_acted(store, plan)
    if not model:
        raise ConfigurationError("nobody is known to have acted when it was learned: give --model")
    setup = Setup(
        model=model,
        store=given.store,
        method=method_of(plan),
        concurrency=given.concurrency,
        budget=given.budget,
    )
    return learner_of(setup.at(given.base_url, given.offline_server))


def _who_acted(store: Store, plan: Planned) -> str:
    run = store.branch(plan.branch).run
    if run is not None:
        return store.run(run).model
    for evidence in plan.lesson.evidence:
        episode = store.episode(evidence.episode)
        if episode is not None:
            return store.run(episode.run).model
    return ""
