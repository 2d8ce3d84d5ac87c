"""HTML from the templates of this package: everything put into them is escaped."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, MutableMapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote_plus

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from ..text import plural
from .trajectory import alike, steps_of
from .wording import became, critique_word, judged, quoted, reader_word, recalled, reported, rule

_TONES = {
    **dict.fromkeys(("solved", "active"), "good"),
    **dict.fromkeys(("failed", "error", "revoked"), "bad"),
    **dict.fromkeys(("quarantined", "provisional"), "warn"),
}


def render(template: str, **values: Any) -> str:
    """The page that `template` makes of `values`."""
    return _template(template).render(values)


@cache
def _template(name: str) -> Template:
    return _environment().get_template(name)


def here(path: str, asked: Mapping[str, object] | None = None, **more: object) -> str:
    """An address of the page with what is asked; empty values are left out."""
    given = {**asked, **more} if asked else more
    query = "&".join(f"{k}={_quoted(str(v))}" for k, v in given.items() if v not in (None, ""))
    return f"{path}?{query}" if query else path


@lru_cache(maxsize=1024)
def _quoted(value: str) -> str:
    """`value` in an address: the rows of a list name one branch fifty times over."""
    return quote_plus(value)


@lru_cache(maxsize=256)
def state(word: str) -> Markup:
    """`word`, which tells how something went or where it stands, as a tag of its colour."""
    return Markup('<span class="tag {}">{}</span>').format(_TONES.get(word, ""), word)


@lru_cache(maxsize=256)
def breakable(text: str) -> Markup:
    """`text`, which may be an address, with places to break it that are not within a number."""
    return Markup("<wbr>").join(re.split(r"(?<=[/?&:])", text))


@cache
def stylesheet() -> str:
    """The one style sheet."""
    return (files(__package__) / "templates" / "style.css").read_text(encoding="utf-8")


def style_hash() -> str:
    """What a content policy names the style sheet by."""
    digest = hashlib.sha256(stylesheet().encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


# A filter is called as it is; for a function Jinja looks first at what it may want to be handed.
_FILTERS: Mapping[str, Callable[..., object]] = {
    "alike": alike,
    "became": became,
    "breakable": breakable,
    "here": here,
    "judged": judged,
    "plural": plural,
    "quoted": quoted,
    "reader_word": reader_word,
    "recalled": recalled,
    "reported": reported,
    "rule": rule,
    "state": state,
    "steps_of": steps_of,
    "thousands": "{:,}".format,
    "word": critique_word,
}


class _Environment(Environment):
    def make_globals(self, d: MutableMapping[str, Any] | None) -> dict[str, Any]:
        """One dictionary: a chain of them is gone through in Python again for every page."""
        return {**self.globals, **(d or {})}


@cache
def _environment() -> Environment:
    made = _Environment(
        loader=PackageLoader(__package__, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        # They are part of what is installed; each page would ask the disk for five of them.
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= _FILTERS
    made.tests["number"] = lambda cell: isinstance(cell, int | float)
    made.globals["style"] = lambda: Markup(stylesheet())
    made.globals["style_hash"] = style_hash
    # Macros know no request: pages need not import them anew. The second stand on the first.
    made.globals["m"] = made.get_template("macros.html").module
    made.globals["parts"] = made.get_template("page/parts.html").module
    return made
