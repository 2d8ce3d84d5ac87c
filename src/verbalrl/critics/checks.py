"""What can be found wrong with an attempt without a model: pure checks that name the place.

Each takes an episode and yields findings with character offsets, earliest step first. They say what
is wrong there and never what would be right.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from ..errors import ConfigurationError
from ..models.structured import misfit
from ..records import Episode, Span, Step
from ..tasks.arithmetic import equations
from .spans import places, text_of


class Finding(NamedTuple):
    """One thing that is wrong, and where."""

    step: int
    span: Span
    why: str
    advice: str
    """What to do about such a thing, as a lesson says it."""


Check = Callable[[Episode], Iterable[Finding]]

_NAMED = re.compile(
    r"(?P<what>no such (?:column|table|function)|ambiguous column name|misuse of aggregate"
    r"(?: function)?): (?P<name>[\w.]+)"
    r"|near \"(?P<near>[^\"]{1,80})\": syntax error"
)
_SQL_ADVICE = {
    "no such column": "take column names from the tables that are shown, each with its table",
    "no such table": "take table names from those that are shown",
    "no such function": "use functions that SQLite has",
    "ambiguous column name": "write the table before every column that two tables have",
    "misuse of aggregate": "filter on aggregates in HAVING, never in WHERE",
}
_SYNTAX = "check the order of the clauses and close every bracket and quote"
_FAILED = re.compile(
    r"(?P<error>\b[A-Z]\w*(?:Error|Exception|Warning)\b(?::[^\n]{0,160})?)"
    r"|\bassert(?:ion)? [^\n]{1,160}|\bFAILED\b[^\n]{0,160}|\bWrong when [^\n]{1,160}"
    r"|(?<=^Wrong: )[^\n]{1,160}",
    re.MULTILINE,
)
_LINE = re.compile(r"\bline (\d{1,6})\b")


def failed_tests(episode: Episode) -> Iterator[Finding]:
    """What the feedback says of tests that failed; an attempt that succeeded has none.

    The place is the line of the program that the feedback names, else the words of the failure.
    """
    for step in episode.trajectory.steps if episode.success is not True else ():
        for found in _FAILED.finditer(step.feedback):
            why = f"the tests failed here: {found[0].strip()}"
            advice = "run the failing case in your head, line by line, before you answer"
            yield Finding(step.n, _blamed(step, found), why, advice)


def _blamed(step: Step, found: re.Match[str]) -> Span:
    named = _LINE.search(step.feedback, found.start(), min(found.end() + 80, len(step.feedback)))
    lines = step.action.text.splitlines(keepends=True)
    if named and 0 < int(named[1]) <= len(lines):
        start = sum(map(len, lines[: int(named[1]) - 1]))
        line = lines[int(named[1]) - 1].rstrip("\r\n")
        return Span(part="action", start=start, end=start + len(line))
    return Span(part="feedback", start=found.start(), end=found.end())


def sql_errors(episode: Episode) -> Iterator[Finding]:
    """What SQLite says of a query that failed, at the name that it objects to."""
    for step in episode.trajectory.steps:
        for found in _NAMED.finditer(step.feedback):
            what = next((w for w in _SQL_ADVICE if (found["what"] or "").startswith(w)), "")
            name = found["name"] or found["near"]
            # A name of a column may come without its table.
            at = places(step.action.text, name) or places(step.action.text, name.split(".")[-1])
            start, end = at[0] if at else found.span()
            span = Span(part="action" if at else "feedback", start=start, end=end)
            advice = _SQL_ADVICE.get(what, _SYNTAX)
            yield Finding(step.n, span, f"the query fails: {found[0]}", advice)


def false_steps(episode: Episode) -> Iterator[Finding]:
    """Equations of two terms in the agent's text that do not hold; a result may be rounded."""
    for step in episode.trajectory.steps:
        for stated in equations(step.action.text):
            if stated.holds or _rounded(stated.text, stated.value):
                continue
            span = Span(part="action", start=stated.place[0], end=stated.place[1])
            why = f"{stated.text} does not hold"
            yield Finding(step.n, span, why, "compute every step again before you go on from it")


def _rounded(text: str, value: Fraction | None) -> bool:
    written = text.rsplit("=", 1)[1].strip()
    decimals = len(written.partition(".")[2])
    if value is None or not decimals:
        return False
    return abs(value - Fraction(Decimal(written))) <= Fraction(1, 2 * 10**decimals)


def repeated_actions(episode: Episode) -> Iterator[Finding]:
    """Actions that were done before where the same was seen."""
    done: dict[tuple[str, str], int] = {}
    for step in episode.trajectory.steps:
        key = (step.observation.text, step.action.text.strip())
        first = done.setdefault(key, step.n)
        if first != step.n:
            span = Span(part="action", start=0, end=len(step.action.text))
            why = f"step {first} did the same where the same was seen, and it led back here"
            yield Finding(step.n, span, why, "where an action led back, choose another one")


def pattern(expression: str, *, forbidden: bool = False) -> Check:
    """A check that every action matches `expression`, or that none does, anywhere in its text.

    Raises:
        ConfigurationError: It is no regular expression.
    """
    try:
        compiled = re.compile(expression)
    except re.error as error:
        raise ConfigurationError(f"pattern: {expression!r}: {error}") from error

    def check(episode: Episode) -> Iterator[Finding]:
        for step in episode.trajectory.steps:
            text = step.action.text
            found = [m.span() for m in compiled.finditer(text)]
            if forbidden:
                spans, why = found, f"this matches {expression}, which must not occur"
            else:
                spans, why = ([] if found else [(0, len(text))]), f"nothing matches {expression}"
            advice = "keep to the form that is asked for, and check it before you answer"
            for start, end in spans:
                yield Finding(step.n, Span(part="action", start=start, end=end), why, advice)

    return check


def schema(wanted: Mapping[str, Any]) -> Check:
    """A check that every action is JSON that fits the JSON schema `wanted` (types, keys, enums)."""

    def check(episode: Episode) -> Iterator[Finding]:
        for step in episode.trajectory.steps:
            text = step.action.text
            advice = "answer with JSON of exactly the fields that are asked for"
            try:
                why, start = misfit(json.loads(text), wanted), 0
            except json.JSONDecodeError as error:
                why, start = f"no JSON: {error.msg}", min(error.pos, max(len(text) - 1, 0))
            except (ValueError, RecursionError) as error:
                why, start = f"no JSON: {type(error).__name__}", 0
            if why:
                yield Finding(step.n, Span(part="action", start=start, end=len(text)), why, advice)

    return check


CHECKS: Mapping[str, Check] = {
    "tests": failed_tests,
    "sql": sql_errors,
    "arithmetic": false_steps,
    "repeated": repeated_actions,
}
"""Those that need no setting, by the name that `critic="checks:NAME,…"` takes."""


def quoted(episode: Episode, finding: Finding) -> str:
    """The words that a finding speaks of, at most 200 characters of them."""
    step = next(s for s in episode.trajectory.steps if s.n == finding.step)
    return text_of(step, finding.span.part)[finding.span.start : finding.span.end][:200]
