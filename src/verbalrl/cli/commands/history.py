"""`verbalrl history`: a lesson from the critique that it stems from to the prompts that had it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...records import Critique
from ...store import Borne, Line, Store, Version, borne
from ...view.lineage import uses_of
from ..options import reader
from ..output import emit_json, heading, one_line, plural, say, success_word
from ..reading import find_lesson, opened, shown_lesson
from ..telling import attempt, place, rule, tell_lesson, tell_update

_SHOWN = 20


@click.command()
@click.argument("lesson")
@click.option("--branch", metavar="BRANCH", help="Only on this branch.")
@click.option("--all", "whole", is_flag=True, help=f"All it has, not {_SHOWN} of each.")
@reader
def history(lesson: str, branch: str | None, whole: bool, store: Path, as_json: bool) -> None:
    """Tell the life of a lesson.

    The critiques that it rests on, its versions, changes and uses.
    """
    with opened(store) as kept:
        name = find_lesson(kept, lesson)
        if branch is not None:
            kept.branch(branch)
        found: dict[str, Any] = {
            "lesson": shown_lesson(kept, name, branch),
            "critiques": _critiques(kept, name),
            "versions": list(kept.versions(name, branch)),
            "lines": [x for x in kept.lines(lesson=name) if branch in (None, x.branch)],
            "uses": borne(kept.carried([name])),
        }
    if as_json:
        emit_json(_summary(name, found))
        return
    if found["lesson"] is not None:
        tell_lesson(found["lesson"], shown=None)
    shown = None if whole else _SHOWN
    _tell_critiques(found["critiques"], shown)
    _tell_versions(found["versions"])
    heading("changes")
    for line in found["lines"]:
        say(f"revision {line.revision} of branch {line.branch}, {line.at}", indent=2)
        tell_update(line.update)
    _tell_uses(found["uses"], shown)


def _critiques(store: Store, lesson: str) -> list[Critique]:
    cited = (e.critique for line in store.lines(lesson=lesson) for e in line.update.evidence)
    found = (store.critique(name) for name in dict.fromkeys(cited))
    return [critique for critique in found if critique is not None]


def _tell_critiques(critiques: list[Critique], shown: int | None) -> None:
    heading(f"rests on {plural(len(critiques), 'critique')}")
    for critique in critiques[:shown]:
        say(
            f"{critique.id}  {critique.verdict}, {critique.instance} trial {critique.trial}",
            indent=2,
        )
        for cause in critique.causes[:3]:
            say(one_line(cause.why, 160), indent=4)
    _tell_more(len(critiques), shown)


def _tell_more(count: int, shown: int | None) -> None:
    if shown is not None and count > shown:
        say(f"and {count - shown} more; --all has them", indent=2)


def _tell_versions(versions: list[Version]) -> None:
    heading(plural(len(versions), "version"))
    for version in versions:
        say(f"{version.number}  {rule(version.body)}", indent=2)


def _tell_uses(uses: tuple[Borne, ...], shown: int | None) -> None:
    injected = [u for u in uses if u.outcome == "injected"]
    prompts, episodes = sum(u.prompts for u in injected), plural(len(injected), "episode")
    left, said = len(uses) - len(injected), uses_of(uses).caveat
    told = bool(said) and all(use.simulated for use in uses)
    """Whether the heading says it of all."""
    heading(
        f"in {plural(prompts, 'prompt')} of {episodes}, left out of {left}{said and '; ' + said}"
    )
    for use in uses[::-1][:shown]:
        chance = "" if use.probability == 1.0 else f", probability {use.probability:g}"
        say(
            f"{use.episode}  version {use.version} {use.outcome}{chance}, "
            f"{plural(use.prompts, 'prompt')}: {attempt(use.episode, use.instance, use.trial)}, "
            f"{success_word(use.success)}{' (simulated)' if use.simulated and not told else ''}",
            indent=2,
        )
    _tell_more(len(uses), shown)


def _summary(name: str, found: dict[str, Any]) -> dict[str, Any]:
    lesson = found["lesson"]
    lines: list[Line] = found["lines"]
    return {
        "id": name,
        "lesson": None if lesson is None else lesson.model_dump(mode="json"),
        "from": [place(e) for e in (lesson.evidence if lesson else ())],
        "critiques": [c.model_dump(mode="json") for c in found["critiques"]],
        "versions": [v._asdict() | {"body": v.body.model_dump()} for v in found["versions"]],
        "changes": [x._asdict() | {"update": x.update.model_dump(mode="json")} for x in lines],
        "uses": [u._asdict() for u in found["uses"]],
    }
