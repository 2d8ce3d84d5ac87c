"""A run whose lessons do not all fit: they are ranked, and a resumed run gives the same prompts."""

from __future__ import annotations

from pathlib import Path

import pytest

import verbalrl as vrl
from tests.memory.embedding_server import EmbeddingServer
from verbalrl.errors import ConfigurationError
from verbalrl.models import run_sync
from verbalrl.records import (
    Commit,
    Episode,
    LessonBody,
    LessonKind,
    MemoryUpdate,
    Operation,
    Origin,
    Status,
)

MODEL = "offline:apprentice"
TASK = "triage-v1"


def filled(folder: Path) -> None:
    """A store whose branch `main` has more behaviors of the task than a prompt holds."""
    updates = tuple(
        MemoryUpdate(
            op=Operation.ADD,
            lesson=f"le_{n:03}",
            body=LessonBody(
                kind=LessonKind.BEHAVIOR,
                when=f"the ticket mentions case {n} of subject {n % 9}",
                instruction=f"look at the list of rules under number {n} before routing it",
            ),
            trust=Origin.TASK,
            status=Status.PROVISIONAL,
        )
        for n in range(120)
    )
    with vrl.open_store(folder, create=True) as store, store.acquire_lease("main", "t") as lease:
        made = Commit(id="cu_1", branch="main", scope=TASK, base=0, updates=updates)
        run_sync(store.put_commit(made, lease.fence))


def learner(memory: vrl.Memory) -> vrl.Learner:
    method = vrl.methods.handbook(budget=300)
    return vrl.Learner(vrl.ChatAgent(MODEL), method=method, store=memory)


def run(memory: vrl.Memory) -> str:
    task = vrl.load_task(TASK)
    done = learner(memory).run_sync(task, instances=3, arms=("learned",), start="main", learn=False)
    return str(done.run)


def episodes(folder: Path, run: str) -> list[Episode]:
    with vrl.open_store(folder) as store:
        return [store.episode(e.id) or e for e in store.episodes(run=run)]


def test_lessons_that_do_not_all_fit_are_ranked(tmp_path: Path) -> None:
    filled(tmp_path)
    found = episodes(tmp_path, run(vrl.Memory(tmp_path)))
    assert len(found) == 3
    for episode in found:
        given = episode.guidance["actor"]
        assert 0 < given.tokens <= 300
        assert all("bm25" in use.parts for use in given.uses)
        assert given.left_out == 120 - len(given.lines)


def test_an_index_that_cannot_be_used_leaves_no_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file", encoding="utf-8")
    filled(tmp_path)
    with vrl.open_store(tmp_path) as store:
        before = [found.id for found in store.runs()]
    with pytest.raises(ConfigurationError, match="cannot be used"):
        run(vrl.Memory(tmp_path, index=f"chroma:{tmp_path}/file"))
    with vrl.open_store(tmp_path) as store:
        assert [found.id for found in store.runs()] == before


def test_a_run_is_resumed_with_its_embedder_and_no_other(tmp_path: Path) -> None:
    filled(tmp_path)
    name = run(vrl.Memory(tmp_path))
    with vrl.open_store(tmp_path) as store:
        config = store.run(name).config
    assert (config["embedder"], config["index"]) == ("hash", "exact")
    task = vrl.load_task(TASK)
    with pytest.raises(ConfigurationError, match="cannot resume: 'embedder' was 'hash'"):
        learner(vrl.Memory(tmp_path, "hash:64")).resume_sync(name, task)
    again = learner(vrl.Memory(tmp_path, index=f"chroma:{tmp_path}/i")).resume_sync(name, task)
    assert again.run == name


def test_an_embedder_behind_a_server_is_asked_once_and_billed(tmp_path: Path) -> None:
    filled(tmp_path)
    with EmbeddingServer() as server:
        memory = vrl.Memory(tmp_path, "openai:tiny", base_url=server.url)
        name = run(memory)
        texts = [text for asked in server.asked for text in asked["input"]]
        assert len(texts) == len(set(texts)) == 120 + 3
        found = episodes(tmp_path, name)
        plain = episodes(tmp_path, run(vrl.Memory(tmp_path)))
        paid = sum(e.usage["actor"].input for e in found)
        assert paid >= sum(e.usage["actor"].input for e in plain) + 7 * 123 - 400
        before = len(server.asked)
        with vrl.open_store(tmp_path) as store:
            kinds = [store._read(lambda c: c.execute("SELECT kind FROM calls").fetchall())]
        assert ("hook",) in kinds[0]
        again = run(memory)
        assert len(server.asked) == before + 3
    guidance = [[e.guidance["actor"].text for e in episodes(tmp_path, n)] for n in (name, again)]
    assert guidance[0] == guidance[1]
