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
import os
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import click

import verbalrl as vrl
from verbalrl.cli.app import DONE, INTERRUPTED, USAGE, exit_code
from verbalrl.cli.app import main as verbalrl
from verbalrl.cli.drive import drive, report
from verbalrl.cli.options import Names
from verbalrl.errors import ConfigurationError, UnknownNameError, VerbalRLError
from verbalrl.execution import roles_of
from verbalrl.records import Status
from verbalrl.result.plots import need_matplotlib
from verbalrl.tasks.market import ROLES
from verbalrl.view.report import check_place
from verbalrl.view.wording import rule

WHOLE = 100_000
"""Days: longer than any file, so that training and test are one period each, as in the paper."""
ARMS = ("none", "learned")
"""The team without beliefs, and with them."""


def main(arguments: Sequence[str]) -> int:
    """Run the team, print what it earned beside its controls, and write the report."""
    try:
        given = read(arguments)
        need_matplotlib()
        check_place(given.report)
        named = reference(given.prices or drawn(given.store), given)
        task = vrl.load_task(named, untrusted=given.untrusted)
        code, first = run(given, task, control=True)
        if given.without_control and code == DONE:
            click.echo("\nThe same team without the control of its risk:\n")
            code, second = run(given, task, control=False)
            if code == DONE:
                click.echo("\nWithout the control (second) beside with it (first):\n")
                verbalrl(["compare", first, second, "--store", str(given.store)])
        return code
    except BrokenPipeError:
        # Whoever read along has seen enough, such as `head`; so has the flush at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        # Before the run or after it; one that is under way ends by itself.
        click.echo("fincon: interrupted", err=True)
        return INTERRUPTED
    except (VerbalRLError, OSError, click.ClickException) as error:
        click.echo(f"fincon: {error}", err=True)
        return USAGE if isinstance(error, click.ClickException) else exit_code(error)


class Options(argparse.ArgumentParser):
    """Says what is wrong with an option in one line."""

    def error(self, message: str) -> Any:
        """Raise it, as all else that the caller can mend."""
        raise ConfigurationError(f"{message} (see --help)")


def read(arguments: Sequence[str]) -> argparse.Namespace:
    """The options."""
    parser = Options(description=str(__doc__).partition("\n")[0])
    source = "csv or json of one asset, or a folder of them; ?max_gap=DAYS and the like may follow"
    parser.add_argument("prices", nargs="?", help=source)
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
    vouched = "vouch for no text of the file: beliefs wait in quarantine for `verbalrl approve`"
    parser.add_argument("--untrusted", action="store_true", help=vouched)
    parser.add_argument("--without-control", action="store_true", help="run the team so, too")
    parser.add_argument("--store", type=Path, default=Path(".verbalrl"), help="[.verbalrl]")
    parser.add_argument("--report", type=Path, default=Path("fincon.html"), help="[fincon.html]")
    return parser.parse_args(list(arguments))


def reference(prices: str, given: argparse.Namespace) -> str:
    """What `load_task` takes for these prices, days and costs."""
    options = {"horizon": WHOLE, "cost": given.cost, "train": given.train, "test": given.test}
    told = (f"{name}={value}" for name, value in options.items() if value is not None)
    path, _, own = prices.partition("?")
    return f"prices:{path}?{'&'.join((*told, own) if own else told)}"


def run(given: argparse.Namespace, task: Any, *, control: bool) -> tuple[int, str]:
    """One run of the team, with its control of risk in every arm or in none: exit code and id."""
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
    # With progress, and an end by Ctrl-C that keeps what is paid for and says how to go on.
    ended = drive(learner, learner.run(task, seeds=range(given.seeds), arms=ARMS), given.store)
    if ended.result is None:
        return report(ended, learner, given.store, as_json=False), ""
    name, place = ended.result.run, ("--store", str(given.store))
    file = given.report if control else beside(given.report)
    # What a run has earned so far is told in any case.
    verbalrl(["report", name, "-o", str(file), *place])
    code = report(ended, learner, given.store, as_json=False)
    believed(given.store, name)
    return code, name


def believed(place: Path, run_id: str) -> None:
    """Say what the team holds after its last training episode; `verbalrl beliefs` says why."""
    with vrl.open_store(place) as store:
        every = store.current_lessons(f"{run_id}/learned/0")
    beliefs = [x for x in every if x.usable]
    waiting = sum(x.status is Status.QUARANTINED for x in every)
    apart = f"; {waiting} in quarantine, see `verbalrl beliefs --run {run_id}`" if waiting else ""
    click.echo(f"\nbeliefs: {len(beliefs)}{apart}")
    for belief in beliefs:
        aspect = f"{belief.body.aspect}: " if belief.body.aspect else ""
        click.echo(f"  {aspect}{rule(belief.body)}")


def beside(file: Path) -> Path:
    """Where the report of the run without control goes."""
    return file.with_stem(f"{file.stem}-without-control")


def roles(given: argparse.Namespace, task: Any) -> tuple[str, ...]:
    """The analysts that were named, else those whose source the file has."""
    if given.analysts is None:
        return roles_of(task)
    for role in (named := Names().convert(given.analysts, None, None)):
        if role not in ROLES:
            raise UnknownNameError.of("analyst", role, ROLES)
    return named


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
    # In the store's folder, where a run that is resumed finds it again.
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "drawn.json"
    path.write_text(json.dumps(found), encoding="utf-8")
    return str(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
