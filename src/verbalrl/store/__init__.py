"""The store: one SQLite file is the truth (design section 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import on_use

if TYPE_CHECKING:
    from .bearing import Borne as Borne
    from .bearing import borne as borne
    from .columns import Words as Words
    from .digest import episodes_digest as episodes_digest
    from .digest import memory_digest as memory_digest
    from .keeping import Carried as Carried
    from .keeping import Line as Line
    from .keeping import Version as Version
    from .leases import Lease as Lease
    from .listing import CRITIQUE_SORTS as CRITIQUE_SORTS
    from .listing import EPISODE_SORTS as EPISODE_SORTS
    from .listing import LESSON_SORTS as LESSON_SORTS
    from .listing import OUTCOMES as OUTCOMES
    from .listing import Group as Group
    from .listing import Page as Page
    from .listing import UseCounts as UseCounts
    from .purging import Erase as Erase
    from .reading import MAIN as MAIN
    from .reading import Source as Source
    from .reading import as_it_is as as_it_is
    from .reading import learned_branch as learned_branch
    from .reading import learning as learning
    from .reading import source_of as source_of
    from .reading import within as within
    from .reduce import PARENTS as PARENTS
    from .reduce import TRANSITIONS as TRANSITIONS
    from .reduce import apply as apply
    from .reduce import clashes as clashes
    from .reduce import is_copy as is_copy
    from .reduce import lesson_id as lesson_id
    from .reduce import reduce as reduce
    from .runs import RunHead as RunHead
    from .served import AGENT as AGENT
    from .served import Judged as Judged
    from .served import believed as believed
    from .served import judged as judged
    from .served import supplier as supplier
    from .store import Store as Store
    from .store import open_store as open_store
    from .tombstones import Barred as Barred
    from .tombstones import Tombstone as Tombstone
    from .tombstones import hashed as hashed
    from .trust import ENTRY as ENTRY
    from .trust import LIVE as LIVE
    from .trust import corroboration as corroboration
    from .trust import vote_of as vote_of

on_use(
    __name__,
    {
        "bearing": "Borne borne",
        "columns": "Words",
        "digest": "episodes_digest memory_digest",
        "keeping": "Carried Line Version",
        "leases": "Lease",
        "listing": "CRITIQUE_SORTS EPISODE_SORTS LESSON_SORTS OUTCOMES Group Page UseCounts",
        "purging": "Erase",
        "reading": "MAIN Source as_it_is learned_branch learning source_of within",
        "reduce": "PARENTS TRANSITIONS apply clashes is_copy lesson_id reduce",
        "runs": "RunHead",
        "served": "AGENT Judged believed judged supplier",
        "store": "Store open_store",
        "tombstones": "Barred Tombstone hashed",
        "trust": "ENTRY LIVE corroboration vote_of",
    },
)
