"""A store opens, or says in one line what is wrong, where, and what to do."""

import errno
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.store.builders import (
    a_commit,
    a_run,
    add,
    body,
    change,
    new_store,
    open_lane,
    wait,
)
from verbalrl.errors import SchemaVersionError, StorageError
from verbalrl.records import Operation
from verbalrl.store import Store, open_store, schema
from verbalrl.store.writer import Writer

SRC = Path(__file__).resolve().parents[2] / "src"


def pragma(store: Store, name: str) -> object:
    """A setting of the connection that writes."""
    writer: Writer = store._writer
    return writer.do(lambda c: c.execute(f"PRAGMA {name}").fetchone()[0])


def test_commits_reach_the_disk(store: Store) -> None:
    assert pragma(store, "synchronous") == 2
    assert pragma(store, "journal_mode") == "wal"
    assert pragma(store, "foreign_keys") == 1
    assert pragma(store, "busy_timeout") == 30_000
    assert pragma(store, "application_id") == schema.APPLICATION_ID
    assert pragma(store, "user_version") == len(schema.MIGRATIONS)


def test_what_is_edited_or_migrated_leaves_no_text_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = sqlite3.connect

    def as_most_builds(*args: Any, **options: Any) -> sqlite3.Connection:
        made: sqlite3.Connection = plain(*args, **options)
        made.execute("PRAGMA secure_delete = OFF")
        return made

    monkeypatch.setattr(sqlite3, "connect", as_most_builds)
    with monkeypatch.context() as then:
        then.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:6])
        schema.create(tmp_path / schema.FILE_NAME)
    with closing(schema.connect(tmp_path / schema.FILE_NAME)) as old:
        old.execute("INSERT INTO commits VALUES (1, 'c', 'main', 's', 0, 1, 1, '', '', '', '')")
        row = "1, 'c', 'main', 's', 1, 0, 'add', 'le_1', 0"
        old.execute(f"INSERT INTO updates VALUES ({row}, ?)", ("secret" * 2_000,))
        old.execute("UPDATE updates SET body = 'gone'")
    with open_store(tmp_path):
        pass
    left = [f.name for f in tmp_path.iterdir() if b"secret" in f.read_bytes()]
    assert left == []


def test_every_table_is_strict(store: Store) -> None:
    rows = store._read(lambda c: c.execute("PRAGMA table_list").fetchall())
    assert {r[1] for r in rows if not r[5]} <= {
        "sqlite_schema",
        "sqlite_temp_schema",
        "sqlite_sequence",
    }
    assert len(rows) > 15


def test_only_the_owner_may_read_the_files(store: Store) -> None:
    store.create_run(a_run())
    files = sorted(store.path.iterdir())
    assert len(files) >= 3
    assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}


def test_nothing_is_left_beside_a_closed_store(tmp_path: Path) -> None:
    with new_store(tmp_path) as store, store.acquire_lease("main", "test"):
        store.create_run(a_run())
    assert sorted(f.name for f in tmp_path.iterdir()) == ["verbalrl.db", "verbalrl.lock"]


def test_missing_store_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="there is no store in"):
        open_store(tmp_path / "no")
    assert not (tmp_path / "no").exists()


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    with pytest.raises(StorageError, match="cannot be used as a store"):
        open_store(tmp_path / "f", create=True)
    with pytest.raises(StorageError, match="there is no store"):
        open_store(tmp_path / "f")


def flip_header(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[:16] = b"not a database!!"
    file.write_bytes(data)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:5000])


def break_page_1(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[100:110] = b"\xff" * 10
    file.write_bytes(data)


def use(folder: Path) -> None:
    with open_store(folder, create=True) as store:
        store.runs()
        store.memory_digest("r1/learned/0")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda f: f.write_bytes(b""), "not a verbalrl store"),
        (lambda f: f.write_bytes(os.urandom(9000)), "damaged"),
        (flip_header, "damaged"),
        (cut, "damaged"),
        (break_page_1, "damaged"),
    ],
)
def test_damaged_file_is_one_clear_line(
    tmp_path: Path, harm: Callable[[Path], object], message: str
) -> None:
    with new_store(tmp_path) as store:
        wait(store.put_commit(a_commit(open_lane(store), 0, *(add(f"le_{i}") for i in range(40)))))
    harm(tmp_path / schema.FILE_NAME)
    with pytest.raises(StorageError) as caught:
        use(tmp_path)
    assert message in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_newer_schema_is_refused(tmp_path: Path) -> None:
    new_store(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / schema.FILE_NAME)) as other:
        newer = len(schema.MIGRATIONS) + 1
        other.execute(f"PRAGMA user_version = {newer}")
    with pytest.raises(SchemaVersionError, match=f"schema {newer}, this version reads up to"):
        open_store(tmp_path)


