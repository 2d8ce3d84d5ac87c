"""FinCon on prices of yours: a team whose manager revises its beliefs, beside its controls.

    python examples/fincon.py
    python examples/fincon.py AAPL.csv --report aapl.html
    python examples/fincon.py AAPL.csv --model openai:NAME --seeds 5 \
        --train 2022-01-03..2022-10-04 --test 2022-10-05..2023-06-10

Without a file it draws a small market whose news foretell the next move, and without `--model` the
offline model plays: that tests the team, and says nothing about language models. What is read of
prices, and what of the paper had to be decided, stands in docs/fincon.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import verbalrl as vrl
from verbalrl.errors import ConfigurationError, UnknownNameError, VerbalRLError
from verbalrl.execution import roles_of
from verbalrl.result.plots import need_matplotlib
from verbalrl.tasks.market import ROLES
from verbalrl.view.report import report_html
from verbalrl.view.rows import read_run

WHOLE = 100_000
"""Days: longer than any file, so that training and test are one period each, as in the paper."""
ARMS = ("none", "learned")
"""The team without beliefs, and with them."""


def main(arguments: Sequence[str]) -> int:
    """Run the team, print what it earned beside its controls, and write the report."""
    given = read(arguments)
    try:
        need_matplotlib()
        with tempfile.TemporaryDirectory() as folder:
            prices = given.prices or drawn(Path(folder))
            task = vrl.load_task(reference(prices, given))
            result = run(given, task, control=True)
            print(result.table())
            if given.without_control:
                print("\nThe same team without the control of its risk:\n")
                print(run(given, task, control=False).table())
        tell(given, result.run)
    except VerbalRLError as error:
        print(f"fincon: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigurationError) else 1
    # What a run has earned so far is told in any case.
    return 0 if result.figures["status"] == "done" else 1


def read(arguments: Sequence[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("prices", nargs="?", help="csv or json of one asset, or a folder of them")
    parser.add_argument("--model", default="offline:apprentice", metavar="P:NAME")
    parser.add_argument("--critic", metavar="P:NAME", help="who compares episodes [the model]")
    parser.add_argument("--base-url", metavar="URL", help="a server to ask instead of a provider")
    analysts = f"of {', '.join(ROLES)} [all that the file has something for]"
    parser.add_argument("--analysts", metavar="A,B", help=analysts)
    parser.add_argument("--memos", choices=("fincon", "finmem"), default="fincon", help="[fincon]")
    parser.add_argument("--train", metavar="A..B", help="days to learn from, or their share [0.7]")
    parser.add_argument("--test", metavar="A..B", help="days of the test [all later ones]")
    parser.add_argument("--cost", type=float, default=0.001, help="of what is traded [0.001]")
    parser.add_argument("--trials", type=int, default=4, help="training episodes at most [4]")
    parser.add_argument("--seeds", type=int, default=1, help="runs, for the signed-rank test [1]")
    parser.add_argument("--without-control", action="store_true", help="run the team so, too")
    parser.add_argument("--store", type=Path, default=Path(".verbalrl"), help="[.verbalrl]")
    parser.add_argument("--report", type=Path, default=Path("fincon.html"), help="[fincon.html]")
    return parser.parse_args(list(arguments))


def reference(prices: str, given: argparse.Namespace) -> str:
    """What `load_task` takes for these prices, days and costs."""
    options = {"horizon": WHOLE, "cost": given.cost, "train": given.train, "test": given.test}
    told = "&".join(f"{name}={value}" for name, value in options.items() if value is not None)
    return f"prices:{prices}?{told}"


def run(given: argparse.Namespace, task: Any, *, control: bool) -> vrl.RunResult:
    """One run of the team: FinCon's method, and its control of risk in every arm or in none."""
    model = vrl.load_model(given.model, base_url=given.base_url)
    # Each analyst sees one source and talks to nobody but the manager, who alone decides.
    analysts = dict.fromkeys(roles(given, task), vrl.ChatAgent(model))
    learner = vrl.Learner(
        vrl.Team(vrl.ChatAgent(model), analysts, recall=given.memos),
        method=vrl.methods.cvrf(trials=given.trials, control=control),
        critic=given.critic and vrl.load_model(given.critic, base_url=given.base_url),
        store=given.store,
        # Here rather than by the method alone: the team without beliefs has it, too.
        limits=vrl.Limits(control="cvar" if control else None),
    )
    return learner.run_sync(task, seeds=range(given.seeds), arms=ARMS if control else ARMS[1:])


def roles(given: argparse.Namespace, task: Any) -> tuple[str, ...]:
    """The analysts that were named, else those whose source the file has."""
    if given.analysts is None:
        return roles_of(task)
    named = tuple(role.strip() for role in given.analysts.split(","))
    for role in named:
        if role not in ROLES:
            raise UnknownNameError.of("analyst", role, ROLES)
    return named


def tell(given: argparse.Namespace, run_id: str) -> None:
    """Write the report, and say what is believed and where all of it is."""
    with vrl.open_store(given.store) as store:
        beliefs = [x for x in store.current_lessons(f"{run_id}/learned/0") if x.usable]
        given.report.write_text(report_html(read_run(store, run_id)), encoding="utf-8")
    print(f"\nbeliefs: {len(beliefs)}")
    for belief in beliefs:
        aspect = f"{belief.body.aspect}: " if belief.body.aspect else ""
        print(f"  {aspect}when {belief.when}: {belief.instruction}")
    print(f"report: {given.report}; look further with `verbalrl view --store {given.store}`")


def drawn(folder: Path) -> str:
    """A file of 121 days in the form of INVESTOR-BENCH, from a market with a rule to be found."""
    (period,) = vrl.load_task("trading-v1?horizon=100").instances("train", 0, 1)
    asset: Any = period.data["assets"]
    weekdays = (day for n in range(200) if (day := date(2024, 1, 1) + timedelta(n)).weekday() < 5)
    rows = zip(weekdays, asset[0]["closes"], asset[0]["news"], asset[0]["filings"], strict=False)
    found = {
        str(day): {"prices": close, "news": news, "10k": [], "10q": [filing] if filing else []}
        for day, close, news, filing in rows
    }
    path = folder / "drawn.json"
    path.write_text(json.dumps(found), encoding="utf-8")
    return str(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
