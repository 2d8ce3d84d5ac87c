"""Memory in use: which lessons a prompt gets, and how they are written into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import on_use

if TYPE_CHECKING:
    from .conditions import holds as holds
    from .describing import describe as describe
    from .embed import Embedder as Embedder
    from .embed import HashEmbedder as HashEmbedder
    from .embed import fingerprint as fingerprint
    from .following import place_of as place_of
    from .minilm import MiniLmEmbedder as MiniLmEmbedder
    from .recall import recall as recall
    from .recaller import Recaller as Recaller
    from .render import PROMPT_INPUTS as PROMPT_INPUTS
    from .render import GuidanceInputs as GuidanceInputs
    from .render import attempt_text as attempt_text
    from .render import guidance_text as guidance_text
    from .render import served_blocks as served_blocks

on_use(
    __name__,
    {
        "conditions": "holds",
        "describing": "describe",
        "embed": "Embedder HashEmbedder fingerprint",
        "following": "place_of",
        "minilm": "MiniLmEmbedder",
        "recall": "recall",
        "recaller": "Recaller",
        "render": "PROMPT_INPUTS GuidanceInputs attempt_text guidance_text served_blocks",
    },
)
