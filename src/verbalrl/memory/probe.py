"""Looks at a Chroma folder in a process of its own, which a damaged file may end.

`python -m verbalrl.memory.probe FOLDER COLLECTION ROWS` ends with 0 where the index is sound, and
says what is wrong on its output otherwise.
"""

from __future__ import annotations

import sys

from ..errors import IndexFailure
from .chroma import ChromaIndex


def main(arguments: list[str]) -> int:
    """Check the collection; the exit code."""
    folder, collection, rows = arguments
    index = ChromaIndex(folder, collection)
    try:
        wrong = index.check(int(rows), samples=64)
    except IndexFailure as error:
        wrong = str(error)
    sys.stdout.write(wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
