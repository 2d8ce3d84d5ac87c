"""The methods of the field as pure plans; `method(name)` finds one by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import on_use

if TYPE_CHECKING:
    from .arms import ALL_ARMS as ALL_ARMS
    from .arms import ARMS as ARMS
    from .arms import BEST_OF_N as BEST_OF_N
    from .arms import LEARNED as LEARNED
    from .arms import MEANINGS as MEANINGS
    from .arms import arm as arm
    from .attempts import Attempts as Attempts
    from .base import CommitCheck as CommitCheck
    from .base import Learns as Learns
    from .base import Method as Method
    from .base import MethodSettings as MethodSettings
    from .base import Requirement as Requirement
    from .base import Selector as Selector
    from .check import check_method as check_method
    from .critique_refine import CritiqueRefine as CritiqueRefine
    from .critique_refine import critique_refine as critique_refine
    from .critique_revise import CritiqueRevise as CritiqueRevise
    from .critique_revise import critique_revise as critique_revise
    from .cvrf import Cvrf as Cvrf
    from .cvrf import cvrf as cvrf
    from .expel import Expel as Expel
    from .expel import expel as expel
    from .group_eval import GroupEval as GroupEval
    from .group_eval import group_eval as group_eval
    from .handbook import Handbook as Handbook
    from .handbook import handbook as handbook
    from .hindsight import Hindsight as Hindsight
    from .hindsight import hindsight as hindsight
    from .hint import Hint as Hint
    from .hint import hint as hint
    from .instance import InstanceMethod as InstanceMethod
    from .naming import METHODS as METHODS
    from .naming import changed as changed
    from .naming import default_for as default_for
    from .naming import method as method
    from .naming import settings_of as settings_of
    from .naming import stored as stored
    from .prove import Prove as Prove
    from .rci import Rci as Rci
    from .rci import rci as rci
    from .reflexion import Reflexion as Reflexion
    from .reflexion import reflexion as reflexion
    from .scoped_feedback import ScopedFeedback as ScopedFeedback
    from .scoped_feedback import scoped_feedback as scoped_feedback
    from .self_refine import SelfRefine as SelfRefine
    from .self_refine import self_refine as self_refine
    from .shared import SharedMethod as SharedMethod

on_use(
    __name__,
    {
        "arms": "ALL_ARMS ARMS BEST_OF_N LEARNED MEANINGS arm",
        "attempts": "Attempts",
        "base": "CommitCheck Learns Method MethodSettings Requirement Selector",
        "check": "check_method",
        "critique_refine": "CritiqueRefine critique_refine",
        "critique_revise": "CritiqueRevise critique_revise",
        "cvrf": "Cvrf cvrf",
        "expel": "Expel expel",
        "group_eval": "GroupEval group_eval",
        "handbook": "Handbook handbook",
        "hindsight": "Hindsight hindsight",
        "hint": "Hint hint",
        "instance": "InstanceMethod",
        "prove": "Prove",
        "rci": "Rci rci",
        "reflexion": "Reflexion reflexion",
        "scoped_feedback": "ScopedFeedback scoped_feedback",
        "self_refine": "SelfRefine self_refine",
        "shared": "SharedMethod",
        "naming": "METHODS changed default_for method settings_of stored",
    },
)
