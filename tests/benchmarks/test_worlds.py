import pytest

from benchmarks import worlds
from verbalrl.tasks import load_task


@pytest.mark.parametrize("name", worlds.TASKS)
def test_the_bare_loop_has_the_strings_of_the_world(name: str) -> None:
    task, seen = load_task(name), list[worlds.Seen]()
    instances = task.instances("test", 0, 3)
    count = worlds.played(task, instances, seen)
    assert count == len(seen) == worlds.played(task, instances)
    assert all(step.action in step.actions for step in seen)
    texts = [f"{s.observation} {s.action} {s.feedback}" for s in seen]
    assert worlds.bare(seen) == sum(map(len, texts))


def test_each_of_several_works_is_timed() -> None:
    done: list[str] = []
    found = worlds.seconds(lambda: done.append("a"), lambda: done.append("b"))
    assert len(found) == 2
    assert done == ["a", "b"] * worlds.ROUNDS
