from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.memory.following import BRANCH, SCOPE, ask, commit, far, new_store, purge, recaller
from tests.memory.ports import free_port
from verbalrl.errors import ConfigurationError
from verbalrl.memory import Recaller, describe
from verbalrl.memory.sums import SUMS_NAME
from verbalrl.store import Store

NAMES = [f"topic{n}" for n in range(40)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path / "store") as made:
        commit(made, *NAMES)
        yield made


def built(store: Store, place: Path) -> Recaller:
    """A recaller whose index has been made."""
    made = recaller(store, place)
    ask(made, store, "topic7")
    assert far(made).wait(60)
    assert far(made).reason == ""
    return made


def test_the_scan_serves_while_the_index_is_made_and_gives_the_same(
    store: Store, tmp_path: Path
) -> None:
    made, exact = recaller(store, tmp_path / "i"), Recaller(store)
    first = ask(made, store, "a customer asks about topic7")
    assert "is being made" in far(made).reason or far(made).reason == ""
    assert far(made).wait(60)
    second = ask(made, store, "a customer asks about topic7")
    assert far(made).reason == ""
    assert first == second == ask(exact, store, "a customer asks about topic7")
    assert describe(store)["indexes"][0]["rows"] == len(NAMES)
    made.close()


def test_it_catches_up_with_what_was_committed_meanwhile(store: Store, tmp_path: Path) -> None:
    made = built(store, tmp_path / "i")
    commit(store, "zebra1", "zebra2")
    assert "rule zebra1" in ask(made, store, "zebra1").text
    assert describe(store)["indexes"][0]["behind"] == 0
    assert describe(store)["indexes"][0]["rows"] == len(NAMES) + 2
    made.close()


def test_what_is_purged_leaves_the_index_and_the_vectors(store: Store, tmp_path: Path) -> None:
    made = built(store, tmp_path / "i")
    purge(store, "topic7")
    assert "topic7" not in ask(made, store, "topic7").text
    assert describe(store)["indexes"][0]["rows"] == len(NAMES) - 1
    assert describe(store)["embedders"][0]["vectors"] == len(NAMES) - 1
    made.close()


def test_it_is_opened_again_without_being_made_again(store: Store, tmp_path: Path) -> None:
    built(store, tmp_path / "i").close()
    again = recaller(store, tmp_path / "i")
    ask(again, store, "topic7")
    assert (far(again).reason, far(again).generation) == ("", 1)
    again.close()


def test_a_second_opener_scans_and_says_why(store: Store, tmp_path: Path) -> None:
    first = built(store, tmp_path / "i")
    second = recaller(store, tmp_path / "i")
    assert ask(second, store, "topic7") == ask(first, store, "topic7")
    assert "another process has" in far(second).reason
    second.close()
    first.close()


def test_a_folder_of_somebody_else_is_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "chroma.sqlite3").write_bytes(b"x")
    with pytest.raises(ConfigurationError, match="holds other things"):
        recaller(store, tmp_path / "theirs")


@pytest.mark.parametrize("index", ["faiss", "chroma:", "exact:x"])
def test_an_unknown_index_is_one_line(store: Store, index: str) -> None:
    with pytest.raises(ConfigurationError, match="write exact, chroma:FOLDER or chroma:URL"):
        Recaller(store, index=index)


def test_a_server_that_is_down_leaves_the_scan(store: Store) -> None:
    made = recaller(store, f"http://127.0.0.1:{free_port()}")
    found = ask(made, store, "topic7")
    assert far(made).wait(60)
    assert ask(made, store, "topic7") == found
    assert far(made).reason
    made.close()


def flip(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(b ^ 0xFF for b in data[middle : middle + 64]) + data[middle + 64 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda data: b"",
    "cut in half": lambda data: data[: len(data) // 2],
    "first bytes flipped": lambda data: bytes(b ^ 0xFF for b in data[:64]) + data[64:],
    "middle flipped": flip,
    "garbage": lambda data: b"\xa5" * max(64, len(data)),
}


def files_of(place: Path) -> list[Path]:
    """The files of the generation that is in use."""
    return sorted(
        f
        for folder in place.glob("vr-*")
        for f in folder.rglob("*")
        if f.is_file() and f.name != SUMS_NAME
    )


def damaged(store: Store, place: Path, number: int, damage: str, *, clean: bool) -> str:
    """Damage one file, recall, and give the file's name."""
    file = files_of(place)[number]
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    if not clean:
        for sums in place.rglob(SUMS_NAME):
            sums.unlink()
    made = recaller(store, place)
    before = far(made).generation
    # Among many texts that are much alike it finds nearly the nearest, so only the first counts.
    assert "rule topic7\n" in ask(made, store, "topic7").text + "\n"
    assert far(made).wait(60)
    assert "rule topic7\n" in ask(made, store, "topic7").text + "\n"
    assert far(made).reason == ""
    assert describe(store)["indexes"][0]["rows"] == len(store.lessons(BRANCH, SCOPE))
    if clean:
        assert far(made).generation > max(1, before)
    made.close()
    return file.name


def test_a_damaged_file_means_a_new_generation(store: Store, tmp_path: Path) -> None:
    built(store, tmp_path / "i").close()
    damaged(store, tmp_path / "i", 0, "middle flipped", clean=True)
    damaged(store, tmp_path / "i", -1, "emptied", clean=True)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("clean", [True, False], ids=["after a clean close", "after a kill"])
def test_every_file_damaged_five_ways(store: Store, tmp_path: Path, clean: bool) -> None:
    commit(store, *(f"more{n}" for n in range(1200)))
    place = tmp_path / "i"
    built(store, place).close()
    names = set()
    for number in range(len(files_of(place))):
        for damage in DAMAGES:
            names.add(damaged(store, place, number, damage, clean=clean))
    assert {"chroma.sqlite3", "data_level0.bin", "link_lists.bin", "header.bin"} <= names
