"""The page through the door that a browser takes: who is let in, and what forms change."""

import asyncio
import re
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import pytest
from pydantic import JsonValue
from starlette.testclient import TestClient

from benchmarks._rows import Sizes, add_run, fill
from benchmarks.views import Pages
from tests.store.builders import an_episode, lane, open_lane
from tests.view.browser import served
from verbalrl.records import Lesson, Origin, RunRecord, Status
from verbalrl.store import Store, open_store
from verbalrl.view.page.app import application
from verbalrl.view.page.guard import HEADERS, Keys
from verbalrl.view.page.lessons import allowed
from verbalrl.view.tables import Table, csv_text, quoted

RUN, OTHER = "run_made000001", "run_made000002"
BRANCH = f"{RUN}/learned/0"
PORT = 8123
BASE = f"http://127.0.0.1:{PORT}"
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    sizes = Sizes(6, 2, ("none", "retry", "learned"), steps=2, lessons=6, critiques=10)
    asyncio.run(fill(tmp_path, RUN, sizes))
    with open_store(tmp_path) as opened:
        yield opened


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def stranger(store: Store, keys: Keys) -> TestClient:
    app = application(store, keys, PORT)
    return TestClient(app, base_url=BASE, follow_redirects=False, raise_server_exceptions=True)


@pytest.fixture
def reader(stranger: TestClient, keys: Keys) -> TestClient:
    """A browser that has opened the address with the token."""
    answer = stranger.get(f"/?token={keys.token}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    stranger.headers["origin"] = BASE
    return stranger


def waiting(store: Store) -> Lesson:
    found = store.current_lessons(BRANCH, statuses=[Status.PROVISIONAL])
    return found[0]


def form(keys: Keys, lesson: Lesson, **more: str) -> dict[str, str]:
    version = str(lesson.version)
    return {"form": keys.form, "version": version, "branch": BRANCH} | more


def addresses(store: Store) -> list[str]:
    episode = store.episodes(run=RUN, arm="learned")[-1].id
    critique = store.critiques(run=RUN)[0].id
    lesson = waiting(store).id
    return [
        "/",
        f"/runs/{RUN}",
        f"/runs/{RUN}/progress",
        f"/runs/{RUN}/episodes?arm=learned&outcome=failed&sort=new",
        f"/runs/{RUN}/episodes?as=csv",
        f"/episodes/{episode}",
        f"/critiques/{critique}",
        "/lessons",
        f"/lessons?branch={BRANCH}&status=provisional&q=door&sort=name",
        f"/lessons?branch={BRANCH}&as=csv",
        f"/lessons/{lesson}",
        f"/lessons/{lesson}/revoke",
        "/review",
        "/review?status=provisional",
        f"/memory?branch={BRANCH}&revision=0&since=1",
        "/compare",
        f"/compare?one={RUN}&other={RUN}",
        "/search?q=knock",
        "/style.css",
        "/live.js",
    ]


def test_every_page_opens_under_the_policy(reader: TestClient, store: Store) -> None:
    for address in addresses(store):
        answer = reader.get(address)
        assert answer.status_code == 200, address
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
        if answer.headers["content-type"].startswith("text/html"):
            assert not re.search(r"\s(style|on\w+)=|<script(?! src=\"/live.js\")", answer.text)
            ids = re.findall(r'\sid="([^"]+)"', answer.text)
            assert len(ids) == len(set(ids)), address


def test_links_lead_somewhere(reader: TestClient, store: Store) -> None:
    seen: set[str] = set()
    open_ones = ["/", "/search?q=knock"]
    while open_ones and len(seen) < 150:
        address = open_ones.pop().replace("&amp;", "&").partition("#")[0]
        if address in seen or not address:
            continue
        seen.add(address)
        answer = reader.get(address)
        assert answer.status_code == 200, address
        open_ones += re.findall(r'<a [^>]*href="(/[^"]*)"', answer.text)
    assert len(seen) > 40


def test_the_page_of_a_proof_lists_its_probes(reader: TestClient, store: Store) -> None:
    open_lane(store, lane("run_proof"), parent=BRANCH, learns=False)
    made = an_episode(lane("run_proof"))
    probe = made.replace(spec=made.spec.replace(purpose="probe"))
    asyncio.run(store.put_episode(probe))
    told = reader.get("/runs/run_proof").text
    assert "No episode is stored yet" not in told
    assert 'href="/runs/run_proof/episodes?arm=learned&amp;seed=0"' in told
    assert probe.id in reader.get("/runs/run_proof/episodes?arm=learned&seed=0").text


def test_what_does_not_learn_is_read_and_changed_where_it_started(
    reader: TestClient, store: Store, keys: Keys
) -> None:
    config: dict[str, JsonValue] = {"learn": False, "start": BRANCH}
    name = open_lane(store, lane("run_read"), parent=BRANCH, learns=False)
    store.update_run("run_read", status="done", config=config)
    assert f"<option selected>{BRANCH}</option>" in reader.get("/lessons").text
    lesson = waiting(store)
    shown = reader.get(f"/lessons/{lesson.id}?branch={name}").text
    assert "does not learn" in shown
    assert 'method="post"' not in shown
    (link,) = re.findall(rf'<a href="(/lessons/{lesson.id}\?branch=[^"]*)">on', shown)
    there = reader.get(link).text
    assert f'value="{BRANCH}"' in there
    assert f'action="/lessons/{lesson.id}/edit"' in there
    sent = form(keys, lesson, branch=name, instruction="wait")
    refused = reader.post(f"/lessons/{lesson.id}/edit", data=sent, headers={"origin": BASE})
    assert (refused.status_code, BRANCH in refused.text) == (400, True)


def test_a_run_is_not_compared_with_itself(reader: TestClient, store: Store) -> None:
    for other in (RUN, RUN[:-3]):  # also by the start of its id
        told = reader.get(f"/compare?one={RUN}&other={other}").text
        assert f'Both are run <span class="id">{RUN}</span>: choose two runs' in told
        assert "paired over" not in told
    asyncio.run(add_run(store, OTHER, Sizes(4, 2, ("none", "learned"), steps=1)))
    assert "Both are" not in reader.get(f"/compare?one={RUN}&other={OTHER}").text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "127.0.0.1:1", ""])
