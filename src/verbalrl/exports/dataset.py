"""A data set in a folder: rows split by instance, and beside them where each comes from."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._version import __version__
from ..ids import canonical_json, coin, sha256_text
from ..records import RunRecord, Split
from .training import FORMATS, Row, Source

PROVENANCE = "provenance.json"
_WRITES = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


@dataclass(frozen=True, slots=True)
class Dataset:
    """The rows of both files, and how many were left out for which reason."""

    rows: Mapping[Split, tuple[Row, ...]]
    left_out: Mapping[str, int]


def dataset(form: str, source: Source, held_out: float, allowed: Collection[str]) -> Dataset:
    """The rows of `form`, each instance wholly in one of both files.

    Instances of the task's test split are in `test`, and of the others about `held_out` of them,
    the same ones in every format and run. Rows with a mark that is not in `allowed` are left out,
    as are rows that say what another one has said.
    """
    split: dict[str, Split] = {e.instance: e.spec.split for e in source.episodes}
    rows: dict[Split, list[Row]] = {"train": [], "test": []}
    left_out: Counter[str] = Counter()
    seen: set[str] = set()
    for row in FORMATS[form](source):
        body = canonical_json(row.body)
        if unwanted := source.marks(row).difference(allowed):
            left_out.update(unwanted)
        elif body in seen:
            left_out["repeated"] += 1
        else:
            seen.add(body)
            kept_apart = coin("export", row.instance) < held_out
            rows["test" if split[row.instance] == "test" or kept_apart else "train"].append(row)
    return Dataset({name: tuple(found) for name, found in rows.items()}, dict(left_out))


def standing(folder: Path) -> str:
    """The run whose rows stand in `folder`, and as what; empty where no export is there."""
    try:
        told = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
        return f"the {told['format']} rows of {told['run']}"
    except (OSError, ValueError, LookupError, TypeError):
        return ""


def write(made: Dataset, folder: Path, run: RunRecord, told: Mapping[str, Any]) -> dict[str, Any]:
    """Write `train.jsonl`, `test.jsonl` and `provenance.json` into `folder`; what the last says.

    `told` are further fields of it. The files are for the user's eyes alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, Any] = {}
    for name, rows in made.rows.items():
        text = "".join(f"{json.dumps(row.body, ensure_ascii=False)}\n" for row in rows)
        _put(folder / f"{name}.jsonl", text)
        files[f"{name}.jsonl"] = {
            "sha256": sha256_text(text),
            "rows": [
                {"instance": r.instance, "episodes": r.episodes, "critiques": r.critiques}
                for r in rows
            ],
        }
    provenance = {
        "verbalrl": __version__,
        "run": run.id,
        "task": run.task,
        "task_seed": run.config.get("task_seed"),
        "method": run.method,
        "model": run.model,
        "models": run.config.get("models"),
        "simulated": run.simulated,
        **told,
        "left_out": made.left_out,
        "files": files,
    }
    _put(folder / PROVENANCE, json.dumps(provenance, ensure_ascii=False, indent=1) + "\n")
    return provenance


def _put(path: Path, text: str) -> None:
    # What agents did and were told is nobody else's business.
    with os.fdopen(os.open(path, _WRITES, 0o600), "w", encoding="utf-8", newline="") as file:
        file.write(text)
