"""Curators turn critiques into updates of memory; code decides which of them are allowed."""

from __future__ import annotations

from .apply import Settled as Settled
from .apply import confirmed as confirmed
from .apply import entry as entry
from .apply import settle as settle
from .case import Check as Check
from .case import CurationCase as CurationCase
from .curator import PROMPT_INPUTS as PROMPT_INPUTS
from .curator import Curator as Curator
from .curator import CuratorLike as CuratorLike
from .curator import LLMCurator as LLMCurator
from .curator import adapt_curator as adapt_curator
from .desk import Desk as Desk
from .reflections import curate_reflections as curate_reflections
from .schema import CuratorReply as CuratorReply
from .schema import OperationReply as OperationReply
from .shared import curate_shared as curate_shared
from .sources import sourced as sourced
