"""Doing the work that plans ask for: episodes, critiques, curation, decisions."""

from __future__ import annotations

from .bench import Bench as Bench
from .kit import Kit as Kit
from .plan import RunPlan as RunPlan
from .tally import ArmProgress as ArmProgress
from .tally import Progress as Progress
