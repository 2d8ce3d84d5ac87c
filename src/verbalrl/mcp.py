"""Lessons for agents that speak the Model Context Protocol, over stdin and stdout.

Whoever calls is an agent, and may repeat what a stranger told it. So its words are untrusted text
of the source `mcp`, its judgement is that of an agent, which confirms nothing, and what is not in
use is listed without its text: that would bring a quarantined lesson into a prompt after all.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, TypeVar

from pydantic import BaseModel, Field

from ._version import __version__
from .errors import ConfigurationError, UnknownNameError, VerbalRLError
from .prompts import PromptLibrary, neutralise, one_line
from .records import SERVE, Evidence, Lesson, Origin, Record, Status
from .serving import Coach, ServeRules, said_of
from .serving.coach import Models
from .serving.recalling import KINDS, Recall
from .store import AGENT, MAIN, Store, borne

if TYPE_CHECKING:
    from mcp.server import MCPServer

P = ParamSpec("P")
R = TypeVar("R")

SOURCE = "mcp"
"""The source of everything that comes in; also what its sessions say that they came by."""
INSTALL = 'pip install "verbalrl[mcp]"'
TEMPLATE = "mcp/instructions"

_LISTED = (Status.ACTIVE, Status.PROVISIONAL, Status.QUARANTINED)
_SHOWN = 20
_WHYS = 3
_LONGEST_WHY = 300
_WAITS = "kept; no prompt carries what is learned from it before a person has approved it"

Scope = Annotated[str, Field(description="What the lessons are for: one of the scopes offered.")]
Situation = Annotated[str, Field(description="What is asked for and what is known by now.")]
Done = Annotated[str, Field(description="What you answered or did.")]
Again = Annotated[str, Field(description="The id of the episode where it was recorded before.")]


class InstructionInputs(Record):
    """What `mcp/instructions` is rendered from."""

    scopes: tuple[str, ...]
    writes: bool


PROMPT_INPUTS: Mapping[str, type[BaseModel]] = {TEMPLATE: InstructionInputs}
"""For `PromptLibrary.check`."""


class Line(Record):
    """One lesson as advice."""

    lesson: str
    text: str


class Recalled(Record):
    """The lessons that fit a situation."""

    lines: tuple[Line, ...]
    left_out: int
    """How many did not fit the budget, or whose condition does not hold."""


class Listed(Record):
    """One lesson of a scope; those that no prompt carries are without text."""

    lesson: str
    status: str
    kind: str
    text: str
    support: int


class Lessons(Record):
    """The lessons of a scope."""

    lessons: tuple[Listed, ...]


class Stem(Record):
    """A critique that a lesson rests on."""

    critique: str
    episode: str
    step: int | None
    verdict: str
    trust: str
    """Of the text that it read: untrusted, task, operator."""
    why: tuple[str, ...]
    """The causes that it names; of untrusted text they are not told."""


class Carrier(Record):
    """An episode for whose prompts the lesson was considered."""

    episode: str
    outcome: str
    success: bool | None
    simulated: bool
    """Of a run with a simulated model: it says nothing of real ones."""


class Explained(Record):
    """Where a lesson came from and where it was used."""

    lesson: Listed
    version: int
    stems: tuple[Stem, ...]
    injected: int
    """Prompts that carried it."""
    simulated: int
    """Of those, in runs with a simulated model."""
    left_out: int
    """Episodes that it was left out of."""
    uses: tuple[Carrier, ...]
    """Of those, at most 20."""


class Recorded(Record):
    """What was kept."""

    episode: str
    """For what becomes known of it later."""
    feedback: int
    note: str


class Tools:
    """What an agent may ask of the memory in a store, and tell it.

    Args:
        store: Its branch main is read.
        scopes: The only ones that may be named; none: all that the store has.
    """

    def __init__(self, store: Store, scopes: Collection[str] = ()) -> None:
        self._store, self._given = store, tuple(dict.fromkeys(scopes))
        self._prompts = PromptLibrary()
        self._recalls: dict[str, Recall] = {}
        self._coaches: dict[str, Coach] = {}
        self._lock = threading.Lock()

    def scopes(self) -> tuple[str, ...]:
        """The scopes that may be named."""
        if self._given:
            return self._given
        served = {run.task for run in self._store.runs() if run.method == SERVE}
        return tuple(sorted({*self._store.scopes(MAIN), *served}))

    def close(self) -> None:
        """End the sessions; the store stays open."""
        for coach in self._coaches.values():
            coach.close()
        for recall in self._recalls.values():
            recall.close()

    # Reading

    def recall(self, scope: Scope, situation: Situation) -> Recalled:
        """Lessons from earlier work that fit a situation. Ask before you begin a task.

        They are advice: follow a lesson where its condition fits what you see.
        """
        self._check(scope)
        with self._lock:
            if scope not in self._recalls:
                # "review": no coin leaves anything out, since nobody records what became of it.
                tokens = ServeRules().tokens
                self._recalls[scope] = Recall(self._store, scope, "review", tokens, self._prompts)
        found = self._recalls[scope].choose(situation, SOURCE).guidance
        lines = (
            Line(lesson=x.lesson, text=_rule(x.when, x.when_not, x.instruction))
            for x in found.lines
        )
        return Recalled(lines=tuple(lines), left_out=found.left_out)

    def list_lessons(self, scope: Scope) -> Lessons:
        """The lessons of a scope with their status; what waits for a person is without text."""
        self._check(scope)
        found = self._store.current_lessons(MAIN, scope=scope, statuses=_LISTED)
        return Lessons(lessons=tuple(_listed(x) for x in found if x.kind in KINDS))

    def explain(
        self, lesson: Annotated[str, Field(description="Its id, as `recall` gives it.")]
    ) -> Explained:
        """Where a lesson came from, critique by critique, and the prompts that carried it."""
        found = self._store.lesson(lesson, branch=MAIN)
        if found is None or found.scope not in self.scopes() or found.kind not in KINDS:
            raise UnknownNameError(f"no lesson has the id {lesson!r:.80}; see list_lessons")
        uses = borne(self._store.carried([found.id]))
        had = [use for use in uses if use.outcome == "injected"]
        carriers = (
            Carrier(episode=u.episode, outcome=u.outcome, success=u.success, simulated=u.simulated)
            for u in uses
        )
        return Explained(
            lesson=_listed(found),
            version=found.version,
            stems=tuple(s for e in found.evidence[:_SHOWN] if (s := self._stem(e)) is not None),
            injected=sum(use.prompts for use in had),
            simulated=sum(use.prompts for use in had if use.simulated),
            left_out=len(uses) - len(had),
            uses=tuple(carriers)[:_SHOWN],
        )

    # Writing

    def record_outcome(
        self,
        scope: Scope,
        situation: Situation,
        answer: Done,
        success: Annotated[bool | None, Field(description="Whether it was right.")] = None,
        reward: Annotated[float | None, Field(description="Larger for better.")] = None,
        text: Annotated[str, Field(description="What was said of it, in words.")] = "",
        episode: Again = "",
    ) -> Recorded:
        """Record what became of your work, once it is known. It changes no lesson by itself."""
        return self._say(
            scope, (situation, answer), episode, success=success, reward=reward, text=text
        )

    def propose_critique(
        self,
        scope: Scope,
        situation: Situation,
        answer: Done,
        problem: Annotated[str, Field(description="What went wrong, and why.")],
        instruction: Annotated[str, Field(description="What to do instead.")],
        when: Annotated[str, Field(description="The condition under which that holds.")] = "",
        episode: Again = "",
    ) -> Recorded:
        """Propose what should be done otherwise another time. A person decides on it."""
        if not problem.strip() or not instruction.strip():
            raise ConfigurationError("a critique needs a problem and an instruction")
        text = f"{problem}\n{_rule(when, '', instruction)}"
        return self._say(scope, (situation, answer), episode, success=False, text=text)

    def _say(self, scope: str, case: tuple[str, str], episode: str, **said: Any) -> Recorded:
        self._check(scope)
        # What says nothing is refused before an episode is begun for it.
        said_of(episode, source=AGENT, **said)
        coach = self._coach(scope)
        if episode:
            self._check_own(scope, episode)
        else:
            with coach.episode(case[0], source=SOURCE) as begun:
                begun.step(*case)
            episode = begun.id
        number = coach.feedback(episode, source=AGENT, **said)
        return Recorded(episode=episode, feedback=number, note=_WAITS)

    def _coach(self, scope: str) -> Coach:
        with self._lock:
            if scope not in self._coaches:
                self._coaches[scope] = Coach(
                    self._store,
                    scope,
                    Models(None, None),
                    gate="measured",
                    strict=True,
                    rules=ServeRules(),
                    via=SOURCE,
                )
            return self._coaches[scope]

    def _check(self, scope: str) -> None:
        if scope not in (known := self.scopes()):
            raise UnknownNameError.of("scope", scope[:80], known)

    def _check_own(self, scope: str, episode: str) -> None:
        """Others' episodes are not judged here: the last word on an outcome stands."""
        served = self._store.served(episode)
        if served.episode != episode or (served.scope, served.source) != (scope, SOURCE):
            raise UnknownNameError(f"no episode {episode!r:.80} was recorded here for that scope")

    def _stem(self, evidence: Evidence) -> Stem | None:
        critique = self._store.critique(evidence.critique)
        if critique is None:
            return None
        told = () if critique.trust is Origin.UNTRUSTED else critique.causes[:_WHYS]
        return Stem(
            critique=critique.id,
            episode=evidence.episode,
            step=evidence.step,
            verdict=critique.verdict,
            trust=critique.trust,
            why=tuple(neutralise(one_line(cause.why))[:_LONGEST_WHY] for cause in told),
        )


