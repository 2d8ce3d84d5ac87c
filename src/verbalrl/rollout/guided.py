"""What each role of an episode is given from memory: pinned for the episode, or step by step."""

from __future__ import annotations

from collections.abc import Mapping

from ..records import Guidance, GuidanceSpec, Situation, Use
from .assignment import GuidanceProvider


class Guided:
    """The guidance of one episode, by role."""

    def __init__(
        self, provider: GuidanceProvider | None, wanted: Mapping[str, GuidanceSpec]
    ) -> None:
        self._provider, self._wanted = provider, wanted
        self._given: dict[str, Guidance] = {}
        self._uses: dict[str, list[Use]] = {}

    def per_step(self, role: str) -> bool:
        """Whether `role` is given anew at every step, from what has happened by then."""
        wanted = self._wanted.get(role)
        return self._provider is not None and wanted is not None and wanted.recall == "step"

    def settled(self, role: str) -> Guidance | None:
        """What `role` gets whatever it sees; None where that is still to be recalled."""
        if self._provider is None or role not in self._wanted:
            return Guidance()
        return None if self.per_step(role) else self._given.get(role)

    async def of(self, role: str, situation: Situation, step: int) -> Guidance:
        """What `role` gets in `situation`; where it is pinned, what it got first."""
        settled = self.settled(role)
        if settled is not None:
            return settled
        assert self._provider is not None
        found = self._provider(role, situation, step if self.per_step(role) else 0)
        given = found if isinstance(found, Guidance) else await found
        self._given[role] = given
        self._uses.setdefault(role, []).extend(given.uses)
        return given

    def all(self) -> dict[str, Guidance]:
        """By role the guidance of the last step, with the uses of all steps."""
        return {
            role: given.model_copy(update={"uses": tuple(self._uses[role])})
            for role, given in self._given.items()
        }
