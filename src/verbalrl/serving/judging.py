"""A look of the gate `measured` at what was served, after learning."""

from __future__ import annotations

from ..effects import Ledger, judge
from ..ids import key_id
from ..memory import gate
from ..records import Commit
from ..store import MAIN, Store


async def judge_served(store: Store, scope: str, owner: str) -> tuple[Commit, ...]:
    """The commit that the outcomes of the episodes served in `scope` ask for; mostly none.

    Nothing recurs here, so episodes are compared within a week. Raises `LeaseError` while somebody
    else changes the lessons of main.
    """
    trials = store.served_trials(scope)
    if not trials:
        return ()
    effects = judge(Ledger.of(trials))
    with store.acquire_lease(MAIN, owner) as lease:
        base = store.revision(MAIN, scope)
        updates = gate.decisions(store.lessons(MAIN, scope), effects)
        if not updates:
            return ()
        identity = key_id("ju", MAIN, scope, base, [u.lesson for u in updates])
        made = Commit(id=identity, branch=MAIN, scope=scope, base=base, updates=updates)
        return (await store.put_commit(made, lease.fence),)
