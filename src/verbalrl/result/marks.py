"""What a reader must know of an arm to read its figures: what it is, and who helped it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

MEANINGS: Mapping[str, str] = {
    "none": "one attempt, no memory",
    "retry": "the same trials, stop rule and seeds; nothing injected",
    "raw_failures": "earlier failed attempts word for word, without a critique of them",
    "shuffled": "the method with the guidance of another instance, or with conditions and "
    "instructions of lessons paired anew",
    "best_of_n": "as many tokens as learned spent there, on samples; one is chosen without rewards",
    "learned": "the method",
}
"""Every arm, in the order in which tables print them."""
_PLAIN = ("none", "retry", "learned")

ROLES = ("actor", "critic", "curator")


FIRST_ATTEMPTS = "vs retry@1: first attempts paired by instance; those of retry are what none does"
"""What is to be said where `paired_at` is 1."""


def paired_at(arms: Mapping[str, Mapping[str, Any]]) -> int | None:
    """The trial at which arms are paired with `retry`; None where none of them is."""
    found = (arm.get("vs_retry") for arm in arms.values())
    return next((versus["trial"] for versus in found if versus), None)


def versus_head(arms: Mapping[str, Mapping[str, Any]]) -> str:
    """`vs retry@5`: what is paired, and at which trial."""
    trial = paired_at(arms)
    return "vs retry" if trial is None else f"vs retry@{trial}"


def roles_of(tokens: Iterable[str]) -> tuple[str, ...]:
    """The roles that are always told, then the others of `tokens`, such as a team's analysts."""
    return (*ROLES, *sorted(set(tokens) - set(ROLES)))


def label(name: str, arm: Mapping[str, Any]) -> str:
    """The arm `name`, with what the reward did for it."""
    marks = [
        said
        for key, said in (
            ("oracle_stopped", "oracle-stopped"),
            ("oracle_selected", "oracle-selected"),
        )
        if arm.get(key)
    ]
    return f"{name} ({', '.join(marks)})" if marks else name


def remarks(arms: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A line for every arm whose name or mark does not say what it is."""
    lines = [f"{name}: {MEANINGS[name]}" for name in arms if name in MEANINGS.keys() - _PLAIN]
    for name, arm in arms.items():
        if arm.get("oracle_stopped"):
            tries = len(arm["success_by_trial"])
            lines.append(f"the success of {name} is pass@{tries}, stopped by the reward")
        if arm.get("oracle_selected"):
            lines.append(f"{name} chose among candidates by their rewards, which no user has")
    return lines
