"""Is the offline model honest? It must learn through the prompt's lessons, and know no words.

    python -m benchmarks.honesty --seeds 10-12 --instances 60
    python -m benchmarks.honesty --task household-v1 --seeds 10-14 --instances 48 --renaming

With `--renaming` a line per seed and no more: the gain plain and renamed, each seed with words of
its own. A gain of one seed is that of one habit, so it is their mean that the bar is for.
Else, per task: the gain with all content words renamed (except the published list); what blanked,
foreign, negated and re-worded lessons do; whether recorded requests give the same bytes in a bare
process.
Foreign lessons are those of another instance (reflexion) or conditions paired with the instructions
of other lessons (handbook).
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import verbalrl as vrl
from benchmarks.learning import CASES, run, seeds
from verbalrl.ids import coin
from verbalrl.methods import Attempts, plans
from verbalrl.models import Reply, Request
from verbalrl.models.apprentice import VALENCE_WORDS
from verbalrl.records import Batch, Done, GuidanceSpec, InstanceView
from verbalrl.tasks import RenamedTask

MODEL = "offline:apprentice"
Texts = dict[str, tuple[str, ...]]
"""By instance, what the learned arm's prompts held at each trial."""


class Given(Attempts):
    """Attempts with texts in place of recalled lessons: the `learned` arm without its memory."""

    texts: Texts

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """The next attempt, with the text for its trial."""
        if view.solved or len(view.attempts) >= self.trials:
            return Done()
        trial = len(view.attempts) + 1
        known = self.texts.get(view.instance.id, ())
        text = known[min(trial, len(known)) - 1] if known else ""
        spec = GuidanceSpec(source="text", text=text) if text else GuidanceSpec()
        return plans.attempt(view, trial, {"actor": spec})


class Recorder(vrl.Model):
    """Passes requests on and keeps what the model itself would see of them."""

    def __init__(self, inner: vrl.Model) -> None:
        self.inner, self.name, self.simulated = inner, inner.name, inner.simulated
        self.seen: list[tuple[Any, ...]] = []

    async def complete(self, request: Request, /) -> Reply:
        """The inner model's reply."""
        reply = await self.inner.complete(request)
        messages = [(m.role, m.text) for m in request.messages]
        self.seen.append((messages, request.output_schema, request.sample_seed, reply.text))
        return reply


def learned(task: Any, method: Any, count: int, seed: int) -> tuple[Any, Texts]:
    """The figures of a run with its controls, and what its prompts held."""
    with tempfile.TemporaryDirectory() as folder:
        learner = vrl.Learner(vrl.ChatAgent(MODEL), method=method, store=folder)
        result = learner.run_sync(task, instances=count, seeds=(seed,))
        with vrl.open_store(folder) as store:
            episodes = store.episodes(run=result.run, arm="learned")
    texts: dict[str, list[str]] = {}
    reported = "train" if method.learns == "instance" else "test"
    for episode in episodes:
        if episode.spec.split == reported:
            guidance = episode.guidance.get("actor")
            texts.setdefault(episode.instance, []).append(guidance.text if guidance else "")
    return result, {name: tuple(found) for name, found in texts.items()}


def given(task: Any, method: Any, texts: Texts, count: int, seed: int) -> float:
    """The success of an agent whose prompts hold `texts`."""
    shared = method.learns != "instance"
    plan = Given(
        name="retry",
        learns=method.learns,
        trials=1 if shared else method.trials,
        split="test" if shared else "train",
        texts=texts,
    )
    learner = vrl.Learner(vrl.ChatAgent(MODEL), method=plan)
    arms = learner.run_sync(task, instances=count, seeds=(seed,), arms=("learned",)).arms
    return float(arms["learned"]["success_rate"])


def by_line(change: Callable[[str], str]) -> Callable[[str], str]:
    """`change` for each line of a text."""
    return lambda text: "\n".join(change(line) for line in text.splitlines())


