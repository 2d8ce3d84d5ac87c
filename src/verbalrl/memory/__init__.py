"""Memory in use: which lessons a prompt gets, and how they are written into it."""

from __future__ import annotations

from .conditions import holds as holds
from .describing import describe as describe
from .embed import Embedder as Embedder
from .embed import HashEmbedder as HashEmbedder
from .embed import fingerprint as fingerprint
from .following import place_of as place_of
from .recall import recall as recall
from .recaller import Recaller as Recaller
from .render import PROMPT_INPUTS as PROMPT_INPUTS
from .render import GuidanceInputs as GuidanceInputs
from .render import attempt_text as attempt_text
from .render import guidance_text as guidance_text
from .render import served_blocks as served_blocks
