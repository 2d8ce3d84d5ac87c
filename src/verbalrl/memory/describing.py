"""Which embedders and indexes a store has used."""

from __future__ import annotations

from typing import Any

from ..store import Store


def describe(store: Store) -> dict[str, Any]:
    """Plain values for `doctor`, reports and `--json`.

    `embedders`: name, fingerprint and number of vectors of each that has made any; `indexes`:
    place, generation, rows and how many updates each index outside the store is behind. Every
    store has the exact scan, which needs no entry.
    """
    newest = store.vectors.newest()
    return {
        "embedders": [
            {"name": name, "fingerprint": fingerprint, "vectors": count}
            for fingerprint, name, count in store.vectors.embedders()
        ],
        "indexes": [
            {
                "index": name,
                "fingerprint": state.fingerprint,
                "generation": state.generation,
                "rows": state.rows,
                "behind": max(0, newest - state.applied_n),
            }
            for name, state in store.vectors.states()
        ],
    }
