"""The curator: compares a scope's lessons with the evidence and returns operations.

In a merging call it induces rules over all evidence and turns the list into them. For one group of
new evidence it proposes only what single items show, since a few cases cannot tell cue from chance.
It never writes counts, and leaves lessons that nothing shown speaks against as they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import Any, Final

from . import layout
from .critic import condition
from .induction import Case, Rule, learn
from .layout import Evidence
from .reading import Lesson, Situation, best_match, directions, read_lesson, short_name
from .text import Weights, clauses, stem, words
from .words import STOP_WORDS

ALL_OPERATIONS: Final = ("add", "revise", "merge", "support", "retire")
_ALLOWED: Final = re.compile(r"^Allowed operations: (.*?)\.?$", re.MULTILINE)
_CAP: Final = re.compile(r"at most (\d+) lessons")
_SHORTENING: Final = ("merge", "retire")
_MOST_CITED: Final = 12
_EXACT: Final = 0.95

DOUBT: Final = 2
"""How much an item against a lesson that no induced rule repeats counts beside one for it."""


@dataclass(frozen=True, slots=True)
class Known:
    """A lesson of the list, with what it says of the listed actions and its support so far."""

    lesson: Lesson
    says: dict[str, int]
    support: int


@dataclass(slots=True)
class Desk:
    """All that one call shows the curator."""

    actions: tuple[str, ...]
    verb: str
    known: list[Known]
    evidence: list[Evidence]
    proposals: list[tuple[int, str]]
    operations: tuple[str, ...]
    most: int
    cases: list[Case]
    texts: list[str]


def curate(messages: Sequence[layout.Message]) -> dict[str, Any]:
    """The operations for what the last user message shows."""
    desk = _read(messages)
    merging = "<proposals>" in layout.last_user(messages)
    found = _merge(desk) if merging else _propose(desk)
    return {"operations": _admitted([o for o in found if o["op"] in desk.operations], desk)}


def _admitted(found: Sequence[dict[str, Any]], desk: Desk) -> list[dict[str, Any]]:
    """The operations without those last additions for which the list has no room."""
    gone = sum(len(o["lessons"]) - (o["op"] == "merge") for o in found if o["op"] in _SHORTENING)
    room = desk.most - len(desk.known) + gone
    adds = [o for o in found if o["op"] == "add"]
    over = adds[max(0, room) :]
    return [o for o in found if all(o is not other for other in over)]


def _read(messages: Sequence[layout.Message]) -> Desk:
    text = layout.last_user(messages)
    everything = "\n".join(part for _, part in messages)
    evidence = layout.evidence(layout.block(text, "evidence"))
    listed = layout.bullets(layout.block(text, "actions"))
    actions = listed or tuple(dict.fromkeys(item.action for item in evidence if item.action))
    known = []
    for alias, body in layout.numbered(layout.block(text, "lessons")):
        line, support, _ = layout.counts(body)
        lesson = read_lesson(alias, line)
        known.append(Known(lesson, directions(lesson.instruction, actions), support))
    proposals = [
        (alias, body.split("\n")[1].strip().removeprefix("text: ") if "\n" in body else "")
        for alias, body in layout.numbered(layout.block(text, "proposals"))
    ]
    allowed = _ALLOWED.search(everything)
    cap = _CAP.search(everything)
    cases, texts = cases_of(evidence, actions)
    return Desk(
        actions,
        "choose" if listed else "answer",
        known,
        evidence,
        proposals,
        tuple(allowed.group(1).split(", ")) if allowed else ALL_OPERATIONS,
        int(cap.group(1)) if cap else 24,
        cases,
        texts,
    )


def ordered_features(text: str) -> tuple[str, ...]:
    """The features of a text, words before pairs, in the order in which they appear."""
    singles: dict[str, None] = {}
    pairs: dict[str, None] = {}
    for clause in clauses(text):
        found = [stem(word) for word in words(clause) if word not in STOP_WORDS]
        singles.update(dict.fromkeys(found))
        pairs.update(dict.fromkeys(f"{a} {b}" for a, b in pairwise(found)))
    return (*singles, *pairs)


def cases_of(
    evidence: Sequence[Evidence], actions: tuple[str, ...]
) -> tuple[list[Case], list[str]]:
    """One case for each situation, and its text."""
    cases: dict[str, Case] = {}
    for item in evidence:
        for text, action, good in judgements(item, actions):
            case = cases.setdefault(text, Case(ordered_features(text)))
            case.evidence.append((item.alias, action, good))
            if good:
                case.right = action
                case.wrong.discard(action)
            elif case.right != action:
                case.wrong.add(action)
    return list(cases.values()), list(cases)


def judgements(item: Evidence, actions: tuple[str, ...]) -> list[tuple[str, str, bool]]:
    """What an item shows: in this situation, this action was right or wrong."""
    seen = " ".join(words(item.observation))
    found: dict[tuple[str, str], bool] = {}
    if (
        item.outcome in ("success", "failure")
        and item.action in actions
        and len(item.proposals) < 2
    ):
        found[item.observation, item.action] = item.outcome == "success"
    for line in item.proposals:
        lesson = read_lesson(0, line)
        same = not lesson.condition or all(
            " ".join(words(clause)) in seen for clause in clauses(lesson.condition)
        )
        text = item.observation if same and item.observation else lesson.condition
        for action, sign in directions(lesson.instruction, actions).items():
            found.setdefault((text, action), sign > 0)
    return [(text, action, good) for (text, action), good in found.items() if text]


def _situations(desk: Desk) -> list[Situation]:
    return [Situation(text) for text in desk.texts]


def _where(lesson: Lesson, situations: Sequence[Situation], threshold: float) -> list[int]:
    weights = Weights([situation.all for situation in situations])
    return [
        place
        for place, now in enumerate(situations)
        if best_match(lesson.conditions, now, weights, threshold) is not None
        and best_match(lesson.exceptions, now, weights) is None
    ]


def _verdicts(known: Known, places: Sequence[int], desk: Desk) -> tuple[list[int], list[int]]:
    """The evidence that confirms a lesson, and the evidence that contradicts it."""
    confirm: list[int] = []
    contradict: list[int] = []
    for place in places:
        case = desk.cases[place]
        for alias, action, good in case.evidence:
            sign = known.says.get(action, 0)
            if sign:
                (confirm if (sign > 0) == good else contradict).append(alias)
            elif good and any(s > 0 for s in known.says.values()):
                contradict.append(alias)
    return sorted(set(confirm)), sorted(set(contradict))


def _operation(op: str, **fields: Any) -> dict[str, Any]:
    blank = {"lessons": [], "evidence": [], "proposals": [], "name": "", "when": "", "when_not": ""}
    return {"op": op, **blank, "instruction": "", "reason": "", **fields}


def _propose(desk: Desk) -> list[dict[str, Any]]:
    situations = _situations(desk)
    found, covered = _judge(desk, situations, keep=frozenset())
    for case, text in zip(desk.cases, desk.texts, strict=True):
        right = case.right
        cited = sorted({alias for alias, action, good in case.evidence if good and action == right})
        if right is None or not cited or covered & set(cited):
            continue
        when, _ = condition(text, [text])
        name = " ".join(words(when)[:4])
        found.append(
            _operation(
                "add",
                evidence=cited,
                name=name,
                when=when,
                instruction=f"{desk.verb} {right}",
                reason="It was right here.",
            )
        )
    return found


def _judge(
    desk: Desk, situations: Sequence[Situation], keep: frozenset[int]
) -> tuple[list[dict[str, Any]], set[int]]:
    """Support and retirement for lessons of the list, and the evidence that they explain."""
    found: list[dict[str, Any]] = []
    covered: set[int] = set()
    for known in desk.known:
        confirm, contradict = _verdicts(known, _where(known.lesson, situations, _EXACT), desk)
        covered.update(confirm)
        number = [known.lesson.alias]
        if known.lesson.alias not in keep and len(contradict) * DOUBT > len(confirm) and known.says:
            cited = contradict[:_MOST_CITED]
            reason = "More of the evidence speaks against it than for it."
            found.append(_operation("retire", lessons=number, evidence=cited, reason=reason))
        elif len(confirm) > known.support:
            reason = "The evidence confirms it."
            found.append(_operation("support", lessons=number, evidence=confirm, reason=reason))
    return found, covered


def _merge(desk: Desk) -> list[dict[str, Any]]:
    situations = _situations(desk)
    standing = {known.lesson.alias: rule for known in desk.known if (rule := _as_rule(known))}
    rules = learn(desk.cases, desk.actions, standing.values())
    kept = _kept(rules, standing)
    fresh = [rule for rule in rules if rule not in kept]
    spelling = _spelling(desk.texts)
    replaced: dict[int, Rule] = {}
    for known in desk.known:
        alias = known.lesson.alias
        if alias not in kept.values() and (rule := _heir(known, fresh, situations, desk)):
            replaced[alias] = rule
    found = [_written(rule, replaced, desk, spelling) for rule in fresh]
    judged, _ = _judge(desk, situations, frozenset(kept.values()))
    found += [o for o in judged if o["lessons"][0] not in replaced]
    return found


def _as_rule(known: Known) -> Rule | None:
    """A lesson of the list in the curator's own terms, where it is of that kind."""
    ours = [action for action, sign in known.says.items() if sign > 0]
    if len(ours) != 1 or len(known.lesson.conditions) != 1:
        return None
    only = known.lesson.conditions[0]
    if not only.quoted or len(only.parts) > 2:
        return None
    exceptions = tuple(_cue(part) for c in known.lesson.exceptions for part in c.parts)
    return Rule(tuple(_cue(part) for part in only.parts), ours[0], exceptions)


