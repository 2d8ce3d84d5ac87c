"""Lessons, memory at a revision, the review queue, and the search."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ...errors import ConfigurationError, UnknownNameError
from ...memory.changing import places
from ...memory.editing import FIELDS, otherwise
from ...memory.measured import effects_on
from ...memory.revoke import foreseen
from ...memory.rollback import Difference, differences
from ...records import Critique, Lesson, LessonKind, Operation, Origin, Status
from ...store import LESSON_SORTS, LIVE, TRANSITIONS, Line, Store, borne, learning, source_of
from ...text import natural
from ..lineage import lesson_view
from ..lists import ROWS, LessonRow, lesson_row, lessons_page, lessons_table
from ..rows import measured_of
from ..wording import rule
from .asking import chosen, number, page, sheet, store_of, text

_WAITING = (Status.QUARANTINED, Status.PROVISIONAL)


def lessons(request: Request) -> Response:
    """The lessons of a branch."""
    store = store_of(request)
    asked = chosen(request, ("branch", "scope", "kind", "status"))
    if asked["branch"] is None:
        asked["branch"] = source_of(store, None, None).branch
    sort, words = text(request, "sort") or "status", text(request, "q")
    offset, as_file = number(request, "offset", 0) or 0, text(request, "as") == "csv"
    branch = store.branch(asked["branch"] or "").id
    found = lessons_page(
        store,
        {**asked, "branch": branch},
        text=words,
        sort=sort,
        limit=None if as_file else ROWS,
        offset=0 if as_file else offset,
    )
    rows = _rows(store, found.rows)
    if as_file:
        return sheet(lessons_table(rows))
    return page(
        request,
        "lessons.html",
        "Lessons",
        rows=rows,
        found=found,
        asked={**asked, "q": words, "sort": sort},
        branches=[b.id for b in store.branches()],
        kinds=[k.value for k in LessonKind],
        statuses=[s.value for s in Status],
        sorts=(*LESSON_SORTS, "effect"),
    )


def lesson(request: Request) -> Response:
    """One lesson with its whole life."""
    store, branch, found = _one(request)
    lines = _life(store, branch, found)
    scopes = frozenset({found.scope})
    effects = effects_on(store, branch, scopes) if store.tossed(found.id) else {}
    told = lesson_view(
        found,
        branch,
        _behind(store, found),
        borne(store.carried([found.id])),
        lines,
        measured_of(store, found, branch, effects),
    )
    return page(
        request,
        "lesson.html",
        found.name or "Lesson",
        lesson=told,
        body=found.body,
        versions=store.versions(found.id, branch),
        may=allowed(found),
        closed=closed(store, branch),
        start=started(store, branch),
        # Of stored words it can be told at any time what prompts make of them.
        otherwise=otherwise(getattr(found.body, field) for field in FIELDS),
        taken=text(request, "taken") == "yes",
    )


def _life(store: Store, branch: str, found: Lesson) -> list[Line]:
    """The changes of a lesson on a branch, those before it was begun from its parent first."""
    every, told = store.lines(lesson=found.id), list[Line]()
    name, until = branch, None
    while True:
        own = [x for x in every if x.branch == name and (until is None or x.revision <= until)]
        told = own + told
        record = store.branch(name)
        if record.parent is None:
            return told
        name, until = record.parent, record.pinned.get(found.scope, 0)


def falling(request: Request) -> Response:
    """What would fall with a lesson, to be confirmed."""
    store, branch, found = _one(request)
    seen = foreseen(store, found.id)
    named = {name for made in seen.places.values() for name in (*made.fallen, *made.reverted)}
    texts = {name: _text(store, name) for name in named}
    episodes = {use.episode: use for use in seen.carried}
    return page(
        request,
        "revoke.html",
        "Revoke a lesson",
        lesson=found,
        branch=branch,
        text=rule(found.body),
        seen=seen,
        texts=texts,
        episodes=list(episodes.values())[:ROWS],
        count=len(episodes),
    )


def review(request: Request) -> Response:
    """The lessons that wait for a person."""
    store = store_of(request)
    status = text(request, "status") or _WAITING[0].value
    if status not in [s.value for s in _WAITING]:
        raise ConfigurationError(f"lessons that are {status[:40]} wait for nobody")
    branch, offset = text(request, "branch") or None, number(request, "offset", 0) or 0
    asked = {"status": status, "branch": branch}
    found = store.lesson_page(asked, sort="support", limit=ROWS, offset=offset)
    return page(
        request,
        "review.html",
        "Review",
        rows=_rows(store, found.rows),
        found=found,
        asked=asked,
        statuses=[s.value for s in _WAITING],
        closed={b: closed(store, b) for b in {b for b, _ in found.rows}},
        branches=store.branches_with(_WAITING),
    )


def memory(request: Request) -> Response:
    """What a scope of a branch held at a revision, and what changed since another."""
    store = store_of(request)
    branch = text(request, "branch") or source_of(store, None, None).branch
    scopes = sorted(store.scopes(store.branch(branch).id), key=natural)
    scope = text(request, "scope") or (scopes[0] if scopes else "")
    if scope and scope not in scopes:
        raise UnknownNameError(f"branch {branch} has no scope {scope!r}")
    newest = store.revision(branch, scope) if scope else 0
    at, since = number(request, "revision", newest), number(request, "since")
    here = store.lessons(branch, scope, revision=at) if scope else ()
    changes: tuple[Difference, ...] = ()
    if since is not None and scope:
        changes = differences(store.lessons(branch, scope, revision=since), here)
    live = [x for x in here if x.status in LIVE]
    offset = number(request, "offset", 0) or 0
    return page(
        request,
        "memory.html",
        "Memory",
        branch=branch,
        branches=[b.id for b in store.branches()],
        scope=scope,
        scopes=scopes,
        newest=newest,
        at=at,
        since=since,
        revisions=store.revisions(branch, scope, ROWS),
        lessons=live[offset : offset + ROWS],
        total=len(live),
        offset=offset,
        changes=changes[: 4 * ROWS],
    )


def search(request: Request) -> Response:
    """Critiques and lessons that say all words asked for."""
    store, words = store_of(request), text(request, "q")
    offset = number(request, "offset", 0) or 0
    said = written = None
    if words:
        said = store.critique_page(
            {}, text=words, sort="new", limit=ROWS, offset=offset, counted=False
        )
        written = store.lesson_page({}, text=words, sort="support", limit=ROWS, offset=offset)
    return page(
        request,
        "search.html",
        "Search",
        words=words,
        critiques=said,
        lessons=written,
        rows=_rows(store, written.rows) if written else (),
    )


def allowed(lesson: Lesson) -> frozenset[str]:
    """What a person may do with a lesson now."""
    ways = {
        "approve": (Operation.ACTIVATE, Status.ACTIVE),
        "retire": (Operation.RETIRE, Status.RETIRED),
        "revoke": (Operation.REVOKE, Status.REVOKED),
    }
    may = {name for name, (op, to) in ways.items() if to in TRANSITIONS[op].get(lesson.status, ())}
    if lesson.status is Status.ACTIVE and lesson.trust is Origin.OPERATOR:
        may.discard("approve")
    return frozenset(may | ({"edit"} if lesson.status in LIVE else set()))


def started(store: Store, branch: str) -> str:
    """The branch on which to change what a branch that does not learn has; empty of others."""
    record = store.branch(branch)
    start = None if record.learns else learning(store, record)
    return "" if start is None else start.id


def closed(store: Store, branch: str) -> str:
    """Why lessons of a branch cannot be changed now; empty where they can."""
    if not store.writable:
        return "This store can only be read."
    if not store.branch(branch).learns:
        return "This branch does not learn: it keeps what its run was given."
    run = store.open_run(branch)
    if run is not None:
        return f"Run {run} can still be resumed, so its memory stays as it is until then."
    return ""


def _one(request: Request) -> tuple[Store, str, Lesson]:
    """The lesson that an address names, on the branch that it names, else the one lists name."""
    store, name = store_of(request), request.path_params["lesson"]
    branch = text(request, "branch") or next(iter(places(store, name)), None)
    found = None if branch is None else store.lesson(name, branch=store.branch(branch).id)
    if branch is None or found is None:
        raise UnknownNameError(f"there is no lesson {name!r}")
    return store, branch, found


def _behind(store: Store, lesson: Lesson) -> dict[str, Critique]:
    near = (store.critique(e.critique) for e in lesson.evidence[:ROWS])
    return {c.id: c for c in near if c is not None}


def _rows(store: Store, found: tuple[tuple[str, Lesson], ...]) -> list[LessonRow]:
    used = store.use_counts([x.id for _, x in found])
    return [lesson_row(branch, x, used) for branch, x in found]


def _text(store: Store, name: str) -> str:
    found = store.lesson(name)
    return "" if found is None else rule(found.body)
