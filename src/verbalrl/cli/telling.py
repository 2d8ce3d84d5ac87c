"""Records in words, for a reader at a terminal. It prints; it looks nothing up."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from ..effects import Effect, in_words
from ..records import (
    SERVED,
    Cause,
    Commit,
    Critique,
    Decision,
    Episode,
    Evidence,
    Feedback,
    Guidance,
    Lesson,
    LessonBody,
    LessonProposal,
    MemoryUpdate,
    Origin,
    Overlap,
    Proof,
    RunRecord,
    Served,
    Status,
    Step,
    Usage,
)
from ..store import supplier
from ..view import wording
from ..view.trajectory import citations
from .output import heading, one_line, plural, say, success_word

_BULKY = 2_000
"""Characters of one stored text that are printed; `--json` has all of it."""


ORDER = (
    *(Status.ACTIVE, Status.PROVISIONAL, Status.QUARANTINED, Status.SUPERSEDED),
    *(Status.RETIRED, Status.REVOKED, Status.PURGED),
)
"""Of lessons, what matters most to a reader first."""


def by_status(lessons: Collection[Lesson]) -> str:
    """`9 active, 6 retired`; empty where there are none."""
    counts = [(status, sum(le.status is status for le in lessons)) for status in ORDER]
    return ", ".join(f"{number} {status}" for status, number in counts if number)


def rule(body: LessonBody | LessonProposal) -> str:
    """`When X (not when Y): do Z`, on one line."""
    return one_line(wording.rule(body))


def place(evidence: Evidence) -> str:
    """Where a lesson stems from, from the critique back to the step."""
    step = "" if evidence.step is None else f" step {evidence.step}"
    whence = f"{evidence.critique} ← {evidence.episode}"
    if evidence.instance == evidence.episode:
        return f"{whence}{step}"
    return f"{whence} ← {evidence.instance} trial {evidence.trial}{step}"


def attempt(episode: str, instance: str, trial: int) -> str:
    """`gridnav-v1/train/3 trial 1`; a served case without a key is told by its episode."""
    return "served" if instance == episode else f"{instance} trial {trial}"


def tell_lesson(lesson: Lesson, *, shown: int | None = 3) -> None:
    """A lesson with its state and the first of its evidence; None leaves that to the caller."""
    title = f"{lesson.id}  {lesson.status}"
    extras = [f"support {lesson.votes.get('support', len(lesson.evidence))}"]
    if against := lesson.votes.get("against"):
        extras.append(f"against {against}")
    extras.append(f"trust {lesson.trust}")
    if said := wording.about(lesson.body):
        extras.append(one_line(said))
    if lesson.version > 1:
        extras.append(f"version {lesson.version}")
    if lesson.name:
        extras.append(one_line(lesson.name, 48))
    heading(f"{title}  {' · '.join(extras)}")
    say(rule(lesson.body), indent=2)
    tell_condition(lesson.body)
    for evidence in lesson.evidence[: shown or 0]:
        say(f"from {place(evidence)}", indent=4)
    if shown is not None and len(lesson.evidence) > shown:
        say(f"and {len(lesson.evidence) - shown} more; `show {lesson.id}` has all", indent=4)


def tell_effects(
    by_role: Mapping[str, Effect], proofs: Iterable[tuple[Proof, str]] = (), said: str = ""
) -> None:
    """What withholding a lesson has shown, by role where several read it, and what proofs did.

    What must be said of a figure comes after it: `said`, and beside each proof.
    """
    for role, effect in sorted(by_role.items()):
        whose = "" if role == "actor" else f" for {role}"
        say(
            f"measured{whose}: {in_words(effect)}; {effect.rent:.0f} tokens a prompt{said}",
            indent=4,
        )
    for proof, its in proofs:
        say(f"proved {proof}; {proof.run}{its}", indent=4)


def tell_condition(body: LessonBody) -> None:
    """Where it does not apply though it looks so, and how an output shows that it was followed."""
    for example in body.examples_not:
        say(f"not in: {one_line(example, 160)}", indent=4)
    if body.check:
        say(f"check: {one_line(body.check)}", indent=4)


def tell_lesson_fully(lesson: Lesson) -> None:
    """A lesson with all of its evidence and relations."""
    tell_lesson(lesson, shown=len(lesson.evidence))
    say(f"scope {lesson.scope}, since revision {lesson.born}", indent=2)
    for label, other in (("taken over by", lesson.successor), ("conflicts", lesson.conflict_with)):
        if other:
            say(f"{label} {other}", indent=2)


def critique_state(critique: Critique) -> str:
    """`accepted`, `refused: absent_quote (…)`, `failed (…)`."""
    reason = f": {critique.refusal}" if critique.refusal else ""
    detail = f" ({one_line(critique.detail, 160)})" if critique.detail else ""
    return f"{critique.status}{reason}{detail}"


def tell_critique(critique: Critique, *, fully: bool = False) -> None:
    """What the critic said of an attempt, and what became of it."""
    heading(f"{critique.id}  {critique_state(critique)}")
    say(f"{wording.judged(critique)}, verdict {critique.verdict}", indent=2)
    for cause in critique.causes:
        said = wording.quoted(cause)
        quote = f" “{one_line(said, 120)}”" if said else ""
        say(f"step {cause.step} of trial {cause.trial}:{quote} {one_line(cause.why)}", indent=4)
    for proposal in critique.proposals:
        say(f"→ {rule(proposal)}", indent=4)
        if fully and proposal.also_possible:
            say(f"also possible: {one_line('; '.join(proposal.also_possible))}", indent=6)
    if fully:
        _tell_critique_rest(critique)


def _tell_critique_rest(critique: Critique) -> None:
    if critique.refinement:
        say(f"for the next attempt: {one_line(critique.refinement, _BULKY)}", indent=2)
    for label, ids in (("keeps", critique.keeps), ("was shown", critique.shown)):
        if ids:
            say(f"{label} {', '.join(ids)}", indent=2)
    for episode in critique.episodes:
        say(f"of episode {episode}", indent=2)
    if critique.confidence is not None:
        say(f"confidence that it holds elsewhere: {critique.confidence:.2f}", indent=2)
    say(f"trust {critique.trust}, model {critique.model}, {tokens(critique.usage)}", indent=2)


def episode_state(episode: Episode) -> str:
    """`solved`, `failed`, `unknown`, `error: agent_error`."""
    if episode.failure is not None:
        return f"error: {episode.failure.kind}"
    return success_word(episode.success)


def tell_episode(episode: Episode, critiques: Sequence[Critique] = ()) -> None:
    """An attempt with its whole trajectory; the steps that `critiques` cite are marked."""
    spec = episode.spec
    heading(f"{episode.id}  {episode_state(episode)}")
    say(
        f"{attempt(episode.id, episode.instance, episode.trial)}, run {episode.run}"
        if episode.arm == SERVED
        else f"{episode.instance} trial {episode.trial}, arm {episode.arm}, seed {episode.seed}, "
        f"run {episode.run}, {spec.split} split, round {spec.round}, {spec.purpose}",
        indent=2,
    )
    for role, guidance in episode.guidance.items():
        _tell_guidance(role, guidance)
    cited = citations(episode, critiques)
    for step in episode.trajectory.steps:
        _tell_step(step, cited.get(step.n, ()))
    if episode.trajectory.final is not None:
        say("at the end", indent=2)
        say(_cut(episode.trajectory.final.text), indent=4)
    say(f"{wording.supplied(episode)}; ended: {episode.stop_reason}", indent=2)
    if episode.failure is not None:
        say(f"{episode.failure.kind}: {episode.failure.message}", indent=2)
    if episode.lacking:
        say(f"failed in part, words decided which lessons apply: {episode.lacking}", indent=2)
    for role, usage in episode.usage.items():
        say(f"{role}: {tokens(usage)}", indent=2)


def tell_served(served: Served, feedback: Sequence[Feedback]) -> None:
    """Where a served episode is in its life, and what was said of it."""
    whose = f"source {one_line(served.source)}" if served.source else "no source named"
    say(f"scope {served.scope}, {whose}; goal: {one_line(served.goal, 400)}", indent=2)
    say(f"{served.state}; learned from feedback up to {served.consumed}", indent=2)
    for said in feedback:
        outcome = [] if said.success is None else [success_word(said.success)]
        outcome += [] if said.reward is None else [f"reward {said.reward:g}"]
        by = f"{supplier(said)}{' ' + one_line(said.source) if said.source else ''}"
        by += "" if said.origin is Origin.OPERATOR else f" ({said.origin})"
        text = f": {one_line(said.text, 400)}" if said.text else ""
        say(f"feedback {said.seq} by {by}, {', '.join(outcome) or 'no outcome'}{text}", indent=2)


def _tell_guidance(role: str, guidance: Guidance) -> None:
    if guidance:
        tokens = plural(guidance.tokens, "token")
        say(f"guidance of the {wording.reader_word(role)} ({tokens})", indent=2)
    for line in guidance.lines:
        say(f"[{line.alias}] {line.lesson}", indent=4)
        say(rule(LessonProposal(**line.model_dump(include=_RULE))), indent=6)
    for text in guidance.texts:
        say(_cut(text), indent=4)


_RULE = {"when", "when_not", "instruction"}


def _tell_step(step: Step, cited: Sequence[tuple[str, Cause]]) -> None:
    replayed = " (replayed)" if step.replayed else ""
    reward = "" if step.reward is None else f", reward {step.reward:g}"
    mark = " ◂ cited" if cited else ""
    say(f"step {step.n}{replayed}{reward}{mark}", indent=2)
    if step.unreplaced is not None:
        say(f"in place of: {_cut(step.unreplaced.text)}", indent=4)
    say(_cut(step.observation.text), indent=4)
    if step.reports:
        say(f"reports: {wording.reported(step)}", indent=4)
    if step.memos:
        say(f"recalled: {wording.recalled(step)}", indent=4)
    for note in step.notes:
        say(f"note of {note.author}: {one_line(note.text)}", indent=4)
    for draft in step.drafts:
        say(f"draft sent back: {one_line(draft.text, 200)}", indent=4)
    used = f"  (followed {list(step.action.lessons_used)})" if step.action.lessons_used else ""
    if step.action.repaired:
        say(f"asked once more: {one_line(step.action.repaired, 200)}", indent=4)
    say(f"→ {one_line(step.action.text, 400)}{used}", indent=4)
    if step.feedback:
        say(f"← {one_line(step.feedback, 400)}", indent=4)
    for critique, cause in cited:
        said = wording.quoted(cause)
        quote = f" “{one_line(said, 120)}”" if said else ""
        say(f"◂ {critique}:{quote} {one_line(cause.why)}", indent=4)


def tell_run(run: RunRecord) -> None:
    """A run and how it was set up."""
    heading(f"{run.id}  {run.status}{': ' + run.stop_reason if run.stop_reason else ''}")
    say(f"{run.task} · {run.method} · {run.model} · {run.created_at}", indent=2)
    for key, value in run.config.items():
        if isinstance(value, dict) and len(value) > 6:
            told = f"{len(value)} of them; --json has all"
        else:
            told = one_line(wording.setting(value), 300) or "–"
        say(f"{key}: {told}", indent=4)


def tell_commit(commit: Commit) -> None:
    """A commit and its updates."""
    heading(f"{commit.id}  {plural(len(commit.updates), 'update')}")
    say(f"branch {commit.branch}, scope {commit.scope}, made on revision {commit.base}", indent=2)
    if commit.failure:
        say(f"failed: {commit.failure}", indent=2)
    if commit.lacking:
        say(f"failed in part: {commit.lacking}", indent=2)
    for update in commit.updates:
        tell_update(update)
    for reason in commit.rejected:
        say(f"rejected: {one_line(reason)}", indent=4)
    if commit.critiques:
        say(f"consumed {', '.join(commit.critiques)}", indent=2)


def agreed(decision: Decision) -> str:
    """`35 of 49 decisions are the same; the better one is ep_…`, of two episodes compared."""
    found = decision.overlap or Overlap()
    return (
        f"{found.same} of {found.steps} decisions are the same; the better one is {decision.chosen}"
    )


def tell_decision(decision: Decision) -> None:
    """A decision, and what it rests on."""
    heading(f"{decision.id}  {decision.kind} {decision.chosen}")
    say(f"branch {decision.branch}, supervision {decision.supervision}", indent=2)
    if decision.overlap is not None:
        say(agreed(decision), indent=2)
    for label, text in decision.detail.items():
        say(f"{label.replace('_', ' ')}: {one_line(text)}", indent=2)


def tell_update(update: MemoryUpdate) -> None:
    """One change of one lesson."""
    status = f" → {update.status}" if update.status else ""
    parents = f" from {', '.join(update.parents)}" if update.parents else ""
    say(f"{update.op} {update.lesson}{status}{parents}", indent=4)
    if update.body is not None:
        say(rule(update.body), indent=6)
    if update.reason:
        say(f"because {one_line(update.reason)}", indent=6)
    for evidence in update.evidence:
        say(f"from {place(evidence)}", indent=6)


def tokens(usage: Usage) -> str:
    """`1,234 in, 56 out, 7 calls`."""
    inputs = usage.input + usage.cache_read + usage.cache_write
    calls = plural(usage.calls, "call")
    cost = "" if usage.cost_usd is None else f", ${usage.cost_usd:.4f}"
    reused = f", {usage.reused:,} tokens from --cache" if usage.reused else ""
    return f"{inputs:,} tokens in, {usage.output:,} out, {calls}{reused}{cost}"


def refusals(critiques: Sequence[Critique]) -> str:
    """`12 accepted, 3 refused (2 duplicate, 1 answer), 1 failed`."""
    reasons: dict[str, int] = {}
    for critique in critiques:
        if critique.refusal is not None:
            reasons[critique.refusal] = reasons.get(critique.refusal, 0) + 1
    counts = []
    for status in ("accepted", "refused", "failed"):
        number = sum(c.status == status for c in critiques)
        why = ", ".join(f"{n} {r}" for r, n in sorted(reasons.items()))
        counts.append(f"{number} {status}" + (f" ({why})" if why and status == "refused" else ""))
    return ", ".join(counts)


def _cut(text: str) -> str:
    return text if len(text) <= _BULKY else f"{text[:_BULKY]}… (cut; --json has all of it)"
