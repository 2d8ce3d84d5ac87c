"""Which uses of a lesson are told where there are more than are listed."""

import asyncio
import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.cli.filled import BRANCH, RUN, SCOPE
from tests.store.builders import a_run, an_episode, lane, open_lane
from verbalrl.cli.app import main
from verbalrl.records import BranchRecord, Proof
from verbalrl.store import Store, borne, open_store
from verbalrl.view.lineage import LISTED_USES, lesson_view
from verbalrl.view.page.app import application
from verbalrl.view.page.guard import Keys
from verbalrl.view.rows import read_run


def test_the_newest_uses_come_first_and_in_a_report_those_of_its_run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_store(folder) as store:
        (lesson,) = store.behaviors(SCOPE, run=RUN)
        open_lane(store, lane("run_later"), parent=BRANCH, learns=False)
        made = {
            run: [an_episode(lane(run), f"i{n}", lesson=lesson.id) for n in range(LISTED_USES)]
            for run in (RUN, "run_later")
        }
        for episode in (*made[RUN], *made["run_later"]):
            asyncio.run(store.put_episode(episode))
        view = lesson_view(lesson, BRANCH, {}, borne(store.carried([lesson.id])), ())
        told = read_run(store, RUN).lessons[BRANCH]
    own = next(x for x in told if x.id == lesson.id)
    newest = {run: [e.id for e in reversed(found)] for run, found in made.items()}
    assert [use.episode for use in view.carriers] == newest["run_later"]
    assert [use.episode for use in own.carriers] == newest[RUN]
    assert main(["history", lesson.id, "--store", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    uses = [line.split()[0] for line in lines if " injected" in line]
    assert uses[:LISTED_USES] == newest["run_later"]


@pytest.fixture
def mixed(folder: Path) -> tuple[Path, str]:
    """A lesson that a simulated run had twice, to success, and a real one once, in vain."""
    with open_store(folder) as store:
        (lesson,) = store.behaviors(SCOPE, run=RUN)
        store.create_run(a_run("run_real", simulated=False))
        made = BranchRecord(
            id="run_real/learned/0", run="run_real", arm="learned", parent=BRANCH, learns=False
        )
        store.create_branch(made)
        for run, instance, success in (
            (RUN, "a", True),
            (RUN, "b", True),
            ("run_real", "a", False),
        ):
            episode = an_episode(lane(run), instance, lesson=lesson.id, success=success)
            asyncio.run(store.put_episode(episode))
    return folder, lesson.id


SAID = "2 of the episodes simulated, 2 of these solved"


def test_a_simulated_gain_is_not_told_as_a_real_one(
    mixed: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, lesson = mixed
    assert main(["history", lesson, "--store", str(folder)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"of 3 episodes, left out of 0; {SAID}" in told
    assert told.count("solved (simulated)") == 2
    with open_store(folder) as store:
        reader = reader_of(store)
        page = " ".join(reader.get(f"/lessons/{lesson}").text.split())
        listed = reader.get(f"/lessons?branch={BRANCH}").text
        assert [x.uses.caveat for x in read_run(store, RUN).lessons[BRANCH] if x.id == lesson] == [
            SAID
        ]
    assert f"2 solved and 1 failed; {SAID}" in page
    assert page.count("solved (simulated)") == 2
    assert listed.count("(2 simulated)") == 2
    assert main(["history", lesson, "--store", str(folder), "--json"]) == 0
    uses = json.loads(capsys.readouterr().out)["uses"]
    assert [use["simulated"] for use in uses] == [True, True, False]


def test_a_proof_by_a_simulated_model_says_so(
    mixed: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, lesson = mixed
    with open_store(folder) as store:
        reader = reader_of(store)
        for run in (RUN, "run_real"):
            store.put_proof(a_proof(lesson, run))
        page = reader.get(f"/lessons/{lesson}").text
    assert main(["show", lesson, "--store", str(folder)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"{RUN}; simulated" in told
    assert "run_real; simulated" not in told
    assert page.count("2 instances; simulated") == 1


def a_proof(lesson: str, run: str) -> Proof:
    return Proof(
        lesson=lesson,
        version=1,
        content="c",
        run=run,
        instances=2,
        passes=1,
        smallest=1.0,
        off=0.0,
        on=1.0,
        difference=1.0,
        low=None,
        high=None,
        p=0.5,
        covered=1.0,
        finding="undecided",
    )


def reader_of(store: Store) -> TestClient:
    keys = Keys()
    reader = TestClient(application(store, keys, 8123), base_url="http://127.0.0.1:8123")
    reader.get(f"/?token={keys.token}")
    return reader
