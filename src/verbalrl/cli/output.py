"""How things look: plain text in 100 columns, JSON, and stored text made harmless for a terminal.

It knows no records; commands turn records into words and hand them over.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import click

from ..text import plural as plural

COLUMNS = 100
_ID = 32
"""Characters that an id of ours has at most."""

# C0 without tab and line feed, DEL and C1; marks that reorder or hide text; lone surrogates; tags.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
    "\ud800-\udfff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def columns() -> int:
    """The width of the terminal; 100 where the output goes elsewhere."""
    return shutil.get_terminal_size((COLUMNS, 24)).columns if sys.stdout.isatty() else COLUMNS


def clean(text: str) -> str:
    """`text` with everything that could steer a terminal written as an escape."""
    return _UNSAFE.sub(lambda found: _escape(found.group()), text)


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def one_line(text: str, limit: int | None = None) -> str:
    """`text` on one line, harmless, cut to `limit` characters."""
    line = " ".join(clean(text).split())
    return line if limit is None or len(line) <= limit else line[: limit - 1] + "…"


def say(text: str = "", *, indent: int = 0, hanging: int = 0) -> None:
    """Print `text` wrapped to 100 columns; every line is indented, those that go on by more."""
    pad = " " * indent
    for line in clean(text).splitlines() or [""]:
        wrapped = textwrap.wrap(
            line,
            COLUMNS,
            initial_indent=pad,
            subsequent_indent=pad + " " * hanging,
            break_on_hyphens=False,
            drop_whitespace=True,
        )
        click.echo("\n".join(wrapped) if wrapped else "")


def heading(text: str) -> None:
    """Print a heading, on one line or wrapped."""
    line = clean(text).replace("\n", " ")
    for part in textwrap.wrap(line, COLUMNS, subsequent_indent="  ", break_on_hyphens=False):
        click.echo(click.style(part, bold=True))


def note(text: str) -> None:
    """Print a remark to stderr; a closed stderr must not end a paid run."""
    try:
        click.echo(clean(text), err=True)
    except BrokenPipeError:
        return


def note_wrapped(text: str) -> None:
    """Print a remark to stderr, wrapped to 100 columns; lines that go on are indented."""
    line = clean(text).replace("\n", " ")
    note(textwrap.fill(line, COLUMNS, subsequent_indent="  ", break_on_hyphens=False))


def note_way(text: str, way: str) -> None:
    """Print a remark and what it calls for: on one line if 100 columns have it.

    `way` holds a command, which is not broken.
    """
    whole = f"{text}; {way}"
    if len(whole) > COLUMNS:
        lines = textwrap.wrap(text, COLUMNS, subsequent_indent="  ", break_on_hyphens=False)
        whole = "\n".join([*lines, way])
    note(whole)


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    flexible: int = -1,
    whole: Sequence[int] = (),
    counts: Sequence[int] = (),
    spare: bool = False,
) -> None:
    """Print aligned columns: the column `flexible` is cut first, then the widest names.

    Columns that are `whole` are not cut, nor are numbers and ids; `counts` are written as 1,234.
    The last column, where it is `spare`, is left out before anything is cut.
    """
    cells = [[_cell(c, n in counts) for n, c in enumerate(row)] for row in rows]
    widths = [max(len(row[n]) for row in [list(heads), *cells]) for n in range(len(heads))]
    if spare and sum(widths) + 2 * (len(widths) - 1) > columns():
        heads, widths, cells = heads[:-1], widths[:-1], [row[:-1] for row in cells]
    right = [_is_number(rows, n) for n in range(len(heads))]
    kept = [right[n] or n in whole for n in range(len(heads))]
    # What names a row is copied; what somebody named themselves may be of any length.
    kept[0] = kept[0] or widths[0] <= _ID
    floors = [w if k else max(len(h), 8) for h, w, k in zip(heads, widths, kept, strict=True)]
    widths = fitted(widths, floors, flexible % len(heads))
    click.echo(click.style(_row(heads, widths, right), bold=True))
    for row in cells:
        cut = [one_line(cell, width) for cell, width in zip(row, widths, strict=True)]
        click.echo(_row(cut, widths, right))


def _cell(value: object, is_count: bool) -> str:
    if is_count and isinstance(value, int):
        return f"{value:,}"
    return one_line("–" if value is None else str(value))


def fitted(widths: Sequence[int], floors: Sequence[int], flexible: int) -> list[int]:
    """Widths of columns that fit, with two spaces between them, as far as `floors` allow.

    The column `flexible` gives way down to 12, then the widest one by one; the first column, by
    which a row is named, comes last.
    """
    made = list(widths)
    over = sum(made) + 2 * (len(made) - 1) - columns()
    given = min(max(0, over), max(0, made[flexible] - max(floors[flexible], 12)))
    made[flexible] -= given
    for _ in range(over - given):
        left = [n for n in range(len(made)) if made[n] > floors[n]]
        if not left:
            break
        made[max(left, key=lambda n: (n > 0, made[n]))] -= 1
    return made


def _is_number(rows: Sequence[Sequence[object]], column: int) -> bool:
    found = [row[column] for row in rows if row[column] is not None]
    return bool(found) and all(isinstance(c, int | float) for c in found)


def _row(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    aligned = (
        c.rjust(w) if r else c.ljust(w) for c, w, r in zip(cells, widths, right, strict=True)
    )
    return "  ".join(aligned).rstrip()


def emit_json(value: Mapping[str, Any]) -> None:
    """Print `value` as JSON; what could steer a terminal is escaped, which loses nothing."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    click.echo(_UNSAFE.sub(lambda found: _json_escape(found.group()), text))


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[n] << 8 | units[n + 1]:04x}" for n in range(0, len(units), 2))


def success_word(success: bool | None) -> str:
    """How an outcome is called everywhere."""
    return "unknown" if success is None else "solved" if success else "failed"
