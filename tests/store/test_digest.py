"""Digests see what was done and learned; not when, in which order, or under which name."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.store.builders import (
    a_commit,
    a_critique,
    add,
    an_episode,
    body,
    change,
    lane,
    new_store,
    open_lane,
    seen,
    wait,
)
from verbalrl.records import (
    Critique,
    Episode,
    LessonProposal,
    Operation,
    Origin,
    Reward,
    Status,
    StopReason,
    ToolCallPart,
    Usage,
)
from verbalrl.store import Store, episodes_digest, lesson_id, memory_digest

SCOPES = ("gridnav-v1", "gridnav-v1/i1", "gridnav-v1/i2")


def learn(store: Store, run: str, order: random.Random) -> str:
    """The same run under another name, its scopes and episodes in another order of arrival."""
    key = lane(run)
    branch = open_lane(store, key)
    ids = [lesson_id(branch, s, body(s), run) for s in SCOPES]
    episodes = [
        an_episode(key, f"i{i}", t, lesson=ids[0], usage={"actor": Usage(input=order.randrange(9))})
        for i in (1, 2, 3)
        for t in (1, 2)
    ]
    chosen = episodes[-1].spec.replace(candidate=1, selected_from=(episodes[-1].id,))
    episodes.append(episodes[-1].replace(spec=chosen, id=chosen.id(key)))
    order.shuffle(episodes)
    for episode in episodes:
        wait(store.put_episode(episode))
        made = a_critique(episode, keeps=(ids[1],), shown=(ids[1],), raw=str(order.random()))
        wait(store.put_critique(made, branch))
    scopes = list(zip(SCOPES, ids, strict=True))
    order.shuffle(scopes)
    for scope, identity in scopes:
        first = add(identity, scope, evidence=(seen(run=run), seen("i2", run=run)))
        name = f"{run}{scope}"
        wait(store.put_commit(a_commit(branch, 0, first, scope=scope, identity=name)))
        other = f"{identity}x"
        later = change(
            Operation.SUPERSEDE, other, body=body(scope + "!"), parents=(identity,), reason=run
        )
        wait(store.put_commit(a_commit(branch, 1, later, scope=scope, identity=f"{name}2")))
    return branch


def test_digests_do_not_depend_on_ids_order_or_store(tmp_path: Path) -> None:
    memory, episodes = set(), set()
    for n in range(3):
        with new_store(tmp_path / str(n)) as store:
            for run in (f"a{n}", f"b{n}"):
                branch = learn(store, run, random.Random(f"{run}"))
                memory.add(store.memory_digest(branch))
                episodes.add(store.episodes_digest(run, "learned", 0))
    assert len(memory) == len(episodes) == 1
    for digest in (*memory, *episodes):
        version, _, hexadecimal = digest.partition(":")
        assert version == "d1"
        assert len(bytes.fromhex(hexadecimal)) == 32


def test_digest_of_a_child_is_that_of_what_it_reads(store: Store) -> None:
    branch = learn(store, "r1", random.Random(0))
    child = open_lane(store, lane("r2"), parent=branch)
    assert store.memory_digest(child) == store.memory_digest(branch)
    support = change(Operation.SUPPORT, store.lessons(child, SCOPES[0])[1].id)
    for name in (child, branch):
        wait(store.put_commit(a_commit(name, 2, support, scope=SCOPES[0])))
    assert store.memory_digest(child) == store.memory_digest(branch)
    assert store.memory_digest("main") == memory_digest([])


@pytest.mark.parametrize(
    "changes",
    [
        {"body": body("other")},
        {"body": body("a", name="another name")},
        {"status": Status.PROVISIONAL},
        {"trust": Origin.OPERATOR},
        {"votes": {"support": 3}},
        {"evidence": (seen("i9"),)},
        {"evidence": (seen(step=9),)},
    ],
)
def test_memory_digest_sees(store: Store, changes: dict[str, object]) -> None:
    digests = set()
    for name, update in (("r1", add("le_1", "a")), ("r2", add("le_1", "a").replace(**changes))):
        branch = open_lane(store, lane(name))
        wait(store.put_commit(a_commit(branch, 0, update)))
        digests.add(store.memory_digest(branch))
    assert len(digests) == 2


def test_memory_digest_ignores_use_and_confidence(store: Store) -> None:
    branch = open_lane(store)
    wait(store.put_commit(a_commit(branch, 0, add("le_1"))))
    before = store.memory_digest(branch)
    wait(store.put_episode(an_episode(lesson="le_1")))
    assert store.memory_digest(branch) == before


def with_action(episode: Episode, text: str, call: str = "t1") -> Episode:
    step = episode.trajectory.steps[0]
    part = ToolCallPart(id=call, name="f", arguments="{}")
    action = step.action.replace(text=text, parts=(part,))
    steps = (step.replace(action=action), *episode.trajectory.steps[1:])
    return episode.replace(trajectory=episode.trajectory.replace(steps=steps))


Digest = Callable[[Episode, Critique], str]


def digest_of(episode: Episode, critique: Critique) -> str:
    return episodes_digest([episode], [critique], {"le_x": "c1", "le_y": "c2"})


def test_a_digest_is_made_in_order() -> None:
    first, second = an_episode(instance="i1"), an_episode(instance="i2")
    assert episodes_digest([first, second], [], {}) != episodes_digest([first], [], {})
    with pytest.raises(ValueError, match="in order"):
        episodes_digest([second, first], [], {})


def test_a_successor_is_named_by_its_text_wherever_it_stands(store: Store) -> None:
    branch = open_lane(store, lane())
    old, new = (lesson_id(branch, scope, body(scope), "x") for scope in SCOPES[:2])
    for scope, identity in zip(SCOPES, (old, new), strict=False):
        wait(store.put_commit(a_commit(branch, 0, add(identity, scope), scope=scope)))
    kept = [x for scope in SCOPES[:2] for x in store.lessons(branch, scope)]
    plain = memory_digest(kept)
    followed = [kept[0].replace(successor=new), kept[1]]
    back = [kept[0], kept[1].replace(successor=old)]
    assert len({plain, memory_digest(followed), memory_digest(back)}) == 3
    gone = [kept[0].replace(successor="le_gone"), kept[1]]
    assert memory_digest(gone) == plain


def test_episodes_digest_sees_what_was_done() -> None:
    episode = with_action(an_episode(), "up")
    critique = a_critique(episode)
    guidance = episode.guidance["actor"]
    use = guidance.uses[0]
    spec = episode.spec
    others = [
        (with_action(episode, "down"), critique),
        (episode.replace(reward=Reward(value=0.0)), critique),
        (episode.replace(success=True), critique),
        (episode.replace(spec=spec.replace(trial=2)), critique),
        (episode.replace(spec=spec.replace(selected_from=(episode.id,))), critique),
        (
            episode.replace(
                spec=spec.replace(
                    guidance={"actor": spec.guidance["actor"].replace(force_in=("le_y",))}
                )
            ),
            critique,
        ),
        (
            episode.replace(
                guidance={"actor": guidance.replace(uses=(use.replace(content="other"),))}
            ),
            critique,
        ),
        (
            episode.replace(
                guidance={"actor": guidance.replace(uses=(use.replace(outcome="withheld"),))}
            ),
            critique,
        ),
        (episode, critique.replace(proposals=(LessonProposal(instruction="other"),))),
        (episode, critique.replace(keeps=("le_x",))),
        (episode, critique.replace(status="refused", refusal="empty")),
        (episode, critique.replace(scores={episode.id: 0.25})),
        (episode, critique.replace(scores={episode.id: 0.5})),
    ]
    digests = [digest_of(e, c) for e, c in [(episode, critique), *others]]
    assert len(set(digests)) == len(digests)


def test_episodes_digest_does_not_see_names_costs_and_what_was_left_out() -> None:
    episode = with_action(an_episode(), "up")
    critique = a_critique(episode, keeps=("le_x",))
    said = critique.proposals
    guidance = episode.guidance["actor"]
    fewer = guidance.replace(uses=guidance.uses[:1], left_out=7)
    same = [
        (with_action(episode, "up", call="t2"), critique),
        (episode.replace(usage={}, generation=3, revision={}), critique),
        (episode.replace(stop_reason=StopReason.TRUNCATED), critique),
        (episode.replace(guidance={**episode.guidance, "actor": fewer}), critique),
        (episode, critique.replace(id="cr_9", usage=Usage(input=9), raw="x", model="m")),
        (episode.replace(id="ep_9"), critique.replace(episodes=("ep_9",))),
        (episode, critique.replace(proposals=tuple(p.replace(episode="ep_9") for p in said))),
    ]
    assert {digest_of(e, c) for e, c in same} == {digest_of(episode, critique)}


def test_scores_count_by_the_place_of_their_episode_and_not_by_its_id() -> None:
    episode = with_action(an_episode(), "up")
    scored = a_critique(episode).replace(scores={episode.id: 0.5})
    elsewhere = scored.replace(episodes=("ep_9",), scores={"ep_9": 0.5})
    assert digest_of(episode, scored) == digest_of(episode.replace(id="ep_9"), elsewhere)
