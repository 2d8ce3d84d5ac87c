"""Daily prices in files that people have: OHLCV csv, and the json of INVESTOR-BENCH.

A file is used as a whole or refused with one line: a price series with a hole in it, or with days
out of order, would give wrong results without a word.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field

from ...errors import DataError, first_line
from ...records import Record
from ...text import plural
from .rows import Refused, read_text

_DATES = ("date", "datetime", "timestamp", "day")
_TICKERS = ("ticker", "symbol")
_BAND = 0.001
"""What rounding may put between a close and the day's low or high, as a share of it."""
_BANDS = ("open", "high", "low")
_FEWEST = 10
_JUMP = 3.0
"""Times the price of the day before, or a part of it, beyond which it is more likely a slip."""
_NAMED = 3
_FILINGS = (("10k", "10-K"), ("10q", "10-Q"))

Basis = Literal["adjusted", "close"]


class Reading(Record):
    """How a price file is read."""

    price: Basis | None = None
    """Which closes of a file that has both; None: the adjusted ones."""
    ticker: str = ""
    """Whose prices are wanted; empty: what the file name says."""
    max_gap: int = Field(default=10, ge=1)
    """Calendar days between two rows beyond which prices are missing."""


class Quotes(NamedTuple):
    """The prices of one asset."""

    name: str
    layout: str
    basis: str
    """Which closes these are, in words."""
    currency: str
    """Empty where the file does not say."""
    days: tuple[date, ...]
    closes: tuple[float, ...]
    news: tuple[tuple[str, ...], ...]
    filings: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """What can be used and is strange all the same."""


_OPEN = "unexpected end of data"
"""What the reader of csv says of a quote that is still open at the end of the file."""


class _Table(NamedTuple):
    """A csv below its header: column names without case and spaces, rows with their lines."""

    layout: str
    header: tuple[str, ...]
    """The names of the columns as they stand there."""
    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    tickers: frozenset[str]

    def cells(self, *names: str) -> tuple[str, ...] | None:
        """The column of one of `names`; None where there is none."""
        place = next((self.columns.index(n) for n in names if n in self.columns), None)
        if place is None:
            return None
        return tuple(row[place].strip() if place < len(row) else "" for _, row in self.rows)


def read_quotes(path: Path, how: Reading, today: date) -> Quotes:
    """The prices of one file.

    Raises:
        DataError: It cannot be used; one line that says where and what to do.
    """
    text = read_text(path)
    try:
        found = _bench(text) if text.lstrip()[:1] == "{" else _csv(text, how)
        quotes, marked = found
        _check_days(marked, how, today)
        if len(marked) < _FEWEST:
            raise Refused(f"only {plural(len(marked), 'day')}; at least {_FEWEST} are wanted")
    except Refused as error:
        raise DataError(f"{path}: {error}") from error
    _check_name(quotes.name, how, path)
    strange = tuple(_strange(marked, quotes.closes))
    return quotes._replace(name=quotes.name or _name_of(path, how), notes=strange)


def _strange(marked: Sequence[tuple[str, date]], closes: Sequence[float]) -> Iterable[str]:
    """What is said of prices that are hardly those of a market; a line each."""
    if min(closes) == max(closes):
        flat = f"{closes[0]:g} on all {len(closes)} days"
        yield f"the price never changes: {flat}; is it the right file?"
    days = itertools.pairwise(zip(marked, closes, strict=True))
    jumps = [
        f"{place}: {'×' if close > last else '÷'}{max(close / last, last / close):.4g} in "
        f"{'a day' if (day - before).days == 1 else f'{(day - before).days} days'}"
        for ((_, before), last), ((place, day), close) in days
        if max(close / last, last / close) >= _JUMP
    ]
    if jumps:
        more = f" and {len(jumps) - _NAMED} more" if len(jumps) > _NAMED else ""
        yield f"prices jump: {', '.join(jumps[:_NAMED])}{more}; is it a split, or a slip?"


def _csv(text: str, how: Reading) -> tuple[Quotes, list[tuple[str, date]]]:
    table = _table(text)
    names = table.tickers | set(filter(None, table.cells(*_TICKERS) or ()))
    name = _only(names, "tickers", "keep one ticker per file")
    _check_columns(table)
    dates = table.cells(*_DATES)
    if dates is None:
        raise _without("date", table.header)
    closes, adjusted = table.cells("close"), table.cells("adjclose")
    chosen = adjusted if adjusted is not None and how.price != "close" else closes
    if chosen is None or (how.price == "adjusted" and adjusted is None):
        wanted = "adj close" if how.price == "adjusted" else "close"
        raise _without(wanted, table.header)
    places = [f"line {line}" for line, _ in table.rows]
    marked = [(place, _day(cell, place)) for place, cell in zip(places, dates, strict=True)]
    prices = tuple(_price(c, p, "close") for p, c in zip(places, chosen, strict=True))
    if closes is not None:
        _check_band(table, [_price(c, p, "close") for p, c in zip(places, closes, strict=True)])
    basis = "adjusted closes" if chosen is adjusted else "closes as given"
    if chosen is closes and adjusted is not None:
        basis = "unadjusted closes"
    none = tuple(() for _ in prices)
    quotes = Quotes(
        name,
        table.layout,
        basis,
        _only(set(filter(None, table.cells("currency") or ())), "currencies", "convert them first"),
        tuple(day for _, day in marked),
        prices,
        none,
        tuple("" for _ in prices),
    )
    return quotes, marked


