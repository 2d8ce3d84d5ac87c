"""Rows for trainers out of episodes and critiques: pure, so that equal stores give equal files.

The columns are those that TRL 1.16.0 reads: `trl/data_utils.py` (`is_conversational`), the
`_signature_columns` of `trl/trainer/{sft,dpo,kto}_trainer.py` and of
`trl/experimental/{sdpo,sdft}/*_trainer.py`. `spans` and `steps` are ours and read by no trainer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any, NamedTuple

from ..memory.render import TEMPLATE, GuidanceInputs
from ..methods.plans import said
from ..prompts import Line, PromptLibrary
from ..records import Cause, Critique, Episode
from .turns import Conversation, conversation

REVEALING, SYNTHETIC = "revealing", "synthetic"
MARKS = (REVEALING, SYNTHETIC)
"""What a row may be: it rests on what told the answer; its action is not the agent's own."""


class Row(NamedTuple):
    """One line of a file, and where it comes from."""

    body: Mapping[str, Any]
    instance: str
    episodes: tuple[str, ...]
    critiques: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """What rows are made from: the episodes and critiques of one run."""

    episodes: Sequence[Episode]
    critiques: Sequence[Critique]
    goals: Mapping[str, str]
    """By instance."""
    prompts: PromptLibrary = field(default_factory=PromptLibrary)
    barred: frozenset[str] = frozenset()
    """Lessons that were revoked or purged: no row repeats them."""

    @cached_property
    def judged(self) -> tuple[Episode, ...]:
        """Episodes that ended by themselves and were scored, by instance."""
        may = (e for e in self.episodes if e.status == "finished" and e.trajectory.steps)
        scored = (e for e in may if e.spec.purpose not in ("candidate", "probe"))
        return tuple(sorted(scored, key=lambda e: (e.instance, e.arm, e.seed, e.trial, e.id)))

    @cached_property
    def of(self) -> Mapping[str, list[Critique]]:
        """By episode: the usable critiques that judge it last, and those that tell the answer."""
        found: dict[str, list[Critique]] = {}
        for critique in self.critiques:
            if critique.status == "accepted" or critique.reveals_answer:
                found.setdefault(critique.episodes[-1], []).append(critique)
        return found

    @cached_property
    def marked(self) -> Mapping[str, frozenset[str]]:
        """By episode or critique: what has to be asked for."""
        told = {c.refinement for c in self.critiques if c.reveals_answer and c.refinement}
        marks = {c.id: {REVEALING} for c in self.critiques if c.reveals_answer}
        for e in self.episodes:
            revises = e.spec.revises
            if revises and any(text in revises.critique for text in told):
                marks.setdefault(e.id, set()).add(REVEALING)
            if e.spec.purpose == "counterfactual":
                marks.setdefault(e.id, set()).add(SYNTHETIC)
        for e in self.episodes:
            behind = (marks.get(name, set()) for name in e.spec.selected_from)
            if e.spec.selected_from and (inherited := set().union(*behind)):
                marks.setdefault(e.id, set()).update(inherited)
        return {name: frozenset(mark) for name, mark in marks.items()}

    def told(self, episode: Episode) -> Conversation:
        """The conversation of `episode`."""
        return conversation(episode, self.goals.get(episode.instance, ""), self.prompts)

    def marks(self, row: Row) -> frozenset[str]:
        """What has to be asked for before `row` is written."""
        return frozenset().union(*(self.marked.get(n, ()) for n in (*row.episodes, *row.critiques)))


def sft(source: Source) -> Iterator[Row]:
    """Attempts that succeeded, as `messages`."""
    for episode in source.judged:
        if episode.success is True:
            messages = list(source.told(episode).messages)
            yield Row({"messages": messages}, episode.instance, (episode.id,))


def dpo(source: Source) -> Iterator[Row]:
    """A success beside a failure, at the first step where both saw the same and did not do it.

    Each failure gives one pair at most: with the first success that shares its start.
    """
    for instance, group in groupby(source.judged, key=lambda e: e.instance):
        found = list(group)
        won = [(e, source.told(e)) for e in found if e.success is True]
        for lost in (e for e in found if e.success is False):
            told = source.told(lost)
            pairs = ((e, w, step) for e, w in won if (step := _fork(w, told)))
            for episode, right, step in pairs:
                body = {
                    "prompt": right.before(step),
                    "chosen": right.answer(step),
                    "rejected": told.answer(step),
                }
                yield Row(body, instance, (episode.id, lost.id))
                break


