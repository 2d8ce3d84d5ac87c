"""Critics say in words what decided an attempt; what they say is checked before it is used."""

from __future__ import annotations

from .check import Grounds as Grounds
from .check import Refused as Refused
from .check import refuse as refuse
from .check import text_key as text_key
from .contract import check_critic as check_critic
from .critique import CRITIQUE as CRITIQUE
from .critique import OPERATOR as OPERATOR
from .critique import PROMPT_INPUTS as PROMPT_INPUTS
from .critique import Critic as Critic
from .critique import CriticLike as CriticLike
from .critique import LLMCritic as LLMCritic
from .critique import adapt_critic as adapt_critic
from .critique import proposal_keys as proposal_keys
from .schema import CauseReply as CauseReply
from .schema import CritiqueReply as CritiqueReply
from .schema import LessonReply as LessonReply
from .view import CritiqueCase as CritiqueCase
from .view import CritiqueInputs as CritiqueInputs
