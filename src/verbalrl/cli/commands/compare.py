"""`verbalrl compare`: two runs of one task side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ...errors import ConfigurationError
from ...view.compare import (
    ArmPair,
    Comparison,
    arms_table,
    compare,
    read_side,
    settings_table,
    whole,
)
from ...view.facts import SIMULATED
from ...view.trading import ReturnPair, returns_table
from ..options import reader
from ..output import emit_json, heading, note, one_line, plural, say, table
from ..reading import find_run, opened

_SHOWN = 12


@click.command(name="compare")
@click.argument("one", metavar="RUN")
@click.argument("other", metavar="RUN")
@reader
def compare_runs(one: str, other: str, store: Path, as_json: bool) -> None:
    """Compare two runs of one task.

    RUN is an id, or the start of it. The second minus the first, paired over the instances and
    seeds that both have, with 95 % intervals; then the settings and the lessons that differ.
    """
    with opened(store) as kept:
        first, second = (read_side(kept, find_run(kept, name).id) for name in (one, other))
        same = first.record.id
        if same == second.record.id:
            raise ConfigurationError(f"both are run {same}; name two runs, see `verbalrl runs`")
        found = compare(kept, first, second)
    if as_json:
        emit_json(_summary(found))
        return
    heading(f"{found.one.task}: {found.one.id} ({found.one.method}), then {found.other.id}"
            f" ({found.other.method})")  # fmt: skip
    arms = arms_table(found)
    table(arms.heads, arms.rows, counts=(6, 7, 8))
    if found.returns:
        say()
        earned = returns_table(found.returns)
        heading(earned.caption)
        table(earned.heads, earned.rows)
    for line in whole(found):
        say(line)
    if found.settings:
        say()
        heading("settings that differ")
        table(("setting", "first", "second"), settings_table(found).rows)
    say()
    heading(f"{plural(len(found.both), 'lesson')} in both, {len(found.only_one)} only in the "
            f"first, {len(found.only_other)} only in the second")  # fmt: skip
    for mark, texts in (("-", found.only_one), ("+", found.only_other)):
        for text in texts[:_SHOWN]:
            say(f"{mark} {one_line(text)}", indent=2)
        if len(texts) > _SHOWN:
            say(f"{mark} and {len(texts) - _SHOWN} more; --json has all", indent=2)
    if found.one.simulated:
        note(SIMULATED)


def _summary(found: Comparison) -> dict[str, Any]:
    return {
        "runs": [found.one.id, found.other.id],
        "task": found.one.task,
        "simulated": found.one.simulated,
        "arms": _by_arm(found.arms),
        **({"trading": _by_arm(found.returns)} if found.returns else {}),
        "settings": {name: [one, other] for name, one, other in found.settings},
        "lessons": {"both": found.both, "first": found.only_one, "second": found.only_other},
    }


def _by_arm(pairs: Sequence[ArmPair | ReturnPair]) -> dict[str, Any]:
    return {pair.arm: {k: v for k, v in asdict(pair).items() if k != "arm"} for pair in pairs}