def test_foreign_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / schema.FILE_NAME)) as other:
        other.execute("CREATE TABLE mine (x)")
    before = (tmp_path / schema.FILE_NAME).read_bytes()
    with pytest.raises(SchemaVersionError, match="not a verbalrl store"):
        open_store(tmp_path, create=True)
    assert (tmp_path / schema.FILE_NAME).read_bytes() == before


def test_migration_runs_once_and_wholly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with new_store(tmp_path) as store:
        store.create_run(a_run())
    broken = "CREATE TABLE later (x INTEGER) STRICT;\nINSERT INTO nowhere VALUES (1);"
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
    with pytest.raises(StorageError, match="nowhere"):
        open_store(tmp_path)
    mended = (*schema.MIGRATIONS[:-1], broken.splitlines()[0])
    monkeypatch.setattr(schema, "MIGRATIONS", mended)
    for _ in range(2):
        with open_store(tmp_path) as store:
            assert pragma(store, "user_version") == len(mended)
            assert store._read(lambda c: c.execute("SELECT count(*) FROM later").fetchone()) == (0,)
            assert store.run("r1").task == "gridnav-v1"


def test_new_store_migrates_to_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later = "CREATE TABLE later (x INTEGER) STRICT;"
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, later))
    with new_store(tmp_path) as store:
        assert pragma(store, "user_version") == len(schema.MIGRATIONS)


def test_store_of_version_1_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as then:
        then.setattr(schema, "MIGRATIONS", (schema._VERSION_1,))
        schema.create(tmp_path / schema.FILE_NAME)
    with closing(sqlite3.connect(tmp_path / schema.FILE_NAME)) as old:
        assert old.execute("PRAGMA user_version").fetchone() == (1,)
        old.execute(
            "INSERT INTO runs VALUES (1, 'r1', 'gridnav-v1', 'reflexion', 'scripted', 1, '{}',"
            " 'running', '', '2026-11-23T00:00:00.000+00:00', NULL)"
        )
        old.execute(
            "INSERT INTO branches VALUES ('r1/learned/0', 'r1', 'learned', 0, NULL, '{}', 1)"
        )
        old.commit()
    with open_store(tmp_path) as store:
        assert pragma(store, "user_version") == len(schema.MIGRATIONS)
        with store.acquire_lease("r1/learned/0", "r1") as lease:
            wait(store.put_commit(a_commit("r1/learned/0", 0, add("le_1")), lease.fence))
        assert [lesson.id for lesson in store.current_lessons("r1/learned/0")] == ["le_1"]
        store.vectors.put("f", {"c": b"1234"})
        name = store.vectors.store_id()
    with open_store(tmp_path) as store:
        assert store.vectors.get("f", ["c", "d"]) == {"c": b"1234"}
        assert store.vectors.store_id() == name


def test_store_of_version_7_counts_attempts_from_its_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as then:
        then.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:7])
        schema.create(tmp_path / schema.FILE_NAME)
    columns = "SELECT group_concat(name) FROM pragma_index_info('episodes_lane')"
    with closing(sqlite3.connect(tmp_path / schema.FILE_NAME)) as old:
        before = old.execute(columns).fetchone()[0]
    with open_store(tmp_path) as store:
        (now,) = store._reader.execute(columns).fetchone()
        assert now == f"{before},split,success,status"
        assert pragma(store, "user_version") == len(schema.MIGRATIONS)


def test_commits_of_version_8_lack_nothing_and_later_ones_say_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as then:
        then.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:8])
        schema.create(tmp_path / schema.FILE_NAME)
    refused = '["group 1: provider_down: 503"]'
    usage = '{"input":0,"output":0,"calls":0}'
    with closing(sqlite3.connect(tmp_path / schema.FILE_NAME)) as old:
        assert old.execute("PRAGMA user_version").fetchone() == (8,)
        row = (1, "cu_1", "main", "s", 0, 0, None, refused, "", usage, "2026-11-25T00:00:00Z")
        old.execute(f"INSERT INTO commits VALUES ({', '.join('?' * len(row))})", row)
        old.commit()
    with open_store(tmp_path) as store:
        assert pragma(store, "user_version") == len(schema.MIGRATIONS)
        kept = store.commit("cu_1")
        assert kept is not None
        assert (kept.rejected, kept.lacking) == (("group 1: provider_down: 503",), "")
        later = a_commit("main", 0, add("le_1"), identity="cu_2").replace(lacking="group 1: down")
        wait(store.put_commit(later))
    with open_store(tmp_path) as store:
        assert store.commit("cu_2") == later
        assert store.damage() == ()


