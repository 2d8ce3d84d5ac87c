"""`verbalrl doctor`: whether what a run needs is there."""

from __future__ import annotations

import http.client
import os
import platform
import sqlite3
import ssl
import sys
import textwrap
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

import click

from ...errors import VerbalRLError, first_line
from ...models import check_url, load_model
from ...store import open_store
from ...store.health import Health, examine, network_file_system
from ..app import DONE, FAILED
from ..options import json_option, store_option, verbose_option
from ..output import COLUMNS, clean, emit_json, plural

State = Literal["ok", "note", "fail"]
SDKS = {"openai": (2, 4), "anthropic": (1, 3)}
"""Major versions: the first that is supported, and the first that is not."""
PYTHONS = ((3, 11), (3, 15))
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
_REACH_S = 10.0


class Check(NamedTuple):
    """One thing that was looked at."""

    name: str
    state: State
    found: str


@click.command()
@click.option(
    "--base-url", metavar="URL", help="See whether this server answers. No other is asked."
)
@click.option("--model", metavar="P:NAME", help="See whether this model can be loaded.")
@store_option
@json_option
@verbose_option
@click.pass_context
def doctor(
    context: click.Context, base_url: str | None, model: str | None, store: Path, as_json: bool
) -> None:
    """See whether what a run needs is there.

    It looks at versions, keys, a model, a server and the store. Keys are never printed, and no
    address but --base-url is asked: with GET, without a key, and without a question to a model.
    Exit code 1 when something has to be mended.
    """
    checks = [*_versions(), *_keys()]
    if model is not None:
        checks.append(_model(model, base_url))
    if base_url is not None:
        checks.append(_server(base_url))
    checks += _store(store)
    is_well = all(check.state != "fail" for check in checks)
    if as_json:
        emit_json({"ok": is_well, "checks": [check._asdict() for check in checks]})
    else:
        for check in checks:
            _tell(check)
    context.exit(DONE if is_well else FAILED)


def _tell(check: Check) -> None:
    lead = f"{check.state:<5} {check.name:<21} "
    found = textwrap.wrap(clean(check.found), COLUMNS - len(lead), break_on_hyphens=False)
    click.echo(f"\n{' ' * len(lead)}".join([lead + found[0], *found[1:]]))


def _versions() -> Iterator[Check]:
    least, beyond = PYTHONS
    fits = least <= sys.version_info[:2] < beyond
    wanted = (
        "" if fits else f"; verbalrl needs {least[0]}.{least[1]} to {beyond[0]}.{beyond[1] - 1}"
    )
    yield Check("python", "ok" if fits else "fail", platform.python_version() + wanted)
    version = sqlite3.sqlite_version
    if resets_wal(sqlite3.sqlite_version_info):
        note = (
            "has the WAL-reset bug (mended in 3.51.3, 3.50.7, 3.44.6): stores are written under a "
            "lock that keeps it away; do not open one for writing with other programs during a run"
        )
        yield Check("sqlite", "note", f"{version} {note}")
    else:
        yield Check("sqlite", "ok", version)
    for name in SDKS:
        yield _sdk(name)


def resets_wal(version: tuple[int, ...]) -> bool:
    """Whether this SQLite can damage a file when a checkpoint races a commit."""
    mended = (
        version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    )
    return version >= (3, 7, 0) and not mended


def _sdk(name: str) -> Check:
    first, beyond = SDKS[name]
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Check(name, "fail", f"is not installed; pip install '{name}>={first},<{beyond}'")
    major = version.partition(".")[0]
    if major.isdecimal() and first <= int(major) < beyond:
        return Check(name, "ok", version)
    return Check(
        name, "fail", f"{version} is not supported; pip install '{name}>={first},<{beyond}'"
    )


def _keys() -> Iterator[Check]:
    for name in KEYS:
        yield Check(name, "note", "is set" if os.environ.get(name) else "is not set")


def _model(name: str, base_url: str | None) -> Check:
    try:
        load_model(name, base_url=base_url)
    except VerbalRLError as error:
        return Check("model", "fail", str(error))
    return Check("model", "ok", f"{name} can be loaded; it was not asked")


def _server(url: str) -> Check:
    try:
        check_url(url)
        status = _get(url)
    except (VerbalRLError, OSError, http.client.HTTPException, ValueError) as error:
        why = first_line(str(error), 160) or type(error).__name__
        return Check("server", "fail", f"does not answer: {why}")
    if status >= 500:
        return Check("server", "fail", f"answers with {status}: it is there and does not work")
    return Check("server", "ok", f"answers ({status} to a list of models, asked without a key)")


def _get(url: str) -> int:
    """The status of the list of models; http.client follows no redirect and sends no key."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    path += "/models" if path.endswith("/v1") else "/v1/models"
    host = parts.hostname or ""
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, parts.port, timeout=_REACH_S, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=_REACH_S)
    try:
        connection.request("GET", path, headers={"accept": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()


def _store(folder: Path) -> Iterator[Check]:
    network = network_file_system(folder)
    if network is not None:
        yield Check(
            "store",
            "fail",
            f"{folder} is on a network file system ({network}), where SQLite's locks do not hold; "
            "name a folder on a local disk",
        )
        return
    if not (folder / "verbalrl.db").exists():
        yield Check("store", "note", f"there is none in {folder} yet")
        return
    try:
        with open_store(folder) as store:
            health = examine(store)
    except VerbalRLError as error:
        yield Check("store", "fail", str(error))
        return
    yield from _found(folder, health)


def _found(folder: Path, health: Health) -> Iterator[Check]:
    if health.damage:
        mend = "restore it from a backup"
        yield Check("store", "fail", f"{folder} is damaged: {health.damage}; {mend}")
    else:
        size = f"{health.bytes / 1e6:,.1f} MB"
        yield Check("store", "ok", f"{folder} is whole: {size}, schema version {health.version}")
    if health.readable_by_others:
        yield Check("permissions", "note", f"others may read it; chmod 600 {folder}/verbalrl.db")
    if not health.writable:
        yield Check("permissions", "note", "it can be read, not written")
    if health.held:
        yield Check("leases", "note", f"{plural(len(health.held), 'branch', 'branches')} in use")
    if health.left:
        count = plural(len(health.left), "branch", "branches")
        yield Check("leases", "note", f"{count} left by a process that ended; they are free")
