"""`typing.get_type_hints` works for all that `verbalrl` hands out: tools of users read it."""

import inspect
import typing
from collections.abc import Iterator

import pytest

import verbalrl as vrl


def _handed_out() -> Iterator[tuple[str, object]]:
    named = [(name, getattr(vrl, name)) for name in vrl.__all__]
    named += [(f"methods.{n}", getattr(vrl.methods, n)) for n in dir(vrl.methods) if n[0] != "_"]
    for name, found in named:
        if inspect.isroutine(found):
            yield name, found
        elif inspect.isclass(found) and found.__module__.startswith("verbalrl"):
            yield name, found
            for part, value in vars(found).items():
                value = value.fget if isinstance(value, property) else value
                value = getattr(value, "__func__", value)
                if inspect.isfunction(value) and (part[0] != "_" or part == "__init__"):
                    yield f"{name}.{part}", value


HANDED_OUT = dict(_handed_out())


@pytest.mark.parametrize("name", HANDED_OUT)
def test_hints_can_be_read(name: str) -> None:
    typing.get_type_hints(HANDED_OUT[name])


def test_they_are_the_classes_themselves() -> None:
    from verbalrl.result import RunResult
    from verbalrl.tasks import Task

    assert {"Learner", "Learner.run", "Memory", "serve", "methods.Expel"} <= set(HANDED_OUT)
    hints = typing.get_type_hints(vrl.Learner.run)
    assert hints["task"] is Task
    assert hints["return"] is RunResult
