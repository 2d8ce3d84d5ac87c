"""CPU seconds of importing, of `--help` and of making a learner, above a bare interpreter."""

import resource
import subprocess
import sys

RUNS = 7
CASES = {
    "import verbalrl": ("-c", "import verbalrl"),
    "verbalrl --help": ("-m", "verbalrl", "--help"),
    "Learner(...)": ("-c", "import verbalrl as v; v.Learner(v.ChatAgent(v.ScriptedModel([])))"),
}


def cpu_seconds(*args: str) -> float:
    """The least CPU time of several runs of this interpreter with `args`."""
    return min(_once(args) for _ in range(RUNS))


def _once(args: tuple[str, ...]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *args], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print one line per case."""
    bare = cpu_seconds("-c", "pass")
    for name, args in CASES.items():
        print(f"{name}: {cpu_seconds(*args) - bare:.3f} s CPU above {bare:.3f} s")


if __name__ == "__main__":
    main()
