"""Finds short rules "these words, therefore this action" in situations whose outcome is known.

Each situation counts once, however often it was tried. A rule is worth how much better it explains
the outcomes than guessing among the actions; about one action is taken to be right in a situation,
so a failed action speaks a little for all others. It works on words alone: no synonym, no number
as a quantity, no rule of more than two cues.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations
from typing import Final

from .text import Features

NOISE: Final = 0.05
"""Share of situations in which a good rule may fail."""

SINGLE_COST: Final = 1.5
"""Score that a rule of one cue must exceed; it keeps chance words out."""

PAIR_COST: Final = 2.5
"""The same for a rule of two cues, of which there are many more."""

FAVOUR: Final = 0.5
"""Bonus of a rule that stands in the list, so that equal rules do not replace each other."""

CLASH: Final = 0.5
"""Cost of a case where a new rule contradicts an older one that is right."""

COVER: Final = 2
"""Situations that a rule must cover; one alone cannot tell cue from chance."""

MOST_RULES: Final = 24
_MOST_CANDIDATES: Final = 400
_TINY: Final = 1e-9


@dataclass(slots=True)
class Case:
    """A situation and what is known of it: the action that was right, those that were wrong."""

    features: tuple[str, ...]
    right: str | None = None
    wrong: set[str] = field(default_factory=set)
    evidence: list[tuple[int, str, bool]] = field(default_factory=list)

    def loglik(self, action: str, count: int) -> float:
        """How much better "this is right here" explains the outcomes than a guess among `count`."""
        if self.right is not None:
            if self.right == action:
                return math.log((1 - NOISE) * count)
            return math.log(NOISE * count / (count - 1))
        if action in self.wrong:
            return math.log(NOISE)
        return math.log(count / max(1, count - len(self.wrong)))


@dataclass(frozen=True, slots=True)
class Rule:
    """Where all cues are seen and no exception is, take the action."""

    cues: tuple[str, ...]
    action: str
    exceptions: tuple[str, ...] = ()

    def covers(self, found: Collection[str]) -> bool:
        """Whether the rule applies to a situation with these features."""
        return all(c in found for c in self.cues) and not any(e in found for e in self.exceptions)


@lru_cache(maxsize=4096)
def atoms(cues: tuple[str, ...]) -> Features:
    """The stems and pairs that cues hold; a rule that holds another's atoms is narrower."""
    return frozenset(cues) | {part for cue in cues for part in cue.split()}


@lru_cache(maxsize=65536)
def narrower(cues: tuple[str, ...], others: tuple[str, ...]) -> bool:
    """Whether the first cues ask for all that the others ask for, and more."""
    return atoms(others) < atoms(cues)


def outcome(worth: Mapping[str, float], fired: Sequence[Rule]) -> float:
    """How well the rules that fire explain a case, with narrower rules before wider ones.

    `worth` says for each action how well "this is right here" explains it.
    """
    left = {rule.action for rule in fired}
    if len(left) > 1:
        left = {
            rule.action
            for rule in fired
            if not any(o.action != rule.action and narrower(o.cues, rule.cues) for o in fired)
        }
    if len(left) <= 1:
        return worth[left.pop()] if left else 0.0
    return math.log(math.fsum(math.exp(worth[action]) for action in left) / len(left))


