"""`verbalrl run`: a task under a method, beside its controls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from ...errors import ConfigurationError
from ...execution import Forecast, roles_of
from ...integrations import load_task
from ...memory.memos import MEMO_RULES
from ...methods import ALL_ARMS, ARMS, METHODS, Method, default_for, method
from ...models import Budget
from ...records import Split
from ...result import RunResult
from ...tasks import Task
from ..app import DONE
from ..budgets import budget_of, budget_options
from ..building import Setup, cache_option, learner_of, say_notes, server_options
from ..drive import drive, report
from ..options import Names, Span, json_option, settings, store_option, verbose_option
from ..output import emit_json, note, plural, say
from ..reading import opened

F = TypeVar("F", bound=Callable[..., Any])
POSITIVE = click.IntRange(min=1)
SEED = click.IntRange(min=0)
_LOOKED_AT = 50
"""Episodes whose rewards are looked at."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of `run`, as they were given."""

    task: str
    method: str | None
    model: str
    critic: str | None
    curator: str | None
    team: str | None
    analyst_model: str | None
    memos: str | None
    base_url: str | None
    offline_server: bool
    trials: int | None
    instances: int | tuple[int, int] | None
    train_instances: int | None
    arms: tuple[str, ...]
    seed: int
    seeds: int
    task_seed: int
    pairs: tuple[str, ...]
    start: str | None
    no_learn: bool
    gate: str | None
    concurrency: int | None
    repeats: int | None
    control: Literal["cvar"] | None
    budget: Budget
    dry_run: bool
    prompts: Path | None
    embedder: str
    embedder_url: str | None
    index: str
    trust_code: bool
    untrusted: bool
    cache: Path | None
    store: Path
    as_json: bool


def _models(command: F) -> F:
    """Which method, which models."""
    for decorate in (
        click.option(
            "--analyst-model", metavar="P:NAME", help="Model of the team's analysts. [agent's]"
        ),
        click.option(
            "--memos",
            type=click.Choice(list(MEMO_RULES)),
            help="How the manager of a team recalls what was said on earlier days. [not at all]",
        ),
        click.option(
            "--team",
            metavar="A,B",
            help="Analysts that report to the agent, who decides: all that the task has something "
            "for, or their names.",
        ),
        click.option("--curator", metavar="P:NAME", help="Model of the curator. [critic's]"),
        click.option(
            "--critic",
            metavar="P:NAME",
            help="Model of the critic, or checks:NAME,… for programs. [agent's]",
        ),
        click.option(
            "--model",
            required=True,
            metavar="P:NAME",
            help="Model of the agent, such as offline:apprentice.",
        ),
        click.option(
            "--method", metavar="M", help=f"One of {', '.join(METHODS)}. [by what the task offers]"
        ),
    ):
        command = decorate(command)
    return command


def _amounts(command: F) -> F:
    """How much of what."""
    for decorate in (
        click.option("--task-seed", type=SEED, default=0, help="Makes other instances."),
        click.option(
            "--seeds",
            type=click.IntRange(1, 1000),
            default=1,
            show_default=True,
            help="How many seeds.",
        ),
        click.option("--seed", type=SEED, default=0, show_default=True, help="The first seed."),
        click.option(
            "--arms",
            type=Names(),
            default=",".join(ARMS),
            show_default=True,
            help=f"Conditions, of {', '.join(ALL_ARMS)}.",
        ),
        click.option(
            "--train-instances", type=POSITIVE, metavar="N", help="Instances to learn from."
        ),
        click.option(
            "--instances",
            type=Span(),
            help="Instances to report on: a number or a range (at most 100,000).",
        ),
        click.option("--trials", type=POSITIVE, metavar="K", help="Attempts per instance."),
    ):
        command = decorate(command)
    return command


