"""`doctor` says what is there and what has to be mended; it prints no key and asks no stranger."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import tomllib
from contextlib import closing
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from verbalrl.cli import main
from verbalrl.cli.commands.doctor import PYTHONS, SDKS, resets_wal
from verbalrl.store import health, open_store

ROOT = Path(__file__).parents[2]
KEY = "sk-doctor-0123456789abcdef"


def examined(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = main(["doctor", *arguments, "--json"])
    out, error = capsys.readouterr()
    assert not error
    found = json.loads(out)
    assert found["ok"] is (code == 0)
    return code, {check["name"]: check for check in found["checks"]}


def test_a_sound_machine_and_store(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, checks = examined(capsys, "--store", str(folder))
    assert code == 0
    assert {checks[n]["state"] for n in ("python", "openai", "anthropic", "store")} == {"ok"}
    assert checks["openai"]["found"] == metadata.version("openai")
    assert sqlite3.sqlite_version in checks["sqlite"]["found"]
    assert "is whole" in checks["store"]["found"]
    assert "permissions" not in checks
    assert "leases" not in checks


def test_without_json_it_is_lines(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--store", str(folder)]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^ok +python +3\.", out, re.M)
    assert all(len(line) <= 100 for line in out.splitlines())


def test_keys_are_never_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for options in ((), ("--model", "openai:any"), ("--model", "anthropic:any"), ("--json",)):
        main(["doctor", "--store", str(tmp_path), *options])
        printed = "".join(capsys.readouterr())
        assert not any(KEY[n : n + 6] in printed for n in range(3, len(KEY) - 6))
    _, checks = examined(capsys, "--store", str(tmp_path))
    assert checks["OPENAI_API_KEY"]["found"] == "is set"
    assert checks["ANTHROPIC_API_KEY"]["found"] == "is not set"


def test_a_missing_key_of_a_model_has_to_be_mended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, checks = examined(capsys, "--model", "anthropic:any", "--store", str(tmp_path))
    assert code == 1
    assert "needs a key: set ANTHROPIC_API_KEY" in checks["model"]["found"]
    code, checks = examined(capsys, "--model", "offline:apprentice", "--store", str(tmp_path))
    assert code == 0


class Answering:
    """A server that answers every request with one status and remembers what it was asked."""

    def __init__(self, status: int) -> None:
        self.status, self.asked = status, list[str]()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        elsewhere = b"location: http://192.0.2.1/\r\n" if self.status == 302 else b""
        writer.write(b"HTTP/1.1 %d S\r\n%scontent-length: 0\r\n\r\n" % (self.status, elsewhere))
        await writer.drain()
        writer.close()

    def examined(
        self, capsys: pytest.CaptureFixture[str], tail: str, store: Path
    ) -> tuple[int, dict[str, Any]]:
        async def run() -> tuple[int, dict[str, Any]]:
            server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
            async with server:
                url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{tail}"
                arguments = ("--base-url", url, "--store", str(store))
                return await asyncio.to_thread(examined, capsys, *arguments)

        return asyncio.run(run())


@pytest.mark.parametrize(
    ("status", "tail", "code"),
    [(200, "/v1", 0), (401, "", 0), (404, "/api/v1/", 0), (302, "/v1", 0), (503, "/v1", 1)],
)
def test_a_given_server_is_asked_once_without_a_key(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    tail: str,
    code: int,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server = Answering(status)
    ended, checks = server.examined(capsys, tail, tmp_path)
    assert (ended, checks["server"]["state"]) == (code, "fail" if code else "ok")
    (asked,) = server.asked
    assert asked.startswith(f"GET {tail.rstrip('/') or '/v1'}/models ")
    assert KEY not in asked


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "nowhere", "http://u:sesame@h"])
def test_a_server_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    code, checks = examined(capsys, "--base-url", url, "--store", str(tmp_path))
    assert code == 1
    assert "does not answer" in checks["server"]["found"]
    assert "sesame" not in str(checks)


def test_no_address_is_asked_that_was_not_given(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    refused_hosts: list[str],
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", "https://models.example/v1")
    assert examined(capsys, "--model", "openai:any", "--store", str(tmp_path))[0] == 0
    assert refused_hosts == []


def test_a_damaged_store(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "verbalrl.db"
    content = bytearray(file.read_bytes())
    for page in range(8, len(content) // 4096):
        content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    file.write_bytes(content)
    code, checks = examined(capsys, "--store", str(folder))
    assert code == 1
    assert checks["store"]["state"] == "fail"
    assert "\n" not in checks["store"]["found"]


def test_what_is_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert examined(capsys, "--store", str(tmp_path))[1]["store"]["state"] == "note"
    assert not list(tmp_path.iterdir())
    (tmp_path / "verbalrl.db").write_text("something else" * 100)
    code, checks = examined(capsys, "--store", str(tmp_path))
    assert (code, checks["store"]["state"]) == (1, "fail")


def test_open_permissions_and_leases_are_noted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "verbalrl.db").chmod(0o644)
    with open_store(folder) as store:
        lease = store.acquire_lease("main", "somebody")
        code, checks = examined(capsys, "--store", str(folder))
        assert code == 0
        assert "chmod 600" in checks["permissions"]["found"]
        assert checks["leases"]["found"] == "1 branch in use"
        lease.release()
    with closing(sqlite3.connect(folder / "verbalrl.db")) as connection:
        connection.execute("UPDATE leases SET held = 1, token = 'gone'")
        connection.commit()
    assert (
        "left by a process that ended"
        in examined(capsys, "--store", str(folder))[1]["leases"]["found"]
    )


MOUNTED = """/dev/sda1 / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb1 /home/local xfs rw 0 0
me@host: /mnt/far\\040away fuse.sshfs rw 0 0
overlay /over overlay rw 0 0
"""


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("/srv/store", None),
        ("/home/me/store", "nfs4"),
        ("/homely/store", None),
        ("/home/local/store", None),
        ("/mnt/far away/store", "fuse.sshfs"),
        ("/over/store", None),
    ],
)
def test_network_file_systems_are_known(place: str, expected: str | None) -> None:
    assert health.network_file_system(Path(place), MOUNTED) == expected


def test_a_store_on_a_network_file_system_is_refused(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/x {folder.parent.resolve()} nfs rw 0 0\n")
    monkeypatch.setattr(health, "MOUNTS", mounts)
    code, checks = examined(capsys, "--store", str(folder))
    assert code == 1
    assert "on a network file system (nfs)" in checks["store"]["found"]


@pytest.mark.parametrize(
    ("version", "has"),
    [
        ((3, 40, 1), True), ((3, 44, 5), True), ((3, 44, 6), False), ((3, 45, 0), True),
        ((3, 50, 7), False), ((3, 51, 2), True), ((3, 51, 3), False), ((3, 52, 0), False),
    ],
)  # fmt: skip
def test_which_sqlite_has_the_bug(version: tuple[int, ...], has: bool) -> None:
    assert resets_wal(version) is has


def test_supported_versions_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name, (first, beyond) in SDKS.items():
        assert f"{name}>={first},<{beyond}" in project["dependencies"]
    least, before = PYTHONS
    assert project["requires-python"] == f">={least[0]}.{least[1]},<{before[0]}.{before[1]}"
