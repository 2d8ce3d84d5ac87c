"""Tables as plain values, and as CSV that a spreadsheet does not run."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

Cell = str | int | float | None

_RUNS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes as the beginning of a formula."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under their heads. Numbers stay numbers; a cell without a value is None."""

    name: str
    """For files and anchors."""
    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __bool__(self) -> bool:
        return bool(self.rows)


def csv_text(table: Table) -> str:
    """`table` as CSV; a text that would be a formula is quoted by an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([quoted(head) for head in table.heads])
    writer.writerows([quoted(cell) for cell in row] for row in table.rows)
    return out.getvalue()


def quoted(cell: Cell) -> Cell:
    """`cell`, harmless to a spreadsheet."""
    if isinstance(cell, str) and cell.lstrip(" \n").startswith(_RUNS):
        return f"'{cell}"
    return "" if cell is None else cell
