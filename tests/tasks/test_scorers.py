import time

import pytest

from verbalrl import rewards
from verbalrl.errors import UnknownNameError
from verbalrl.tasks.patterns import MAX_TEXT, compile_pattern
from verbalrl.tasks.scorers import Exact, Numeric, Regex, load_scorer, scorer_for

SAME = [
    ("2,125", "$2125"),
    ("2125", "2125.00"),
    ("2125", "2,125"),
    ("1234567", "1,234,567"),
    ("50%", "50 percent"),
    ("50%", "50\\%"),
    ("3/4", ".75"),
    ("1 1/2", "1.5"),
    ("1/3", "2/6"),
    ("-3", "−3"),
    ("-5", "$-5"),
    ("-5", "-$5"),
    ("5", "€5"),
    ("5", "5€"),
    ("1000", "1e3"),
    ("15", "The answer is 15 apples."),
    ("15", "12 + 3 = 15."),
    ("89", "83 - 13 = 70\n70 + 19 = 89\n89"),
    ("15", "2 boxes of 12 give … #### 15"),
    ("7", "**7**"),
    ("7", "First 3, then 4. Answer: 7"),
    ("15", "(15)"),
]
DIFFERENT = [
    ("50%", "0.5"),
    ("50%", "50"),
    ("3", "-3"),
    ("-3", "3"),
    ("$5", "€5"),
    ("15", "12 15"),
    ("15", ""),
    ("15", "fifteen"),
    ("3", "1/0"),
    ("2.5", "2,5"),
    ("1234", "1,23,4"),
    ("12", "x12"),
    ("1", "1.2.3"),
    ("15", "$15 per box of 12"),
    ("1", "1e99999999999"),
]


@pytest.mark.parametrize(("expected", "given"), SAME)
def test_numbers_that_are_the_same(expected: str, given: str) -> None:
    assert Numeric().problem(expected) == ""
    assert Numeric().judge(expected, given).right


@pytest.mark.parametrize(("expected", "given"), DIFFERENT)
def test_numbers_that_are_not(expected: str, given: str) -> None:
    assert not Numeric().judge(expected, given).right


def test_numeric_says_why_it_read_no_number() -> None:
    assert "no number" in Numeric().judge("5", "five").why
    assert "several" in Numeric().judge("5", "4 or 5").why
    assert "several" in Numeric().judge("5", "2 + 2 = 4\n5").why
    assert Numeric().judge("5", "4").why == ""
    assert Numeric().reading("3/6 %") == "It would be read as the number 1/2 percent."


def test_long_text_is_read_in_time() -> None:
    started = time.perf_counter()
    for text in ("1" * 100_000, "1," * 50_000, " 1/" * 50_000, "-$ " * 50_000, "answer is" * 9999):
        Numeric().judge("5", text)
    assert time.perf_counter() - started < 1.0


@pytest.mark.parametrize("given", ["Paris", " paris. ", '"Paris"', "**PARIS**", "PARIS!"])
def test_exact_folds_what_does_not_count(given: str) -> None:
    assert Exact().judge("Paris", given).right


@pytest.mark.parametrize("given", ["", "Lyon", "Paris or Lyon", "It is Paris", " . "])
def test_exact_is_exact(given: str) -> None:
    assert not Exact().judge("Paris", given).right


def test_regex_matches_the_whole_answer() -> None:
    judge = Regex().judge
    assert judge("/par(is|ee)/i", "Paris.").right
    assert judge(r"/a\/b/", "a/b").right
    assert not judge("/par(is|ee)/", "Paris").right
    assert not judge("/paris/", "not paris").right
    assert not judge("/.*/", "").right
    assert "longer" in judge("/a*/", "a" * (MAX_TEXT + 1)).why


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("(a+)+b", "repeats a repeat"),
        ("(a?){50}", "repeats a repeat"),
        (r"(\w+\s?)*$", "repeats a repeat"),
        ("(?=(a+)+)b", "repeats a repeat"),
        ("(a|aa)+", "repeats a choice"),
        ("(?:x(?:a|aa))*", "repeats a choice"),
        ("a*a*a*a*b", "open repeats"),
        (r"(a)\1", "refers back"),
        ("(?P<x>a)(?P=x)", "refers back"),
        ("(a)(?(1)b|c)", "refers back"),
        ("(", "does not compile"),
        ("a**", "does not compile"),
        ("a{1,99999999999}", "does not compile"),
        ("x" * 301, "longer"),
    ],
)
def test_patterns_that_could_run_for_ever_are_refused(pattern: str, found: str) -> None:
    with pytest.raises(ValueError, match=found) as caught:
        compile_pattern(pattern)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "pattern", ["(ab|cd)?x", "[a-c]{3}", "(?:ab){2,}", "(?i)abc", ".*a.*", r"\d{1,3}", "(?>a+)b"]
)
def test_ordinary_patterns_pass(pattern: str) -> None:
    compile_pattern(pattern)


@pytest.mark.parametrize("pattern", ["[ab]*[ac]*[ad]*e", ".*.*.*x", r"(?:\w*)(?:\w*)(?:\w*)!"])
def test_the_worst_patterns_that_pass_end_soon(pattern: str) -> None:
    compiled = compile_pattern(pattern)
    started = time.perf_counter()
    compiled.fullmatch("a" * MAX_TEXT)
    assert time.perf_counter() - started < 2.0


@pytest.mark.parametrize(
    ("expected", "name"),
    [
        ("42", "numeric"),
        ("$4.50", "numeric"),
        ("-3/4", "numeric"),
        ("50%", "numeric"),
        ("Paris", "exact"),
        ("12 apples", "exact"),
        ("007", "exact"),
        ("0.5", "numeric"),
        ("2024-01-05", "exact"),
        ("/par(is|ee)/i", "regex"),
        ("/usr/bin/", "exact"),
    ],
)
def test_the_scorer_follows_from_how_the_answer_is_written(expected: str, name: str) -> None:
    assert scorer_for(expected) == name
    assert rewards.load_scorer(name) is load_scorer(name)


def test_unknown_scorer() -> None:
    with pytest.raises(UnknownNameError, match="numeric"):
        load_scorer("numerik")
