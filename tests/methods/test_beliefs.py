"""Who is given which beliefs."""

from verbalrl.methods import beliefs
from verbalrl.records import (
    Instance,
    InstanceView,
    Lesson,
    LessonBody,
    LessonKind,
    Origin,
    Status,
)


def belief(name: str, audience: str, trust: Origin) -> Lesson:
    body = LessonBody(kind=LessonKind.BELIEF, instruction=f"do {name}", audience=audience)
    return Lesson(id=name, scope="t", body=body, status=Status.PROVISIONAL, trust=trust)


def test_analysts_get_trusted_beliefs_of_their_aspect_whatever_they_see() -> None:
    instance = Instance(id="t/train/0", goal="g")
    known = (
        belief("own", "news", Origin.TASK),
        belief("strange", "news", Origin.UNTRUSTED),
        belief("other", "risk", Origin.TASK),
    )
    view = InstanceView(instance, "t", "t#0", lessons=known)
    given = beliefs.guidance(view, ("news", "risk"), 500)
    # What strangers have part in goes in by its condition and within the bounds of recall alone.
    assert {role: spec.force_in for role, spec in given.items()} == {
        "actor": (), "news": ("own",), "risk": ("other",),
    }  # fmt: skip
    assert [given[role].audience for role in ("actor", "news")] == [None, "news"]
