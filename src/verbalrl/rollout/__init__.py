"""One episode: limits, hooks, the environment behind one door, and what becomes of failures."""

from __future__ import annotations

from .asking import PROMPT_INPUTS as PROMPT_INPUTS
from .assignment import Assignment as Assignment
from .assignment import GuidanceProvider as GuidanceProvider
from .assignment import MemoSource as MemoSource
from .control import CvarControl as CvarControl
from .episode import run_episode as run_episode
from .guards import FormGuard as FormGuard
from .guards import LoopGuard as LoopGuard
from .hooks import Accept as Accept
from .hooks import Annotate as Annotate
from .hooks import Hook as Hook
from .hooks import ReplaceAction as ReplaceAction
from .hooks import ReplaceObservation as ReplaceObservation
from .hooks import Revise as Revise
from .hooks import Stop as Stop
from .limits import Limits as Limits