def run_stdio(store: Store, scopes: Sequence[str] = (), *, allow_write: bool = False) -> None:
    """Serve the lessons of `store` until stdin ends; tools that write only where allowed.

    Raises:
        ConfigurationError: The package `mcp` is missing, or there is no scope yet.
    """
    tools = Tools(store, scopes)
    try:
        server_of(tools, allow_write=allow_write).run("stdio")
    finally:
        tools.close()


def server_of(tools: Tools, *, allow_write: bool) -> MCPServer:
    """The server that offers `tools`; the arguments and errors are those of `run_stdio`."""
    try:
        from mcp.server import MCPServer
        from mcp.types import ToolAnnotations
    except ImportError as error:
        needed = f"verbalrl mcp needs the package mcp, 2 or newer: {INSTALL}"
        raise ConfigurationError(needed) from error
    known = tools.scopes()
    if not known:
        raise ConfigurationError("the store has no scope yet: name one with --scope")
    shown = tuple(neutralise(one_line(name)) for name in known)
    inputs = InstructionInputs(scopes=shown, writes=allow_write)
    server = MCPServer(
        "verbalrl",
        version=__version__,
        instructions=PromptLibrary().render(TEMPLATE, inputs).text,
        log_level="WARNING",
    )
    reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    server.add_tool(_told(tools.recall), annotations=reads)
    server.add_tool(_told(tools.list_lessons), annotations=reads)
    server.add_tool(_told(tools.explain), annotations=reads)
    if allow_write:
        writes = ToolAnnotations(
            read_only_hint=False, destructive_hint=False, open_world_hint=False
        )
        server.add_tool(_told(tools.record_outcome), annotations=writes)
        server.add_tool(_told(tools.propose_critique), annotations=writes)
    return server


def _told(tool: Callable[P, R]) -> Callable[P, R]:
    """`tool`, whose errors the agent reads."""
    from mcp.server.mcpserver.exceptions import ToolError

    @functools.wraps(tool)
    def call(*args: P.args, **named: P.kwargs) -> R:
        try:
            return tool(*args, **named)
        except VerbalRLError as error:
            raise ToolError(str(error)) from error

    return call


def _listed(lesson: Lesson) -> Listed:
    body = lesson.body
    return Listed(
        lesson=lesson.id,
        status=lesson.status,
        kind=lesson.kind,
        text=_rule(body.when, body.when_not, body.instruction) if lesson.usable else "",
        support=lesson.votes.get("support", 0),
    )


def _rule(when: str, when_not: str, instruction: str) -> str:
    """A lesson on one line, as `prompts/_shared/lines.jinja` words it; no tag or role in it."""
    but = f" (not when {when_not})" if when_not else ""
    lead = f"When {when}{but}: " if when else f"Except when {when_not}: " if when_not else ""
    return neutralise(one_line(lead + instruction))