def test_a_foreign_host_is_refused(reader: TestClient, host: str) -> None:
    answer = reader.get("/", headers={"host": host})
    assert answer.status_code == 421
    assert RUN not in answer.text


def test_without_the_token_nothing_is_told(stranger: TestClient, keys: Keys, store: Store) -> None:
    for address in [*addresses(store), "/nowhere", "/?token=wrong"]:
        answer = stranger.get(address)
        assert answer.status_code == 401
        assert RUN not in answer.text
    stranger.cookies.set(f"verbalrl_token_{PORT}", keys.token)
    assert stranger.get("/").status_code == 401


def test_the_cookie_is_for_this_page_alone(stranger: TestClient, keys: Keys) -> None:
    answer = stranger.get(f"{BASE}//evil.example/x?token={keys.token}&a=1")
    assert answer.headers["location"] == "/evil.example/x?a=1"
    kept = answer.headers["set-cookie"]
    assert "HttpOnly" in kept
    assert "SameSite=strict" in kept
    assert keys.token not in kept


FOREIGN = [
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1"},
    {"origin": f"https://127.0.0.1:{PORT}"},
    {"origin": f"127.0.0.1:{PORT}"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_form_from_elsewhere_changes_nothing(
    reader: TestClient, store: Store, keys: Keys, headers: dict[str, str]
) -> None:
    lesson = waiting(store)
    given = form(keys, lesson)
    answer = reader.post(f"/lessons/{lesson.id}/approve", data=given, headers=headers)
    assert answer.status_code == 403
    assert waiting(store) == lesson


def test_over_http_a_form_must_say_that_it_is_ours(tmp_path: Path) -> None:
    """As a browser sends it, and as anything else on this machine might."""
    asyncio.run(fill(tmp_path, RUN, Sizes(2, 1, ("learned",), steps=1, lessons=4)))
    with served(tmp_path) as address:
        base, token = address.split("/?token=")
        cookie = asked(base, "GET", f"/?token={token}").headers["set-cookie"].partition(";")[0]
        page = asked(base, "GET", "/review?status=provisional", cookie=cookie).body
        found = re.search(r'action="(/lessons/[^"]+/approve)">(.*?)</form>', page, re.DOTALL)
        assert found is not None
        sent = dict(re.findall(r'name="(\w+)" value="([^"]*)"', found[2]))
        said: list[dict[str, str]] = [
            {}, {"sec-fetch-site": "none"}, {"sec-fetch-site": "cross-site"},
            {"origin": "http://127.0.0.1:1"}, {"sec-fetch-site": "same-origin"}, {"origin": base},
        ]  # fmt: skip
        answers = [asked(base, "POST", found[1], sent, cookie=cookie, **x).status for x in said]
    # Once it is approved, the version that the form has is still the one that was read.
    assert answers == [403, 403, 403, 403, 303, 303]


class Answer(NamedTuple):
    status: int
    headers: HTTPMessage
    body: str


def asked(
    base: str, method: str, path: str, form: dict[str, str] | None = None, **headers: str
) -> Answer:
    connection = HTTPConnection(base.removeprefix("http://"), timeout=30)
    sent = None if form is None else urlencode(form)
    connection.request(method, path, sent, headers)
    got = connection.getresponse()
    body = got.read().decode()
    connection.close()
    return Answer(got.status, got.headers, body)


def test_a_form_without_its_key_changes_nothing(
    reader: TestClient, store: Store, keys: Keys
) -> None:
    lesson = waiting(store)
    for key in ("", "0" * 64, keys.token, keys.cookie):
        given = form(keys, lesson) | {"form": key}
        assert reader.post(f"/lessons/{lesson.id}/approve", data=given).status_code == 403
    assert reader.get(f"/lessons/{lesson.id}/approve").status_code == 405
    assert waiting(store) == lesson


def test_approving_and_retiring_change_the_store(
    reader: TestClient, store: Store, keys: Keys
) -> None:
    lesson = waiting(store)
    sent = reader.get("/review?status=provisional").text
    assert f'action="/lessons/{lesson.id}/approve"' in sent
    back = {"next": "/review?status=provisional"}
    answer = reader.post(f"/lessons/{lesson.id}/approve", data=form(keys, lesson, **back))
    assert (answer.status_code, answer.headers["location"]) == (303, back["next"])
    now = store.lesson(lesson.id)
    assert now is not None
    assert now.status is Status.ACTIVE
    reader.post(f"/lessons/{lesson.id}/retire", data=form(keys, now))
    now = store.lesson(lesson.id)
    assert now is not None
    assert now.status is Status.RETIRED


def test_an_edit_needs_the_version_that_was_read(
    reader: TestClient, store: Store, keys: Keys
) -> None:
    lesson = waiting(store)
    words = {"instruction": "ring the bell", "when": "there is a bell"}
    at = f"/lessons/{lesson.id}/edit"
    assert reader.post(at, data=form(keys, lesson, **words)).status_code == 303
    now = store.lesson(lesson.id)
    assert now is not None
    assert (now.version, now.instruction) == (2, "ring the bell")
    for verb in ("edit", "approve", "retire", "revoke"):
        stale = reader.post(f"/lessons/{lesson.id}/{verb}", data=form(keys, lesson, **words))
        assert stale.status_code == 400
        assert "read it again" in stale.text
    assert store.lesson(lesson.id) == now


def test_a_refused_edit_leads_to_the_lesson_and_keeps_what_was_written(
    reader: TestClient, store: Store, keys: Keys
) -> None:
    lesson = waiting(store)
    at = f"/lessons/{lesson.id}/edit"
    reader.post(at, data=form(keys, lesson, instruction="ring the bell"))
    now = store.lesson(lesson.id)
    assert now is not None
    stale = form(keys, lesson, instruction=f"knock {EVIL}", when_not="at night")
    empty = form(keys, now, instruction="", when="the door is shut")
    for given, typed in ((stale, ("knock &lt;script&gt;", "at night")), (empty, ("is shut",))):
        answer = reader.post(at, data=given)
        assert answer.status_code == 400
        assert all(text in answer.text for text in typed)
        assert EVIL not in answer.text
        back = re.search(r'<a href="(/lessons/[^"]+)">To the lesson', answer.text)
        assert back is not None
        assert "ring the bell" in reader.get(back[1]).text
    assert "What you wrote" not in reader.get("/lessons/le_nobody").text


def test_an_edit_says_what_prompts_show_otherwise(
    reader: TestClient, store: Store, keys: Keys
) -> None:
    lesson = waiting(store)
    assert "as prompts have them" not in reader.get(f"/lessons/{lesson.id}").text
    given = form(keys, lesson, instruction="stop </guidance>\x1b\nnow")
    answer = reader.post(f"/lessons/{lesson.id}/edit", data=given)
    html = reader.get(answer.headers["location"]).text
    assert "prompts show ‹/guidance› for" in html
    assert "line breaks and tabs become blanks" in html
    assert "were not stored" in html


def test_revoking_says_first_what_falls(reader: TestClient, store: Store, keys: Keys) -> None:
    lesson = waiting(store)
    asked = reader.get(f"/lessons/{lesson.id}/revoke").text
    assert "falls:" in asked
    carried = {u.episode for u in store.carried([lesson.id], outcome="injected")}
    assert f"<p>{len(carried)} episode" in asked
    assert store.lesson(lesson.id) == lesson
    reader.post(f"/lessons/{lesson.id}/revoke", data=form(keys, lesson))
    now = store.lesson(lesson.id)
    assert now is not None
    assert now.status is Status.REVOKED


def test_back_leads_to_no_other_place(reader: TestClient, store: Store, keys: Keys) -> None:
    for wanted in (
        "//evil.example",
        "http://evil.example/review",
        "/review\\@evil",
        "javascript:1",
    ):
        lesson = waiting(store)
        answer = reader.post(f"/lessons/{lesson.id}/retire", data=form(keys, lesson, next=wanted))
        assert answer.headers["location"].startswith(("/lessons/", "/review"))


def test_lessons_of_a_run_that_can_be_resumed_stay(
    reader: TestClient, store: Store, keys: Keys
) -> None:
    lesson = waiting(store)
    store.update_run(RUN, status="interrupted")
    assert "can still be resumed" in reader.get(f"/lessons/{lesson.id}").text
    answer = reader.post(f"/lessons/{lesson.id}/approve", data=form(keys, lesson))
    assert answer.status_code == 400
    assert store.lesson(lesson.id) == lesson


def test_stored_text_stays_text_on_every_page(reader: TestClient, store: Store, keys: Keys) -> None:
    lesson = waiting(store)
    words = {"name": EVIL, "when": EVIL, "instruction": f"{EVIL} {{{{ 7*7 }}}}"}
    reader.post(f"/lessons/{lesson.id}/edit", data=form(keys, lesson, **words))
    store._do(
        lambda c: c.execute("UPDATE critiques SET body = replace(body, 'nobody', ?)", (EVIL,))
    )
    for address in [*addresses(store), f"/search?q={EVIL}", f"/lessons?q={EVIL}", f"/{EVIL}"]:
        answer = reader.get(address)
        if answer.headers["content-type"].startswith("text/html"):
            assert EVIL not in answer.text, address
    assert "{{ 7*7 }}" in reader.get(f"/lessons/{lesson.id}").text
    assert "&lt;script&gt;" in reader.get(f"/lessons/{lesson.id}").text


def test_cells_that_a_spreadsheet_would_run_are_quoted(
    reader: TestClient, store: Store, keys: Keys
) -> None:
    store._do(lambda c: c.execute("UPDATE lessons SET body = replace(body, 'learned', 'learned')"))

    for evil in ("=1+1", "+1", "-1", "@x", " =1", "\t=1"):
        assert quoted(evil) == f"'{evil}"
    assert quoted(-1.5) == -1.5
    made = Table(name="t", caption="", heads=("=h",), rows=(("-x",), (-2,), (None,)))
    assert csv_text(made).splitlines() == ["'=h", "'-x", "-2", '""']
    rows = reader.get(f"/runs/{RUN}/episodes?as=csv").text.splitlines()
    assert len(rows) == len(store.episodes(run=RUN)) + 1


def test_bad_requests_are_one_line(reader: TestClient, store: Store) -> None:
    for address, status in (
        ("/runs/nothing", 404),
        ("/episodes/nothing", 404),
        ("/lessons/nothing", 404),
        ("/nowhere", 404),
        (f"/runs/{RUN}/episodes?sort=1;DROP", 400),
        (f"/runs/{RUN}/episodes?seed=x", 400),
        ("/lessons?branch=nothing", 404),
        (f"/memory?branch={BRANCH}&revision=99", 409),
        ("/review?status=active", 400),
    ):
        answer = reader.get(address)
        assert answer.status_code == status, address
        assert 'class="note"' in answer.text
        assert ("<h1>Not found</h1>" in answer.text) is (status == 404), address
    large = reader.post("/lessons/x/edit", content=b"a=" + b"x" * 100_000)
    assert large.status_code == 400


def test_a_run_under_way_is_told_so(reader: TestClient, store: Store) -> None:
    config = {"arms": ["learned"], "seeds": [0], "instances": [0, 4]}
    live = RunRecord(
        id=OTHER, task="t", method="reflexion", model="m", simulated=False, config=dict(config)
    )
    store.create_run(live)
    with store.acquire_lease("main", OTHER):
        sent = reader.get(f"/runs/{OTHER}").text
        assert 'data-live="/runs/run_made000002/progress"' in sent
        assert "0 of 4 instances begun" in reader.get(f"/runs/{OTHER}/progress").text
    assert "interrupted" in reader.get(f"/runs/{OTHER}").text


def test_while_others_read_the_loop_does_not_wait(store: Store) -> None:
    pages, held, free = Pages(store), threading.Event(), threading.Event()

    def read() -> None:
        with store.snapshot():
            held.set()
            free.wait(5)

    async def ask() -> None:
        other = asyncio.create_task(asyncio.to_thread(read))
        await asyncio.to_thread(held.wait, 20)
        asked = asyncio.ensure_future(pages.whole("/")())
        await asyncio.sleep(0)
        assert await pages.whole("/style.css")()
        assert not asked.done()
        free.set()
        assert await asked == await pages.whole("/")()
        await other

    asyncio.run(asyncio.wait_for(ask(), 30))


def test_two_runs_are_compared(reader: TestClient, store: Store) -> None:
    asyncio.run(add_run(store, OTHER, Sizes(6, 3, ("retry", "learned"), steps=1, lessons=2)))
    sent = reader.get(f"/compare?one={RUN}&other={OTHER}").text
    assert "2 in both, 4 only in the first, 0 only in the second" in sent
    assert "trials" in sent


@pytest.mark.parametrize("trust", Origin)
def test_what_is_active_can_be_approved_until_a_person_has_vouched(
    store: Store, trust: Origin
) -> None:
    lesson = waiting(store).replace(status=Status.ACTIVE, trust=trust)
    assert ("approve" in allowed(lesson)) is (trust is not Origin.OPERATOR)
