"""Lists the benchmarks with what each measures, then runs the named ones or all."""

import ast
import importlib
import sys
from pathlib import Path


def index() -> dict[str, str]:
    """What each benchmark measures, by name."""
    files = sorted(Path(__file__).parent.glob("[a-z]*.py"))
    docs = {f.stem: ast.get_docstring(ast.parse(f.read_text(encoding="utf-8"))) for f in files}
    return {name: (doc or "").partition("\n")[0] for name, doc in docs.items()}


def main(names: list[str]) -> int:
    """Print the index, run, and give the exit code: 2 for an unknown name."""
    known = index()
    for name, doc in known.items():
        print(f"{name}: {doc}")
    if unknown := [name for name in names if name not in known]:
        print(f"no such benchmark: {', '.join(unknown)}", file=sys.stderr)
        return 2
    for name in names or known:
        print(f"\n== {name}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
