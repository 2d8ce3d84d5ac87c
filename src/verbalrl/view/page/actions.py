"""What a reviewer decides: each action is one call of `memory`, and says what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ...errors import ConfigurationError
from ...memory.editing import FIELDS
from ...memory.editing import edit as reword
from ...memory.review import review
from ...memory.revoke import revoke
from ..templating import here
from .asking import fields, keys_of, store_of
from .guard import check_form


async def approve(request: Request) -> Response:
    """Make a lesson active."""
    given = await _form(request)
    name, branch = _checked(request, given)
    await review(store_of(request), [name], "approve", branch=branch)
    return _back(given, name, branch)


async def retire(request: Request) -> Response:
    """Take a lesson out of use."""
    given = await _form(request)
    name, branch = _checked(request, given)
    await review(store_of(request), [name], "retire", branch=branch)
    return _back(given, name, branch)


async def edit(request: Request) -> Response:
    """Give a lesson other words, if it still has those that the reviewer read."""
    given = await _form(request)
    name, branch = _checked(request, given)
    texts = {key: given[key] for key in FIELDS if key in given}
    version = _version(given)
    done = await reword(store_of(request), name, texts, version=version, branch=branch)
    return _back(given, name, branch, taken="yes" if done.taken_out else "")


async def take_out(request: Request) -> Response:
    """Revoke a lesson with all that stems from it."""
    given = await _form(request)
    name, branch = _checked(request, given)
    await revoke(store_of(request), lesson=name, end_runs=given.get("end_runs") == "yes")
    return _back(given, name, branch)


async def _form(request: Request) -> dict[str, str]:
    given = await fields(request)
    if not check_form(given, keys_of(request)):
        raise HTTPException(403, "This form is not of this session; open the page anew.")
    # A refusal shows what was written in it.
    request.state.given = given
    return given


def _checked(request: Request, given: Mapping[str, str]) -> tuple[str, str]:
    """The lesson and its branch, if it has the version that the reviewer has read."""
    store, name = store_of(request), request.path_params["lesson"]
    branch = store.branch(given.get("branch", "")).id
    found = store.lesson(name, branch=branch)
    if found is not None and found.version != _version(given):
        raise ConfigurationError(
            f"lesson {name} has version {found.version} by now, not {_version(given)}; "
            "read it again"
        )
    return name, branch


def _version(given: Mapping[str, str]) -> int:
    value = given.get("version", "")
    if not (value.isascii() and value.isdecimal() and len(value) < 9):
        raise ConfigurationError("the form does not say which version was read")
    return int(value)


def _back(given: Mapping[str, str], name: str, branch: str, taken: str = "") -> Response:
    """To where the form stood, which is a path of this page, else to the lesson."""
    wanted = given.get("next", "")
    parts = urlsplit(wanted)
    ours = wanted.startswith("/review") and not parts.scheme and not parts.netloc
    to = wanted if ours else here(f"/lessons/{name}", branch=branch, taken=taken)
    return RedirectResponse(to, status_code=303)
