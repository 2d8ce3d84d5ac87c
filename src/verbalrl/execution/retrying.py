"""Which recorded work failed, and whether trying it again has to ask anew. Pure decisions."""

from __future__ import annotations

from ..models import CallContext
from ..records import Commit, Critique, Episode


def failed(made: object) -> bool:
    """Whether a piece of recorded work ended in an error, wholly or in a part of it."""
    match made:
        case Episode():
            return made.status == "failed" or bool(made.lacking)
        case Critique():
            return made.status == "failed"
        case Commit():
            return bool(made.failure or made.lacking)
    return False


def repeats(made: object, context: CallContext) -> bool:
    """Whether work failed again on nothing but answers that the journal already had."""
    return failed(made) and context.asked == 0 and context.replayed > 0
