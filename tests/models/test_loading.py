"""What is no model and no name of one is said in one line."""

import pytest

from verbalrl.errors import ConfigurationError
from verbalrl.models import load_model
from verbalrl.tasks import check_task


@pytest.mark.parametrize("given", [5, None, ["openai:x"]])
def test_a_model_is_a_model_or_a_name(given: object) -> None:
    with pytest.raises(ConfigurationError, match=r"a model is wanted, or its name .*, not "):
        load_model(given)  # type: ignore[arg-type]


def test_a_task_is_no_name() -> None:
    with pytest.raises(ConfigurationError, match=r"a task is wanted, .*, not 'triage-v1'"):
        check_task("triage-v1")  # type: ignore[arg-type]
