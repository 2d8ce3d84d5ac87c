"""How far runs overshoot their budgets: nothing, at any concurrency; and what a resume repeats.

    python -m benchmarks.budget --seeds 0-19 --concurrency 1,8,32

A small run on `gridnav-v1` is stopped by a bound on tokens, then by one on cost, somewhere between
a fifth and nine tenths of what it takes, and is resumed without that bound. The model answers like
the offline one, after a random time, and reports random usage within what a call may take; what it
reports is counted apart from the run's own books.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from typing import Any, NamedTuple

import verbalrl as vrl
from benchmarks.learning import seeds
from verbalrl.ids import coin
from verbalrl.models import Model, OfflineModel, Price, Prices, Reply, Request
from verbalrl.models.scripted import DelayedModel
from verbalrl.records import Usage

NAME = "spender"
PRICES = Prices(models={NAME: Price(input=3, output=15, cache_read=0.3, cache_write=3.75)})
CAP = 2_000


class Spender(Model):
    """Answers like the offline model; its usage is a coin on the call, and is metered here."""

    name = NAME

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.tokens, self.cost = 0, 0.0
        self._inner = OfflineModel()

    async def complete(self, request: Request, /) -> Reply:
        """The offline model's answer, with usage drawn from what the call may take."""
        self.keys.append(request.call_key)
        reply = await self._inner.complete(request)
        key = request.sample_seed
        read = int(coin("read", key) * len(request.content()))
        kept = int(coin("kept", key) * read)
        usage = Usage(
            input=read - kept,
            cache_write=kept,
            output=int(coin("written", key) * (request.max_output or CAP)),
            calls=1,
        )
        self.tokens += usage.total
        self.cost += PRICES.models[NAME].pico(usage) / 1e12
        return reply.model_copy(update={"usage": usage})


class Run(NamedTuple):
    """A run, or two sessions of it, as its model saw it."""

    figures: dict[str, Any]
    model: Spender

    @property
    def digests(self) -> list[Any]:
        """What it learned and did."""
        arms = self.figures["arms"].values()
        return [(arm["memory_digest"], arm["episodes_digest"]) for arm in arms]


class Row(NamedTuple):
    """What one stopped and resumed run came to."""

    stopped: bool
    over_tokens: int
    over_usd: float
    used: float
    """The share of the bound that was spent."""
    repeated: int
    """Calls made again on resume."""
    same: bool
    """Whether it reached the digests and the bill of the uninterrupted run."""


def session(seed: int, concurrency: int, store: str, *, resume: str = "", **bounds: Any) -> Run:
    """One session of the run of `seed`."""
    model = Spender()
    slow = DelayedModel(model, seed + concurrency, 0.0, 0.004)
    budget = vrl.Budget(max_output=CAP, prices=PRICES, **bounds)
    learner = vrl.Learner(
        vrl.ChatAgent(slow),
        method=vrl.methods.reflexion(trials=2),
        store=store,
        limits=vrl.Limits(concurrency=concurrency, budget=budget),
    )
    task = vrl.load_task("gridnav-v1")
    if resume:
        return Run(learner.resume_sync(resume, task).figures, model)
    given = {"instances": 4, "seeds": (seed,), "arms": ("retry", "learned")}
    return Run(learner.run_sync(task, **given).figures, model)


def whole(seed: int) -> Run:
    """The run of `seed` without a bound."""
    with tempfile.TemporaryDirectory() as store:
        return session(seed, 8, store)


def stopped(seed: int, concurrency: int, bound: str, there: Run) -> Row:
    """The run of `seed`, stopped by a `bound` on `tokens` or `cost_usd`, and resumed."""
    share = 0.2 + 0.7 * coin("share", seed, concurrency, bound)
    total = there.model.tokens if bound == "tokens" else there.model.cost
    cap = int(total * share) if bound == "tokens" else round(total * share, 6)
    with tempfile.TemporaryDirectory() as store:
        bounds: dict[str, Any] = {bound: cap}
        first = session(seed, concurrency, store, **bounds)
        tokens, cost = first.model.tokens, first.model.cost
        last = session(seed, concurrency, store, resume=first.figures["run"], calls=10**6)
    spent = last.figures["budget"]["spent"]
    return Row(
        stopped=first.figures["status"] == "stopped",
        over_tokens=max(0, tokens - int(cap)) if bound == "tokens" else 0,
        # A picodollar: sums of floats are not exact, the run's own are.
        over_usd=max(0.0, round(cost - cap, 12)) if bound == "cost_usd" else 0.0,
        used=(tokens if bound == "tokens" else cost) / cap,
        repeated=len(set(first.model.keys) & set(last.model.keys)),
        same=last.digests == there.digests
        and (spent["tokens"], spent["calls"]) == (there.model.tokens, len(there.model.keys)),
    )


def main(arguments: Sequence[str] = ()) -> int:
    """Print a line per bound and concurrency; 1 when one overshot, repeated a call or differed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=seeds, default=tuple(range(3)))
    parser.add_argument("--concurrency", type=seeds, default=(1, 8, 32))
    given = parser.parse_args(arguments)
    runs = {seed: whole(seed) for seed in given.seeds}
    print("bound     slots  runs  stopped  worst overshoot  bound used  calls repeated  as whole")
    bad = False
    for bound in ("tokens", "cost_usd"):
        for slots in given.concurrency:
            rows = [stopped(seed, slots, bound, run) for seed, run in runs.items()]
            over = max(max(row.over_tokens, row.over_usd) for row in rows)
            used = sum(row.used for row in rows) / len(rows)
            repeated, same = sum(row.repeated for row in rows), sum(row.same for row in rows)
            print(
                f"{bound:<8}  {slots:>5}  {len(rows):>4}  {sum(r.stopped for r in rows):>7}"
                f"  {over:>15g}  {used:>10.0%}  {repeated:>14}  {same:>4} of {len(rows)}",
                flush=True,
            )
            bad = bad or over > 0 or repeated > 0 or same < len(rows)
    return int(bad)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