def _conditions(command: F) -> F:
    """Under which conditions."""
    for decorate in (
        click.option("--untrusted", is_flag=True, help="Let nobody vouch for the task's texts."),
        click.option("--trust-code", is_flag=True, help="Let a task folder run its own Python."),
        click.option(
            "--prompts",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            metavar="DIR",
            help="Folder of prompts in place of the shipped ones, file by file.",
        ),
        click.option(
            "--repeats",
            type=POSITIVE,
            metavar="N",
            help="An action that was done N times where the same was seen ends the episode. [off]",
        ),
        click.option(
            "--control",
            type=click.Choice(["cvar"]),
            help="After a day that lost, or made the worst days worse, a note asks for less risk.",
        ),
        click.option("--concurrency", type=POSITIVE, metavar="C", help="Model calls at a time."),
        click.option(
            "--gate",
            type=click.Choice(["none", "measured", "review"]),
            help="A lesson becomes active at once, or by `verbalrl approve`. measured: a coin "
            "withholds it from every fifth prompt until that shows whether it helps or harms.",
        ),
        click.option("--no-learn", is_flag=True, help="Read memory, change nothing."),
        click.option("--from", "start", metavar="BRANCH", help="Start with its lessons."),
        click.option(
            "--set", "pairs", multiple=True, metavar="K=V", help="A setting of the method."
        ),
    ):
        command = decorate(command)
    return command


def _recalling(command: F) -> F:
    """How lessons are found that do not all fit into a prompt."""
    for decorate in (
        click.option(
            "--index", default="exact", metavar="I", help="exact, chroma:DIR or chroma:URL. [exact]"
        ),
        click.option(
            "--embedder-url", metavar="URL", help="Server that embeds for an openai: embedder."
        ),
        click.option(
            "--embedder",
            default="hash",
            metavar="NAME",
            help="hash (lexical), onnx-minilm or openai:NAME; asked where lessons do not all fit.",
        ),
    ):
        command = decorate(command)
    return command


@click.command()
@click.argument("task")
@server_options
@cache_option
@_models
@_amounts
@_conditions
@_recalling
@budget_options
@click.option("--dry-run", is_flag=True, help="Say what it would take; ask and write nothing.")
@store_option
@json_option
@verbose_option
@click.pass_context
def run(context: click.Context, /, **options: Any) -> None:
    """Run a task under a method, beside its controls.

    TASK is the name of a built-in task (see `verbalrl tasks`), a task folder, a jsonl
    file of questions, an environment of another package such as gym:ID, or a data set such as
    gsm8k:FILE; options follow a question mark, as in gridnav-v1?pits=4.
    """
    options["budget"] = budget_of(options)
    given = RunOptions(**{field.name: options[field.name] for field in fields(RunOptions)})
    if given.method is not None:
        # Before the task is loaded: a wrong name costs nothing.
        _method(given, given.method)
    task = load_task(
        given.task,
        task_seed=given.task_seed,
        trust_code=given.trust_code,
        untrusted=given.untrusted,
    )
    name = given.method or default_for(task.learns, task.size("test") != 0).name
    context.exit(_run(given, _method(given, name), task))


def _run(given: RunOptions, how: Method, task: Task) -> int:
    if given.control is not None and task.max_steps == 1:
        raise ConfigurationError(
            f"--control {given.control}: an episode of {task.id} has one step, so that no decision "
            "follows a reward; leave it out"
        )
    learner = learner_of(
        Setup(
            model=given.model,
            store=given.store,
            method=how,
            critic=given.critic,
            curator=given.curator,
            team=_team(given, task),
            memos=given.memos,
            concurrency=given.concurrency,
            repeats=given.repeats,
            control=given.control,
            prompts=given.prompts,
            cache=given.cache,
            budget=given.budget,
            embedder=given.embedder,
            embedder_url=given.embedder_url,
            index=given.index,
            dry=given.dry_run,
        ).at(given.base_url, given.offline_server)
    )
    say_notes(task)
    if given.no_learn and given.start is None and "learned" in given.arms:
        note("--no-learn without --from: there is nothing to read, so learned is a second retry")
    _say_less(given, how, task)
    chosen: dict[str, Any] = {
        "trials": given.trials,
        "instances": given.instances,
        "train_instances": given.train_instances,
        "seeds": tuple(range(given.seed, given.seed + given.seeds)),
        "arms": given.arms,
        "start": given.start,
        "learn": not given.no_learn,
    }
    if given.dry_run:
        return _dry(learner.forecast_sync(task, **chosen), as_json=given.as_json)
    ended = drive(
        learner, learner.run(task, **chosen), given.store, max_seconds=given.budget.seconds
    )
    code = report(ended, learner, given.store, as_json=given.as_json)
    _say_unheard(given, ended.result, task)
    return code