def _cue(part: frozenset[str]) -> str:
    """The longest feature of a quoted phrase stands for the phrase."""
    return max(sorted(part), key=lambda feature: (feature.count(" "), len(feature)))


def _kept(rules: Sequence[Rule], standing: dict[int, Rule]) -> dict[Rule, int]:
    """Which induced rules are in the list already, exceptions included."""
    by_content = {
        (frozenset(rule.cues), rule.action, frozenset(rule.exceptions)): alias
        for alias, rule in reversed(standing.items())
    }
    found = {}
    for rule in rules:
        key = (frozenset(rule.cues), rule.action, frozenset(rule.exceptions))
        if key in by_content:
            found[rule] = by_content[key]
    return found


def _heir(
    known: Known, fresh: Sequence[Rule], situations: Sequence[Situation], desk: Desk
) -> Rule | None:
    """The new rule that says what a lesson says, for most of the cases that the lesson covers."""
    places = _where(known.lesson, situations, _EXACT)
    best, most = None, 0
    for rule in fresh:
        if known.says.get(rule.action, 0) > 0:
            shared = sum(rule.covers(desk.cases[p].features) for p in places)
            if shared > most and shared * 2 > len(places):
                best, most = rule, shared
    return best


def _written(
    rule: Rule, replaced: dict[int, Rule], desk: Desk, spelling: dict[str, str]
) -> dict[str, Any]:
    """A rule as an operation: revise or merge where it takes the place of lessons, else add."""
    parents = [alias for alias, heir in replaced.items() if heir == rule]
    confirm = _confirming(rule, desk)
    op = "add" if not parents else "revise" if len(parents) == 1 else "merge"
    cues = [spelling.get(cue, cue) for cue in rule.cues]
    exceptions = [spelling.get(cue, cue) for cue in rule.exceptions]
    return _operation(
        op,
        lessons=parents,
        evidence=confirm,
        proposals=_concluded(rule, desk),
        name=short_name(cues, rule.action, desk.actions),
        when="the text mentions " + " and ".join(f'"{cue}"' for cue in cues),
        when_not=(
            "the text mentions " + " or ".join(f'"{cue}"' for cue in exceptions)
            if exceptions
            else ""
        ),
        instruction=f"{desk.verb} {rule.action}",
        reason=f"It was right in {len(confirm)} items that share these words.",
    )


