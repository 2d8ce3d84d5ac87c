"""What reports read of a run: without steps, and by the rule of the figures all the same."""

from pathlib import Path
from typing import Any

import pytest

from tests.store.builders import an_episode, lane, new_store, open_lane, wait
from verbalrl.execution.tally import outcome_of
from verbalrl.result.figures import judged, solved_by
from verbalrl.view.compare import read_side
from verbalrl.view.rows import read_run

SHORT: dict[str, Any] = {"success": None, "truncated": True, "answer": "a"}


@pytest.mark.parametrize("judges", [True, False])
def test_what_was_cut_short_counts_as_in_the_figures_of_its_run(
    tmp_path: Path, *, judges: bool
) -> None:
    """Read without its steps, such an attempt looked like one that never began, and so failed."""
    made = [an_episode(lane("r1"), f"i{n}", **SHORT) for n in range(3)]
    if judges:
        made.append(an_episode(lane("r1"), "i3", success=True, answer="a"))
    with new_store(tmp_path) as store:
        open_lane(store, lane("r1"))
        for episode in made:
            wait(store.put_episode(episode))
        wanted = solved_by(judged([outcome_of(e) for e in made]), "train", 1)
        rows, side = read_run(store, "r1"), read_side(store, "r1")
    assert len(wanted) == (4 if judges else 0)
    assert solved_by(judged(rows.outcomes), "train", 1) == wanted
    for figures in (rows.figures, side.figures):
        (arm,) = figures["arms"].values()
        assert (arm["instances"], arm["unknown"]) == (4 if judges else 0, 0 if judges else 3)
        assert arm["success_rate"] == (0.25 if judges else None)