def _say_unheard(given: RunOptions, result: RunResult | None, task: Task) -> None:
    """Say where a control of risk had nothing to go by; what rewards a task gives, no task says."""
    if given.control is None or result is None or result.figures.get("trading"):
        return
    with opened(given.store) as store:
        played = [e.trajectory.steps for e in store.episodes(run=result.run, limit=_LOOKED_AT)]
    if played and not any(step.reward for steps in played for step in steps[:-1]):
        note(
            f"--control {given.control} had nothing to say: {task.id} gives no reward before the "
            "last step, and is no trading; leave it out"
        )


def _team(given: RunOptions, task: Task) -> dict[str, str]:
    """By role, the models of the analysts that were asked for."""
    if given.team is None:
        if given.analyst_model is not None:
            raise ConfigurationError("--analyst-model says who analysts are: give --team too")
        if given.memos is not None:
            raise ConfigurationError("--memos is for the manager of a team: give --team too")
        return {}
    try:
        roles = Names().convert(given.team, None, None)
    except click.BadParameter as error:
        raise ConfigurationError(
            f"--team {given.team!r}: {error.message}; give all, or roles such as news,momentum"
        ) from error
    if roles == ("all",):
        roles = roles_of(task)
    elif "all" in roles:
        raise ConfigurationError(
            f"--team {given.team}: all stands alone; give it without other names, or names alone"
        )
    return dict.fromkeys(roles, given.analyst_model or given.model)


def _say_less(given: RunOptions, how: Method, task: Task) -> None:
    """Say where there is less than was asked for; the run goes on with what there is."""
    reads: tuple[Split, ...] = ("train", "test") if how.learns == "instance" else ("test",)
    train: tuple[Split, ...] = ("train",)
    asked = given.instances[1] if isinstance(given.instances, tuple) else given.instances
    for name, count, splits in (
        ("--instances", asked, reads),
        ("--train-instances", given.train_instances, train),
    ):
        sizes = [task.size(split) for split in splits]
        there = sum(size or 0 for size in sizes)
        if count is not None and None not in sizes and there < count:
            found = plural(there, "instance" if len(splits) > 1 else f"{splits[0]} instance")
            note(f"{name} {count}: {task.id} has {found}, no more")
    if given.start is not None and not given.dry_run and "learned" in given.arms:
        with opened(given.store) as store:
            if not any(lesson.usable for lesson in store.current_lessons(given.start)):
                note(
                    f"--from {given.start}: no lesson there is usable, so learned starts with none"
                )


def _dry(found: Forecast, *, as_json: bool) -> int:
    if as_json:
        emit_json(found.figures)
    else:
        for line in found.table().splitlines():
            say(line)
    return DONE


def _method(given: RunOptions, name: str) -> Method:
    """The method `name` with the settings that were given."""
    chosen = settings(given.pairs)
    if given.gate is not None:
        chosen["gate"] = given.gate
    kind = METHODS.get(name)
    if given.gate is not None and kind is not None and "gate" not in kind.model_fields:
        raise ConfigurationError(f"--gate: method {name!r} has no gate")
    return method(name, chosen)