def _confirming(rule: Rule, desk: Desk) -> list[int]:
    """The evidence for a rule: its action was right; if never seen, others were wrong there."""
    told = [e for case in desk.cases if rule.covers(case.features) for e in case.evidence]
    right = {alias for alias, action, good in told if good and action == rule.action}
    others = {alias for alias, action, good in told if not good and action != rule.action}
    return sorted(right or others)


def _concluded(rule: Rule, desk: Desk) -> list[int]:
    """The proposals that a rule takes up."""
    found = []
    for alias, line in desk.proposals:
        lesson = read_lesson(alias, line) if line else None
        if lesson is None or not rule.covers(ordered_features(lesson.condition)):
            continue
        if directions(lesson.instruction, desk.actions).get(rule.action, 0) > 0:
            found.append(alias)
    return found


def _spelling(texts: Sequence[str]) -> dict[str, str]:
    """For each feature the words in which the evidence most often writes it."""
    seen: dict[str, Counter[str]] = {}
    for text in texts:
        for clause in clauses(text):
            run = words(clause)
            places = [n for n, word in enumerate(run) if word not in STOP_WORDS]
            for here, there in zip_longest(places, places[1:]):
                one = stem(run[here])
                seen.setdefault(one, Counter())[run[here]] += 1
                if there is not None:
                    pair = f"{one} {stem(run[there])}"
                    seen.setdefault(pair, Counter())[" ".join(run[here : there + 1])] += 1
    return {feature: found.most_common(1)[0][0] for feature, found in seen.items()}
