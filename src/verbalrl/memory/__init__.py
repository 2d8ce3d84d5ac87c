"""Memory in use: which lessons a prompt gets, and how they are written into it."""

from __future__ import annotations

from .conditions import holds as holds
from .describing import describe as describe
from .editing import Edited as Edited
from .editing import edit as edit
from .embed import Embedder as Embedder
from .embed import HashEmbedder as HashEmbedder
from .embed import fingerprint as fingerprint
from .feedback import Given as Given
from .feedback import conditional_lesson as conditional_lesson
from .feedback import give_feedback as give_feedback
from .feedback import not_here as not_here
from .feedback import read_feedback as read_feedback
from .feedback import shown as shown
from .following import place_of as place_of
from .health import Audit as Audit
from .health import Verified as Verified
from .health import audit as audit
from .health import verify as verify
from .minilm import MiniLmEmbedder as MiniLmEmbedder
from .purge import Purged as Purged
from .purge import purge as purge
from .recall import recall as recall
from .recaller import Recaller as Recaller
from .render import PROMPT_INPUTS as PROMPT_INPUTS
from .render import GuidanceInputs as GuidanceInputs
from .render import guidance_text as guidance_text
from .render import served_blocks as served_blocks
from .review import Reviewed as Reviewed
from .review import Verdict as Verdict
from .review import review as review
from .revoke import Revocation as Revocation
from .revoke import foreseen as foreseen
from .revoke import revoke as revoke
from .rollback import Difference as Difference
from .rollback import RolledBack as RolledBack
from .rollback import differences as differences
from .rollback import rollback as rollback
from .transfer import Exported as Exported
from .transfer import Imported as Imported
from .transfer import export_lines as export_lines
from .transfer import import_lessons as import_lessons
from .transfer import read_lines as read_lines
from .withdrawal import withdrawal as withdrawal
