"""The store: one SQLite file is the truth (design section 7)."""

from __future__ import annotations

from .digest import episodes_digest as episodes_digest
from .digest import memory_digest as memory_digest
from .leases import Lease as Lease
from .reduce import ENTRY as ENTRY
from .reduce import LIVE as LIVE
from .reduce import PARENTS as PARENTS
from .reduce import TRANSITIONS as TRANSITIONS
from .reduce import lesson_id as lesson_id
from .reduce import reduce as reduce
from .store import Store as Store
from .store import open_store as open_store
