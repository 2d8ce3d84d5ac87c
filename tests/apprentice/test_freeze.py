"""The offline model is frozen: its hash stands in docs/decisions.md, and every change re-runs this.

After a change run `python -m benchmarks.learning --seeds 10-14`, `python -m benchmarks.honesty
--seeds 10-12` and `python -m benchmarks.unseen --seeds 10-14 --files 0-4`; then write figures and
hash there.
"""

import hashlib
from pathlib import Path

import verbalrl.models.apprentice as apprentice

DECISIONS = Path(__file__).parents[2] / "docs" / "decisions.md"


def fingerprint() -> str:
    """sha256 over names and bytes of the offline model's files."""
    files = sorted(Path(str(apprentice.__file__)).parent.glob("*.py"))
    whole = hashlib.sha256()
    for file in files:
        whole.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return whole.hexdigest()


def test_the_offline_model_is_the_one_that_was_measured() -> None:
    assert fingerprint() in DECISIONS.read_text(encoding="utf-8")
