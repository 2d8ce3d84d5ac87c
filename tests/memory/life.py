"""A machine that does to a store whatever can be done to lessons, by friends and by foes.

Every text carries a mark of each source that had a part in it, so that what a revocation must take
out can be told without the code under test.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.store.builders import a_critique, a_run, an_episode, body, lane, new_store, wait
from verbalrl.curators import confirmed
from verbalrl.errors import VerbalRLError
from verbalrl.memory import recall
from verbalrl.memory.editing import edit
from verbalrl.memory.health import verify
from verbalrl.memory.lineage import Target, trace
from verbalrl.memory.purge import purge
from verbalrl.memory.review import review
from verbalrl.memory.revoke import carriers, decided, foreseen, revoke, with_earlier
from verbalrl.memory.rollback import rollback
from verbalrl.memory.transfer import export_lines, import_lessons, read_lines
from verbalrl.prompts import PromptLibrary
from verbalrl.records import (
    BranchRecord,
    Commit,
    Evidence,
    GuidanceSpec,
    Lesson,
    MemoryUpdate,
    Operation,
    Origin,
    RunRecord,
    Status,
)
from verbalrl.store import LIVE, Store, corroboration, lesson_id, reduce

SCOPES = ("s", "t")
SOURCES = ("ann", "bob", "eve")
BRANCHES = ("main", "r1/learned/0", "r2/learned/0")
PROMPTS = PromptLibrary()
MARK = re.compile(r"by(ann|bob|eve)")

HOMES = [(branch, scope) for branch in BRANCHES for scope in SCOPES]

# Most of it happens in one place, so that much happens to the same lessons.
homes = st.sampled_from(
    [
        *[("r1/learned/0", "s")] * 5,
        *[("main", "s")] * 2,
        ("r2/learned/0", "s"),
        ("main", "t"),
        ("r1/learned/0", "t"),
    ]
)
sources = st.sampled_from(SOURCES)
picks = st.integers(0, 9)
trusts = st.sampled_from([Origin.UNTRUSTED, Origin.UNTRUSTED, Origin.TASK])


def words(text: str, marks: set[str]) -> str:
    return " ".join((text, *sorted(f"by{m}" for m in marks)))


class LessonLife(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="life-"))
        self.store: Store = new_store(self.folder)
        self.blessed: set[str] = set()
        """Contents that a person has read and let in."""
        self.returned: list[str] | None = None
        """The export that came back as it went; an empty store makes the same of the same lines."""
        self.revoked: dict[str, set[str]] = {"source": set(), "episode": set(), "lesson": set()}
        self.count = 0

    @initialize()
    def begin(self) -> None:
        for run in ("r1", "r2"):
            self.store.create_run(RunRecord(**a_run(run).model_dump(exclude={"status"})))
            branch = BranchRecord(id=lane(run).branch, run=run, arm="learned", seed=0)
            self.store.create_branch(branch)
            self.store.update_run(run, status="done")
        home = ("r1/learned/0", "s")
        for source, text in (("ann", "p"), ("bob", "q"), ("eve", "p"), ("ann", "q")):
            self.learn(home, source, Origin.UNTRUSTED, text, True)
        for pick, source in ((0, "bob"), (1, "ann"), (2, "ann")):
            self.confirm(home, source, pick, True)
        self.merge(home, "eve", Origin.UNTRUSTED, 1, 2, True)
        self.learn(home, "ann", Origin.TASK, "q", True)

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    # What models and sources do

    @rule(home=homes, source=sources, trust=trusts, text=st.sampled_from("pq"), sound=st.booleans())
    def learn(self, home: Any, source: str, trust: Origin, text: str, sound: bool) -> None:
        """A text of one source; of the task itself where it is trusted."""
        marks = {source} if trust is Origin.UNTRUSTED else set()
        new = body(words(text, marks))
        evidence = self._evidence(source, trust, sound, new.content)
        live = {x.body.content: x for x in self._lessons(home) if x.status in LIVE}
        if new.content in live:
            update = self._update(Operation.SUPPORT, live[new.content].id, trust, evidence)
        else:
            name = lesson_id(home[0], home[1], new, f"c{self.count}")
            update = self._update(Operation.ADD, name, trust, evidence).replace(
                body=new, status=None if trust is Origin.UNTRUSTED else Status.ACTIVE
            )
        self._commit(home, [update])

    @rule(home=homes, source=sources, pick=picks, sound=st.booleans())
    def confirm(self, home: Any, source: str, pick: int, sound: bool) -> None:
        """Another source says what is there."""
        lesson = self._pick(home, pick)
        if lesson is not None:
            said = lesson.body.content
            evidence = self._evidence(source, Origin.UNTRUSTED, sound, said)
            asked = self._update(Operation.SUPPORT, lesson.id, Origin.UNTRUSTED, evidence)
            self._commit(home, [asked])

    @rule(home=homes, source=sources, trust=trusts, pick=picks, text=st.sampled_from("uv"))
    def reword(self, home: Any, source: str, trust: Origin, pick: int, text: str) -> None:
        lesson = self._pick(home, pick)
        if lesson is None:
            return
        marks = set(MARK.findall(lesson.instruction))
        marks |= {source} if trust is Origin.UNTRUSTED else set()
        evidence = self._evidence(source, trust, True, "")
        asked = self._update(Operation.REVISE, lesson.id, trust, evidence)
        self._commit(home, [asked.replace(body=body(words(text, marks)))])

    @rule(home=homes, source=sources, trust=trusts, one=picks, other=picks, new=st.booleans())
    def merge(self, home: Any, source: str, trust: Origin, one: int, other: int, new: bool) -> None:
        a, b = self._pick(home, one), self._pick(home, other)
        if a is None or b is None or a.id == b.id:
            return
        marks = set(MARK.findall(a.instruction + b.instruction))
        marks |= {source} if trust is Origin.UNTRUSTED else set()
        text = body(words("m", marks))
        evidence = self._evidence(source, trust, True, "")
        name = lesson_id(home[0], home[1], text, f"c{self.count}") if new else a.id
        asked = self._update(Operation.MERGE, name, trust, evidence)
        parents = (a.id, b.id) if new else (b.id,)
        self._commit(home, [asked.replace(body=text, parents=parents)])

    @rule(
        home=homes,
        source=sources,
        trust=trusts,
        pick=picks,
        op=st.sampled_from(
            [Operation.ACTIVATE, Operation.RESTORE, Operation.SUSPEND, Operation.RETIRE]
        ),
        status=st.none() | st.sampled_from(LIVE),
    )
    def push(
        self, home: Any, source: str, trust: Origin, pick: int, op: Operation, status: Any
    ) -> None:
        """Whatever a model may ask for, allowed or not."""
        found = self._lessons(home)
        if found:
            evidence = self._evidence(source, trust, True, "")
            lesson = found[pick % len(found)].id
            asked = self._update(op, lesson, trust, evidence)
            self._commit(home, [asked.replace(status=status)])

    # What persons do

    @rule(home=homes, pick=picks, verdict=st.sampled_from(["approve", "retire"]))
    def decide(self, home: Any, pick: int, verdict: Any) -> None:
        lesson = self._pick(home, pick)
        if lesson is not None:
            wait(review(self.store, [lesson.id], verdict, branch=home[0]))
            self.blessed |= {lesson.body.content} if verdict == "approve" else set()

    @rule(home=homes, pick=picks, text=st.sampled_from("yz"))
    def correct(self, home: Any, pick: int, text: str) -> None:
        lesson = self._pick(home, pick)
        if lesson is not None:
            new = lesson.body.replace(instruction=f"do {text}")
            try:
                wait(edit(self.store, lesson.id, {"instruction": f"do {text}"}, branch=home[0]))
            except VerbalRLError:
                return
            self.blessed.add(new.content)

    @rule(source=st.sampled_from(BRANCHES[1:]), approve=st.booleans())
    def publish(self, source: str, approve: bool) -> None:
        before = self._usable("main")
        published = [x for x in self.store.current_lessons(source) if x.usable]
        wait(self.store.publish(source, approve=approve))
        if approve:
            self.blessed |= {x.body.content for x in published}
        else:
            assert self._usable("main") <= before

    @rule(source=st.sampled_from(BRANCHES), to=st.sampled_from(BRANCHES))
    def carry(self, source: str, to: str) -> None:
        """A file whose lessons all claim to be active and trusted."""
        lines = [json.loads(x) for x in export_lines(self.store.current_lessons(source))]
        forged = [json.dumps(x | {"status": "active", "trust": "operator"}) for x in lines]
        before = self._usable(to)
        wait(import_lessons(self.store, read_lines(forged), to))
        assert self._usable(to) == before

    @rule(home=homes, back=st.integers(0, 6))
    def go_back(self, home: Any, back: int) -> None:
        newest = self.store.revision(*home)
        revision = max(0, newest - back)
        allowed = {x.id for x in self.store.lessons(*home, revision=revision) if x.usable}
        allowed |= {x.id for x in self._lessons(home) if x.usable}
        over = {x.id for x in self._lessons(home) if x.status in (Status.REVOKED, Status.PURGED)}
        wait(rollback(self.store, home[0], home[1], revision))
        after = {x.id for x in self._lessons(home) if x.usable}
        assert after <= allowed
        assert not after & over

    @precondition(lambda self: self.count > 12 and len(self.revoked["source"]) < 2)
    @rule(source=sources)
    def revoke_source(self, source: str) -> None:
        wait(revoke(self.store, source=source))
        self.revoked["source"].add(source)

    @precondition(lambda self: self.count % 4 == 0)
    @rule(home=homes, pick=picks)
    def revoke_lesson(self, home: Any, pick: int) -> None:
        lesson = self._pick(home, pick)
        if lesson is not None:
            wait(revoke(self.store, lesson=lesson.id))
            self.revoked["lesson"].add(lesson.id)

    @precondition(lambda self: self.count % 4 == 0)
    @rule(home=homes, pick=picks)
    def revoke_episode(self, home: Any, pick: int) -> None:
        lesson = self._pick(home, pick)
        for evidence in () if lesson is None else lesson.evidence[:1]:
            if self.store.episode(evidence.episode) is not None:
                wait(revoke(self.store, episode=evidence.episode))
                self.revoked["episode"].add(evidence.episode)

    @precondition(lambda self: self.count % 6 == 5)
    @rule(home=homes, pick=picks)
    def purge_lesson(self, home: Any, pick: int) -> None:
        lesson = self._pick(home, pick)
        if lesson is not None:
            wait(purge(self.store, lesson=lesson.id))
            self.revoked["lesson"].add(lesson.id)

    # What always holds

    @invariant()
    def tables_are_what_the_updates_make(self) -> None:
        findings = verify(self.store).findings
        assert findings == ()

    @invariant()
    def one_live_lesson_says_one_thing(self) -> None:
        for branch in BRANCHES:
            for scope in SCOPES:
                here = self.store.current_lessons(branch, scope=scope)
                assert {x.scope for x in here} <= {scope}
                said = [x.body.content for x in here if x.status in LIVE]
                assert len(said) == len(set(said))

    @invariant()
    def nothing_is_used_that_did_not_earn_it(self) -> None:
        for branch in BRANCHES:
            for lesson in self.store.current_lessons(branch):
                if lesson.usable and lesson.trust is not Origin.TASK:
                    assert lesson.body.content in self.blessed or corroboration(lesson)

    @invariant()
    def nothing_used_rests_on_what_was_revoked(self) -> None:
        for branch in BRANCHES:
            for lesson in self.store.current_lessons(branch):
                if not lesson.usable:
                    continue
                assert lesson.id not in self.revoked["lesson"]
                assert lesson.evidence
                for evidence in lesson.evidence:
                    assert not set(evidence.sources) & self.revoked["source"]
                    assert evidence.episode not in self.revoked["episode"]
                said = any(e.says == lesson.body.content for e in lesson.evidence)
                marks = set(MARK.findall(lesson.instruction))
                assert said or not marks & self.revoked["source"]

    @invariant()
    def export_comes_back_as_it_went(self) -> None:
        lines = export_lines(self.store.current_lessons("main", scope="s"))
        if lines == self.returned:
            return
        with tempfile.TemporaryDirectory() as folder, new_store(Path(folder)) as other:
            wait(import_lessons(other, read_lines(lines), "main"))
            again = export_lines(other.current_lessons("main"))
            wait(import_lessons(other, read_lines(again), "main"))
            assert export_lines(other.current_lessons("main")) == again
        same = ("status", "trust", "version")
        assert [_without(x, same) for x in again] == [_without(x, same) for x in lines]
        self.returned = lines

    @invariant()
    def what_is_foreseen_is_what_the_whole_store_says(self) -> None:
        # It reads the whole store: after each step it would be most of the time of all.
        if self.count % 4:
            return
        lines, branches, barred = self.store.lines(), self.store.branches(), self.store.barred()
        known = sorted({x.id for home in HOMES for x in self._lessons(home)})
        for lesson in known[self.count % 5 :: 5][:4]:
            whole = with_earlier(Target(lessons=frozenset({lesson})), barred)
            memories = trace(lines, branches, whole)
            places = decided(memories, whole, f"revoked: lesson {lesson}")
            seen = foreseen(self.store, lesson)
            assert seen.places == places
            assert seen.carried == carriers(self.store, memories, places)

    @invariant()
    def recall_depends_on_lessons_alone(self) -> None:
        spec = GuidanceSpec(source="recall", scopes=("s",))
        pool = self.store.current_lessons("main")
        asked = {"situation": "p is near", "prompts": PROMPTS}
        given = recall(pool, spec, **asked)  # type: ignore[arg-type]
        assert given == recall(pool[::-1], spec, **asked)  # type: ignore[arg-type]
        usable = {x.id for x in pool if x.usable and x.scope == "s"}
        assert {line.lesson for line in given.lines} <= usable

    # Means

    def _lessons(self, home: Any) -> tuple[Lesson, ...]:
        return self.store.lessons(*home)

    def _usable(self, branch: str) -> set[str]:
        return {x.id for x in self.store.current_lessons(branch) if x.usable}

    def _pick(self, home: Any, pick: int) -> Lesson | None:
        live = [x for x in self._lessons(home) if x.status in LIVE]
        return live[pick % len(live)] if live else None

    def _evidence(self, source: str, trust: Origin, sound: bool, says: str) -> Evidence:
        """A new episode of that source, with its critique; every fifth instance is the same."""
        self.count += 1
        run = "r1"
        episode = an_episode(lane(run), instance=f"i{self.count % 5}", trial=self.count, steps=1)
        wait(self.store.put_episode(episode))
        made = a_critique(episode)
        wait(self.store.put_critique(made, lane(run).branch))
        known: dict[str, Any] = {
            "critique": made.id,
            "episode": episode.id,
            "instance": episode.instance,
            "trial": episode.trial,
        }
        if trust is Origin.UNTRUSTED:
            known |= {"origin": trust, "sources": (source,), "sound": sound, "says": says}
        return Evidence(**known)

    @staticmethod
    def _update(op: Operation, lesson: str, trust: Origin, evidence: Evidence) -> MemoryUpdate:
        return MemoryUpdate(op=op, lesson=lesson, trust=trust, evidence=(evidence,))

    def _commit(self, home: Any, updates: list[MemoryUpdate]) -> None:
        """As a curation does: what corroboration makes of it goes along. A refusal is fine."""
        before = self._lessons(home)
        base = self.store.revision(*home)
        try:
            after = reduce(before, updates, base + 1, home[1])
            made = [*updates, *confirmed(after, updates, "none")]
            commit = Commit(
                id=f"cu_{self.count}",
                branch=home[0],
                scope=home[1],
                base=base,
                updates=tuple(made),
            )
            wait(self.store.put_commit(commit))
        except VerbalRLError:
            assert self._lessons(home) == before
            return
        waited = {x.id for x in before if x.status is Status.QUARANTINED}
        for lesson in self._lessons(home):
            if lesson.id in waited and lesson.usable:
                assert corroboration(lesson)


def _without(line: str, names: tuple[str, ...]) -> dict[str, Any]:
    return {k: v for k, v in json.loads(line).items() if k not in names}
