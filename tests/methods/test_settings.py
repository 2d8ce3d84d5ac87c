"""Settings that cannot work are one line, before anything runs; everything else is as given."""

import asyncio
from collections.abc import Callable

import pytest

from verbalrl import methods
from verbalrl.errors import ConfigurationError, UnknownNameError
from verbalrl.execution import RunPlan
from verbalrl.methods import Method, Reflexion
from verbalrl.records import Batch, Done, InstanceView, OpenRound, SharedView
from verbalrl.rollout import Limits
from verbalrl.tasks import load_task

BOUNDS = [
    *(("reflexion", name) for name in ("trials", "window", "max_steps")),
    *(("handbook", name) for name in ("trials", "round_size", "max_lessons", "group")),
]


@pytest.mark.parametrize(("name", "setting"), BOUNDS)
@pytest.mark.parametrize("value", [0, -1, "many"])
def test_a_method_refuses_what_cannot_work(name: str, setting: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=rf"^\w+: {setting}={value!r}: give ") as e:
        methods.method(name, {setting: value})  # type: ignore[dict-item]
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: methods.reflexion(trials=0),
        lambda: methods.handbook(round_size=-3),
        lambda: methods.changed(methods.reflexion(), {"trials": 0}),
        lambda: methods.reflexion().replace(window=0),
        lambda: Reflexion(trials=1001),
        lambda: Limits(concurrency=0),
        lambda: Limits().replace(max_steps=-1),
    ],
    ids=range(7),
)
def test_python_gets_the_same_line(make: Callable[[], object]) -> None:
    with pytest.raises(ConfigurationError, match=r"^\w+: \w+=-?\d+: give [a-z0-9 ]+$"):
        make()


def test_a_setting_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownNameError, match="trails"):
        methods.method("reflexion", {"trails": 3})
    with pytest.raises(ConfigurationError, match="trails: unknown; take it out"):
        Reflexion(trails=3)  # type: ignore[call-arg]


def test_a_method_of_a_command_of_its_own_is_not_on_offer() -> None:
    with pytest.raises(UnknownNameError, match="unknown method 'prove'"):
        methods.method("prove")
    kept = methods.stored("prove", {"lesson": "le", "instances": ["i"]})
    assert kept.name == "prove"


def test_the_least_settings_work() -> None:
    least = Reflexion(trials=1, window=1, budget=0, max_steps=1)
    assert methods.method("reflexion", methods.settings_of(least)) == least


class _Own:
    name, learns, learn, trials = "own", "instance", True, 0
    selectors: dict[str, object] = {}
    checks: dict[str, object] = {}

    def plan(self, view: InstanceView, /) -> Batch | Done:
        return Done()

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        return Done()


def test_a_method_of_ones_own_needs_a_trial_too() -> None:
    own: Method = _Own()  # type: ignore[assignment]
    plan = RunPlan.of(
        load_task("gridnav-v1"),
        own,
        instances=2,
        train_instances=None,
        seeds=(0,),
        arms=("learned",),
    )
    with pytest.raises(ConfigurationError, match="own: trials=0; give at least 1"):
        asyncio.run(plan)