@by_line
def negated(line: str) -> str:
    """A lesson that says the opposite."""
    if "do not choose" in line:
        return line.replace("do not choose", "choose")
    return re.sub(r"\bchoose\b", "do not choose", line)


@by_line
def reworded(line: str) -> str:
    """The same lesson as a plain sentence: no number, no quotes, no colon, other frame words."""
    found = re.match(r"- \[\d+\] When (.*?)(?: \(not when (.*?)\))?: (.*)$", line)
    if not found:
        return line
    when, unless, what = found.groups()
    what = what.replace("do not choose", "you should never pick").replace("choose", "pick")
    tail = f", unless it is {unless}" if unless else ""
    plain = re.sub(r'["“”.]', "", f"If {when}{tail}, then {what}")
    return plain.replace("the text mentions ", "it says ")


def foreign(texts: Texts, shared: bool) -> Texts:
    """The lessons of the next instance; for a handbook, conditions with others' instructions."""
    names = sorted(texts)
    if not shared:
        return {a: texts[b] for a, b in zip(names, [*names[1:], names[0]], strict=True)}
    return {name: tuple(re_paired(text) for text in found) for name, found in texts.items()}


def re_paired(text: str) -> str:
    """Conditions paired with the instructions of other lessons."""
    parts = [line.rpartition(": ") for line in text.splitlines() if ": " in line]
    what = [p[2] for p in parts]
    order = sorted(range(len(what)), key=lambda n: coin("pair", n, len(what)))
    turned = {a: b for a, b in zip(order, [*order[1:], *order[:1]], strict=True)}
    return "\n".join(f"{p[0]}: {what[turned[n]]}" for n, p in enumerate(parts))


def changed(texts: Texts, change: Callable[[str], str]) -> Texts:
    """`texts` with each of them changed."""
    return {name: tuple(change(text) for text in found) for name, found in texts.items()}


def replayed(task: Any, method: Any, count: int, seed: int) -> tuple[int, int]:
    """How many recorded requests there are, and how many a bare process answers byte for byte."""
    recorder = Recorder(vrl.load_model(MODEL))
    learner = vrl.Learner(vrl.ChatAgent(recorder), method=method)
    learner.run_sync(task, instances=count, seeds=(seed,), arms=("learned",))
    import verbalrl.models.apprentice as apprentice

    with tempfile.TemporaryDirectory() as folder:
        source = Path(str(apprentice.__file__)).parent
        package = Path(folder) / "bare"
        package.mkdir()
        for file in source.glob("*.py"):
            (package / file.name).write_bytes(file.read_bytes())
        code = (
            f"import sys, json; sys.path.insert(0, {folder!r})\nfrom bare import answer\n"
            "for line in sys.stdin:\n"
            "    m, s, n = json.loads(line)\n"
            "    said = answer([tuple(x) for x in m], s, n)\n"
            "    print(json.dumps(said if isinstance(said, str) else"
            " json.dumps(said, ensure_ascii=False)))\n"
        )
        asked = "\n".join(json.dumps(seen[:3]) for seen in recorder.seen)
        done = subprocess.run(
            [sys.executable, "-I", "-c", code],
            input=asked,
            capture_output=True,
            text=True,
            check=True,
        )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    replies = [seen[3] for seen in recorder.seen]
    return len(replies), sum(a == b for a, b in zip(answers, replies, strict=True))


