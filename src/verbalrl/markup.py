"""HTML of a few values for notebooks: everything in it is escaped, and it needs no style sheet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; numbers stand at the right, a value that is None is a dash."""
    top = "".join(f'<th style="text-align:left">{escape(head)}</th>' for head in heads)
    body = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in rows)
    head = f"<thead><tr>{top}</tr></thead>" if heads else ""
    return (
        f'<table><caption style="text-align:left">{escape(caption)}</caption>'
        f"{head}<tbody>{body}</tbody></table>"
    )


def paragraph(text: str) -> str:
    """A paragraph."""
    return f"<p>{escape(text)}</p>"


def folded(summary: str, html: str) -> str:
    """`html` under a line that opens it."""
    return f"<details><summary>{escape(summary)}</summary>{html}</details>"


def _cell(cell: object) -> str:
    number = isinstance(cell, int | float) and not isinstance(cell, bool)
    side = "right" if number else "left"
    text = "–" if cell is None else f"{cell:,}" if number else str(cell)
    return f'<td style="text-align:{side};vertical-align:top">{escape(text)}</td>'
