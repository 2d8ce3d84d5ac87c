import pytest

from benchmarks.tables import NULL, POWER, main, simulated


@pytest.mark.slow
def test_a_null_method_is_hardly_ever_a_gain_and_a_real_effect_nearly_always() -> None:
    null, real = simulated(100, seed=1), simulated(40, effect=0.25, seed=1)
    assert null.gains <= NULL
    assert null.losses <= NULL
    assert real.gains >= POWER
    assert real.losses == 0


def test_the_command_says_whether_the_goals_are_met() -> None:
    assert main(["--tables", "10", "--instances", "20", "--effect", "0"]) == 1
