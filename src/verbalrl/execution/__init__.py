"""Doing the work that plans ask for: episodes, critiques, curation, decisions."""

from __future__ import annotations

from . import bills as bills
from . import requirements as requirements
from .applying import Trio as Trio
from .bench import Bench as Bench
from .collector import patient as patient
from .embedding import Memory as Memory
from .embedding import load_embedder as load_embedder
from .forecast import Forecast as Forecast
from .forecast import forecast as forecast
from .kit import Kit as Kit
from .naming import name_of as name_of
from .naming import servers_of as servers_of
from .plan import RunPlan as RunPlan
from .requirements import roles_of as roles_of
from .resuming import check_same as check_same
from .sieve import taken_back as taken_back
from .sizing import Outline as Outline
from .streams import streams_of as streams_of
from .tally import ArmProgress as ArmProgress
from .tally import Progress as Progress
