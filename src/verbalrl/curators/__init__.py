"""Curators turn critiques into updates of memory; code decides which of them are allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import on_use

if TYPE_CHECKING:
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
    from .evidence import Item as Item
    from .evidence import items_of as items_of
    from .reflections import curate_reflections as curate_reflections
    from .schema import CuratorReply as CuratorReply
    from .schema import OperationReply as OperationReply
    from .shared import curate_shared as curate_shared
    from .sources import sourced as sourced
    from .waiting import curate_in_time as curate_in_time

on_use(
    __name__,
    {
        "apply": "Settled confirmed entry settle",
        "case": "Check CurationCase",
        "curator": "PROMPT_INPUTS Curator CuratorLike LLMCurator adapt_curator",
        "desk": "Desk",
        "evidence": "Item items_of",
        "reflections": "curate_reflections",
        "schema": "CuratorReply OperationReply",
        "shared": "curate_shared",
        "sources": "sourced",
        "waiting": "curate_in_time",
    },
)
