"""What became of critiques: was the place changed, did it help, was the critic's confidence right.

Pure, over records. The next trial is the one judge of a critique that costs nothing more; it is
confounded by the ordinary variance of retries, so compare with the arm `retry`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..ids import normalised
from ..records import Critique, Episode, Record, Step


class Uptake(Record):
    """Over critiques whose next trial there is."""

    changed: int = 0
    """The criticised step was met again and done otherwise."""
    repeated: int = 0
    """It was met again and done alike."""
    unmet: int = 0
    """What was seen there was not seen again."""

    @property
    def rate(self) -> float | None:
        """The share that changed, of those that were met again."""
        met = self.changed + self.repeated
        return self.changed / met if met else None


class Transitions(Record):
    """Outputs before and after a refinement, by whether they were right."""

    fixed: int = 0
    """Wrong, then right."""
    broken: int = 0
    """Right, then wrong."""
    right: int = 0
    """Right both times."""
    wrong: int = 0
    """Wrong both times."""


def changed(critique: Critique, before: Episode, after: Episode) -> bool | None:
    """Whether the decisive step of `critique` was done otherwise in `after`; None: not met again.

    It is met where the same is seen; where it is met several times, one repetition is enough.
    """
    step = _decisive(critique, before)
    if step is None:
        return None
    again = [s for s in after.trajectory.steps if s.observation.text == step.observation.text]
    if not again:
        return None
    return all(normalised(s.action.text) != normalised(step.action.text) for s in again)


def uptake(critiques: Iterable[Critique], episodes: Iterable[Episode]) -> Uptake:
    """How often criticised steps changed on the next trial; refused critiques are left out."""
    counted = {True: 0, False: 0, None: 0}
    for critique, before, after in _followed(critiques, episodes):
        if _decisive(critique, before) is not None:
            counted[changed(critique, before, after)] += 1
    return Uptake(changed=counted[True], repeated=counted[False], unmet=counted[None])


def confidences(
    critiques: Iterable[Critique], episodes: Iterable[Episode]
) -> list[tuple[float, bool]]:
    """Each confidence that a critic stated, with whether the next trial succeeded."""
    return [
        (critique.confidence, after.success)
        for critique, _, after in _followed(critiques, episodes)
        if critique.confidence is not None and after.success is not None
    ]


def transitions(episodes: Sequence[Episode]) -> Transitions:
    """What refining did to outputs: each refined episode beside the one whose output it revises.

    That is the newest earlier one of its instance, arm and seed with that output.
    """
    counted = {(False, True): 0, (True, False): 0, (True, True): 0, (False, False): 0}
    past: dict[tuple[str, str, int, str, str], Episode] = {}
    for episode in sorted(episodes, key=lambda e: (e.trial, e.spec.candidate)):
        lane = (episode.run, episode.arm, episode.seed, episode.instance)
        revised = episode.spec.revises
        before = past.get((*lane, revised.output)) if revised else None
        if before and before.success is not None and episode.success is not None:
            counted[before.success, episode.success] += 1
        past[*lane, _output(episode)] = episode
    return Transitions(
        fixed=counted[False, True],
        broken=counted[True, False],
        right=counted[True, True],
        wrong=counted[False, False],
    )


def _output(episode: Episode) -> str:
    return "\n".join(step.action.text for step in episode.trajectory.steps)


def _decisive(critique: Critique, before: Episode) -> Step | None:
    here = (c for c in critique.causes if c.episode in (None, before.id))
    cause = next(here, None)
    if cause is None:
        return None
    return next((s for s in before.trajectory.steps if s.n == cause.step), None)


def _followed(
    critiques: Iterable[Critique], episodes: Iterable[Episode]
) -> Iterable[tuple[Critique, Episode, Episode]]:
    """Accepted critiques of attempts with that attempt and the next one on the same instance."""
    attempts = [e for e in episodes if e.spec.purpose == "attempt"]
    by_id = {e.id: e for e in attempts}
    places = {(e.run, e.arm, e.seed, e.instance, e.trial): e for e in attempts}
    for critique in critiques:
        before = by_id.get(critique.episodes[-1])
        if before is None or critique.status != "accepted":
            continue
        lane = (before.run, before.arm, before.seed, before.instance)
        after = places.get((*lane, before.trial + 1))
        if after is not None:
            yield critique, before, after
