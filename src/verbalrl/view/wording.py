"""Records in a few words, the same wherever they are shown."""

from __future__ import annotations

import json

from ..records import Cause, Critique, Episode, Lesson, LessonBody, LessonProposal, Step, Usage
from ..records.trajectory import spoken
from ..result.marks import ROLES
from ..result.trading import chance
from ..store import Words
from ..text import plural


def rule(body: LessonBody | LessonProposal | Words) -> str:
    """`When X (not when Y): do Z`; what was purged says nothing any more."""
    if not body.instruction:
        return "(erased)"
    lead = f"When {body.when}" if body.when else "Always"
    but = f" (not when {body.when_not})" if body.when_not else ""
    return f"{lead}{but}: {body.instruction}"


def became(before: Lesson | None, after: Lesson | None) -> str:
    """`active → retired`, `active, trust task → operator`: what came of a lesson but its words."""
    was, now = ("not there" if x is None else x.status.value for x in (before, after))
    told = was if was == now else f"{was} → {now}"
    if before is None or after is None or before.trust is after.trust:
        return told
    return f"{told}, trust {before.trust} → {after.trust}"


def about(body: LessonBody) -> str:
    """`about news, also for the news analyst`; empty where nobody said what it is about."""
    also = f", also for the {body.audience.replace('_', ' ')} analyst" if body.audience else ""
    return f"about {body.aspect}{also}" if body.aspect else ""


def outcome_word(success: bool | None, failure: str = "") -> str:
    """`solved`, `failed`, `unknown`, `error`."""
    if failure:
        return "error"
    return "unknown" if success is None else "solved" if success else "failed"


def episode_word(episode: Episode) -> str:
    """How an attempt went, in one word."""
    return outcome_word(episode.success, episode.failure.kind if episode.failure else "")


def supplied(episode: Episode) -> str:
    """`reward 1 from check`, `failed, says operator; no reward`, `judged by nobody`."""
    reward = episode.reward
    if reward.value is not None:
        return f"reward {reward.value:g} from {reward.supplier}"
    if episode.success is None:
        return "judged by nobody"
    return f"{outcome_word(episode.success)}, says {reward.supplier}; no reward"


def critique_word(critique: Critique) -> str:
    """`accepted`, `refused: absent_quote`, `failed`."""
    return f"{critique.status}: {critique.refusal}" if critique.refusal else critique.status


def tokens_text(usage: Usage) -> str:
    """`1,234 in, 56 out, 7 calls`."""
    inputs = usage.input + usage.cache_read + usage.cache_write
    cost = "" if usage.cost_usd is None else f", ${usage.cost_usd:.4f}"
    return f"{inputs:,} in, {usage.output:,} out, {plural(usage.calls, 'call')}{cost}"


def reader_word(role: str) -> str:
    """`actor`, `critic`; of a team's others `news analyst`."""
    return role if role in ROLES else f"{spoken(role)} analyst"


def quoted(cause: Cause) -> str:
    """What is quoted of a step; empty where the reason says the same words."""
    return "" if " ".join(cause.quote.split()) == " ".join(cause.why.split()) else cause.quote


def judged(critique: Critique) -> str:
    """`train/0 trial 1`; of several attempts compared, all trials that are spoken of."""
    trials = sorted({critique.trial, *(cause.trial for cause in critique.causes)})
    if len(critique.episodes) < 2 or len(trials) < 2:
        return f"{critique.instance} trial {critique.trial}"
    return f"{critique.instance} trials {', '.join(map(str, trials[:-1]))} and {trials[-1]}"


def reported(step: Step) -> str:
    """`news 120 tokens, decisive; risk 98 tokens`: what reports took, and what they were worth."""
    worth = {credit.report: f", {credit.worth}" for credit in step.action.credits}
    return "; ".join(
        f"{report.role} {report.tokens:,} tokens{worth.get(n, '')}"
        for n, report in enumerate(step.reports, 1)
    )


def recalled(step: Step) -> str:
    """`step 1, news analyst; step 4, risk analyst (rested on)`: the memos that were shown."""
    cited = set(step.action.memos_used)
    return "; ".join(
        f"{memo.said}{' (rested on)' if n in cited else ''}" for n, memo in enumerate(step.memos, 1)
    )


def caveat(episodes: int, simulated: int, solved: int) -> str:
    """`6 of the episodes simulated, 4 of these solved`; empty where no run was simulated.

    Of a lesson that simulated and real runs had: what it did in the one says nothing of the other.
    """
    if not simulated:
        return ""
    if simulated == episodes:
        return "simulated" if episodes == 1 else "all of the episodes simulated"
    return f"{simulated:,} of the episodes simulated, {solved:,} of these solved"


def figure(value: float | None, *, signed: bool = False, digits: int = 4) -> str:
    """A rate with the four digits that `run --json` has; a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:{'+' if signed else ''}.{digits}f}"


def span(
    pair: tuple[float | None, float | None] | list[float] | None,
    *,
    signed: bool = False,
    digits: int = 4,
) -> str:
    """`[0.1000, 0.5000]`; empty where there is none."""
    if pair is None or pair[0] is None or pair[1] is None:
        return ""
    low, high = (figure(value, signed=signed, digits=digits) for value in pair)
    return f"[{low}, {high}]"


def setting(value: object) -> str:
    """A setting of a run: a text as it is, all else as JSON, which `--json` and files have."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def odds(p: float | None) -> str | None:
    """`<.001`, `.031`; None where there is none, as in runs of before there was the test."""
    return None if p is None else chance(p).removeprefix("p").removeprefix("=")
