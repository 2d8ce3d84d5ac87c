"""What the readers' tests read: one run, two seeds, a critique of every status, both kinds."""

from pathlib import Path
from typing import Any

from verbalrl.records import (
    Action,
    BranchRecord,
    Cause,
    Commit,
    Critique,
    Decision,
    Episode,
    EpisodeSpec,
    Evidence,
    Guidance,
    GuidanceLine,
    LaneKey,
    LessonBody,
    LessonKind,
    LessonProposal,
    MemoryUpdate,
    Observation,
    Operation,
    Origin,
    Refusal,
    Reward,
    RunRecord,
    Status,
    Step,
    StopReason,
    Trajectory,
    Usage,
    Use,
)
from verbalrl.store import lesson_id, open_store

RUN = "run_aaaa000001"
SCOPE = "toy-v1"
INSTANCE = "toy-v1/train/0"
BRANCH = f"{RUN}/learned/0"
EVIL = "look\x1b[2J\rhere\u202e"

ARM = {
    "episodes": 2,
    "errors": 0,
    "unknown": 0,
    "instances": 1,
    "success_rate": 1.0,
    "ci95": None,
    "success_by_trial": [0.0, 1.0],
    "oracle_stopped": False,
    "vs_retry": None,
    "tokens": {"actor": {"input": 10, "cached": 0, "output": 4}},
    "lessons": {"active": 2},
}
FIGURES: dict[str, Any] = {
    "run": RUN,
    "task": SCOPE,
    "method": "reflexion",
    "model": "offline:apprentice",
    "simulated": True,
    "seeds": [0, 1],
    "split": {"train": 1, "test": 0, "reported": "train"},
    "arms": {"learned": ARM},
    "status": "done",
    "stop_reason": "",
}


def episode(trial: int, *, success: bool, seed: int = 0, arm: str = "learned") -> Episode:
    spec = EpisodeSpec(instance=INSTANCE, trial=trial)
    step = Step(
        n=1,
        observation=Observation(text=f"{EVIL} trial {trial}"),
        action=Action(text="go left", lessons_used=(1,)),
        feedback="a wall",
    )
    line = GuidanceLine(alias=1, lesson="le_x", when="at a wall", instruction="turn")
    use = Use(
        lesson="le_x",
        version=1,
        content="c0",
        rank=1,
        outcome="injected",
        block="volatile",
        tokens=9,
        parts={"bm25": 0.5, "effect": 0.0, "diversity": -0.1, "score": 0.4},
    )
    left = use.replace(lesson="le_y", rank=2, outcome="trust", block=None, probability=0.8)
    given = Guidance(volatile=(line,), uses=(use, left), left_out=3, tokens=9)
    return Episode(
        id=spec.id(LaneKey(run=RUN, arm=arm, seed=seed)),
        run=RUN,
        arm=arm,
        seed=seed,
        spec=spec,
        trajectory=Trajectory(steps=(step,), final=Observation(text="the end")),
        success=success,
        reward=Reward(value=float(success)),
        stop_reason=StopReason.TERMINATED,
        guidance={"actor": given} if trial > 1 else {},
        usage={"actor": Usage(input=5, output=2, calls=1)},
    )


def critique(number: int, of: Episode, **changes: Any) -> Critique:
    made = Critique(
        id=f"cr_{number:020d}",
        episodes=(of.id,),
        instance=INSTANCE,
        trial=of.trial,
        template="critic/critique",
        status="accepted",
        verdict="failure",
        causes=(Cause(step=1, trial=of.trial, quote="a wall", why="it never turned"),),
        proposals=(LessonProposal(when="at a wall", instruction="turn right", step=1),),
        model="offline:apprentice",
    )
    return made.replace(**changes)


def commit(kind: LessonKind, scope: str, of: Critique) -> Commit:
    body = LessonBody(kind=kind, name="turning", when="at a wall", instruction="turn right")
    identity = f"cu_{kind}"
    evidence = Evidence(
        critique=of.id, episode=of.episodes[0], instance=INSTANCE, trial=of.trial, step=1
    )
    update = MemoryUpdate(
        op=Operation.ADD,
        lesson=lesson_id(BRANCH, scope, body, identity),
        body=body,
        status=Status.ACTIVE,
        trust=Origin.TASK,
        evidence=(evidence,),
        critiques=(of.id,),
        reason="seen once",
    )
    return Commit(
        id=identity, branch=BRANCH, scope=scope, base=0, updates=(update,), critiques=(of.id,)
    )


async def fill(place: Path) -> None:
    with open_store(place, create=True) as store:
        record = RunRecord(
            id=RUN,
            task=SCOPE,
            method="reflexion",
            model="offline:apprentice",
            simulated=True,
            config={"task": SCOPE, "agent": "mine"},
        )
        store.create_run(record)
        for seed in (0, 1):
            identity = f"{RUN}/learned/{seed}"
            store.create_branch(BranchRecord(id=identity, run=RUN, arm="learned", seed=seed))
        failed, solved = episode(1, success=False), episode(2, success=True)
        for made in (failed, solved, episode(1, success=True, seed=1)):
            await store.put_episode(made)
        good = critique(1, failed)
        refused = {"status": "refused", "refusal": Refusal.ABSENT_QUOTE, "detail": EVIL}
        for said in (good, critique(2, failed, sample=1, **refused)):
            await store.put_critique(said, BRANCH)
        other = critique(3, solved, status="failed", detail="no reply")
        await store.put_critique(other, BRANCH)
        await store.put_commit(commit(LessonKind.REFLECTION, INSTANCE, good))
        await store.put_commit(commit(LessonKind.BEHAVIOR, SCOPE, good))
        await store.put_decision(Decision(id="fr_1", branch=BRANCH, kind="freeze"))
        store.update_run(RUN, status="done", result=FIGURES)
