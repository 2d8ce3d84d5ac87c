"""Texts that are no advice: refusals, apologies, and platitudes. They are never kept as lessons.

Both tests read words alone and err towards letting a text through: one word of substance ("be
careful with the left valve, it sticks") makes a platitude a hint.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_I = r"(?:i|we)"
_AM = r"(?:(?:i|we) (?:am|are)|i'm|we're)"
_CANNOT = (
    rf"(?:{_I} (?:can ?not|can't|could not|couldn't|will not|won't|may not|must not|do not|don't)"
    rf"|{_AM} (?:not able|unable|not allowed|not permitted|not going)(?: to)?)"
)
_SERVE = (
    r"(?:help|assist|comply|fulfil|fulfill|provide|answer|respond|discuss|engage|support|generate"
    r"|create|share|give|offer|continue|proceed|complete|participate|advise|judge|comment"
    r"|do (?:that|this|so)|feel comfortable"
    r"|have (?:personal|any|an opinion|enough|access|the ability))"
)
# A lesson begins with a verb; these begin with whoever speaks. A lesson may speak of an apology
# ("Apologise first") or in the first person of what was done ("I could not open the drawer").
_REFUSALS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"^(?:unfortunately )?(?:{_AM} )?(?:so |very |really |truly )?(?:sorry|afraid)\b",
        rf"^(?:my |our )?(?:sincere |deepest )?apologies\b|^{_I} (?:sincerely )?apologi[sz]e\b",
        r"^as an? (?:\w+ )?(?:ai|artificial intelligence|language model|large language model"
        r"|llm|chatbot)\b",
        rf"^(?:\w+ ){{0,4}}{_CANNOT} (?:\w+ ){{0,2}}{_SERVE}\b",
        rf"^(?:{_I} )?(?:can ?not|can't|won't|will not|must decline to|have to decline to)"
        rf" (?:\w+ ){{0,1}}(?:help|assist|comply|fulfil|fulfill)\b",
        rf"^(?:unfortunately )?{_I} (?:must|have to|need to|would have to|respectfully) (?:\w+ )?"
        r"(?:decline|refuse)\b",
        r"^(?:this|that|the|your|such a) (?:request|content|question|task|topic) (?:\w+ ){0,2}"
        r"(?:violates|goes against|conflicts with|is against)\b.{0,40}"
        r"\b(?:policy|policies|guidelines|rules|principles)\b",
        r"^(?:it is|it's|it would be) (?:not appropriate|inappropriate) for (?:me|us)\b",
        r"^no comment$",
    )
)
_FILLERS_WORDS = """
    a about all also always am an and any are as at be been before being by can do does
    doing done during each ever every everything for from get had has have how i if in into
    is it its just let may me might more most must my need needs never next no not now of on
    one only or our please really should so some such than that the their them then there
    these they thing things this those through time times to too until up upon us very was
    we well were what whatever when whenever where which while will with without would yet
    you your yourself
"""
_FILLERS = frozenset(_FILLERS_WORDS.split())
_ATTITUDES_WORDS = """
    accurate accurately alert attention attentive aware best better calm care careful
    carefully careless caution cautious cautiously concentrate conscientious correctly
    diligent diligence diligently double excellent faithfully focus focused good hard harder
    improve learn learned lesson lessons meticulous mind mindful mistake mistakes error
    errors patience patient pay precise precisely professional properly quality remember
    serious seriously smart smarter stay thorough thoroughly thoughtful vigilant wrong
"""
_ATTITUDES = frozenset(_ATTITUDES_WORDS.split())
_ACTS_WORDS = """
    act action again ahead answer answering answers approach avoid before check close
    closely complete completely consider correct decide detail details effort ensure
    experience fail failure follow future give go instruction instructions keep know look
    make making option options outcome past possible problem problems question questions
    read rely repeat result results right same solution solve step steps strategy succeed
    success sure task tasks think thinking try trying understand understanding use useful
    verify way work working
"""
_ACTS = frozenset(_ACTS_WORDS.split())
_ANYWHERE_WORDS = """
    answer case cases difficult error fail failure hard mistake problem question situation
    task unsure wrong
"""
_ANYWHERE = frozenset(_ANYWHERE_WORDS.split())
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


def is_refusal(text: str) -> bool:
    """True for "I cannot help with that", "As an AI …", an apology: someone speaks of himself.

    Only the beginning of `text` is looked at.
    """
    said = " ".join(_plain(text))
    return any(pattern.search(said) for pattern in _REFUSALS)


def is_platitude(instruction: str, when: str = "") -> bool:
    """True for "be careful" in any situation, and for "try again" where no situation is named."""
    said = [w for w in _plain(instruction) if w not in _FILLERS]
    if not said or not _only(said, _ATTITUDES | _ACTS):
        return False
    if any(word in _ATTITUDES for word in said):
        return True
    return _only(_plain(when), _FILLERS | _ANYWHERE)


def no_advice(instruction: str, when: str = "") -> str:
    """Why `instruction` is no lesson: "a refusal", "a platitude"; empty where it may be one."""
    if is_refusal(instruction):
        return "a refusal"
    return "a platitude" if is_platitude(instruction, when) else ""


def _plain(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return _WORD.findall(folded[:400])


def _only(said: Iterable[str], known: frozenset[str]) -> bool:
    return all(word in known for word in said)
