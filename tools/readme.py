"""Prints the commands of a Markdown file: the fenced blocks marked exactly `sh`.

Blocks with any other mark (`console`, `python`, `text`) are for reading and are left out.
"""

import re
import sys
from pathlib import Path

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(markdown: str) -> str:
    """The shell script that the `sh` blocks make together."""
    return "".join(BLOCK.findall(markdown))


if __name__ == "__main__":
    sys.stdout.write(commands(Path(sys.argv[1]).read_text(encoding="utf-8")))
