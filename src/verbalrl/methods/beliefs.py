"""Beliefs of a team as plans ask for them: who is given which, and the edit after a round."""

from __future__ import annotations

from collections.abc import Sequence

from ..records import (
    Batch,
    CurateLessons,
    GuidanceSpec,
    InstanceView,
    LessonKind,
    Origin,
    SharedView,
)
from . import plans
from .comparing import GROUP, agreed, audiences
from .credited import credited


def guidance(view: InstanceView, aspects: Sequence[str], budget: int) -> dict[str, GuidanceSpec]:
    """All beliefs for whoever decides, for each analyst those of its own aspect.

    An analyst also hears what its reports in the last round were worth, as the manager said.
    """
    whole = GuidanceSpec(source="recall", scopes=(view.scope,), budget=budget)
    trusted = [x for x in view.lessons if x.trust is not Origin.UNTRUSTED]
    # Whether a condition holds is another question at every step. Analysts, who may work ahead of
    # the decisions, have theirs for the whole episode, whatever it begins with.
    own = {a: tuple(x.id for x in trusted if x.body.audience == a) for a in aspects}
    told = credited(e for e in view.attempts if e.spec.round == view.number - 1)
    analysts = {
        a: whole.replace(audience=a, force_in=ids, beside=told.get(a, "")) for a, ids in own.items()
    }
    return {"actor": whole.replace(recall="step"), **analysts}


def edit(
    view: SharedView, aspects: Sequence[str], max_lessons: int, evidence_tokens: int
) -> Batch | None:
    """The edit of the beliefs that the critiques of closed rounds ask for; None when it is done.

    It is bounded by how far the last two rounds agree, for which the method has the check `step`.
    """
    accepted = [c.id for r in view.rounds for c in r.critiques if c.status == "accepted"]
    consumed = set(view.curated)
    pending = tuple(c for c in accepted if c not in consumed)
    earlier = (*plans.inherited_evidence(view), *accepted)
    work = CurateLessons(
        critiques=pending,
        evidence=tuple(c for c in earlier if c not in pending),
        scope=view.scope,
        kind=LessonKind.BELIEF,
        group=GROUP,
        max_lessons=max_lessons,
        evidence_tokens=evidence_tokens,
        check="step",
        aspects=audiences(aspects),
        overlap=agreed(view),
    )
    return Batch(work=(work,)) if pending else None