class Inducer:
    """One induction: the rules so far, and how well each case is explained by them."""

    def __init__(
        self, cases: Sequence[Case], actions: Sequence[str], favoured: Iterable[Rule] = ()
    ) -> None:
        self.cases = cases
        self.actions = tuple(actions)
        self.count = max(2, len(self.actions))
        self.favoured = frozenset((rule.cues, rule.action) for rule in favoured)
        self.worth = [{a: case.loglik(a, self.count) for a in self.actions} for case in cases]
        self.rules: list[Rule] = []
        self.where: dict[str, list[int]] = {}
        for place, case in enumerate(cases):
            for feature in case.features:
                self.where.setdefault(feature, []).append(place)
        self._where_set = {feature: frozenset(found) for feature, found in self.where.items()}
        self._places: dict[tuple[str, ...], list[int]] = {}
        self._features = [frozenset(case.features) for case in cases]
        self.order = {feature: place for place, feature in enumerate(self.where)}
        self.fired: list[list[Rule]] = [[] for _ in cases]
        self.value = [0.0] * len(cases)

    def run(self) -> list[Rule]:
        """The rules, the most telling first."""
        singles = self._singles()
        self._grow(singles, SINGLE_COST)
        self._grow(self._exceptions(singles), PAIR_COST)
        self._grow(singles, SINGLE_COST)
        self._grow(self._pairs(), PAIR_COST)
        self._prune()
        self._settle()
        return self.rules

    def places(self, cues: Sequence[str]) -> list[int]:
        """The cases in which all cues are seen."""
        key = tuple(cues)
        if key not in self._places:
            first, *rest = (self._where_set.get(cue, frozenset()) for cue in key)
            self._places[key] = sorted(first.intersection(*rest))
        return self._places[key]

    def _standalone(self, places: Sequence[int], action: str) -> float:
        return math.fsum(self.worth[p][action] for p in places)

    def _singles(self) -> list[tuple[Rule, ...]]:
        found: list[tuple[float, tuple[Rule, ...]]] = []
        for feature, places in self.where.items():
            if len(places) < COVER:
                continue
            for action in self.actions:
                score = self._standalone(places, action)
                if score > 0:
                    found.append((score, (Rule((feature,), action),)))
        return _best(found)

    def _exceptions(self, singles: Sequence[tuple[Rule, ...]]) -> list[tuple[Rule, ...]]:
        """A rule of one cue together with the rule of two cues that overrides it in some cases."""
        found: list[tuple[float, tuple[Rule, ...]]] = []
        for feature, places in self.where.items():
            rights = Counter(r for p in places if (r := self.cases[p].right) is not None)
            usual = [a for a in self.actions if rights[a]]
            for action, other in ((a, b) for a in usual for b in usual if a != b):
                if rights[action] <= rights[other]:
                    continue
                wide = Rule((feature,), action)
                for narrow in self._narrower(feature, places, other):
                    found.append((float(rights[action]), (wide, narrow)))
        return _best(found)

    def _narrower(self, feature: str, places: Sequence[int], action: str) -> list[Rule]:
        parts = set(feature.split())
        seen = {
            cue
            for p in places
            if self.cases[p].right == action
            for cue in self.cases[p].features
            if " " not in cue and cue not in parts
        }
        rules = []
        for cue in sorted(seen, key=self.order.__getitem__):
            both = [p for p in places if p in self._where_set[cue]]
            if COVER <= len(both) < len(places) and self._standalone(both, action) > 0:
                rules.append(Rule(self._ordered(feature, cue), action))
        return rules

    def _ordered(self, *cues: str) -> tuple[str, ...]:
        return tuple(sorted(cues, key=self.order.__getitem__))

    def _pairs(self) -> list[tuple[Rule, ...]]:
        """Rules of two words for cases that the rules so far miss or get wrong."""
        seen: dict[tuple[tuple[str, ...], str], None] = {}
        for place, case in enumerate(self.cases):
            right = case.right
            if right is not None and self.value[place] < self.worth[place].get(right, 0.0):
                alone = [f for f in case.features if " " not in f and len(self.where[f]) >= COVER]
                seen.update(((self._ordered(*p), right), None) for p in combinations(alone, 2))
        found: list[tuple[float, tuple[Rule, ...]]] = []
        for cues, action in seen:
            places = self.places(cues)
            score = self._standalone(places, action)
            if score > 0 and len(places) >= COVER:
                found.append((score, (Rule(cues, action),)))
        return _best(found)

    def _grow(self, candidates: Sequence[tuple[Rule, ...]], cost: float) -> None:
        """Adds the best candidate for as long as it is worth its cost."""
        touches = {rules: self._touched(rules) for rules in candidates}
        gains = {rules: self._gain(rules) for rules in candidates}
        while gains and len(self.rules) < MOST_RULES:
            best = max(gains, key=lambda rules: self._rank(gains[rules], rules))
            if gains.pop(best) <= cost:
                return
            changed = touches[best]
            for rule in best:
                self._add(rule)
            for rules in [rules for rules in gains if not changed.isdisjoint(touches[rules])]:
                gains[rules] = self._gain(rules)
            gains = {rules: gain for rules, gain in gains.items() if gain > 0}

    def _touched(self, rules: Sequence[Rule]) -> frozenset[int]:
        return frozenset(place for rule in rules for place in self.places(rule.cues))

    def _rank(self, gain: float, rules: tuple[Rule, ...]) -> tuple[float, ...]:
        cues = [cue for rule in rules for cue in rule.cues]
        return (
            round(gain, 6),
            -len(cues),
            -sum(len(cue.split()) for cue in cues),
            sum(map(len, cues)),
            -math.fsum(self.order[cue] for cue in cues),
        )

    def _gain(self, rules: Sequence[Rule]) -> float:
        """What new rules add to the explanation of all cases, and what they are favoured by."""
        new = [rule for rule in rules if rule not in self.rules]
        touched: dict[int, list[Rule]] = {}
        for rule in new:
            for place in self.places(rule.cues):
                touched.setdefault(place, []).append(rule)
        bonus = FAVOUR * sum((rule.cues, rule.action) in self.favoured for rule in new)
        return bonus + math.fsum(self._change(p, added) for p, added in touched.items())

    def _change(self, place: int, added: Sequence[Rule]) -> float:
        """What new rules change at one case; a clash there can be settled by an exception."""
        change = outcome(self.worth[place], [*self.fired[place], *added])
        change -= self.value[place]
        return max(change, -CLASH) if self.value[place] > 0 and change < 0 else change

    def _add(self, rule: Rule) -> None:
        if rule in self.rules:
            return
        self.rules.append(rule)
        self._refresh(self.places(rule.cues))

    def _refresh(self, places: Iterable[int]) -> None:
        for place in places:
            found = self._features[place]
            self.fired[place] = [rule for rule in self.rules if rule.covers(found)]
            self.value[place] = outcome(self.worth[place], self.fired[place])

    def _prune(self) -> None:
        """Drops rules that the later ones made superfluous."""
        for rule in list(self.rules):
            places = self.places(rule.cues)
            without = math.fsum(
                outcome(self.worth[p], [r for r in self.fired[p] if r != rule]) for p in places
            )
            bonus = FAVOUR * ((rule.cues, rule.action) in self.favoured)
            if math.fsum(self.value[p] for p in places) - without + bonus <= SINGLE_COST / 2:
                self.rules.remove(rule)
                self._refresh(places)

    def _settle(self) -> None:
        """Where two rules clash and one is mostly right, it becomes the other's exception."""
        for winner in list(self.rules):
            lost = [r for r in self.rules if r.action != winner.action and r.cues != winner.cues]
            clashes: list[tuple[Rule, float]] = []
            for rule in lost:
                if atoms(rule.cues) < atoms(winner.cues) or atoms(winner.cues) < atoms(rule.cues):
                    continue
                both = [p for p in self.places(winner.cues) if rule in self.fired[p]]
                if both:
                    better = self._standalone(both, winner.action)
                    clashes.append((rule, better - self._standalone(both, rule.action)))
            if len(winner.cues) == 1 and math.fsum(worth for _, worth in clashes) > SINGLE_COST:
                for rule, worth in clashes:
                    if worth > -_TINY:
                        self._except(rule, winner.cues[0])

    def _except(self, rule: Rule, cue: str) -> None:
        if rule not in self.rules:
            return
        narrowed = Rule(rule.cues, rule.action, (*rule.exceptions, cue))
        self.rules[self.rules.index(rule)] = narrowed
        self._refresh(self.places(rule.cues))


def _best(found: list[tuple[float, tuple[Rule, ...]]]) -> list[tuple[Rule, ...]]:
    """The most promising candidates; equal ones keep their order of appearance."""
    found.sort(key=lambda item: -round(item[0], 6))
    return [rules for _, rules in found[:_MOST_CANDIDATES]]


def learn(
    cases: Sequence[Case], actions: Sequence[str], favoured: Iterable[Rule] = ()
) -> list[Rule]:
    """The rules that explain the cases best; rules of the present list win ties."""
    return Inducer(cases, actions, favoured).run() if cases and actions else []