def kto(source: Source) -> Iterator[Row]:
    """Single actions: those of successes, and of a failure the blamed one, else the last."""
    for episode in source.judged:
        if episode.success is None:
            continue
        told, steps = source.told(episode), len(episode.trajectory.steps)
        critiques = _accepted(source, episode)
        wanted = range(1, steps + 1) if episode.success else (_blamed(episode, critiques) or steps,)
        behind = () if episode.success else tuple(c.id for c in critiques)
        for step in wanted:
            body = {
                "prompt": told.before(step),
                "completion": told.answer(step),
                "label": episode.success,
            }
            yield Row(body, episode.instance, (episode.id,), behind)


def sdpo(source: Source) -> Iterator[Row]:
    """Prompts with what a teacher may read beside them, null where nothing was said."""
    for episode in source.judged:
        critiques = source.of.get(episode.id, [])
        step = _blamed(episode, critiques) or 1
        parts = [_lessons(source, episode), *(said(c) for c in critiques)]
        context = "\n".join(text for text in parts if text)
        body = {
            "prompt": source.told(episode).before(step),
            "privileged_context": context or None,
            "instance": episode.instance,
        }
        yield Row(body, episode.instance, (episode.id,), tuple(c.id for c in critiques))


def sdft(source: Source) -> Iterator[Row]:
    """As `sdpo`, without the rows that have nothing to read."""
    return (row for row in sdpo(source) if row.body["privileged_context"] is not None)


def steps(source: Source) -> Iterator[Row]:
    """Attempts as lists of actions, each labelled: false where a critique blames it."""
    for episode in source.judged:
        critiques = _accepted(source, episode)
        blamed = {x.step for c in critiques for x in _causes(episode, c)}
        if episode.success is None or (episode.success is False and not blamed):
            continue
        told, taken = source.told(episode), episode.trajectory.steps
        body = {
            "prompt": told.before(1)[0]["content"],
            "completions": [s.action.text for s in taken],
            "labels": [episode.success or s.n not in blamed for s in taken],
        }
        behind = () if episode.success else tuple(c.id for c in critiques)
        yield Row(body, episode.instance, (episode.id,), behind)


def spans(source: Source) -> Iterator[Row]:
    """Actions with the stretches that critiques speak of, by characters of the action's text."""
    for episode in source.judged:
        told = source.told(episode)
        for critique in source.of.get(episode.id, ()):
            causes = [x for x in _causes(episode, critique) if x.span and x.span.part == "action"]
            for step, group in groupby(sorted(causes, key=lambda x: x.step), key=lambda x: x.step):
                body = {
                    "id": f"{episode.id}/{step}",
                    "prompt": told.before(step),
                    "response": told.answer(step)[0]["content"],
                    "spans": [_span(cause, critique) for cause in group],
                }
                yield Row(body, episode.instance, (episode.id,), (critique.id,))


FORMATS: Mapping[str, Callable[[Source], Iterator[Row]]] = {
    "trl-sft": sft,
    "trl-dpo": dpo,
    "trl-kto": kto,
    "trl-sdpo": sdpo,
    "trl-sdft": sdft,
    "steps": steps,
    "spans": spans,
}
"""By the name that `verbalrl export` takes."""


def _fork(one: Conversation, other: Conversation) -> int:
    """The first step whose action differs after equal messages; 0 where there is none."""
    for n, (a, b) in enumerate(zip(one.messages, other.messages, strict=False)):
        if a != b:
            return n // 2 + 1 if a["role"] == "assistant" else 0
    return 0


def _accepted(source: Source, episode: Episode) -> list[Critique]:
    return [c for c in source.of.get(episode.id, ()) if c.status == "accepted"]


def _causes(episode: Episode, critique: Critique) -> list[Cause]:
    """The causes that lie in steps of `episode`; a critique of several may speak of others."""
    known = range(1, len(episode.trajectory.steps) + 1)
    mine = (x for x in critique.causes if x.episode in (None, episode.id))
    return [x for x in mine if x.step in known]


def _blamed(episode: Episode, critiques: Sequence[Critique]) -> int:
    """The step that the first critique puts first; 0 without any."""
    found = (x.step for c in critiques for x in _causes(episode, c))
    return next(found, 0)


def _lessons(source: Source, episode: Episode) -> str:
    """The lessons that the agent had, one to a line, without those that are barred."""
    given = [x for g in episode.guidance.values() for x in g.lines if x.lesson not in source.barred]
    if not given:
        return ""
    inputs = GuidanceInputs(volatile=tuple(Line.of(x) for x in given))
    return source.prompts.render(TEMPLATE, inputs).text.strip()


def _span(cause: Cause, critique: Critique) -> dict[str, Any]:
    assert cause.span is not None
    kind, score = {"failure": ("flaw", -1.0), "success": ("merit", 1.0)}.get(
        critique.verdict, ("remark", 0.0)
    )
    return {
        "start": cause.span.start,
        "end": cause.span.end,
        "type": kind,
        "score": score,
        "critique_id": critique.id,
    }
