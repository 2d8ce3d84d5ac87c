"""The page and the report in Chromium, with data of real runs of the offline model."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys as Key
from selenium.webdriver.support.ui import WebDriverWait

from benchmarks._rows import Sizes, episodes
from tests.view.browser import NARROW, WIDE, browser, resize, served
from verbalrl.cli import main
from verbalrl.records import Lesson, RunRecord, Status
from verbalrl.store import Store, open_store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

LIVE = "run_live000001"


def _run(place: Path, *words: str) -> None:
    models = ["--model", "offline:apprentice", "--store", str(place), "--json"]
    with (place.parent / "out").open("w") as out, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        assert main(["run", *words, *models]) == 0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a run that reflects, and two that learn shared lessons, one of them on trial."""
    found = tmp_path_factory.mktemp("page") / "store"
    _run(found, "gridnav-v1", "--method", "reflexion", "--instances", "6", "--trials", "3")
    for gate in ("none", "review"):
        sizes = ["--instances", "8", "--train-instances", "24", "--trials", "1"]
        _run(found, "triage-v1", "--method", "handbook", "--gate", gate, *sizes)
    return found


@pytest.fixture(scope="module")
def store(place: Path) -> Iterator[Store]:
    with open_store(place) as opened:
        yield opened


@pytest.fixture(scope="module")
def address(place: Path) -> Iterator[str]:
    with served(place) as found:
        yield found