def figures(name: str, count: int, chosen: Sequence[int]) -> dict[str, float]:
    """The mean over seeds of every condition."""
    method, found = CASES[name].method(), dict[str, list[float]]()
    for seed in chosen:
        task = vrl.load_task(name)
        result, texts = learned(task, method, count, seed)
        arms = result.arms
        shared = method.learns != "instance"
        base = arms["none" if shared else "retry"]["success_rate"]
        renamed = learned(RenamedTask(task, VALENCE_WORDS, seed), method, count, seed)[0].arms
        row = {
            "without": base,
            "learned": arms["learned"]["success_rate"],
            "renamed, without": renamed["none" if shared else "retry"]["success_rate"],
            "renamed, learned": renamed["learned"]["success_rate"],
            "given as learned": given(task, method, texts, count, seed),
            "blanked": given(task, method, changed(texts, lambda _: ""), count, seed),
            "foreign": given(task, method, foreign(texts, shared), count, seed),
            "negated": given(task, method, changed(texts, negated), count, seed),
            "re-worded": given(task, method, changed(texts, reworded), count, seed),
        }
        for key, value in row.items():
            found.setdefault(key, []).append(value)
    return {key: sum(values) / len(values) for key, values in found.items()}


def renaming(name: str, count: int, chosen: Sequence[int]) -> bool:
    """Print the gain of each seed, plain and renamed; whether their means differ by at most 0.1."""
    method, gaps = CASES[name].method(), list[float]()
    base = "none" if method.learns != "instance" else "retry"
    print(f"{name} · {MODEL} · {count} instances")
    for seed in chosen:
        task, shown, gains = vrl.load_task(name), list[str](), list[float]()
        for label, played in (("plain", task), ("renamed", RenamedTask(task, VALENCE_WORDS, seed))):
            arms = run(played, method, count, (seed,))["arms"]
            without, learned = arms[base]["success_rate"], arms["learned"]["success_rate"]
            gains.append(learned - without)
            shown.append(f"{label} {without:.3f} → {learned:.3f} ({gains[-1]:+.3f})")
        gaps.append(gains[1] - gains[0])
        print(f"  seed {seed:<3} {'  '.join(shown)}  difference {gaps[-1]:+.3f}", flush=True)
    gap = sum(gaps) / len(gaps)
    error = (sum((g - gap) ** 2 for g in gaps) / max(1, len(gaps) - 1) / len(gaps)) ** 0.5
    held = abs(gap) <= 0.1
    said = "held" if held else "MISSED"
    print(
        f"  {said:<7} renaming leaves the gain within 0.1: {gap:+.3f}, standard error {error:.3f}"
    )
    return held


def bars(row: dict[str, float]) -> dict[str, bool]:
    """What honesty asks for."""
    gain = row["learned"] - row["without"]
    renamed = row["renamed, learned"] - row["renamed, without"]
    return {
        "renaming leaves the gain within 0.1": abs(renamed - gain) <= 0.1,
        "blanked lessons give the baseline exactly": row["blanked"] == row["without"],
        "foreign lessons at most 0.10 more": row["foreign"] <= row["without"] + 0.10,
        "negated lessons less": row["negated"] < row["without"],
    }


def main(arguments: Sequence[str] = ()) -> int:
    """Print figures and bars per task; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=seeds, default=(0, 1))
    parser.add_argument("--instances", type=int, default=60)
    parser.add_argument("--task", choices=tuple(CASES), action="append")
    parser.add_argument("--renaming", action="store_true", help="the gain plain and renamed alone")
    asked = parser.parse_args(arguments)
    missed = False
    for name in (asked.task or CASES) if asked.renaming else ():
        missed = not renaming(name, asked.instances, asked.seeds) or missed
    for name in (asked.task or CASES) if not asked.renaming else ():
        row = figures(name, asked.instances, asked.seeds)
        total, same = replayed(vrl.load_task(name), CASES[name].method(), 12, asked.seeds[0])
        print(f"{name} · {MODEL} · {asked.instances} instances, seeds {list(asked.seeds)}")
        for key, value in row.items():
            print(f"  {key:<20} {value:.3f}")
        held = bars(row) | {f"{same} of {total} requests replay byte for byte": same == total}
        for bar, holds in held.items():
            print(f"  {'held' if holds else 'MISSED':<7} {bar}")
        missed = missed or not all(held.values())
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