def _without(wanted: str, columns: Sequence[str]) -> Refused:
    """That a column is missing, and what may be the reason."""
    if any(";" in name or "\t" in name for name in columns) or len(columns) == 1:
        return Refused("line 1: no commas between columns; save the file with commas between them")
    if _number(columns):
        return Refused(
            f"line 1: no header but {', '.join(columns[:4])}; put one above that names the columns,"
            " such as date,close"
        )
    return Refused(
        f"no column {wanted}; the header has {', '.join(columns)}; rename the one that is meant"
        + (", or leave ?price=adjusted out" if wanted == "adj close" else "")
    )


def _table(text: str) -> _Table:
    rows = [(n, row) for n, row in _lines(text) if any(cell.strip() for cell in row)]
    if not rows:
        raise Refused("the file is empty; a header and a row per day are wanted")
    header = tuple(cell.strip() for cell in rows[0][1])
    columns = tuple(re.sub(r"[\s_*]", "", cell.lower()) for cell in header)
    second = rows[1][1] if len(rows) > 1 else ()
    if not second or second[0].strip().lower() not in (*_TICKERS, "") or _number(second[-1:]):
        return _Table("plain header", header, columns, tuple(rows[1:]), frozenset())
    # yfinance: names of columns, then the ticker below each, then perhaps a line for the index.
    tickers = frozenset(cell.strip() for cell in second[1:] if cell.strip())
    body = rows[2:]
    if body and body[0][1][0].strip().lower() in _DATES:
        body = body[1:]
    return _Table("yfinance's header", header, ("date", *columns[1:]), tuple(body), tickers)


def _lines(text: str) -> list[tuple[int, tuple[str, ...]]]:
    """The rows of a csv, each with the line on which it begins."""
    found: list[tuple[int, tuple[str, ...]]] = []
    reader, begins = csv.reader(io.StringIO(text), strict=True), 1
    try:
        for row in reader:
            found.append((begins, tuple(row)))
            begins = reader.line_num + 1
    except csv.Error as error:
        said = first_line(str(error))
        if said == _OPEN:
            said = "a quote opens in this row and is never closed; close it"
        raise Refused(f"line {begins}: not csv: {said}") from error
    return found


def _check_columns(table: _Table) -> None:
    """Raise where a price stands in two columns: nobody could tell which one is meant."""
    for column in ("close", "adjclose", *_BANDS):
        if table.columns.count(column) > 1:
            raise Refused(
                f"{table.columns.count(column)} columns {column}: two assets or sources in one "
                "file; keep one"
            )


def _number(cells: Sequence[str]) -> bool:
    return any(re.fullmatch(r"\s*-?\d.*", cell) for cell in cells)


def _day(text: str, place: str) -> date:
    try:
        return date.fromisoformat(text.strip()[:10])
    except ValueError as error:
        raise Refused(
            f"{place}: {text.strip()[:40]!r} is no day of the form 2022-01-31; write it so, or "
            "remove the row"
        ) from error


def _price(value: object, place: str, column: str) -> float:
    text = str(value).strip() if value is not None else ""
    if text.lower() in ("", "nan", "null", "none"):
        raise Refused(f"{place}: no {column}: prices have a gap; fill or remove the day")
    try:
        found = float(text)
    except ValueError as error:
        raise Refused(
            f"{place}: the {column} {text[:40]!r} is no number; write it with digits and one point,"
            " such as 1234.5"
        ) from error
    if found <= 0:
        raise Refused(f"{place}: the {column} is {text}; prices must be above zero")
    if not math.isfinite(found):
        raise Refused(f"{place}: the {column} {text[:40]} is no price: too large; mend it")
    return found


def _check_band(table: _Table, closes: Sequence[float]) -> None:
    """Raise where a price is not above zero or a close lies beyond the day's low and high."""
    bands = {}
    for column in _BANDS:
        cells = table.cells(column)
        if cells is not None:
            numbered = zip(table.rows, cells, strict=True)
            bands[column] = [_price(cell, f"line {row[0]}", column) for row, cell in numbered]
    if not {"high", "low"} <= bands.keys():
        return
    for (line, _), close, low, high in zip(
        table.rows, closes, bands["low"], bands["high"], strict=True
    ):
        if not low * (1 - _BAND) <= close <= high * (1 + _BAND):
            raise Refused(
                f"line {line}: the close {close:g} is not between low {low:g} and high {high:g}: "
                "adjusted and unadjusted prices are mixed; take all from one source"
            )


