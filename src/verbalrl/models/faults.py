"""What a failed exchange means: pure functions from status, headers and body to an error.

The table of outcomes is `tests/models/faults.md`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from ..errors import CallRefused, ModelError, QuotaSpent, first_line
from .messages import clean
from .retry import Transient

_RETRIED = frozenset({408, 409, 425, 429})
_NEVER = frozenset({501, 505})
_OVERLOADED = frozenset({429, 503, 529})
_OVERLOADED_CODES = frozenset(
    {"rate_limit_error", "rate_limit_exceeded", "overloaded_error", *map(str, _OVERLOADED)}
)
_QUOTA = frozenset(
    {
        *("insufficient_quota", "billing_hard_limit_reached", "billing_not_active"),
        *("billing_error", "credit_balance_too_low", "insufficient_credits"),
    }
)
_QUOTA_WORDS = ("credit balance is too low", "insufficient credits")
_PERMANENT = frozenset(
    {
        *("invalid_request_error", "authentication_error", "permission_error", "not_found_error"),
        *("invalid_api_key", "model_not_found", "context_length_exceeded", "invalid_prompt"),
    }
)


def of_status(
    status: int, headers: Mapping[str, str], body: object, now: float
) -> ModelError | Transient:
    """The error for an answer whose status is no success."""
    code, text = _told(body)
    shown = _line(str(status), code, text)
    if status == 402 or _is_quota(code, text):
        return QuotaSpent(f"no quota or credit is left: {shown}")
    again = status in _RETRIED or (status >= 500 and status not in _NEVER)
    if again and headers.get("x-should-retry") != "false":
        wait_s, overloaded = retry_after(headers, now), status in _OVERLOADED
        return Transient(shown, wait_s, overloaded=overloaded)
    refusal = CallRefused(f"refused: {shown}")
    refusal.status = status
    return refusal


def of_error_body(error: object) -> ModelError | Transient:
    """The error for an answer that claims success and holds an error instead."""
    code, text = _told(error)
    shown = _line("an error in a 200", code, text)
    if _is_quota(code, text):
        return QuotaSpent(f"no quota or credit is left: {shown}")
    number = int(code) if code.isdecimal() and len(code) == 3 else 0
    if code in _PERMANENT or (400 <= number < 500 and number not in _RETRIED):
        return CallRefused(f"refused: {shown}")
    return Transient(shown, overloaded=code in _OVERLOADED_CODES)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that the server asks to wait, None when it does not say or makes no sense."""
    milliseconds, value = headers.get("retry-after-ms"), headers.get("retry-after", "").strip()
    try:
        asked = float(milliseconds) / 1000 if milliseconds else float(value)
    except ValueError:
        asked = _until(value, now)
    # NaN compares false.
    return asked if asked > 0 else None


def _until(date: str, now: float) -> float:
    try:
        moment = parsedate_to_datetime(date)
    except (TypeError, ValueError):
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime.fromtimestamp(now, UTC)).total_seconds()


def decoded(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`.

    Raises:
        Transient: It is something else.
    """
    if not body.strip():
        raise Transient("an empty answer")
    problem = "an answer that is not JSON"
    try:
        value = json.loads(body.decode("utf-8"))
    except UnicodeDecodeError:
        problem, value = "an answer that is not UTF-8", None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Transient(problem)
    if value.get("error"):
        raise of_error_body(value["error"])
    return value


def mapping(value: object, what: str) -> dict[str, Any]:
    """`value` if it is an object, else `Transient`: the provider's own shape is broken."""
    if not isinstance(value, dict):
        raise Transient(f"an answer whose {what} is not an object")
    return value


def listing(value: object, what: str) -> list[Any]:
    """`value` if it is a list, else `Transient`."""
    if not isinstance(value, list):
        raise Transient(f"an answer whose {what} is not a list")
    return value


def words(value: object, what: str) -> str:
    """`value` if it is text, "" if it is missing, else `Transient`."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Transient(f"an answer whose {what} is not text")
    return value


def count(usage: Mapping[str, Any], *path: str) -> int:
    """The number of tokens at `path`, 0 where there is none that makes sense."""
    value: object = usage
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    plausible = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**12
    return value if plausible and isinstance(value, int) else 0


def _told(body: object) -> tuple[str, str]:
    """Code and message of an error, wherever the provider puts them."""
    if isinstance(body, Mapping) and isinstance(body.get("error"), Mapping | str):
        body = body["error"]
    if isinstance(body, str):
        return "", "a page" if body.lstrip().startswith("<") else body
    if not isinstance(body, Mapping):
        return "", ""
    code = next((str(body[k]) for k in ("code", "type") if body.get(k)), "")
    parts = [body.get("message"), body.get("param") and f"({body['param']})"]
    return code[:80], " ".join(str(p) for p in parts if p)


def _is_quota(code: str, text: str) -> bool:
    return code in _QUOTA or any(w in text.lower() for w in _QUOTA_WORDS)


def _line(*parts: str) -> str:
    return first_line(clean(" ".join(p for p in parts if p).replace("\n", " ")), 240)
