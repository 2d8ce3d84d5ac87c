"""`python -m verbalrl`, and the command `verbalrl`."""

import sys


def run() -> int:
    """Run the command line; its exit code, also where Ctrl-C comes while it is imported."""
    try:
        from .cli import main  # noqa: PLC0415

        return main()
    except KeyboardInterrupt:
        sys.stderr.write("verbalrl: interrupted\n")
        return 130


if __name__ == "__main__":
    sys.exit(run())
