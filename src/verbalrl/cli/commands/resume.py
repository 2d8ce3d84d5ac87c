"""`verbalrl resume`: go on with a run that was interrupted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ...errors import ConfigurationError, DataError
from ...integrations import load_task
from ...records import SERVE, RunRecord
from ...rollout import Limits
from ...tasks import Task
from ..budgets import budget_of, budget_options
from ..building import Setup, base_url_option, cache_option, learner_of, say_notes, servers_in
from ..drive import drive, report
from ..options import json_option, store_option, verbose_option
from ..output import note
from ..reading import find_run, opened
from .prove import tell_resumed

PROVE = "prove"
_LOADABLE = re.compile(r"(?:(?:ChatAgent|Analyst)\()?(?P<name>[\w-]+:[^()]+)\)?")


@click.command()
@click.argument("run")
@click.option(
    "--concurrency", type=click.IntRange(min=1), metavar="C", help="Model calls at a time."
)
@click.option(
    "--retry-failed",
    is_flag=True,
    help="Try again what ended in an error, and do again what rests on it.",
)
@base_url_option
@cache_option
@budget_options
@store_option
@json_option
@verbose_option
@click.pass_context
def resume(context: click.Context, /, **options: Any) -> None:
    """Go on with a run that was interrupted.

    RUN is its id, or the start of it. What is done is taken from the store; only the rest is paid
    for, and the memory becomes the one that an uninterrupted run would have reached. Episodes,
    critiques and curations that ended in an error stay so, unless --retry-failed is given; that
    works for a run that is done, too. Models are asked where the run asked them last; --base-url
    names another place. Bounds on tokens and cost hold for the whole run and stay as they are
    unless others are given; a bound in seconds is for this session.
    """
    folder: Path = options["store"]
    with opened(folder) as store:
        record = find_run(store, options["run"])
    if record.method == SERVE:
        raise ConfigurationError(
            f"{record.id} was recorded while serving; `verbalrl learn` learns from what waits"
        )
    task = _task(record)
    setup = _setup(record, folder, options)
    if options["cache"] is not None:
        setup = replace(setup, cache=options["cache"])
    learner = learner_of(setup.at(options["base_url"]))
    going_on = learner.resume(record.id, task, retry_failed=options["retry_failed"])
    over = record.status == "done" and not options["retry_failed"]
    if not over:
        say_notes(task)
    ended = drive(learner, going_on, folder, quiet=over)
    if over:
        note(f"{record.id} was done already: nothing was asked, and these are its figures")
    code = report(ended, learner, folder, as_json=options["as_json"])
    if record.method == PROVE:
        tell_resumed(folder, record.id)
    context.exit(code)


def _task(record: RunRecord) -> Task:
    """The task that `record` ran, loaded as it was."""
    config = record.config
    try:
        return load_task(
            str(config["task"]),
            task_seed=_int(config.get("task_seed")) or 0,
            trust_code=bool(config.get("trust_code")),
            untrusted=bool(config.get("untrusted")),
        )
    except DataError as error:
        raise DataError(
            f"cannot resume {record.id}: {error}; its task must be there as it was, at the same "
            "place"
        ) from error


def _setup(record: RunRecord, folder: Path, options: Mapping[str, Any]) -> Setup:
    config = record.config
    before = Limits.model_validate(config.get("limits") or {})
    prompts, url = config.get("prompts"), config.get("embedder_url")
    return Setup(
        model=_model(record, "agent") or record.model,
        critic=_model(record, "critic"),
        curator=_model(record, "curator"),
        team=_team(record),
        memos=None if config.get("memos") is None else str(config["memos"]),
        store=folder,
        concurrency=options["concurrency"] or before.concurrency,
        budget=budget_of(options, before.budget),
        prompts=Path(str(prompts)) if prompts else None,
        cache=before.cache,
        servers=servers_in(config.get("servers")),
        embedder=str(config.get("embedder") or "hash"),
        embedder_url=None if url is None else str(url),
        index=str(config.get("index") or "exact"),
    )


def _model(record: RunRecord, role: str) -> str | None:
    """The name of the model of `role`; only names can be loaded again."""
    name = record.config.get(role)
    return None if name is None else _loadable(record, role, name)


def _team(record: RunRecord) -> dict[str, str]:
    """By role, the models of the analysts."""
    team: Any = record.config.get("team") or []
    return {str(role): _loadable(record, f"{role} analyst", name) for role, name in team}


def _loadable(record: RunRecord, role: str, name: object) -> str:
    found = _LOADABLE.fullmatch(name) if isinstance(name, str) else None
    if found is None:
        raise ConfigurationError(
            f"the {role} of {record.id} is {name!r}, which has no name to load it by; "
            "resume the run from Python, with learner.resume"
        )
    return found["name"]


def _int(value: object) -> int | None:
    return value if isinstance(value, int) else None
