"""What crosses between a program and its judge, and what a verdict rests on."""

import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verbalrl.errors import ConfigurationError
from verbalrl.sandbox import Limits, Tier, run_calls, run_test, sandbox
from verbalrl.sandbox.child import Child, Ended
from verbalrl.sandbox.tiers import Sandbox
from verbalrl.sandbox.worker import NotLiteral, decode, encode

PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
KEYS = PLAIN | st.binary() | st.tuples(PLAIN, PLAIN)
VALUES = st.recursive(
    KEYS | st.complex_numbers(allow_nan=False) | st.frozensets(KEYS) | st.sets(KEYS),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner),
    max_leaves=20,
)


@pytest.fixture
def tier() -> Tier:
    if not sandbox().tiers:
        pytest.skip("no sandbox on this machine")
    return sandbox().tiers[0]


@given(VALUES)
def test_plain_values_cross_unchanged(value: Any) -> None:
    assert decode(encode(value)) == value
    assert type(decode(encode(value))) is type(value)


def test_what_is_no_plain_data_does_not_cross() -> None:
    assert math.isnan(decode(encode(math.nan)))
    for value in (object(), print, iter([])):
        with pytest.raises(NotLiteral):
            encode(value)
    bad: list[Any] = [{"call": []}, {"set": [[1]]}, {"float": "1"}, {"int": 3}, {}, {"dict": [1]}]
    for message in bad:
        with pytest.raises(NotLiteral):
            decode(message)
    with pytest.raises(NotLiteral, match="keys"):
        decode({"set": list(range(5000))})


@pytest.mark.parametrize(
    ("test", "passed", "why"),
    [
        ("assert f(1) == 2", True, ""),
        ("assert f(1) == 3", False, "f(1) returns 2"),
        ("f(1)", False, "the test checks nothing"),
        ("assert True", False, "the test checks nothing"),
        ("def check(c):\n    pass", False, "the test checks nothing"),
        ("def other(c):\n    assert c(1) == 2", False, "the test checks nothing"),
        ("assert nothing(1) == 2", False, "the test fails before it calls the program"),
        ("assert f('a') == 2", False, "f('a'): it raises TypeError"),
        ("while f(1):\n    pass", False, "f(1): the program was stopped after 1 s"),
        ("while True:\n    pass", False, "the test did not end"),
        ("assert f((1 << 60_000) - 1) == 2", False, "f("),
        (
            "try:\n    f('a')\n    assert False\nexcept TypeError:\n    assert f(0) == 1",
            True,
            "",
        ),
    ],
)
def test_a_verdict_needs_an_assertion_that_held(
    test: str, passed: bool, why: str, tier: Tier
) -> None:
    limits = Limits(seconds=1.0) if "while" in test else Limits(seconds=20.0)
    found = run_test("def f(x):\n    return x + 1\n", test, ["f"], tier, limits)
    assert found.passed is passed
    assert found.why.startswith(why)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("def f(x)", "it raises SyntaxError"),
        ("import no_such", "it raises ModuleNotFoundError"),
        ("g = 1", "it raises NameError: there is no function f"),
        ("def f(x):\n    return 1 / x", "it raises ZeroDivisionError: division by zero"),
        ("def f(x):\n    return f", "it returns a value of type function"),
        ("def f(x):\n    return 'a' * 2_000_000", "a value of more than 1 MiB"),
        ("def f(x):\n    raise SystemExit(0)", "the program ended its process"),
    ],
)
def test_why_there_is_no_value_is_said(program: str, said: str, tier: Tier) -> None:
    found = run_calls(program, "f", [(0,)], tier)
    assert found[-1].error.startswith(said)


class Unlucky(Child):
    """Its first starts fail, as when another process took the same fresh user."""

    fails = 2

    def _start(self, user: int) -> None:
        self.fails -= 1
        if self.fails >= 0:
            self._until = time.monotonic() + 1
            raise Ended("the program ended its process")
        super()._start(user)


def test_a_child_that_did_not_start_is_started_again(tier: Tier) -> None:
    with Unlucky(tier, Limits()) as child:
        child.send({"program": "x = 1", "limits": Limits().by_system()})
        assert "raised" not in child.receive()


def test_which_tier_is_asked_for() -> None:
    best, last = Tier("unshare", True), Tier("rlimits", False)
    some = Sandbox((best, last), {"bubblewrap": "no bwrap"})
    assert some.choose("auto") == some.choose("unshare") == best
    assert some.choose("rlimits") == last
    with pytest.raises(ConfigurationError, match="bubblewrap: no bwrap"):
        some.choose("bubblewrap")
    with pytest.raises(ConfigurationError, match="take one of"):
        some.choose("docker")
    # What closes neither network nor files has to be asked for.
    with pytest.raises(ConfigurationError, match="sandbox=rlimits"):
        Sandbox((last,), {"bubblewrap": "no bwrap", "unshare": "no unshare"}).choose("auto")
