"""Taxi and Blackjack of Gymnasium in words."""

from __future__ import annotations

from typing import Any

from ._gym_types import Moved, Words

_STANDS = ("red", "green", "yellow", "blue")
_IN_TAXI = 4


def taxi(environment: Any) -> Words:
    """The taxi of Dietterich (2000): fetch a passenger, bring them to their stand.

    Walls are told by nothing but the moves that they forbid.
    """

    def seen(state: Any) -> tuple[tuple[int, int], int, int]:
        row, column, passenger, wanted = (int(part) for part in environment.decode(int(state)))
        return (row, column), passenger, wanted

    def describe(state: Any) -> str:
        here, passenger, wanted = seen(state)
        text = f"Your taxi is at row {here[0] + 1}, column {here[1] + 1}."
        if passenger == _IN_TAXI:
            text += " The passenger sits in it."
        else:
            text += f" The passenger waits {_stand(environment, here, passenger)}."
        return f"{text} The passenger wants to go {_stand(environment, here, wanted)}."

    def feedback(moved: Moved) -> str:
        (was, had, _), (now, has, _) = seen(moved.before), seen(moved.after)
        if moved.terminated:
            return "The passenger is where they wanted to be, a success."
        if has == _IN_TAXI != had:
            return "The passenger got in."
        if had == _IN_TAXI != has:
            return "The passenger got out at the wrong stand."
        if moved.reward <= -10:
            return "That was not allowed here, a mistake that costs much."
        return "You moved one field on." if was != now else "You were blocked and stayed there."

    return Words(
        goal="Fetch the passenger with your taxi and bring them to the stand that they want.",
        actions=(
            "drive south",
            "drive north",
            "drive east",
            "drive west",
            "pick the passenger up",
            "drop the passenger off",
        ),
        describe=describe,
        feedback=feedback,
        success=lambda moved: moved.terminated,
    )


def _stand(environment: Any, here: tuple[int, int], number: int) -> str:
    row, column = environment.locs[number]
    down, right = row - here[0], column - here[1]
    words = ["south" if down > 0 else "north"] if down else []
    words += ["east" if right > 0 else "west"] if right else []
    where = f"{' and '.join(words)} of here" if words else "right here"
    return f"at the {_STANDS[number]} stand, {where}"


def blackjack(environment: Any) -> Words:
    """Blackjack as in Sutton and Barto (2018), example 5.1: a win is a success, a draw is none."""
    del environment  # the same for all

    def describe(state: Any) -> str:
        total, shown, ace = (int(part) for part in state)
        held = "an ace that counts eleven" if ace else "no ace that counts eleven"
        card = "an ace" if shown == 1 else str(shown)
        return f"Your cards count {total}, with {held}. The dealer shows {card}."

    def feedback(moved: Moved) -> str:
        total = int(moved.after[0])
        if not moved.terminated:
            return f"You drew a card; your cards count {total}."
        if total > 21:
            return f"Your cards count {total}, which is more than 21: you lost."
        ended = (
            "you won" if moved.reward > 0 else "you lost" if moved.reward < 0 else "it is a draw"
        )
        return f"The dealer played on, and {ended}."

    return Words(
        goal=(
            "Win at blackjack: come closer to 21 than the dealer, and never above. An ace counts "
            "one or eleven, faces ten; the dealer draws below 17."
        ),
        actions=("stick with what you have", "hit for one more card"),
        describe=describe,
        feedback=feedback,
        success=lambda moved: moved.reward > 0,
    )
