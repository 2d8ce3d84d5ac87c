"""Was feedback applied where it holds, and only there? In, near and away from its domain.

The measures of RLVF (Stephan et al. 2024, arXiv 2402.10893), by programs: an output shows the
effect of feedback if it passes the feedback's check.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from ..ids import normalised
from ..records import Episode, Lesson
from .feedback import shown

Kind = Literal["in", "near", "general"]


class Label(NamedTuple):
    """Where an instance lies."""

    kind: Kind
    lesson: str = ""
    """The lesson whose domain it is in or near; empty: it is away from all of them."""


class Case(NamedTuple):
    """One output, judged."""

    kind: Kind
    applied: bool
    same: bool | None = None
    """As without feedback; None where there is no baseline."""


class Scoping(NamedTuple):
    """Counts by kind, and the shares that follow; a share of nothing is 0."""

    cases: Mapping[Kind, int]
    applied: Mapping[Kind, int]
    preserved: float
    """Of the outputs outside of the domain that have a baseline: those that are as without."""

    @property
    def precision(self) -> float:
        """Of all outputs that show the effect: those inside of the domain."""
        return _share(self.applied["in"], sum(self.applied.values()))

    @property
    def recall(self) -> float:
        """Of all outputs inside of the domain: those that show the effect."""
        return _share(self.applied["in"], self.cases["in"])

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    @property
    def overgeneralised(self) -> float:
        """Of all outputs outside of the domain: those that show the effect."""
        outside = self.applied["near"] + self.applied["general"]
        return _share(outside, self.cases["near"] + self.cases["general"])


def scoping(cases: Iterable[Case]) -> Scoping:
    """The counts and shares of `cases`."""
    listed = list(cases)
    counts: dict[Kind, int] = {"in": 0, "near": 0, "general": 0}
    applied = dict(counts)
    for case in listed:
        counts[case.kind] += 1
        applied[case.kind] += case.applied
    outside = [c.same for c in listed if c.kind != "in" and c.same is not None]
    return Scoping(counts, applied, _share(sum(outside), len(outside)))


def cases_of(
    episodes: Iterable[Episode], lessons: Sequence[Lesson], labels: Mapping[str, Label]
) -> list[Case]:
    """The attempts at labelled instances, judged by the checks of `lessons`.

    Baselines are the searches of the same instance, arm, seed and trial. Outside of a domain
    an effect that the baseline shows too is not the feedback's. What broke applied nothing.
    """
    found = [e for e in episodes if e.instance in labels]
    base = {_lane(e): e.answer for e in found if e.spec.purpose == "search"}
    attempts = (e for e in found if e.spec.purpose == "attempt")
    return [_case(e, base.get(_lane(e)), lessons, labels[e.instance]) for e in attempts]


def _case(episode: Episode, base: str | None, lessons: Sequence[Lesson], label: Label) -> Case:
    meant = [x for x in lessons if x.body.check and (not label.lesson or x.id == label.lesson)]
    answer = episode.answer
    applied = answer is not None and any(
        shown(x.body.check, answer)
        and (label.kind == "in" or base is None or not shown(x.body.check, base))
        for x in meant
    )
    same = None if base is None else normalised(answer or "") == normalised(base)
    return Case(label.kind, applied, same)


def _lane(episode: Episode) -> tuple[str, str, int, int]:
    return episode.instance, episode.arm, episode.seed, episode.trial


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
