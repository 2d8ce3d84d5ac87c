"""Small tasks to try the apprentice on; they are not shipped.

Every task is a list of instances; an instance shows observations, takes listed actions, and tells
what happened without naming the rule or the right action.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Rename = Callable[[str], str]


@dataclass(frozen=True)
class Result:
    """What one action led to."""

    observation: str
    feedback: str
    reward: float
    done: bool
    success: bool


class Instance:
    """One instance; `reset` starts it anew."""

    goal = ""
    actions: tuple[str, ...] = ()
    limit = 1

    def reset(self) -> str:
        """The first observation."""
        raise NotImplementedError

    def step(self, action: str) -> Result:
        """Takes one of the listed actions."""
        raise NotImplementedError


MOVES = {"north": (-1, 0), "south": (1, 0), "west": (0, -1), "east": (0, 1)}


@dataclass
class Field(Instance):
    """A field with hidden pits; the observation says where the walker is, and the exit."""

    size: int
    pits: frozenset[tuple[int, int]]
    exit: tuple[int, int]
    hint: bool = True
    at: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        self.goal = "Walk to the exit of the field."
        self.actions = tuple(f"move {name}" for name in MOVES)
        self.limit = 4 * self.size + 4

    def observe(self) -> str:
        """Where the walker is; the direction of the exit where hints are on."""
        text = f"You are at row {self.at[0]}, column {self.at[1]}."
        if not self.hint:
            return text
        ways = [
            name
            for name, (down, along) in MOVES.items()
            if down * (self.exit[0] - self.at[0]) > 0 or along * (self.exit[1] - self.at[1]) > 0
        ]
        return f"{text} The exit lies to the {' and '.join(ways)}."

    def reset(self) -> str:
        self.at = (1, 1)
        return self.observe()

    def step(self, action: str) -> Result:
        down, along = MOVES[action.removeprefix("move ")]
        to = (self.at[0] + down, self.at[1] + along)
        if not all(1 <= place <= self.size for place in to):
            return Result(self.observe(), "You bump into the edge and stay.", 0.0, False, False)
        self.at = to
        if to in self.pits:
            return Result(self.observe(), "You fell into a pit.", -1.0, True, False)
        if to == self.exit:
            return Result(self.observe(), "You reached the exit.", 1.0, True, True)
        return Result(self.observe(), "You moved.", 0.0, False, False)


def _naive_share(size: int, pits: frozenset[tuple[int, int]]) -> float:
    """The share of shortest paths that meet no pit, with even odds where two ways are open."""
    safe = {(size, size): 1.0}
    for total in range(2 * size - 1, 1, -1):
        for row in range(max(1, total - size), min(size, total - 1) + 1):
            cell = (row, total - row)
            ways = [c for c in ((row + 1, cell[1]), (row, cell[1] + 1)) if max(c) <= size]
            safe[cell] = sum(0.0 if c in pits else safe[c] for c in ways) / len(ways)
    return safe[1, 1]


def fields(
    seed: int, count: int = 24, size: int = 5, pits: int = 3, hint: bool = True
) -> list[Instance]:
    """Fields on which 5 to 35 % of the naive paths are safe."""
    rng = random.Random(f"fields{seed}")
    cells = [(r, c) for r in range(1, size + 1) for c in range(1, size + 1)][1:-1]
    found: list[Instance] = []
    while len(found) < count:
        chosen = frozenset(rng.sample(cells, pits))
        if 0.05 <= _naive_share(size, chosen) <= 0.35:
            found.append(Field(size, chosen, (size, size), hint))
    return found


@dataclass
class Choice(Instance):
    """One text, one choice."""

    text: str
    right: str
    cell: str
    goal: str
    actions: tuple[str, ...]
    wrong_says: str = "Wrong."
    limit: int = field(default=1)

    def reset(self) -> str:
        return self.text

    def step(self, action: str) -> Result:
        good = action == self.right
        says = "Correct." if good else self.wrong_says
        return Result(self.text, says, float(good), True, good)


@dataclass(frozen=True)
class Shared:
    """A task whose rule is the same for all instances: what to learn on, and what to be read on."""

    train: Sequence[Choice]
    test: Sequence[Choice]


TOPICS = {
    "refund": ("was charged twice", "asks for the money back"),
    "password": ("forgot the password", "cannot log in"),
    "theme": ("wants a dark theme", "finds the colours too bright"),
    "cancel": ("wants to cancel the plan", "asks how to end the subscription"),
    "leak": ("sees the data of another customer", "found a stranger's file in the folder"),
    "invoice": ("needs an invoice for taxes", "asks for a receipt"),
    "slow": ("says the dashboard loads slowly", "waits minutes for every page"),
    "import": ("lost rows after an import", "sees garbled letters in the upload"),
}
TRAIN_FORMS = (
    "{who} from {place} writes that {one} {cue}. It began {time}.",
    "A message came in {time}. {who} {cue} and hopes for a quick reply.",
    "{who} {cue}. {one} has tried twice already, last {time}.",
    "By phone {time}, {who} from {place} {cue}.",
    "{who}, who works in {place}, {cue} since {time}. Nothing else changed.",
    "Forwarded by a colleague. {who} {cue}, as of {time}.",
)
TEST_FORMS = (
    "New entry. Our client {who} {cue}; reported {time}.",
    "{who} called from {place} because {one} {cue}.",
    "{time} a mail arrived in which {who} {cue}, politely.",
    "Chat log: {who} {cue}. Mood is calm.",
)
WHO = ("Ana", "Bela", "Chen", "Dora", "Emil", "Farah", "Gus", "Hana", "Ivo", "Jana", "Kofi", "Lena")
PLACES = ("Oslo", "Lima", "Kyoto", "Turin", "Quito", "Perth", "Graz", "Lagos")
TIMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "yesterday")
PLANS = ("The account is on the free plan.", "The account is on the team plan.")
SPECIAL = "The account is on the enterprise plan."
QUEUES = ("route to amber", "route to basalt", "route to cedar", "route to delta", "route to ember")


def _ticket(rng: random.Random, forms: Sequence[str], cue: str, special: bool) -> str:
    who = rng.choice(WHO)
    body = rng.choice(forms).format(
        who=who,
        one=rng.choice(("he", "she")),
        cue=cue,
        place=rng.choice(PLACES),
        time=rng.choice(TIMES),
    )
    tail = SPECIAL if special else rng.choice(PLANS)
    return f"{body} {tail}" if rng.random() < 0.5 else f"{tail} {body}"


def tickets(
    seed: int, queues: int = 5, phrases: int = 1, override: str = "topic", topics: int = 8
) -> Shared:
    """Tickets by topic with one exception.

    `override`: "topic" (one topic has another queue on the special plan), "all" (the special plan
    decides alone), or "none".
    """
    rng = random.Random(f"tickets{seed}")
    actions = QUEUES[:queues]
    names = rng.sample(sorted(TOPICS), topics)
    policy = {name: actions[n % queues] for n, name in enumerate(names)}
    exceptional = names[0]
    other = actions[(actions.index(policy[exceptional]) + 1 + rng.randrange(queues - 1)) % queues]

    def right(name: str, special: bool) -> str:
        if special and (override == "all" or (override == "topic" and name == exceptional)):
            return other
        return policy[name]

    def made(count: int, forms: Sequence[str]) -> list[Choice]:
        found = []
        for n in range(count):
            name = names[n % topics] if n % 10 else exceptional
            special = override != "none" and (rng.random() < (0.5 if name == exceptional else 0.2))
            cue = rng.choice(TOPICS[name][:phrases])
            text = _ticket(rng, forms, cue, special)
            says = "The customer was not helped by that queue, it was the wrong choice."
            found.append(
                Choice(
                    text,
                    right(name, special),
                    f"{name}{special}",
                    "Route the ticket.",
                    actions,
                    says,
                )
            )
        rng.shuffle(found)
        return found

    return Shared(made(60, TRAIN_FORMS), made(60, TEST_FORMS))


COLOURS = ("scarlet", "ivory", "teal")
SHAPES = ("ring", "cube")
BINS = ("bin one", "bin two", "bin three", "bin four")
STONE_TRAIN = (
    "On the belt lies a {shape}. Its colour is {colour}, the maker is {maker}.",
    "{maker} sent a {colour} piece. In form it is a {shape}.",
    "The next piece, {colour} all over, is a {shape} by {maker}.",
)
STONE_TEST = (
    "A {shape} comes along, made by {maker}; it looks {colour}.",
    "{colour} again. A {shape}.",
)
MAKERS = ("Alder", "Birch", "Cole", "Dunn", "Esk", "Firth")


def pieces(seed: int) -> Shared:
    """A rule of two cues: neither colour nor shape decides alone."""
    rng = random.Random(f"pieces{seed}")
    table = {}
    for n, (colour, shape) in enumerate((c, s) for c in COLOURS for s in SHAPES):
        table[colour, shape] = BINS[(n + n // 2) % 4]

    def made(count: int, forms: Sequence[str]) -> list[Choice]:
        found = []
        cells = sorted(table)
        for n in range(count):
            colour, shape = cells[n % len(cells)]
            text = rng.choice(forms).format(colour=colour, shape=shape, maker=rng.choice(MAKERS))
            goal = "Put the piece into a bin."
            found.append(Choice(text, table[colour, shape], f"{colour}{shape}", goal, BINS))
        rng.shuffle(found)
        return found

    return Shared(made(60, STONE_TRAIN), made(60, STONE_TEST))


def riddles(seed: int, count: int = 16) -> list[Instance]:
    """Free answers without listed actions: the answer is a name in the text."""
    rng = random.Random(f"riddles{seed}")
    found: list[Instance] = []
    for _ in range(count):
        three = rng.sample(WHO, 3)
        text = f"In the room are {three[0]}, {three[1]} and {three[2]}. Who holds the key?"
        found.append(Choice(text, rng.choice(three), "", "Answer the question.", ()))
    return found
