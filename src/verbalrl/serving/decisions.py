"""What a learner makes of an episode and of what was said of it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from ..critics import CRITIQUE, OPERATOR
from ..curators.rounds import AGAIN, PAIRS
from ..ids import coin
from ..records import (
    Action,
    Commit,
    Critique,
    Episode,
    Feedback,
    LaneKey,
    Observation,
    Origin,
    Reward,
    Step,
    TextPart,
    ToolCallPart,
    Trajectory,
    WriteCritique,
)
from ..store import Judged, believed, judged
from .settings import ServeRules

_OUTAGES = ("provider_down:", "call_timed_out:")
_PASSING = (*_OUTAGES, "call_refused:", "quota_spent:")


class Wanted(NamedTuple):
    """One critique that an episode is to have."""

    work: WriteCritique
    episode: Episode
    """As its critic sees it."""
    texts: tuple[str, ...]
    """What was said, as far as its critic may read it."""
    trust: Origin
    """Of everything that its critic reads."""

    @property
    def id(self) -> str:
        """The critique's id: from episode, template and the last feedback that it knows of."""
        episode = self.episode
        return self.work.id(LaneKey(run=episode.run, arm=episode.arm, seed=episode.seed))


def wanted(
    episode: Episode, said: Sequence[Feedback], rules: ServeRules, source: str | None
) -> tuple[Wanted, ...]:
    """The critiques that `episode`, which was with `source`, is to have after `said`.

    What the operator wrote has one of its own, which reads nothing else; it is superseded only by
    what the operator writes next.
    """
    found = []
    written = [f for f in said if f.origin is Origin.OPERATOR and f.text]
    if written:
        last = written[-1].seq
        work = WriteCritique(episodes=(episode.id,), template=OPERATOR, feedback=last)
        texts = tuple(f.text for f in written)
        found.append(Wanted(work, outline(episode, said, rules), texts, Origin.OPERATOR))
    if said and is_sampled(episode.instance, said, rules):
        work = WriteCritique(episodes=(episode.id,), template=CRITIQUE, feedback=said[-1].seq)
        texts = tuple(f.text for f in _others(said))
        seen = with_feedback(episode, said, source, rules)
        found.append(Wanted(work, seen, texts, Origin.UNTRUSTED))
    return tuple(found)


def outcome(said: Sequence[Feedback], rules: ServeRules) -> Judged:
    """The outcome that `said` leads to, by those alone who are believed most.

    A number says nothing of success by itself: it does where the rules say from which on it is one.
    Where it stays unknown, what others say who are believed less makes it no success either.
    """
    spoken = [f for f in said if f.success is not None or f.reward is not None]
    most = max(map(believed, spoken), default=None)
    found = judged([f for f in spoken if believed(f) == most] or said)
    value, least = found.reward.value, rules.good_reward
    if found.success is not None or value is None or least is None:
        return found
    return found._replace(success=value >= least)


def is_sampled(instance: str, said: Sequence[Feedback], rules: ServeRules) -> bool:
    """Whether the course of an episode is critiqued: always, unless it is known to have gone well.

    So an outcome that nobody can tell counts as one to learn from: a critique too many costs
    tokens, a failure that is passed over is made again.
    """
    return outcome(said, rules).success is not True or coin("served", instance) < rules.successes


def with_feedback(
    episode: Episode, said: Sequence[Feedback], source: str | None, rules: ServeRules
) -> Episode:
    """`episode` with the outcome that `said` gives it, and the words of all but the operator.

    Its critic reads the goal too, so whoever that came from stands behind the critique.
    """
    words = [TextPart(text=f.text, origin=f.origin, source=f.source) for f in _others(said)]
    goal = TextPart(text="", origin=Origin.UNTRUSTED, source=source)
    text = "\n".join(part.text for part in words)
    final = Observation(text=text, parts=(*words, goal))
    changes: dict[str, object] = dict(outcome(said, rules)._asdict())
    changes["trajectory"] = episode.trajectory.model_copy(update={"final": final})
    return episode.model_copy(update=changes)


def outline(episode: Episode, said: Sequence[Feedback], rules: ServeRules) -> Episode:
    """The skeleton of `episode` with the operator's words: step numbers, tool names, how it ended.

    Nothing in it was written by anybody else, nor by a model: a tool is named where the caller had
    offered one of that name, for a model may ask for a tool by any name that it was talked into.
    """
    own = [f for f in said if f.origin is Origin.OPERATOR]
    texts = [f for f in own if f.text]
    numbers = {step.n for step in episode.trajectory.steps}
    steps = tuple(
        Step(
            n=step.n,
            observation=Observation(),
            action=Action(text=tools_of(step.action, names)),
            feedback="\n".join(f.text for f in texts if f.step == step.n),
        )
        for step, names in _offered(episode.trajectory.steps)
    )
    rest = tuple(
        TextPart(text=f.text, origin=Origin.OPERATOR) for f in texts if f.step not in numbers
    )
    success, reward = outcome(own, rules)
    return episode.model_copy(
        update={
            "trajectory": Trajectory(steps=steps, final=Observation(parts=rest) if rest else None),
            "answer": None,
            "success": success,
            "reward": Reward(value=reward.value, supplier=reward.supplier),
            "guidance": {},
            "failure": None,
        }
    )


def _offered(steps: Sequence[Step]) -> Iterator[tuple[Step, frozenset[str]]]:
    """Each step with the names of the tools that its agent was offered there."""
    names: frozenset[str] = frozenset()
    for step in steps:
        if step.observation.tools is not None:
            names = frozenset(tool.name for tool in step.observation.tools)
        yield step, names


def tools_of(action: Action, offered: Collection[str]) -> str:
    """The names of the tools that `action` calls; `tool` for one that was not `offered`.

    `answer` where it calls none.
    """
    names = [p.name for p in action.parts if isinstance(p, ToolCallPart)]
    return ", ".join(n if n in offered else "tool" for n in names) or "answer"


def is_passing(critique: Critique) -> bool:
    """Whether a critic failed for what will pass: its server, not its words."""
    return critique.status == "failed" and may_pass(critique.detail)


def may_pass(failure: str) -> bool:
    """The same of one line that says what failed."""
    return failure.startswith(_PASSING)


def waits(made: Commit) -> bool:
    """Whether what a curation read is to be curated later: its server was down.

    That holds for the question that was put once more, too, where it was about all that was read:
    its answer would have been another. One group among many does not hold the others back, and
    what was refused this once may be so at every time.
    """
    what, _, why = made.lacking.partition(": ")
    return may_pass(made.failure) or (what in (AGAIN, PAIRS) and why.startswith(_OUTAGES))


def _others(said: Sequence[Feedback]) -> list[Feedback]:
    return [f for f in said if f.origin is not Origin.OPERATOR and f.text]
