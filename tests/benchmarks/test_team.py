"""The benchmark of teams: what it counts, and what it calls ideal."""

import asyncio

from benchmarks import _server
from benchmarks.team import ideal, run


def test_a_period_is_asked_once_per_role_and_day_and_ends_the_same_ahead_or_not() -> None:
    with _server.running(0.0) as port:
        beside, ahead = (asyncio.run(run(port, 4, 1, 8, ahead=ahead)) for ahead in (False, True))
    assert (beside.calls, beside.messages) == (24, 20)
    assert (ahead.calls, ahead.arm) == (24, beside.arm)
    assert beside.arm["team"]["worth"]["news"].keys() == {"decisive", "useful", "useless"}
    assert sum(by["useful"] for by in beside.arm["team"]["worth"].values()) == 4


def test_side_by_side_a_day_takes_two_latencies_and_ahead_one() -> None:
    assert ideal(252, 0.5, ahead=False) == 252.0
    assert ideal(252, 0.5, ahead=True) == 126.0
