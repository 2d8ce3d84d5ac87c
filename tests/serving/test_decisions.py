"""Which outcomes are critiqued, and what a reward says of success."""

import pytest

from tests.store.builders import a_commit
from verbalrl import ServeRules
from verbalrl.errors import ConfigurationError
from verbalrl.records import Feedback, Origin, RewardSupplier
from verbalrl.serving.decisions import is_sampled, outcome, waits

NONE = ServeRules(successes=0.0)
HALF = ServeRules(successes=0.0, good_reward=0.5)


def said(**what: object) -> Feedback:
    return Feedback.model_validate({"episode": "ep", "seq": 1} | what)


OPERATOR = {"origin": Origin.OPERATOR}


@pytest.mark.parametrize(
    ("rules", "words", "success"),
    [
        (NONE, [{"success": True}], True),
        (NONE, [{"success": False, "reward": 1.0}], False),
        (NONE, [{"reward": 0.1}], None),
        (NONE, [{"reward": 0.0}], None),
        (NONE, [{"reward": -1.0}], None),
        (HALF, [{"reward": 0.1}], False),
        (HALF, [{"reward": 0.5}], True),
        (HALF, [{"reward": 0.1, "success": True}], True),
        (ServeRules(good_reward=-2.0), [{"reward": -1.5}], True),
        (HALF, [{"success": True}, {"reward": 0.2} | OPERATOR], False),
        (NONE, [{"success": True}, {"reward": 0.2} | OPERATOR], None),
        (NONE, [{"success": True, "source": "agent"}, {"reward": 0.2, "source": "ann"}], None),
        (HALF, [{"success": True}, {"text": "no"} | OPERATOR], True),
        (NONE, [{"text": "hm"}], None),
    ],
)
def test_what_is_no_known_success_is_critiqued(
    rules: ServeRules, words: list[dict[str, object]], success: bool | None
) -> None:
    feedback = [said(**w) for w in words]
    assert outcome(feedback, rules).success is success
    assert is_sampled("case", feedback, rules.replace(successes=0.0)) == (success is not True)
    assert is_sampled("case", feedback, rules.replace(successes=1.0))


def test_the_judge_is_who_is_believed_most() -> None:
    mixed = [said(success=True, source="agent"), said(reward=0.9, source="ann")]
    assert outcome(mixed, HALF).reward.supplier is RewardSupplier.USER
    assert outcome(mixed[:1], HALF).reward.supplier is RewardSupplier.AGENT


def test_a_threshold_is_a_number() -> None:
    with pytest.raises(ConfigurationError, match="good_reward"):
        ServeRules(good_reward=float("nan"))


@pytest.mark.parametrize(
    ("lacking", "later"),
    [
        ("asked once more: provider_down: 503", True),
        ("asked once more: call_timed_out: 60 s", True),
        ("pairs: provider_down: 503", True),
        ("asked once more: call_refused: too long", False),
        ("asked once more: model_error: x: unusable reply", False),
        ("group 2: provider_down: 503", False),
        ("group 2: asked once more: provider_down: 503", False),
        ("", False),
    ],
)
def test_what_was_down_for_all_that_was_read_is_asked_later(lacking: str, later: bool) -> None:
    assert waits(a_commit("main", 0).replace(lacking=lacking)) is later
    assert waits(a_commit("main", 0).replace(failure="call_refused: 500", lacking=lacking))
