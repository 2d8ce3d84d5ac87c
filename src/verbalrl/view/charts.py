"""Plots as SVG that stands inside a page: in the colour of its text, without styles or addresses.

The same figures give the same bytes. A strict policy for styles lets presentation attributes pass
and nothing else, so that is what styles become.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from markupsafe import Markup

from ..result.plots import need_matplotlib

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_INK = "#0b0c0e"
"""Becomes the colour of the text around it."""
_SETTINGS: Mapping[str, Any] = {
    "svg.hashsalt": "verbalrl",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
_FONT = re.compile(r"([\d.]+px) (.+)")


def svg(name: str, title: str, draw: Callable[[], Figure]) -> Markup:
    """What `draw` makes, as an SVG element; `name` keeps its ids apart from those of others."""
    need_matplotlib()
    import matplotlib

    with matplotlib.rc_context(cast(Any, _SETTINGS)), io.StringIO() as out:
        draw().savefig(out, format="svg", metadata={"Date": None, "Creator": None})
        text = out.getvalue()
    return Markup(_embedded(text, name, title))


def _embedded(text: str, name: str, title: str) -> str:
    """The element alone, its ids prefixed, its styles as attributes."""
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"\s*<defs>\s*<style[^>]*>.*?</style>\s*</defs>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r' id="([^"]+)"', rf' id="{name}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    text = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{name}-\1"', text)
    text = re.sub(r' style="([^"]*)"', lambda found: _attributes(found.group(1)), text)
    text = text.replace(_INK, "currentColor")
    head, rest = text.split(">", 1)
    box = re.search(r'viewBox="[^"]+"', head)
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {box.group() if box else ""} role="img"'
        f' aria-labelledby="{name}-title" stroke-linejoin="round" stroke-linecap="butt">'
        f'<title id="{name}-title">{Markup.escape(title)}</title>'
    )
    return opening + rest


def _attributes(style: str) -> str:
    """`fill: none; stroke: #000` as ` fill="none" stroke="#000"`."""
    found = []
    for part in style.split(";"):
        key, _, value = (p.strip() for p in part.partition(":"))
        if key == "font" and (font := _FONT.fullmatch(value)):
            found += [("font-size", font.group(1)), ("font-family", "inherit")]
        elif key:
            found.append((key, value))
    return "".join(f' {key}="{Markup.escape(value)}"' for key, value in found)