def test_store_of_version_6_keeps_its_lessons_and_counts_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as then:
        then.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:6])
        schema.create(tmp_path / "old.db")
    with new_store(tmp_path) as store:
        made = (add("le_1"), change(Operation.REVISE, "le_1", body=body("new")))
        wait(store.put_commit(a_commit(open_lane(store), 0, *made)))
        before = store.current_lessons("r1/learned/0"), store.versions("le_1")
    with closing(sqlite3.connect(tmp_path / "old.db", isolation_level=None)) as old:
        old.execute("ATTACH ? AS new", (str(tmp_path / schema.FILE_NAME),))
        for table in ("runs", "branches", "commits", "updates", "lessons"):
            known = old.execute("SELECT name FROM pragma_table_info(?, 'main')", (table,))
            names = ", ".join(name for (name,) in known)
            old.execute(
                f"INSERT OR IGNORE INTO main.{table} ({names}) SELECT {names} FROM new.{table}"
            )
        # As a store that has taken back what came last.
        old.execute("UPDATE sqlite_sequence SET seq = 7 WHERE name = 'updates'")
        old.execute(
            "INSERT INTO lesson_versions SELECT branch, lesson, ordinal + 1, n, '{}' FROM updates"
        )
    (tmp_path / "old.db").replace(tmp_path / schema.FILE_NAME)
    with open_store(tmp_path) as store:
        assert pragma(store, "user_version") == len(schema.MIGRATIONS)
        assert (store.current_lessons("r1/learned/0"), store.versions("le_1")) == before
        wait(store.put_commit(a_commit("r1/learned/0", 1, add("le_2"))))
        assert [line.n for line in store.lines()] == [1, 2, 8]
        assert store.damage() == ()


@pytest.mark.skipif(sys.platform == "win32", reason="limits as POSIX has them")
@pytest.mark.parametrize("missing", [0, 1, 200_000])
def test_a_store_needs_no_more_room_than_its_file_or_is_not_made(
    tmp_path: Path, missing: int
) -> None:
    # What is written beside the file and copied at its end could be lost there without a word.
    new_store(tmp_path / "whole").close()
    room = (tmp_path / "whole" / schema.FILE_NAME).stat().st_size - missing
    (tmp_path / "new").mkdir()
    script = f"""
import resource, signal
from pathlib import Path
from verbalrl.store import schema
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))
schema.create(Path({str(tmp_path / "new" / schema.FILE_NAME)!r}))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(SRC)},
        check=False,
    )
    left = [f.name for f in (tmp_path / "new").iterdir()]
    assert (done.returncode, left) == ((1, []) if missing else (0, [schema.FILE_NAME])), done.stderr
    if not missing:
        with open_store(tmp_path / "new") as store:
            assert store.runs() == ()
            assert store.damage() == ()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(**_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tempfile, "mkstemp", full)
    with pytest.raises(StorageError, match=r"no room left for .*; free some space"):
        open_store(tmp_path, create=True)


def test_creating_twice_keeps_the_first(tmp_path: Path) -> None:
    with new_store(tmp_path) as first:
        first.create_run(a_run())
        schema.create(tmp_path / schema.FILE_NAME)
        with new_store(tmp_path) as second:
            assert second.run("r1").id == "r1"
    assert not list(tmp_path.glob(".verbalrl-*"))


def test_many_who_create_at_once_get_one_store(tmp_path: Path) -> None:
    def create(n: int) -> None:
        with new_store(tmp_path / "store") as store:
            store.create_run(a_run(f"r{n}"))

    threads = [threading.Thread(target=create, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with open_store(tmp_path / "store") as store:
        assert sorted(r.id for r in store.runs()) == [f"r{n}" for n in range(6)]


@pytest.fixture
def locked_folder(tmp_path: Path) -> Iterator[Path]:
    """A store in a folder that the child below may read and not write."""
    folder = tmp_path / "locked"
    with new_store(folder) as store:
        store.create_run(a_run())
    (folder / schema.FILE_NAME).chmod(0o444)
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o700)


def test_read_only_store_can_be_read(locked_folder: Path) -> None:
    script = f"""
from tests.rights import as_owner_only
from verbalrl.store import open_store
from verbalrl.errors import StorageError
as_owner_only()
with open_store({str(locked_folder)!r}, create=True) as store:
    print(store.run("r").id)
    for attempt in (lambda: store.update_run("r1", status="done"),
                    lambda: store.acquire_lease("main", "me")):
        try:
            attempt()
        except StorageError as error:
            print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": f"{SRC}{os.pathsep}{SRC.parent}"},
        check=False,
    )
    assert done.stderr == ""
    run, *refusals = done.stdout.splitlines()
    assert run == "r1"
    assert len(refusals) == 2
    assert all("is read-only; make file and folder writable" in line for line in refusals)


def test_importing_the_store_stays_light() -> None:
    script = (
        "import sys, verbalrl.store\n"
        "heavy = {'numpy', 'openai', 'anthropic', 'chromadb', 'structlog', 'jinja2', 'click',"
        " 'rich', 'tenacity'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(SRC)},
        check=True,
    )
    assert done.stdout.strip() == "[]"
