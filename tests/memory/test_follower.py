"""What the thread behind an index does: from which state, when again, for whom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.memory.following import ask, asked_until_it_serves, commit, far, recaller, without_room
from tests.memory.silence import silent_server
from verbalrl._logging import bound
from verbalrl.memory import following
from verbalrl.memory.sums import SUMS_NAME
from verbalrl.store import Store
from verbalrl.store.locks import OwnerLock


def built(told: pytest.LogCaptureFixture) -> list[str]:
    messages = [r.getMessage() for r in told.records]
    return [message for message in messages if message.startswith("index.built")]


def generations(place: Path) -> list[str]:
    return sorted(folder.name.rpartition("-")[2] for folder in place.glob("vr-*"))


def made_anew(store: Store, place: Path) -> None:
    """Another process finds the generation damaged, makes the next one, and ends."""
    for sums in place.rglob(SUMS_NAME):
        sums.write_text("{}", "utf-8")
    other = recaller(store, place)
    asked_until_it_serves(other, store, "topic7")
    other.close()


def test_a_new_generation_takes_the_place_of_the_old(store: Store, tmp_path: Path) -> None:
    first = recaller(store, tmp_path / "i")
    asked_until_it_serves(first, store, "topic7")
    first.close()
    assert generations(tmp_path / "i") == ["g1"]
    made_anew(store, tmp_path / "i")
    assert generations(tmp_path / "i") == ["g2"]


def test_who_stood_aside_goes_on_from_what_is_newest(
    store: Store, tmp_path: Path, told: pytest.LogCaptureFixture
) -> None:
    made = recaller(store, tmp_path / "i")
    far(made).again_s = 0.0
    asked_until_it_serves(made, store, "topic7")
    with without_room(tmp_path / "store"):
        commit(store, "zebra1")
        ask(made, store, "zebra1")
        assert "no room" in far(made).reason
    for folder in (tmp_path / "i").glob("vr-*-g1"):
        (folder / SUMS_NAME).write_text("{}", "utf-8")
    made_anew(store, tmp_path / "i")
    assert len(built(told)) == 2
    asked_until_it_serves(made, store, "zebra1")
    assert (far(made).reason, far(made).generation) == ("", 2)
    assert len(built(told)) == 2, "what the other made serves"
    made.close()


class Late(OwnerLock):
    """Held by another process until we ask for it, which works on meanwhile."""

    meanwhile: list[Callable[[], None]]

    def take(self) -> bool:
        while self.meanwhile:
            self.meanwhile.pop()()
        return super().take()


def test_the_state_is_read_once_the_folder_is_ours(
    store: Store, tmp_path: Path, told: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = recaller(store, tmp_path / "i")
    asked_until_it_serves(first, store, "topic7")
    first.close()
    with monkeypatch.context() as patched:
        patched.setattr(following, "OwnerLock", Late)
        patched.setattr(Late, "meanwhile", [lambda: made_anew(store, tmp_path / "i")], False)
        late = recaller(store, tmp_path / "i")
        patched.setattr(following, "OwnerLock", OwnerLock)
        asked_until_it_serves(late, store, "topic7")
    assert far(late).generation == 2
    assert len(built(told)) == 2, "what the other made serves"
    late.close()


def test_what_took_long_to_fail_is_not_tried_again_at_once(store: Store) -> None:
    with silent_server() as server:
        made = recaller(store, server.url)
        far(made).silent_s, far(made).again_s = 0.5, 0.0
        for _ in range(3):
            ask(made, store, "topic7")
            assert far(made).wait(60)
        # It rests for twenty times as long as the attempt took.
        assert len(server.connections) == 1
        made.close()


def test_what_a_thread_tells_says_for_whom(
    store: Store, tmp_path: Path, told: pytest.LogCaptureFixture
) -> None:
    made = recaller(store, tmp_path / "i")
    with bound(run="r7"):
        ask(made, store, "topic7")
        assert far(made).wait(60)
    (event,) = built(told)
    assert "run='r7'" in event
    made.close()
