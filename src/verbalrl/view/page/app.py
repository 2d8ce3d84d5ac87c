"""The page as an application: its addresses, and what becomes of errors."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...errors import ConfigurationError, StorageError, UnknownNameError
from ...memory.editing import FIELDS
from ...store import Store
from ..compare import Kept
from ..templating import here, stylesheet
from . import actions, lessons, runs
from .asking import at_once, in_two, one_state, page
from .guard import Guard, Keys


def application(store: Store, keys: Keys, port: int) -> Starlette:
    """The page of `store` for whoever holds the token of `keys`, at `port` of this machine."""
    made = Starlette(
        routes=_routes(),
        middleware=[Middleware(Guard, keys=keys, port=port)],
        exception_handlers={
            UnknownNameError: _missing,
            ConfigurationError: _refused,
            StorageError: _conflict,
            HTTPException: _http,
        },
    )
    made.state.store, made.state.keys = store, keys
    made.state.groups, made.state.compared = {}, Kept()
    return made


def _routes() -> list[Route]:
    post = ["POST"]
    one = "/lessons/{lesson}"
    return [
        Route("/", at_once(runs.front)),
        Route("/runs/{run}", one_state(runs.run)),
        Route("/runs/{run}/progress", one_state(runs.progress)),
        Route("/runs/{run}/episodes", one_state(runs.episodes)),
        Route("/episodes/{episode}", in_two(runs.episode, runs.is_long)),
        Route("/critiques/{critique}", at_once(runs.critique)),
        Route("/compare", one_state(runs.comparison)),
        Route("/lessons", one_state(lessons.lessons)),
        Route(one, one_state(lessons.lesson)),
        Route(f"{one}/revoke", one_state(lessons.falling)),
        Route("/review", one_state(lessons.review)),
        Route("/memory", one_state(lessons.memory)),
        Route("/search", one_state(lessons.search)),
        Route(f"{one}/approve", actions.approve, methods=post),
        Route(f"{one}/retire", actions.retire, methods=post),
        Route(f"{one}/edit", actions.edit, methods=post),
        Route(f"{one}/revoke", actions.take_out, methods=post),
        Route("/style.css", _style),
        Route("/live.js", _script),
        Route("/favicon.ico", _no_icon),
    ]


async def _style(_: Request) -> Response:
    return Response(stylesheet(), media_type="text/css")


async def _script(_: Request) -> Response:
    return Response(_live(), media_type="text/javascript")


async def _no_icon(_: Request) -> Response:
    """Every browser asks for it; without an answer it would say that something is missing."""
    return Response(status_code=204)


@cache
def _live() -> str:
    return (files("verbalrl.view") / "templates" / "live.js").read_text(encoding="utf-8")


def _missing(request: Request, error: Exception) -> Response:
    return _said(request, "Not found", 404, error)


def _refused(request: Request, error: Exception) -> Response:
    return _said(request, "Not done", 400, error)


def _conflict(request: Request, error: Exception) -> Response:
    return _said(request, "Not done", 409, error)


def _said(request: Request, title: str, status: int, error: Exception) -> Response:
    """Why not; of a form also the way back to its lesson, and what was written in it."""
    given: Mapping[str, str] = getattr(request.state, "given", {})
    name = request.path_params.get("lesson", "")
    place = f"/lessons/{quote(name, safe='')}"
    back = here(place, branch=given["branch"]) if name and given.get("branch") else ""
    typed = {field.replace("_", " "): given[field] for field in FIELDS if given.get(field)}
    message = str(error)
    return page(request, "error.html", title, status, message=message, back=back, typed=typed)


def _http(request: Request, error: Exception) -> Response:
    known = {404: "There is nothing at this address.", 405: "This address takes no such request."}
    status, said = 500, "This did not work."
    if isinstance(error, HTTPException):
        status, said = error.status_code, known.get(error.status_code, error.detail)
    title = "Not found" if status == 404 else "Not done"
    return page(request, "error.html", title, status, message=said)
