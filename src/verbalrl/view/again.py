"""The command that does a run again, from what was recorded of it. Pure."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from ..methods import METHODS
from ..records import RunRecord
from ..rollout import Limits

_AGENT = re.compile(r"(?:ChatAgent|Analyst)\((?P<name>[\w-]+:[^()]+)\)")
_JUDGE = re.compile(r"(?P<name>[\w-]+:[^()]+)")
_FLAGS = ("learn", "trials")
"""Settings of a method that have a flag of their own."""
_ONLY_PYTHON = ("max_steps", "max_tokens")
"""Limits of an episode that no flag sets."""
_BOUNDS = (("tokens", "--max-tokens"), ("cost_usd", "--max-cost"), ("max_output", "--max-output"))


class _Unsayable(Exception):
    """The run used something that a command line cannot name."""


def command_line(record: RunRecord) -> str:
    """The command that does the run again, whole; empty where no command can say all of it.

    That is so of agents, critics, hooks and embedders that are objects, and of analysts that differ
    in their models. Prices of models are a file that is not kept, so a bound on cost lacks them.
    """
    try:
        return shlex.join(_words(record))
    except _Unsayable:
        return ""


def _words(record: RunRecord) -> Iterator[str]:
    config: dict[str, Any] = dict(record.config)
    if record.method not in METHODS or config.get("hooks"):
        raise _Unsayable
    model = _named(_AGENT, config.get("agent"))
    # The id of a task names it in lists; only its reference loads it again.
    yield from ("verbalrl", "run", str(config.get("task") or record.task))
    yield from ("--method", record.method, "--model", model)
    for role in ("critic", "curator"):
        if config.get(role) and config[role] != model:
            yield from (f"--{role}", _named(_JUDGE, config[role]))
    yield from _team(config, model)
    yield from _servers(config)
    yield from _amounts(config)
    yield from _conditions(config)
    for key, value in (config.get("settings") or {}).items():
        if key not in _FLAGS and value is not None:
            yield from ("--set", f"{key}={_plain(value)}")


def _named(form: re.Pattern[str], said: object) -> str:
    found = form.fullmatch(said) if isinstance(said, str) else None
    if found is None:
        raise _Unsayable
    return found["name"]


def _team(config: Mapping[str, Any], model: str) -> Iterator[str]:
    analysts = {role: _named(_AGENT, name) for role, name in config.get("team") or ()}
    if not analysts:
        return
    yield from ("--team", ",".join(analysts))
    if len(set(analysts.values())) > 1:
        raise _Unsayable
    (asked,) = set(analysts.values())
    if asked != model:
        yield from ("--analyst-model", asked)
    if config.get("memos"):
        yield from ("--memos", str(config["memos"]))


def _servers(config: Mapping[str, Any]) -> Iterator[str]:
    """Where models were asked; one address for all of them, or none."""
    places = list((config.get("servers") or {}).values())
    if not places:
        return
    if any(place != places[0] for place in places):
        raise _Unsayable
    yield from ("--base-url", str(places[0]["base_url"]))
    if places[0].get("offline"):
        yield "--offline-server"


def _amounts(config: Mapping[str, Any]) -> Iterator[str]:
    if config.get("trials"):
        yield from ("--trials", str(config["trials"]))
    span = config.get("instances")
    if isinstance(span, list) and len(span) == 2 and None not in span:
        yield from ("--instances", f"{span[0]}:{span[1]}")
    if config.get("train_instances"):
        yield from ("--train-instances", str(config["train_instances"]))
    if config.get("arms"):
        yield from ("--arms", ",".join(config["arms"]))
    seeds = config.get("seeds") or [0]
    if seeds != list(range(seeds[0], seeds[0] + len(seeds))):
        raise _Unsayable
    yield from ("--seed", str(seeds[0]), "--seeds", str(len(seeds)))
    if config.get("task_seed"):
        yield from ("--task-seed", str(config["task_seed"]))


def _conditions(config: Mapping[str, Any]) -> Iterator[str]:
    for key, flag in (
        ("start", "--from"),
        ("prompts", "--prompts"),
        ("embedder_url", "--embedder-url"),
    ):
        if config.get(key):
            yield from (flag, str(config[key]))
    for key, usual in (("embedder", "hash"), ("index", "exact")):
        if config.get(key) not in (None, usual):
            yield from (f"--{key}", str(config[key]))
    for key in ("trust_code", "untrusted"):
        if config.get(key):
            yield f"--{key.replace('_', '-')}"
    if not config.get("learn", True):
        yield "--no-learn"
    yield from _limits(config.get("limits") or {})


def _limits(limits: Mapping[str, Any]) -> Iterator[str]:
    if any(limits.get(name) is not None for name in _ONLY_PYTHON):
        raise _Unsayable
    for key in ("control", "repeats"):
        if limits.get(key) is not None:
            yield from (f"--{key}", str(limits[key]))
    usual = Limits().concurrency
    if limits.get("concurrency", usual) != usual:
        yield from ("--concurrency", str(limits["concurrency"]))
    budget = limits.get("budget") or {}
    for key, flag in _BOUNDS:
        if budget.get(key) is not None:
            yield from (flag, str(budget[key]))


def _plain(value: object) -> str:
    """A setting as `--set` reads it back: JSON, but for texts that are no JSON themselves."""
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        json.loads(value)
    except ValueError:
        return value
    return json.dumps(value)
