"""Who may ask the page for anything: this machine, who holds the token, and its own forms.

A name that resolves to this machine is not enough (DNS rebinding), nor is a cookie that a browser
sends along (cross-site requests); so host, token and form are checked each by itself.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "verbalrl_token"
LOCAL = ("127.0.0.1", "localhost", "[::1]")
SAFE = ("GET", "HEAD")

HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not `no-referrer`: a browser then names the origin of our own forms `null`.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_RAW = tuple((name.encode(), value.encode()) for name, value in HEADERS.items())
_NAMES = frozenset(name for name, _ in _RAW)


@dataclass(frozen=True, slots=True)
class Keys:
    """The secrets of one session of the page."""

    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    form: str = field(init=False, repr=False)
    """What every form carries; who reads it has seen a page."""
    cookie: str = field(init=False, repr=False)
    """What the browser keeps; it does not tell the token."""

    def __post_init__(self) -> None:
        for name in ("form", "cookie"):
            made = hmac.new(self.token.encode(), name.encode(), hashlib.sha256).hexdigest()
            object.__setattr__(self, name, made)


class Guard:
    """Lets through what may be asked, and puts the policy on every answer."""

    def __init__(self, app: ASGIApp, keys: Keys, port: int) -> None:
        self._app, self._keys = app, keys
        self._hosts = frozenset((*LOCAL, *(f"{name}:{port}" for name in LOCAL)))
        # Ports are told apart by cookies of their own: two pages may be open at once.
        self._cookie = f"{COOKIE}_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it in one line."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        refusal = self._refusal(Request(scope))
        answer: ASGIApp = self._app if refusal is None else refusal

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message.get("headers", ())
                kept = [pair for pair in given if pair[0].lower() not in _NAMES]
                message["headers"] = [*kept, *_RAW]
            await send(message)

        await answer(scope, receive, sent)

    def _refusal(self, request: Request) -> Response | None:
        """What is answered in place of the page; None where it may be asked."""
        if request.headers.get("host", "") not in self._hosts:
            return _no(421, "this page answers to 127.0.0.1 alone")
        if request.method not in (*SAFE, "POST"):
            return _no(405, "GET and POST alone")
        given = request.query_params.get("token")
        if given is not None and request.method in SAFE:
            return self._entered(request) if _same(given, self._keys.token) else _without()
        if not _same(request.cookies.get(self._cookie, ""), self._keys.cookie):
            return _without()
        if request.method == "POST" and not own_form(request.headers):
            return _no(403, "this form comes from another place; open the page anew")
        return None

    def _entered(self, request: Request) -> Response:
        """The same address without the token, and the cookie in its place."""
        rest = [(k, v) for k, v in request.query_params.multi_items() if k != "token"]
        # An address that begins with two slashes would be another host's.
        path = "/" + request.url.path.lstrip("/")
        to = f"{path}?{urlencode(rest)}" if rest else path
        answer = RedirectResponse(to, status_code=303)
        answer.set_cookie(
            self._cookie, self._keys.cookie, httponly=True, samesite="strict", path="/"
        )
        return answer


def own_form(headers: Headers) -> bool:
    """Whether the browser says that a form was sent by a page of ours, whose host is known.

    Browsers name the origin of every form that is posted (Fetch standard, "append a request
    `Origin` header"); one that names neither it nor the site was sent by something else.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is None:
        return site == "same-origin"
    # The port too: what else is served on this machine is another's.
    return site in (None, "same-origin", "none") and origin == f"http://{headers['host']}"


def check_form(fields: Mapping[str, str], keys: Keys) -> bool:
    """Whether the fields hold what every form of ours carries."""
    return _same(fields.get("form", ""), keys.form)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _no(status: int, why: str) -> Response:
    return PlainTextResponse(f"{why}\n", status_code=status)


def _without() -> Response:
    return _no(401, "open the address with the token that `verbalrl view` printed")
