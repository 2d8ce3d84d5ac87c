"""Memos of a team's manager: what earlier days of its chain of attempts said, recalled each day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..agents import Team
from ..errors import MethodError
from ..lanes import Place
from ..memory.memos import Chain, Item, Memos, candidates, memo_of, memo_rules, top
from ..models import CallContext
from ..records import EpisodeSpec, InstanceView, Memo, Situation, Step
from ..rollout import MemoSource
from .embedding import PromptAsker
from .kit import Kit

if TYPE_CHECKING:
    from ..memory.embed import Vector

_ROLE = "actor"


def remembering(
    kit: Kit, spec: EpisodeSpec, place: Place, context: CallContext
) -> MemoSource | None:
    """What recalls memos for the episode of `spec`; None where its agent asks for none.

    Raises:
        MethodError: The spec goes on from a trial that has not been.
    """
    if not isinstance(kit.agent, Team) or kit.agent.recall is None:
        return None
    # Equal over arms, as worlds and sampling seeds are.
    chain = Chain(memo_rules(kit.agent.recall), (place.lane.seed, spec.instance))
    before = chain.fold(_attempts(spec, place))
    return _Remembering(chain, chain.begun(before, spec.trial), kit, context)


def _attempts(spec: EpisodeSpec, place: Place) -> list[tuple[int, tuple[Step, ...]]]:
    """The steps of the trials whose memos go on, by trial."""
    assert isinstance(place.view, InstanceView)
    wanted = spec.guidance.get(_ROLE)
    tried = {e.trial: e.trajectory.steps for e in place.view.attempts}
    trials = wanted.memos if wanted is not None else ()
    if missing := [t for t in trials if t not in tried]:
        raise MethodError(f"memos of trial {missing[0]} are asked for, and it has not been")
    return [(t, tried[t]) for t in trials]


class _Remembering:
    """The memos of one episode; they grow with the history that its situations show."""

    def __init__(self, chain: Chain, state: Memos, kit: Kit, context: CallContext) -> None:
        self._chain, self._state, self._kit, self._context = chain, state, kit, context
        self._days = 0
        self._vectors: dict[str, Vector] = {}

    async def shown(self, situation: Situation, /) -> tuple[Memo, ...]:
        """The memos for `situation`; none in a conversation with tools, which has no room for them.

        Relevance is the cosine of a memo to what the manager sees: goal, observation, reports.
        """
        for step in situation.history[self._days :]:
            self._state = self._chain.after(self._state, step)
        self._days = len(situation.history)
        said = [(report.role, report.text) for report in situation.reports]
        found = candidates(self._state, said)
        if situation.tools or not found:
            return ()
        cosines = await self._cosines(situation, found)
        best = top(self._chain.rules, found, cosines)
        return tuple(memo_of(item, self._state.trial) for item in best)

    async def _cosines(self, situation: Situation, items: tuple[Item, ...]) -> list[float]:
        import numpy as np

        view = self._context.at(step=situation.step, role=_ROLE, hook="memos")
        asker = PromptAsker(self._kit.memory.embedder, view)
        new = list(dict.fromkeys(x.text for x in items if x.text not in self._vectors))
        rows = await asker.vectors([f"{situation.goal}\n{situation.observation.text}", *new])
        self._vectors |= zip(new, rows[1:], strict=True)
        matrix = np.stack([self._vectors[x.text] for x in items])
        return [float(cosine) for cosine in matrix @ rows[0]]
