"""How views grow with what plans ask for, and what plans may ask for: the contract of methods."""

from __future__ import annotations

from .rules import asked_before as asked_before
from .rules import check_batch as check_batch
from .rules import check_new as check_new
from .rules import check_round as check_round
from .rules import check_shared_batch as check_shared_batch
from .views import NOTHING as NOTHING
from .views import Curated as Curated
from .views import Kept as Kept
from .views import Result as Result
from .views import close_round as close_round
from .views import grow as grow
from .views import grow_shared as grow_shared
from .views import kept as kept
from .views import woken as woken