@pytest.fixture(scope="module")
def chrome(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with browser(tmp_path_factory.mktemp("profile")) as driver:
        driver.get(address)
        yield driver


@pytest.fixture(scope="module")
def base(address: str) -> str:
    return address.partition("/?")[0]


@pytest.fixture(scope="module")
def views(store: Store) -> dict[str, str]:
    """Every view by name, at an address where it has data."""
    reflecting, learning, trial = (run.id for run in store.runs())
    cited = store.critiques(run=reflecting)[0]
    lesson = store.current_lessons(f"{learning}/learned/0")[0]
    branch = f"{learning}/learned/0"
    return {
        "runs": "/",
        "run": f"/runs/{reflecting}",
        "shared run": f"/runs/{learning}",
        "episodes": f"/runs/{reflecting}/episodes?arm=learned",
        "episode": f"/episodes/{cited.episodes[0]}",
        "critique": f"/critiques/{cited.id}",
        "lessons": f"/lessons?branch={branch}",
        "lesson": f"/lessons/{lesson.id}",
        "revoke": f"/lessons/{lesson.id}/revoke",
        "review": "/review?status=provisional",
        "memory": f"/memory?branch={branch}&since=0",
        "compare": f"/compare?one={learning}&other={trial}",
        "search": "/search?q=choose",
        "error": "/runs/nothing",
    }


def provisional(store: Store) -> Lesson:
    branch = f"{store.runs()[-1].id}/learned/0"
    return store.current_lessons(branch, statuses=[Status.PROVISIONAL])[0]


def now(store: Store, lesson: Lesson) -> Lesson:
    found = store.lesson(lesson.id)
    assert found is not None
    return found


def becomes(driver: Chrome, store: Store, lesson: Lesson, wanted: Callable[[Lesson], bool]) -> None:
    """Wait for a click to have its effect: the driver may come back before it has."""
    WebDriverWait(driver, 60).until(lambda _: wanted(now(store, lesson)))


_CUT = """
const wide = document.documentElement.clientWidth;
return [...document.querySelectorAll("main *")].filter(e => {
  if (e.closest(".scroll, svg, details:not([open]), .quiet, select")) return false;
  const box = e.getBoundingClientRect();
  return box.width > 0 && (box.right > wide + 1 || box.left < -1);
}).map(e => e.tagName + " " + e.textContent.slice(0, 60));
"""


def test_every_view_fits_its_width(chrome: Chrome, base: str, views: dict[str, str]) -> None:
    for width in (WIDE, NARROW):
        resize(chrome, width)
        for name, path in views.items():
            chrome.get(f"{base}{path}")
            assert chrome.find_element(By.TAG_NAME, "h1").text, name
            whole = chrome.execute_script("return document.documentElement.scrollWidth")
            assert whole <= width, name
            assert chrome.execute_script(_CUT) == [], name


def test_no_view_breaks_its_own_policy(chrome: Chrome, base: str, views: dict[str, str]) -> None:
    log: Callable[[str], list[dict[str, str]]] = chrome.get_log
    log("browser")
    for name, path in views.items():
        chrome.get(f"{base}{path}")
        said = [x["message"] for x in log("browser") if name != "error"]
        assert said == [], name


def test_views_have_contrast_names_and_order(
    chrome: Chrome, base: str, views: dict[str, str], place: Path
) -> None:
    target = place.parent / "report.html"
    assert main(["report", "-o", str(target), "--store", str(place), "--json"]) == 0
    axe = (files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
    everything = {name: f"{base}{path}" for name, path in views.items()}
    everything["report"] = target.as_uri()
    for dark in (False, True):
        resize(chrome, WIDE, dark=dark)
        for name, at in everything.items():
            chrome.get(at)
            chrome.execute_script(axe)
            found = chrome.execute_async_script(
                "const done = arguments[0];"
                "axe.run(document, {resultTypes: ['violations']}).then(r => done(r.violations.map("
                "v => v.id + ': ' + v.nodes.map(n => n.html.slice(0, 120)).join(' | '))))"
            )
            assert found == [], (name, dark)


def test_the_keyboard_leads_to_the_content(chrome: Chrome, base: str) -> None:
    chrome.get(base)
    chrome.find_element(By.TAG_NAME, "body").send_keys(Key.TAB)
    skip = chrome.switch_to.active_element
    assert skip.text == "Go to the content"
    outline = skip.value_of_css_property("outline-style")
    assert outline == "solid"
    skip.send_keys(Key.ENTER)
    assert chrome.switch_to.active_element.get_attribute("id") == "main"


def test_review_actions_change_the_store(chrome: Chrome, base: str, store: Store) -> None:
    lesson = provisional(store)
    chrome.get(f"{base}/review?status=provisional")
    at = f'form[action="/lessons/{lesson.id}/approve"] button'
    chrome.find_element(By.CSS_SELECTOR, at).click()
    becomes(chrome, store, lesson, lambda x: x.status is Status.ACTIVE)
    assert chrome.current_url == f"{base}/review?status=provisional"
    chrome.get(f"{base}/lessons/{lesson.id}")
    words = chrome.find_element(By.ID, "instruction")
    words.clear()
    words.send_keys("ask the <script>document.title='x'</script> Delta team")
    chrome.find_element(By.XPATH, "//button[contains(., 'Save as version')]").click()
    becomes(chrome, store, lesson, lambda x: x.version == 2)
    chrome.get(f"{base}/lessons/{lesson.id}")
    assert "<script>document.title='x'</script>" in chrome.find_element(By.CLASS_NAME, "lead").text
    assert "verbalrl" in chrome.title
    chrome.find_element(By.PARTIAL_LINK_TEXT, "Revoke").click()
    WebDriverWait(chrome, 60).until(lambda d: "/revoke" in d.current_url)
    WebDriverWait(chrome, 60).until(lambda d: d.find_element(By.CLASS_NAME, "danger")).click()
    becomes(chrome, store, lesson, lambda x: x.status is Status.REVOKED)


def test_it_works_with_scripts_off(
    address: str, store: Store, views: dict[str, str], tmp_path: Path
) -> None:
    lesson = provisional(store)
    with browser(tmp_path / "profile", scripts=False) as driver:
        driver.get(address)
        base = address.partition("/?")[0]
        for name, path in views.items():
            driver.get(f"{base}{path}")
            assert driver.find_element(By.TAG_NAME, "h1").text, name
        driver.get(f"{base}/review?status=provisional")
        at = f'form[action="/lessons/{lesson.id}/retire"] button'
        driver.find_element(By.CSS_SELECTOR, at).click()
        becomes(driver, store, lesson, lambda x: x.status is Status.RETIRED)


def test_a_run_under_way_moves_without_reloading(chrome: Chrome, base: str, store: Store) -> None:
    sizes = Sizes(4, 1, ("learned",), steps=1)
    record = RunRecord(
        id=LIVE, task="made-v1", method="reflexion", model="offline:apprentice", simulated=True,
        config={"arms": ["learned"], "seeds": [0], "instances": [0, 4]},
    )  # fmt: skip
    store.create_run(record)
    with store.acquire_lease("main", LIVE):
        chrome.get(f"{base}/runs/{LIVE}")
        chrome.execute_script("window.here = 'still'")
        for episode in list(episodes(LIVE, sizes, []))[:2]:
            asyncio.run(store.put_episode(episode))
        WebDriverWait(chrome, 60).until(
            lambda d: "2 of 4 instances" in d.find_element(By.CSS_SELECTOR, "[data-live]").text
        )
        assert chrome.execute_script("return window.here") == "still"
    store.update_run(LIVE, status="failed")
    WebDriverWait(chrome, 60).until(lambda d: not d.find_elements(By.CSS_SELECTOR, "[data-live]"))


_CUT_ON_PAPER = """
const wide = document.documentElement.clientWidth;
return [...document.querySelectorAll("main *")].filter(e => {
  if (e.closest("svg, .quiet")) return false;
  const box = e.getBoundingClientRect();
  return box.width > 0 && (box.right > wide + 1 || box.left < -1);
}).map(e => e.tagName + " " + e.textContent.slice(0, 60));
"""
PAPER = 680
"""Pixels between the margins of A4."""


def test_the_report_prints_whole_and_light(chrome: Chrome, place: Path) -> None:
    target = place.parent / "printed.html"
    for run in ("gridnav-v1", "triage-v1"):
        with open_store(place) as opened:
            found = next(r.id for r in opened.runs() if r.task == run)
        assert main(["report", found, "-o", str(target), "--store", str(place), "--json"]) == 0
        chrome.get(target.as_uri())
        resize(chrome, PAPER)
        dark = [{"name": "prefers-color-scheme", "value": "dark"}]
        chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": dark})
        assert chrome.execute_script(_CUT_ON_PAPER) == []
        body = chrome.find_element(By.TAG_NAME, "body")
        assert body.value_of_css_property("background-color") == "rgba(255, 255, 255, 1)"
        # What a closed part holds is on paper too.
        shut = "return document.querySelector('details:not([open]) li').getBoundingClientRect()"
        assert chrome.execute_script(f"{shut}.height") > 0
        printed = chrome.execute_cdp_cmd("Page.printToPDF", {})
        assert printed["data"].startswith("JVBERi")
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_without_its_token_the_address_is_shut(address: str, tmp_path: Path) -> None:
    with browser(tmp_path / "profile") as driver:
        driver.get(address.partition("?")[0])
        assert "open the address with the token" in driver.page_source
