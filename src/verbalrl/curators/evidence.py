"""Evidence for a curator: what critiques stand on, one item for each step that they speak of.

In a trial with real readers the curator found the rule's exception in the observations; no critique
had named it. So observations are shown, cut to a budget, with the parts that were cited kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..ids import normalised, token_estimate
from ..prompts import one_line
from ..records import Cause, Critique, Episode, Evidence, LessonProposal, Origin, Report, Step
from .nearness import Told
from .schema import EvidenceView, ProposalView
from .sources import sourced

CUT = "[…]"
# Tokens of an observation: the widest at which all new evidence fits is taken.
_WIDTHS = (240, 160, 100, 64, 40)
_OVERHEAD = 24


@dataclass(frozen=True, slots=True)
class Item:
    """One step that a critique speaks of."""

    critique: Critique
    evidence: Evidence
    outcome: str
    observation: str
    action: str
    feedback: str
    proposals: tuple[LessonProposal, ...]
    cited: tuple[str, ...]
    """Words that the critique quotes or names as cues."""
    given: tuple[str, ...]
    """Ids of the lessons that the agent had."""
    actions: tuple[str, ...] | None
    """Admissible at that step."""
    told: tuple[Told, ...] = ()
    """The guidance that the agent had, line by line."""
    goal: str = ""
    """What was asked of the agent there, where instances differ in it."""
    reports: tuple[Report, ...] = ()
    """What the analysts of a team said there."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Equal for items that show the same thing again."""
        return (
            normalised(self.goal),
            normalised(self.observation),
            normalised(self.action),
            self.outcome,
        )

    def view(self, alias: int, width: int, lessons: Mapping[str, int]) -> EvidenceView:
        """The item as it is shown; `lessons`: id → alias of those in the list."""
        return EvidenceView(
            alias=alias,
            outcome=self.outcome,
            goal=cut(self.goal, width, self.cited),
            observation=cut(self.observation, width, self.cited),
            action=cut(self.action, width, ()),
            feedback=cut(self.feedback, width // 2, self.cited),
            proposals=tuple(_proposal_view(p) for p in self.proposals),
            given=tuple(sorted(lessons[i] for i in self.given if i in lessons)),
        )

    def cost(self, width: int) -> int:
        """Tokens of it at `width`."""
        view = self.view(0, width, {})
        said = [t for p in view.proposals for t in (p.when, p.when_not, p.instruction)]
        said += [t for p in view.proposals for t in p.also_possible]
        return _OVERHEAD + token_estimate(
            "\n".join((view.goal, view.observation, view.action, view.feedback, *said))
        )


def items_of(
    critique: Critique,
    episodes: Mapping[str, Episode],
    observations: Origin = Origin.UNTRUSTED,
) -> tuple[Item, ...]:
    """What `critique` stands on: an item for each step of a proposal, else for its first cause.

    `observations` is who the task's observations come from, where their parts do not say.
    """
    attempts = [episodes[i] for i in critique.episodes if i in episodes]
    by_place: dict[tuple[str, int], list[LessonProposal]] = {}
    steps: dict[tuple[str, int], tuple[Episode, Step]] = {}
    cause = critique.causes[0] if critique.causes and not critique.proposals else None
    asked: list[tuple[LessonProposal | None, LessonProposal | Cause | None]] = [
        (p, p) for p in critique.proposals
    ] or [(None, cause)]
    for proposal, item in asked:
        found = _place(attempts, item)
        if found is None:
            continue
        place = (found[0].id, found[1].n)
        steps[place] = found
        by_place.setdefault(place, []).extend([proposal] if proposal else [])
    items = [_item(critique, *steps[place], tuple(by_place[place])) for place in by_place]
    return tuple(
        replace(x, evidence=sourced(x.evidence, critique, episodes, observations)) for x in items
    )


def actions_of(items: Iterable[Item]) -> tuple[str, ...] | None:
    """Every action that was admissible somewhere, in order of appearance; None when any text is."""
    listed = [item.actions for item in items]
    if not listed or any(actions is None for actions in listed):
        return None
    return tuple(dict.fromkeys(a for actions in listed for a in actions or ()))


def fit(
    new: Sequence[Item], earlier: Sequence[Item], budget: int
) -> tuple[tuple[Item, ...], int, int]:
    """The items that one call shows, the width of their observations, and how many were left out.

    New ones go first; of the others the newest and most diverse, while tokens last.
    """
    width = next((w for w in _WIDTHS if sum(x.cost(w) for x in new) <= budget), _WIDTHS[-1])
    left, taken = budget, list[Item]()
    for item in (*_diverse(new), *_diverse(earlier)):
        cost = item.cost(width)
        if cost <= left:
            taken.append(item)
            left -= cost
    inside = {id(item) for item in taken}
    shown = tuple(x for x in (*new, *earlier) if id(x) in inside)
    return shown, width, len(new) + len(earlier) - len(shown)


def cut(text: str, tokens: int, cited: Iterable[str]) -> str:
    """`text` on one line within about `tokens`: sentences that were cited, then from the start."""
    text = one_line(text)
    if token_estimate(text) <= tokens:
        return text
    sentences = re.split(r"(?<=[.!?;])\s+", text)
    cues = [normalised(c) for c in cited if normalised(c)]
    first = [n for n, s in enumerate(sentences) if any(c in normalised(s) for c in cues)]
    chosen: set[int] = set()
    left = tokens
    for n in dict.fromkeys((*first, *range(len(sentences)))):
        cost = token_estimate(sentences[n]) + 1
        if cost > left:
            break
        chosen.add(n)
        left -= cost
    if not chosen:
        return _around(text, tokens, cues)
    parts = [
        sentences[n] if n in chosen else CUT
        for n in range(len(sentences))
        if n in chosen or n == 0 or n - 1 in chosen
    ]
    return " ".join(parts)


def _around(text: str, tokens: int, cues: Sequence[str]) -> str:
    """A window of one long sentence, around the first cue that stands in it."""
    size = max(20, tokens * 3)
    lowered = text.casefold()
    at = next((lowered.find(c) for c in cues if c in lowered), 0)
    start = max(0, min(at - size // 3, len(text) - size))
    head, tail = (CUT + " " if start else ""), (" " + CUT if start + size < len(text) else "")
    return f"{head}{text[start : start + size].strip()}{tail}"


def _diverse(items: Sequence[Item]) -> list[Item]:
    """Newest first, taking turns between kinds of outcome and action; repetitions come last."""
    kinds: dict[tuple[str, str], list[Item]] = {}
    again: list[Item] = []
    seen: set[tuple[str, str, str, str]] = set()
    for item in reversed(items):
        if item.key in seen:
            again.append(item)
            continue
        seen.add(item.key)
        kinds.setdefault((item.outcome, normalised(item.action)), []).append(item)
    turns = max(map(len, kinds.values()), default=0)
    first = [group[n] for n in range(turns) for group in kinds.values() if n < len(group)]
    return first + again


def _place(
    attempts: Sequence[Episode], item: LessonProposal | Cause | None
) -> tuple[Episode, Step] | None:
    """The step that is meant: the last one where none is named."""
    stepped = [e for e in attempts if e.trajectory.steps]
    if not stepped:
        return None
    meant = (item and attempt_of(item, stepped)) or stepped[-1]
    steps = meant.trajectory.steps
    return meant, next((s for s in steps if item and s.n == item.step), steps[-1])


def attempt_of(item: LessonProposal | Cause, attempts: Sequence[Episode]) -> Episode | None:
    """The attempt that `item` speaks of: by its episode, else the last one of its trial."""
    named = [e for e in attempts if e.id == item.episode]
    named = named or [e for e in attempts if e.trial == item.trial]
    return named[-1] if named else None


def _item(
    critique: Critique, episode: Episode, step: Step, proposals: tuple[LessonProposal, ...]
) -> Item:
    final = episode.trajectory.final
    is_last = step is episode.trajectory.steps[-1]
    here = [
        c
        for c in critique.causes
        if c.step == step.n and (c.episode == episode.id if c.episode else c.trial == episode.trial)
    ]
    cues = [c for p in proposals for c in (p.when, *p.also_possible)]
    return Item(
        critique=critique,
        evidence=Evidence(
            critique=critique.id,
            episode=episode.id,
            instance=critique.instance,
            trial=episode.trial,
            step=step.n,
        ),
        outcome=_outcome(critique, episode, step),
        observation=step.observation.text,
        action=step.action.text,
        feedback=step.feedback or (final.text if final and is_last else ""),
        proposals=proposals,
        cited=tuple(t for t in (*(c.quote for c in here), *cues) if t.strip()),
        given=tuple(dict.fromkeys(x.lesson for g in episode.guidance.values() for x in g.lines)),
        actions=step.observation.actions,
        told=told_of(episode),
        reports=step.reports,
    )


def told_of(episode: Episode) -> tuple[Told, ...]:
    """The guidance that the agent of `episode` had, line by line."""
    lines = [
        Told(lesson=x.lesson, when=x.when, when_not=x.when_not, instruction=x.instruction)
        for guidance in episode.guidance.values()
        for x in guidance.lines
    ]
    texts = [Told(instruction=t) for g in episode.guidance.values() for t in g.texts]
    return tuple(dict.fromkeys((*lines, *texts)))


def _outcome(critique: Critique, episode: Episode, step: Step) -> str:
    if critique.by_step and step.reward:
        return "success" if step.reward > 0 else "failure"
    if episode.success is None:
        return critique.verdict
    return "success" if episode.success else "failure"


def _proposal_view(proposal: LessonProposal) -> ProposalView:
    return ProposalView(
        when=proposal.when,
        when_not=proposal.when_not,
        instruction=proposal.instruction,
        also_possible=proposal.also_possible,
        aspect=proposal.aspect,
    )
