"""`verbalrl learn`: learn from what was said of served episodes; made for cron."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ...errors import ConfigurationError, UnknownNameError
from ...models import Model, asks_server, load_model, run_sync
from ...records import SERVE, RunRecord
from ...serving import Coach, Learned, ServeRules, serve
from ...store import Store
from ..budgets import budget_of, budget_options
from ..building import server_options, servers_in
from ..options import json_option, store_option, verbose_option
from ..output import emit_json, note, say
from ..reading import opened

_GATES = ("none", "measured", "review")


@click.command()
@click.option("--scope", metavar="SCOPE", help="Only of this scope. [all that wait]")
@click.option("--model", metavar="P:NAME", help="Critic and curator. [those that serving named]")
@click.option("--critic", metavar="P:NAME", help="Model of the critic. [--model]")
@click.option("--curator", metavar="P:NAME", help="Model of the curator. [the critic's]")
@click.option("--gate", type=click.Choice(_GATES), help="For lessons on trial. [as served]")
@click.option(
    "--successes",
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="Of successes, critique this share; of all else all. [as served]",
)
@click.option(
    "--good-reward",
    type=float,
    metavar="REWARD",
    help="From this one on it is a success, unless somebody says. [as served]",
)
@click.option(
    "--retry-failed",
    is_flag=True,
    help="Try again what a critic or curator has failed on; else it waits.",
)
@server_options
@budget_options
@store_option
@json_option
@verbose_option
def learn(store: Path, as_json: bool, **asked: Any) -> None:
    """Learn from feedback on what was served.

    Episodes with new feedback are critiqued and curated into lessons on the branch main. Several
    may do so at a time, and each may be killed: every feedback is learned from once. Bounds on
    tokens and cost hold for a day (UTC).
    """
    with opened(store) as kept:
        kept.abandon_dead()
        waiting = dict.fromkeys(s.scope for s in kept.all_served(("pending",)))
        scopes = [asked["scope"]] if asked["scope"] else list(waiting)
        sessions = [r for r in kept.runs() if r.method == SERVE]
        reports, unmade = {}, list[ConfigurationError]()
        for scope in scopes:
            try:
                coach = _coach(kept, scope, _session(sessions, scope), asked)
            except ConfigurationError as error:
                # The others are not to wait for a scope that nobody here can learn for.
                unmade.append(error)
            else:
                reports[scope] = run_sync(_learned(coach, retry_failed=asked["retry_failed"]))
    if reports or not unmade:
        _tell(store, reports, as_json)
    if unmade:
        raise unmade[0]


def _tell(store: Path, reports: Mapping[str, Learned], as_json: bool) -> None:
    if as_json:
        emit_json({"store": str(store), "scopes": {s: _summary(r) for s, r in reports.items()}})
        return
    for scope, report in reports.items():
        say(f"{scope}: {report}", hanging=2)
    if not reports:
        note("nothing waits: feedback comes by coach.feedback or `verbalrl feedback EPISODE`")


def _session(sessions: Sequence[RunRecord], scope: str) -> RunRecord | None:
    """The last session of `scope` that says who criticises; else the last one."""
    of_scope = [r for r in reversed(sessions) if r.task == scope]
    return next((r for r in of_scope if r.config.get("critic")), next(iter(of_scope), None))


async def _learned(coach: Coach, *, retry_failed: bool) -> Learned:
    try:
        return await coach.learn(retry_failed=retry_failed)
    finally:
        await coach.aclose()


def _coach(store: Store, scope: str, session: RunRecord | None, asked: dict[str, Any]) -> Coach:
    config: Mapping[str, Any] = {} if session is None else session.config
    kept = ServeRules.model_validate(config.get("rules") or {})
    changes: dict[str, Any] = {"budget": budget_of(asked, kept.budget)}
    given = {name: asked[name] for name in ("successes", "good_reward")}
    changes |= {name: value for name, value in given.items() if value is not None}
    critic = asked["critic"] or asked["model"] or config.get("critic")
    curator = asked["curator"] or asked["model"] or asked["critic"] or config.get("curator")
    if not critic and session is None:
        known = {r.task for r in store.runs() if r.method == SERVE}
        raise UnknownNameError.of("scope", scope, known, "nothing was served under that name")
    if not critic:
        raise ConfigurationError(
            f"serving named no model that can be loaded for {scope!r}; give --model P:NAME"
        )
    return serve(
        store,
        scope,
        critic=_model(critic, "critic", config, asked),
        curator=_model(curator or critic, "curator", config, asked),
        gate=asked["gate"] or config.get("gate") or "measured",
        rules=kept.replace(**changes),
        strict=True,
    )


def _model(name: str, role: str, config: Mapping[str, Any], asked: Mapping[str, Any]) -> Model:
    """The model `name`, asked where serving asked it unless told otherwise."""
    if asked["base_url"]:
        url = asked["base_url"] if asks_server(name) else None
        return load_model(name, base_url=url, offline=bool(url) and asked["offline_server"])
    kept = servers_in(config.get("servers"))
    server = next((kept[r] for r in (role, "critic") if r in kept and config.get(r) == name), None)
    if server is None:
        return load_model(name)
    return load_model(name, base_url=server.base_url, offline=server.offline)


def _summary(report: Learned) -> dict[str, Any]:
    found = {k: v for k, v in asdict(report).items() if k != "usage"}
    return {**found, "usage": report.usage.model_dump(mode="json")}
