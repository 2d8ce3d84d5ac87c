"""Writes data files in the layouts that people have, at realistic size."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Fields = Mapping[str, Any]


def lines(path: Path, rows: Iterable[Fields]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def array(path: Path, rows: Iterable[Fields]) -> Path:
    path.write_text(json.dumps(list(rows)), encoding="utf-8")
    return path


def humaneval(count: int = 164) -> list[dict[str, Any]]:
    return [
        {
            "task_id": f"HumanEval/{n}",
            "prompt": f'def add_{n}(x: int) -> int:\n    """Return x plus {n}."""\n',
            "entry_point": f"add_{n}",
            "canonical_solution": f"    return x + {n}\n",
            "test": f"def check(candidate):\n    assert candidate(1) == {n + 1}\n",
        }
        for n in range(count)
    ]


def mbpp(count: int = 20) -> list[dict[str, Any]]:
    return [
        {
            "task_id": n,
            "text": f"Write a function that multiplies by {n}.",
            "code": f"def times(x):\n    return x * {n}\n",
            "test_list": [f"assert times(2) == {2 * n}", f"assert times(0) == {0}"],
        }
        for n in range(1, count + 1)
    ]


def multipl(count: int = 20) -> list[dict[str, Any]]:
    return [
        {
            "name": f"mbpp_{n}_times",
            "prompt": f'def times(x):\n    """Multiply by {n}."""\n',
            "tests": f"def check(candidate):\n    assert candidate(2) == {2 * n}\n",
            "entry_point": "times",
        }
        for n in range(1, count + 1)
    ]


def real() -> list[dict[str, Any]]:
    """HumanEval-like rows with what the published file has: helpers, several tests, recursion."""
    helper = "def double(s: str) -> str:\n    return s + s\n\n\n"
    return [
        {
            "task_id": "HumanEval/helper",
            "prompt": f'{helper}def halve(s: str) -> str:\n    """Undo double."""\n',
            "entry_point": "halve",
            "canonical_solution": "    return s[: len(s) // 2]\n",
            "test": "METADATA = {}\n\n\ndef check(candidate):\n    for n in range(20):\n"
            "        text = 'ab' * n\n        assert candidate(double(text)) == text\n",
        },
        {
            "task_id": "HumanEval/itself",
            "prompt": "from typing import List\n\n\ndef sums(x: List[int]) -> List[float]:\n"
            '    """Sums."""\n',
            "entry_point": "sums",
            "canonical_solution": "    return [sum(x[: n + 1]) / 1 for n in range(len(x))]\n",
            "test": "def check(candidate):\n    assert candidate([]) == []\n"
            "    assert abs(candidate([1, 2])[1] - 3.0) < 1e-6\n    assert sums([5]) == [5.0]\n",
        },
    ]


def gsm8k(count: int = 1000) -> list[dict[str, Any]]:
    numbers = (f"{n:,}" if n % 3 else str(-n) for n in range(1000, 1000 + count))
    return [
        {
            "question": f"Shop {n} sold 3 crates and then took some back. What is the balance?",
            "answer": f"It is <<1+1=2>>2 and so on.\n#### {number}",
        }
        for n, number in enumerate(numbers)
    ]


def hotpot(count: int = 100, hub: bool = False) -> list[dict[str, Any]]:
    found = []
    for n in range(count):
        titles = [f"River {n}", f"Town {n}", f"Bridge {n}"]
        sentences = [
            [f"River {n} is a river.", f"It flows by Town {n}."],
            [f"Town {n} is a town.", f"Its mayor is Ada Reed the {n}th.", "It has a river."],
            [f"Bridge {n} crosses the river."],
        ]
        pairs = [[t, s] for t, s in zip(titles, sentences, strict=True)]
        context: Any = {"title": titles, "sentences": sentences} if hub else pairs
        key = "id" if hub else "_id"
        answer = "yes" if n % 10 == 0 else f"Ada Reed the {n}th"
        question = f"Who is mayor of the town by which River {n} flows?"
        found.append({key: f"q{n}", "question": question, "answer": answer, "context": context})
    return found


def sql_folder(folder: Path, *, bird: bool = False, databases: int = 5) -> Path:
    rows: list[dict[str, Any]] = []
    for d in range(databases):
        name = f"club_{d}"
        place = folder / "database" / name
        place.mkdir(parents=True)
        connection = sqlite3.connect(place / f"{name}.sqlite")
        connection.execute("create table member(name text, age int, city text)")
        people = [(f"m{n}", 20 + n * (d + 1), ("Porto", "Graz")[n % 2]) for n in range(8)]
        connection.executemany("insert into member values (?, ?, ?)", people)
        # Latin-1 bytes, as in some published databases.
        connection.execute("insert into member values (cast(x'4af67267' as text), 99, 'Bonn')")
        connection.commit()
        connection.close()
        queries = [
            ("How many members are there?", "select count(*) from member"),
            ("Who lives in Graz?", "select name from member where city = 'Graz'"),
            ("Names by age?", "select name from member order by age desc"),
            ("Who is 99?", "select name from member where age = 99"),
        ]
        for question, query in queries:
            row = {"db_id": name, "question": question}
            if bird:
                row |= {"SQL": query, "evidence": "age is in years", "difficulty": "simple"}
                row["question_id"] = str(len(rows))
            else:
                row["query"] = query
            rows.append(row)
    array(folder / "dev.json", rows)
    array(folder / "tables.json", [])
    return folder
