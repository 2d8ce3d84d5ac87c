"""From options to a learner: shared by `run`, `resume` and `demo`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from .. import critics
from ..agents import AgentLike, ChatAgent, Team
from ..errors import ConfigurationError
from ..execution import Memory, load_embedder
from ..learner import Learner
from ..methods import Method
from ..models import MANY, Budget, Model, asks_server, load_model
from ..rollout import Limits
from ..tasks import Task
from .output import note_wrapped

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Server:
    """Where models are asked that speak over HTTP."""

    base_url: str | None = None
    offline: bool = False


@dataclass(frozen=True, slots=True)
class Setup:
    """What a learner is made of, as names and values."""

    model: str
    store: Path
    method: Method | None = None
    critic: str | None = None
    curator: str | None = None
    concurrency: int | None = None
    repeats: int | None = None
    control: Literal["cvar"] | None = None
    prompts: Path | None = None
    budget: Budget | None = None
    cache: Path | None = None
    embedder: str = "hash"
    embedder_url: str | None = None
    index: str = "exact"
    team: Mapping[str, str] = field(default_factory=dict)
    """By role, the models of the analysts that report to the agent; empty: it works alone."""
    memos: str | None = None
    """How the manager of a team recalls what was said on earlier days; None: not at all."""
    servers: Mapping[str, Server] = field(default_factory=dict)
    """By role: agent, critic, curator, analysts."""
    dry: bool = False
    """Nothing is asked: no key is needed."""

    def at(self, base_url: str | None, offline: bool = False) -> Setup:
        """The same with all its models that are asked over HTTP at `base_url`.

        A server for tests stays one wherever it is: what answers decides what is learned.
        """
        if base_url is not None and not base_url.strip():
            raise ConfigurationError("--base-url: an empty text is no address; leave it out")
        if base_url is None:
            if offline:
                raise ConfigurationError("--offline-server says what --base-url is: give that too")
            return self
        named = {"agent": self.model, "critic": self.critic, "curator": self.curator, **self.team}
        asked = [role for role, name in named.items() if name and asks_server(name)]
        if not asked:
            raise ConfigurationError(
                f"--base-url means nothing to {self.model}: name a model as openai:NAME, "
                "openai-responses:NAME or anthropic:NAME"
            )
        before = {role for role, server in self.servers.items() if server.offline}
        servers = {role: Server(base_url, offline or role in before) for role in asked}
        return replace(self, servers=servers)


def servers_in(kept: object) -> dict[str, Server]:
    """Where the models of a run were asked, by role, as it has recorded them."""
    found = kept.items() if isinstance(kept, Mapping) else ()
    return {
        role: Server(str(at["base_url"]), bool(at["offline"]))
        for role, at in found
        if isinstance(at, Mapping)
    }


def server_options(command: F) -> F:
    """`--base-url URL` and `--offline-server`."""
    command = click.option(
        "--offline-server",
        is_flag=True,
        help="--base-url is a server for tests: no key, simulated.",
    )(command)
    return base_url_option(command)


def base_url_option(command: F) -> F:
    """`--base-url URL`."""
    return click.option(
        "--base-url",
        metavar="URL",
        help="Ask openai:, openai-responses: and anthropic: models there. [the provider]",
    )(command)


def cache_option(command: F) -> F:
    """`--cache DIR`."""
    return click.option(
        "--cache",
        type=click.Path(file_okay=False, resolve_path=True, path_type=Path),
        metavar="DIR",
        help="Keep answers over runs there, and pay none twice. [off]",
    )(command)


def learner_of(setup: Setup) -> Learner:
    """A learner whose agent is a chat agent on `setup.model`."""
    budget = setup.budget or Budget()
    limits = Limits(cache=setup.cache, budget=budget, repeats=setup.repeats, control=setup.control)
    if setup.concurrency is not None:
        limits = limits.replace(concurrency=setup.concurrency)
    url = setup.embedder_url
    embedder = load_embedder(setup.embedder, base_url=url, keyless=setup.dry)
    return Learner(
        agent=_agent(setup),
        method=setup.method,
        critic=setup.critic and _critic(setup, setup.critic),
        curator=setup.curator and _model(setup, "curator", setup.curator),
        store=Memory(setup.store, embedder, setup.index, url),
        limits=limits,
        prompts=setup.prompts,
    )


def _agent(setup: Setup) -> AgentLike:
    """A chat agent, or a team of them under it."""
    models: dict[tuple[str, Server], Model] = {}

    def chat(role: str, name: str) -> ChatAgent:
        # One client for all that ask the same model at the same place.
        place = (name, setup.servers.get(role, Server()))
        if place not in models:
            models[place] = _model(setup, role, name)
        return ChatAgent(models[place], prompts=setup.prompts)

    lead = chat("agent", setup.model)
    if not setup.team:
        return lead
    analysts = {role: chat(role, name) for role, name in setup.team.items()}
    return Team(lead, analysts, recall=setup.memos)


def _critic(setup: Setup, name: str) -> Model | str:
    """A model, or the name of a critic that is a program."""
    return name if critics.named(name) else _model(setup, "critic", name)


def _model(setup: Setup, role: str, name: str) -> Model:
    server = setup.servers.get(role, Server())
    many = (setup.concurrency or Limits().concurrency) >= MANY
    return load_model(
        name,
        base_url=server.base_url,
        offline=server.offline,
        transport="fastest" if many else "httpx",
        keyless=setup.dry,
    )


def say_notes(task: Task) -> None:
    """Print to stderr what the task has to say before a run."""
    for line in getattr(task, "notes", ()):
        note_wrapped(f"{task.id}: {line}")