def _check_days(marked: Iterable[tuple[str, date]], how: Reading, today: date) -> None:
    found = list(marked)
    _check_order(found, today)
    # In an order that is wrong each jump would look like a gap.
    for (_, before), (place, day) in itertools.pairwise(found):
        if (day - before).days > how.max_gap:
            raise Refused(
                f"{place}: prices have a gap: {(day - before).days} days from {before} to {day}; "
                "fill it, or allow it with ?max_gap=DAYS"
            )


def _check_order(marked: Iterable[tuple[str, date]], today: date) -> None:
    seen: dict[date, str] = {}
    before: date | None = None
    for place, day in marked:
        if day in seen:
            raise Refused(f"{place}: {day} stands twice (first at {seen[day]}); remove one")
        if day > today:
            raise Refused(f"{place}: {day} is in the future; remove it, or mend the day")
        if before is not None and day < before:
            raise Refused(f"{place}: {day} comes after {before}: sort the file by day")
        seen[day], before = place, day


def _only(names: Iterable[str], kind: str, remedy: str) -> str:
    found = sorted(names)
    if len(found) > 1:
        raise Refused(f"{len(found)} {kind} in one file: {', '.join(found[:4])}; {remedy}")
    return found[0] if found else ""


def _check_name(name: str, how: Reading, path: Path) -> None:
    """Raise where the ticker within the file is not the one of its name."""
    wanted = [how.ticker] if how.ticker else _said(path)
    if name and _bare(name) not in [_bare(part) for part in wanted]:
        says = f"?ticker={how.ticker}" if how.ticker else "the file name"
        raise DataError(
            f"{path}: the ticker in the file is {name}, but {says} does not say so; rename the "
            f"file, or pass ?ticker={name}"
        )


def _said(path: Path) -> list[str]:
    """Every ticker that the name of the file could say: runs of its parts."""
    parts = [part for part in re.split(r"[^A-Za-z0-9]+", path.name.split(".csv")[0]) if part]
    return ["".join(parts[a:b]) for a in range(len(parts)) for b in range(a + 1, len(parts) + 1)]


def _bare(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", name.upper())


def _name_of(path: Path, how: Reading) -> str:
    return how.ticker or re.split(r"[^A-Za-z0-9]+", path.stem)[0].upper() or "ASSET"


def _bench(text: str) -> tuple[Quotes, list[tuple[str, date]]]:
    """INVESTOR-BENCH: an object of days, each with prices, news, 10k and 10q."""
    rows = _days_of(text)
    marked, closes, news, filings = [], [], [], []
    names: set[str] = set()
    for key, fields in rows:
        day = _day(key, key)
        if not isinstance(fields, Mapping):
            raise Refused(f"{key}: not an object with prices, news, 10k and 10q")
        price = fields.get("prices", fields.get("price"))
        if isinstance(price, Mapping):
            names |= set(map(str, price))
            price = next(iter(price.values()), None) if len(price) == 1 else price
            _only(names, "tickers", "keep one ticker per file")
        marked.append((key, day))
        closes.append(_price(price, key, "prices"))
        news.append(tuple(_texts(fields.get("news"), day, key)))
        filed = [f"{t}: {x}" for k, t in _FILINGS for x in _texts(fields.get(k), day, key)]
        filings.append(" ".join(filed))
    name = _only(names, "tickers", "keep one ticker per file")
    days = tuple(day for _, day in marked)
    return Quotes(
        name,
        "INVESTOR-BENCH",
        "closes as given",
        "",
        days,
        tuple(closes),
        tuple(news),
        tuple(filings),
    ), marked


def _days_of(text: str) -> list[tuple[str, Any]]:
    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in found]
        twice = next((name for n, name in enumerate(names) if name in names[:n]), None)
        if twice is not None:
            raise Refused(f"{twice} stands twice; remove one")
        return dict(found)

    try:
        return list(json.loads(text, object_pairs_hook=pairs).items())
    except RecursionError as error:
        raise Refused("not JSON: nested too deeply") from error
    except json.JSONDecodeError as error:
        raise Refused(f"not JSON: {first_line(str(error))}") from error


def _texts(value: object, day: date, place: str) -> list[str]:
    """The texts of `value`, a text or a list of texts or objects; none may be of a later day."""
    found = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, Mapping):
            said = item.get("date") or item.get("publishedDate")
            if said and _day(str(said), place) > day:
                raise Refused(f"{place}: a text of {str(said)[:10]} stands under an earlier day")
            item = item.get("text") or item.get("summary") or item.get("title")
        if isinstance(item, str) and item.strip():
            found.append(item.strip())
    return found
