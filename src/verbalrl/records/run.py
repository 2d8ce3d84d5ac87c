"""A run, its branches, and the journal of its calls."""

from __future__ import annotations

from typing import Literal

from pydantic import JsonValue

from ._base import Record
from .content import Usage
from .work import OpenRound

RunStatus = Literal["running", "interrupted", "done", "stopped", "failed"]


class RunRecord(Record):
    """One invocation of a learner, resumable."""

    id: str
    task: str
    method: str
    model: str
    simulated: bool
    """True when any model of it is simulated; such figures never stand beside real ones."""
    config: dict[str, JsonValue]
    """All that reproduces it: settings, versions, prompt hashes."""
    status: RunStatus = "running"
    stop_reason: str = ""
    created_at: str = ""
    result: dict[str, JsonValue] | None = None
    """The figures of `run --json`, once it has ended."""


class BranchRecord(Record):
    """A line of memory of its own: one (run, arm, seed), or `main`."""

    id: str
    run: str | None = None
    arm: str | None = None
    seed: int | None = None
    parent: str | None = None
    """A scope without commits of its own reads through to the parent, at the pinned revision."""
    pinned: dict[str, int] = {}
    """By scope: the parent's revision."""
    learns: bool = True


class RoundRecord(Record):
    """A round and the revisions that it pinned when it was opened."""

    branch: str
    number: int
    opened: OpenRound
    pinned: dict[str, int] = {}


class CallRecord(Record):
    """One journaled answer: of a model, of a hook, or of a person."""

    key: str
    generation: int = 0
    owner: str
    """The episode, critique or curation that asked."""
    role: str
    run: str = ""
    """Whose bill it is."""
    kind: Literal["model", "hook", "person"] = "model"
    request_sha: str
    request: str = ""
    """The request as canonical JSON; empty where it is not kept."""
    reply: str
    """The reply as canonical JSON."""
    usage: Usage = Usage()
