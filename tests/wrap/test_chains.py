"""Which blocks a server is known to have, over threads and a fork."""

import os
import subprocess
import sys
import threading

import pytest

from verbalrl.wrap import Blocks, chains
from verbalrl.wrap.chains import Chains

HERE = Blocks("s", "v")


class Slow(str):
    """A name that takes its time to be looked up: `meanwhile` happens at every look."""

    meanwhile: threading.Event
    done: threading.Event

    def __hash__(self) -> int:
        self.meanwhile.set()
        self.done.wait(0.2)
        return super().__hash__()


def test_a_look_up_and_another_threads_entry_do_not_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chains, "MAX_KEPT", 1)
    kept = Chains()
    kept.keep(["first"], HERE)
    name = Slow("first")
    name.meanwhile, name.done = threading.Event(), threading.Event()

    def other() -> None:
        name.meanwhile.wait(5)
        kept.keep(["second"], HERE)
        name.done.set()

    thread = threading.Thread(target=other)
    thread.start()
    left = kept.left({"previous_response_id": name}, HERE)
    thread.join()
    assert left == Blocks("s", ""), "the server has the volatile block of the first"
    assert kept.left({"previous_response_id": "second"}, HERE) == Blocks("s", "")
    assert kept.left({"previous_response_id": "first"}, HERE) == HERE


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_while_another_thread_writes_blocks_nobody() -> None:
    program = (
        "import os\n"
        "from verbalrl.wrap import Blocks\n"
        "from verbalrl.wrap.chains import Chains\n"
        "kept, here = Chains(), Blocks('s', 'v')\n"
        "with kept._guard():\n"  # as another thread of the parent would hold it
        "    child = os.fork()\n"
        "    if not child:\n"
        "        kept.keep(['first'], here)\n"
        "        left = kept.left({'previous_response_id': 'first'}, here)\n"
        "        os._exit(left != Blocks('s', ''))\n"
        "    assert os.waitpid(child, 0)[1] == 0\n"
    )
    asked = [sys.executable, "-c", program]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
