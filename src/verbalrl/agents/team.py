"""A team: analysts that each report on one source, and a manager that alone decides.

The composition of FinCon (Yu et al. 2024, arXiv 2407.06567, section 3): analysts never talk to each
other, so that n of them send n messages before a decision. To the outside a team is its manager;
who runs an episode asks the analysts first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from pydantic import JsonValue

from ..errors import ConfigurationError, check_kind
from ..memory.memos import memo_rules
from ..models import Model
from .chat import ChatAgent
from .handles import AgentHandle, AgentLike, adapt
from .report import Analyst

TAKEN = frozenset({"actor", "critic", "curator", "recall", "person"})
"""Roles that mean somebody else on bills and in keys."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


class Team(AgentHandle):
    """An agent made of agents.

    Args:
        manager: A `ChatAgent` or a callable of a `Situation`; its `reports` are what the analysts
            say, and its observation has a line of each.
        analysts: By role, in the order in which the manager reads them: a `ChatAgent`, which then
            reports instead of acting, or a callable of a `Situation` that returns its report as
            text. The situation of an analyst holds what the environment previews for its role.
        ahead: Let analysts work on the steps to come while the manager decides; what is done and
            learned is the same.
        recall: `fincon` or `finmem`: the manager is shown memos of earlier days, as those rules
            keep and choose them (`memory.memos`). None: what it sees is the day alone.

    Raises:
        ConfigurationError: There is no analyst, or a role has no usable name.
    """

    def __init__(
        self,
        manager: AgentLike,
        analysts: Mapping[str, AgentLike],
        *,
        ahead: bool = True,
        recall: str | None = None,
    ) -> None:
        lead = adapt(manager)
        if lead.kind != "situation":
            raise ConfigurationError(
                f"Team: the manager {lead.name} takes (instance, guidance); give one that takes a"
                " Situation"
            )
        super().__init__(lead.function, "situation")
        check_kind(analysts, Mapping, "Team: analysts takes agents by role")
        if not analysts:
            raise ConfigurationError(
                "Team: no analyst is named; give some by role, such as {'news': agent}"
            )
        check_kind(ahead, bool, "Team: ahead takes True or False")
        self.analysts = MappingProxyType({r: _analyst(r, a) for r, a in analysts.items()})
        """By role, in the order of their reports."""
        self.ahead = ahead
        self.recall = None if recall is None else memo_rules(recall).name
        self.simulated = any(model.simulated for model in self.models.values())

    @property
    def roles(self) -> tuple[str, ...]:
        """The analysts' roles, in their order."""
        return tuple(self.analysts)

    @property
    def models(self) -> dict[str, Model]:
        """By role, the models that are known; the manager's is `actor`."""
        parts = {"actor": self.model} | {r: a.model for r, a in self.analysts.items()}
        return {role: model for role, model in parts.items() if model is not None}

    def recorded(self) -> dict[str, JsonValue]:
        """What a run keeps of the team and compares when it is resumed."""
        return super().recorded() | {
            # Pairs: their order decides what the manager reads first, and objects are kept sorted.
            "team": [[role, analyst.name] for role, analyst in self.analysts.items()],
            "memos": self.recall,
        }


def _analyst(role: object, agent: AgentLike) -> AgentHandle:
    if not isinstance(role, str) or not _NAME.fullmatch(role) or role in TAKEN:
        raise ConfigurationError(
            f"Team: {role!r} cannot be an analyst's role; give a word in small letters that is none"
            f" of {', '.join(sorted(TAKEN))}"
        )
    own = adapt(agent)
    if own.kind != "situation":
        raise ConfigurationError(f"Team: the {role} analyst {own.name} must take a Situation")
    function = own.function
    if isinstance(function, ChatAgent) and not isinstance(function, Analyst):
        function = Analyst.of(function)
    return AgentHandle(function, "situation")
