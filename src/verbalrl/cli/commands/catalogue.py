"""`verbalrl tasks` and `verbalrl methods`: what can be run. Neither opens a store."""

from __future__ import annotations

import inspect
import json
from typing import Any

import click

from ...integrations import ADAPTERS
from ...methods import METHODS
from ...tasks import known_tasks, load_task
from ..options import json_option, verbose_option
from ..output import emit_json, heading, one_line, say

_FIXED = ("name", "learns")


@click.command()
@json_option
@verbose_option
def tasks(as_json: bool) -> None:
    """List the tasks that can be named.

    Those built in come first, then the environments of others, each behind its extra. A task
    folder or a jsonl file of your own is named by its path.
    """
    found = [_task(name) for name in known_tasks()]
    others = [{"prefix": prefix, **adapter._asdict()} for prefix, adapter in ADAPTERS.items()]
    if as_json:
        emit_json({"tasks": found, "environments": others})
        return
    for item in found:
        heading(f"{item['id']}  (lessons: {item['learns']})")
        say(item["summary"], indent=2)
        sizes = ", ".join(f"{split} {n or 'unbounded'}" for split, n in item["sizes"].items())
        defaults = f"{item['default_instances']} reported"
        if item["learns"] != "instance":
            defaults += f", {item['default_train']} to learn from"
        steps = f"at most {item['max_steps']} step{'s' if item['max_steps'] > 1 else ''}"
        say(f"instances: {sizes}; by default {defaults}; {steps}", indent=2)
        if item["options"]:
            pairs = ", ".join(f"{k}={_value(v)}" for k, v in item["options"].items())
            first, value = next(iter(item["options"].items()))
            say(f"options, such as {item['id']}?{first}={_value(value)}: {pairs}", indent=2)
    heading("Environments of others")
    for other in others:
        say(f"{other['example']}  ({other['what']}; extra {other['extra']})", indent=2)


def _task(name: str) -> dict[str, Any]:
    task = load_task(name)
    return {
        "id": task.id,
        "summary": task.summary,
        "learns": task.learns,
        "sizes": {"train": task.size("train"), "test": task.size("test")},
        "default_instances": task.default_instances,
        "default_train": task.default_train,
        "max_steps": task.max_steps,
        "options": dict(getattr(task, "options", {})),
        "observations": task.observations.value,
        "reward_from": task.reward_supplier.value,
        "sha": task.sha,
    }


@click.command()
@json_option
@verbose_option
def methods(as_json: bool) -> None:
    """List the methods and their settings."""
    found = [_method(name) for name in METHODS]
    if as_json:
        emit_json({"methods": found})
        return
    for item in found:
        heading(f"{item['name']}  (lessons: {item['learns']})")
        say(item["summary"], indent=2)
        pairs = " ".join(f"--set {k}={_value(v)}" for k, v in item["settings"].items())
        say(f"as it is: {pairs}", indent=2)


def _method(name: str) -> dict[str, Any]:
    kind = METHODS[name]
    return {
        "name": name,
        "learns": kind.model_fields["learns"].default,
        "summary": one_line((inspect.getdoc(kind) or "").split("\n\n")[0]),
        "settings": {k: f.default for k, f in kind.model_fields.items() if k not in _FIXED},
    }


def _value(default: object) -> str:
    """As `--set` reads it."""
    return default if isinstance(default, str) else json.dumps(default)
