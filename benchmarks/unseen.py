"""Does the offline model learn a question file with a rule of a shape it was not made for?

    python -m benchmarks.unseen --seeds 10-14 --files 0-2

A file is written from a seed: which shelf a parcel goes on is decided by two words together
(material and thing), and parcels for one destination are an exception. Nothing is quoted, and the
file was designed after the offline model was frozen.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import verbalrl as vrl
from benchmarks.learning import MODEL, seeds
from verbalrl.ids import coin

MATERIALS = ("glass", "clay", "copper")
THINGS = ("jar", "plate")
SHELVES = ("shelf Oak", "shelf Elm", "shelf Yew", "shelf Ash")
HARBOUR = "the harbour"
PLACES = ("the mill", "the chapel", "the market", "the old school")
OPENINGS = (
    "A parcel has come in before noon.",
    "Something new stands by the door.",
    "The morning cart left one item.",
    "One more delivery waits.",
)
CUES = (
    "It holds a {thing} made of {material}.",
    "Inside is a {material} {thing}, well wrapped.",
    "The list says {material} {thing}, one piece.",
)
DETAILS = (
    "The string is blue.",
    "Somebody drew a bird on the lid.",
    "It weighs next to nothing.",
    "The receipt is missing.",
    "A stamp is torn.",
)


def pick(options: Sequence[str], *key: object) -> str:
    """One of `options`, decided by `key`."""
    return options[int(coin("unseen", *key) * len(options))]


def shelf(seed: int, material: str, thing: str, place: str) -> str:
    """The rule: two words decide, and the harbour is an exception."""
    pairs = [(m, t) for m in MATERIALS for t in THINGS]
    turn = int(coin("rule", seed) * len(SHELVES))
    if place == HARBOUR:
        return SHELVES[turn]
    return SHELVES[(pairs.index((material, thing)) + turn + 1) % len(SHELVES)]


def rows(seed: int, count: int, split: str) -> list[dict[str, str | list[str]]]:
    """`count` questions with their answers."""
    found: list[dict[str, str | list[str]]] = []
    for n in range(count):
        key = (seed, split, n)
        material, thing = pick(MATERIALS, *key, "m"), pick(THINGS, *key, "t")
        place = HARBOUR if coin("h", *key) < 0.2 else pick(PLACES, *key, "p")
        cue = pick(CUES, *key, "c").format(material=material, thing=thing)
        text = f"{pick(OPENINGS, *key, 'o')} {cue} It goes to {place}. {pick(DETAILS, *key, 'd')}"
        found.append(
            {
                "id": f"{split}{n}",
                "question": f"{text} Where does it belong?",
                "answer": shelf(seed, material, thing, place),
                "choices": list(SHELVES),
                "split": split,
            }
        )
    return found


def write(path: Path, seed: int, train: int, test: int) -> None:
    """The file of `seed`."""
    lines = [json.dumps(row) for row in (*rows(seed, train, "train"), *rows(seed, test, "test"))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] = ()) -> int:
    """Print a line per file; 1 when the mean gain over files is under 0.2."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=seeds, default=(0, 1))
    parser.add_argument("--files", type=seeds, default=(0, 1))
    parser.add_argument("--train", type=int, default=90)
    parser.add_argument("--test", type=int, default=60)
    given = parser.parse_args(arguments)
    gains = []
    for number in given.files:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "questions.jsonl"
            write(path, number, given.train, given.test)
            learner = vrl.Learner(vrl.ChatAgent(MODEL), method=vrl.methods.handbook())
            arms = learner.run_sync(
                vrl.load_task(path),
                instances=given.test,
                train_instances=given.train,
                seeds=given.seeds,
            ).arms
        gains.append(arms["learned"]["success_rate"] - arms["none"]["success_rate"])
        rates = "  ".join(f"{name} {arm['success_rate']:.3f}" for name, arm in arms.items())
        print(f"file {number}: {rates}  learned - none {gains[-1]:+.3f} (simulated)", flush=True)
    return int(sum(gains) / len(gains) < 0.2)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
