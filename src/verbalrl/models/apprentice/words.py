"""The only words that the apprentice knows: how outcomes are spoken of, and function words.

`VALENCE_WORDS` is the published list: everything else in a task may be renamed consistently and the
apprentice must learn as well as before. No noun, verb or name of any task stands here.
"""

from __future__ import annotations

from typing import Final


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split())


POSITIVE: Final = _listed(
    "accepted achieved approved complete correct good passed reached solved succeeded success"
    " well win won"
)
"""Words that speak of a good outcome; compared by stem."""

NEGATIVE: Final = _listed(
    "bad blocked dead died error failed failure fatal fell incorrect invalid lost missed mistake"
    " nothing penalty refused rejected unchanged worse wrong"
)
"""Words that speak of a bad outcome; compared by stem."""

NEGATORS: Final = _listed(
    "avoid cannot cant dont instead never no nor not rather refrain stop without"
)
"""Words that turn an advice, or a word of the lists above, round."""

EXPECTED: Final = _listed("better expected needed ought should")
"""Words with which a feedback says what would have been right."""

VALENCE_WORDS: Final[frozenset[str]] = frozenset((*POSITIVE, *NEGATIVE, *NEGATORS, *EXPECTED))
"""The published list, at most 60 words: all that a renaming of a task must leave alone."""

STOP_WORDS: Final[frozenset[str]] = frozenset(
    _listed(
        "a about also am an and any are as at be been being but by can could did do does each"
        " either else for from had has have he her here hers him his how i if in into is it its"
        " just may me might mine must my of on one only onto or our ours shall she so some such"
        " than that the their theirs them then there these they this those to too until us very"
        " was we were what when where whether which while who whom whose why will with would you"
        " your yours"
    )
)
"""Function words; they carry no feature. Places and directions are left out on purpose."""

FRAME_WORDS: Final[frozenset[str]] = frozenset({"mention", "text"})
"""Stems with which the curator words a condition; they say nothing about a situation."""
