"""Tasks: what agents attempt, and how to load, write and check them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import on_use

if TYPE_CHECKING:
    from .base import Card as Card
    from .base import Environment as Environment
    from .base import Fruitless as Fruitless
    from .base import Learns as Learns
    from .base import Played as Played
    from .base import Policy as Policy
    from .base import Problem as Problem
    from .base import Task as Task
    from .base import World as World
    from .base import WorldTask as WorldTask
    from .base import play as play
    from .base import random_policy as random_policy
    from .check import check_task as check_task
    from .folder import FolderTask as FolderTask
    from .load import known_tasks as known_tasks
    from .load import load_task as load_task
    from .own import task as task
    from .renamed import RenamedTask as RenamedTask

on_use(
    __name__,
    {
        "base": "Card Environment Fruitless Learns Played Policy Problem Task World WorldTask play"
        " random_policy",
        "check": "check_task",
        "folder": "FolderTask",
        "load": "known_tasks load_task",
        "own": "task",
        "renamed": "RenamedTask",
    },
)
