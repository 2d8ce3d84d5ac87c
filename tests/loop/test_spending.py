"""What the arm `best_of_n` may spend is what `learned` has spent."""

from __future__ import annotations

from verbalrl.execution import RunPlan
from verbalrl.execution.spending import Spending
from verbalrl.lanes import Place
from verbalrl.methods import handbook
from verbalrl.records import Instance, InstanceView, LaneKey, SharedView, Usage

READ = tuple(Instance(id=f"t{n}", goal="g", split="test") for n in range(2))
TRAIN = (Instance(id="i0", goal="g"),)


def lane(arm: str, seed: int = 0) -> LaneKey:
    return LaneKey(run="r", arm=arm, seed=seed)


def test_each_instance_has_its_own_and_an_equal_part_of_what_served_all() -> None:
    arms = ("learned", "best_of_n")
    spending = Spending(RunPlan(handbook(), arms, (0, 1), None, READ, TRAIN, (0, 2)))

    def spend(tokens: int, where: Instance | None, arm: str = "learned", seed: int = 0) -> None:
        own = None if where is None else InstanceView(where, "s", "s#i")
        view = SharedView(scope="s") if own is None else own
        spending.count(Place(lane(arm, seed), 0, view), Usage(output=tokens, calls=1))

    spend(100, READ[0])
    spend(7, READ[1])
    spend(30, TRAIN[0])
    spend(11, None)
    spend(1000, READ[0], seed=1)
    spend(1000, READ[0], arm="retry")
    allowed = [spending.allowance(lane("best_of_n"), i.id) for i in READ]
    assert allowed == [100 + 20, 7 + 20]
    assert spending.allowance(lane("learned"), "t0") is None
