"""The figures of a run that has not ended: what its rows tell so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..execution.tally import ArmTally
from ..records import Critique, Episode, RunRecord, Split
from ..result import ArmFacts, RunFacts, summarise


def figures_so_far(
    record: RunRecord, episodes: Sequence[Episode], critiques: Mapping[str, Sequence[Critique]]
) -> dict[str, Any]:
    """As `run --json` prints them, from `episodes` and the `critiques` by arm.

    What only the process that runs it knows is left out: digests, curators' tokens, time.
    """
    config: dict[str, Any] = dict(record.config)
    settings: Mapping[str, Any] = config.get("settings") or {}
    learns = str(config.get("learns", "instance"))
    split: Split = "test" if learns == "shared" else "train"
    begun = {split_: _begun(episodes, split_) for split_ in ("train", "test")}
    planned = _planned(config) or begun[split]
    facts = RunFacts(
        run=record.id,
        task=record.task,
        method=record.method,
        model=record.model,
        simulated=record.simulated,
        learns=learns,
        trials=int(config.get("trials") or settings.get("trials") or _last_trial(episodes)),
        seeds=tuple(config.get("seeds") or sorted({e.seed for e in episodes}) or (0,)),
        train=planned if split == "train" else begun["train"],
        test=planned if split == "test" else 0,
        reported=split,
        stop_reason=record.stop_reason,
        status=record.status,
    )
    arms = tuple(config.get("arms") or dict.fromkeys(e.arm for e in episodes))
    tallies = {arm: ArmTally(expected=0, instances=0, reported=split) for arm in arms}
    for episode in episodes:
        tallies[episode.arm].episode(episode)
    for arm, found in critiques.items():
        for critique in found:
            tallies[arm].critique(critique)
    outcomes = [o for tally in tallies.values() for o in tally.outcomes]
    known = {a: ArmFacts(usage=t.usage, critiques=t.critiques()) for a, t in tallies.items()}
    return dict(summarise(facts, outcomes, known).figures)


def _planned(config: Mapping[str, Any]) -> int | None:
    span = config.get("instances")
    if isinstance(span, list) and len(span) == 2 and None not in span:
        return int(span[1]) - int(span[0])
    return None


def _begun(episodes: Sequence[Episode], split: str) -> int:
    return len({e.instance for e in episodes if e.spec.split == split})


def _last_trial(episodes: Sequence[Episode]) -> int:
    return max((e.trial for e in episodes), default=1)
