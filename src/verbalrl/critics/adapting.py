"""Whatever may be given as a critic, as a critic."""

from __future__ import annotations

from typing import cast

from ..errors import ConfigurationError
from ..models import Model, load_model
from ..prompts import PromptLibrary
from .critique import CallableCritic, Critic, CriticLike, LLMCritic


def adapt_critic(critic: CriticLike, prompts: PromptLibrary) -> Critic:
    """The critic that `critic` names or is: a model name, a model, a callable, or a critic.

    `checks` and `checks:sql,tests` name critics that are programs.

    Raises:
        ConfigurationError: It is none of these, or its name is unknown.
    """
    if isinstance(critic, str):
        from .programmatic import named  # noqa: PLC0415 - what checks need is loaded with them

        if (program := named(critic)) is not None:
            return program
    if isinstance(critic, (str, Model)):
        return LLMCritic(load_model(critic), prompts)
    if callable(getattr(critic, "write", None)):
        return cast(Critic, critic)
    if callable(critic):
        return CallableCritic(critic)
    raise ConfigurationError(
        f"critic= takes a model name, a model or a callable, not {type(critic).__name__}"
    )
