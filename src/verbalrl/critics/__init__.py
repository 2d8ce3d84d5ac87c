"""Critics say in words what decided an attempt; what they say is checked before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import on_use

if TYPE_CHECKING:
    from .adapting import adapt_critic as adapt_critic
    from .check import Grounds as Grounds
    from .check import Refused as Refused
    from .check import refuse as refuse
    from .check import text_key as text_key
    from .contract import check_critic as check_critic
    from .critique import CRITIQUE as CRITIQUE
    from .critique import FEEDBACK as FEEDBACK
    from .critique import GROUP as GROUP
    from .critique import OPERATOR as OPERATOR
    from .critique import PROMPT_INPUTS as PROMPT_INPUTS
    from .critique import Critic as Critic
    from .critique import CriticLike as CriticLike
    from .critique import LLMCritic as LLMCritic
    from .critique import proposal_keys as proposal_keys
    from .programmatic import ProgrammaticCritic as ProgrammaticCritic
    from .programmatic import named as named
    from .schema import CauseReply as CauseReply
    from .schema import CritiqueReply as CritiqueReply
    from .schema import LessonReply as LessonReply
    from .uptake import Transitions as Transitions
    from .uptake import Uptake as Uptake
    from .uptake import confidences as confidences
    from .uptake import transitions as transitions
    from .uptake import uptake as uptake
    from .view import CritiqueCase as CritiqueCase
    from .view import CritiqueInputs as CritiqueInputs
    from .waiting import write_in_time as write_in_time

on_use(
    __name__,
    {
        "adapting": "adapt_critic",
        "check": "Grounds Refused refuse text_key",
        "contract": "check_critic",
        "critique": "CRITIQUE FEEDBACK GROUP OPERATOR PROMPT_INPUTS Critic CriticLike LLMCritic"
        " proposal_keys",
        "programmatic": "ProgrammaticCritic named",
        "schema": "CauseReply CritiqueReply LessonReply",
        "uptake": "Transitions Uptake confidences transitions uptake",
        "view": "CritiqueCase CritiqueInputs",
        "waiting": "write_in_time",
    },
)
