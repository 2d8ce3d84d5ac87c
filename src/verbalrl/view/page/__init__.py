"""The page of `verbalrl view`: rendered here, for one person on this machine."""

from __future__ import annotations
