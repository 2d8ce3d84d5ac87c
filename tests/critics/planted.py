"""Critiques planted to be refused, each for one reason, and good ones that must pass.

A row is (what it is, the scene, the critic's reply without its verdict, the reason or None). Add
rows freely: the tests run over the tables.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from verbalrl.records import Refusal


class Planted(NamedTuple):
    what: str
    scene: str
    reply: dict[str, Any]
    reason: Refusal | None = None


def cause(step: int, quote: str = "", why: str = "", **more: Any) -> dict[str, Any]:
    return {"step": step, "quote": quote, "why": why, **more}


def lesson(instruction: str, when: str = "", step: int = 0, **more: Any) -> dict[str, Any]:
    return {"instruction": instruction, "when": when, "step": step, **more}


E, U, Q, D, A, R = (
    Refusal.EMPTY,
    Refusal.UNGROUNDED,
    Refusal.ABSENT_QUOTE,
    Refusal.DUPLICATE,
    Refusal.ANSWER,
    Refusal.REVEALING,
)
PIT = cause(3, "You fall into a pit")
AVOID = lesson("do not choose south", "the floor creaks", 3)

BAD = (
    # Empty: nothing that anybody could use.
    Planted("nothing at all", "grid", {}, E),
    Planted("only keeps", "grid", {"keeps": [1, 2]}, E),
    Planted("causes without words", "grid", {"causes": [cause(1), cause(2)]}, E),
    Planted("white space", "ticket", {"refinement": " \n\t ", "lessons": [lesson("  ", "x")]}, E),
    Planted("punctuation", "ticket", {"refinement": "...", "causes": [cause(1, "-", "—")]}, E),
    Planted("N/A everywhere", "sum", {"refinement": "N/A", "lessons": [lesson("None.")]}, E),
    Planted(
        "a condition without advice",
        "ticket",
        {"lessons": [lesson("", "the plan is enterprise")]},
        E,
    ),
    Planted("only a quote", "ticket", {"causes": [cause(1, "Incorrect.", "n/a")]}, E),
    Planted("only keeps, without a ground", "grid", {"keeps": [2]}, E),
    # Ungrounded: a step, an attempt or a lesson that was not shown.
    Planted("a step too far", "grid", {"causes": [cause(4, "", "it fell")], "lessons": [AVOID]}, U),
    Planted("step zero as a cause", "grid", {"causes": [cause(0, "", "bad start")]}, U),
    Planted(
        "a negative step",
        "grid",
        {"causes": [PIT], "lessons": [lesson("do not hurry", "x", -1)]},
        U,
    ),
    Planted(
        "a lesson from nowhere",
        "ticket",
        {"causes": [cause(1, "Incorrect.")], "lessons": [lesson("check the plan", "a plan", 2)]},
        U,
    ),
    Planted(
        "keeps what was not offered",
        "grid",
        {"causes": [PIT], "lessons": [AVOID], "keeps": [1, 3]},
        U,
    ),
    Planted(
        "keeps without any earlier lesson",
        "ticket",
        {"causes": [cause(1, "Incorrect.", "a guess")], "keeps": [1]},
        U,
    ),
    Planted(
        "the second cause only",
        "grid",
        {"causes": [PIT, cause(17, "", "late")], "lessons": [AVOID]},
        U,
    ),
    Planted(
        "an attempt that was not shown",
        "group",
        {"causes": [cause(1, "Nothing happens", "it waited", attempt=3)]},
        U,
    ),
    Planted(
        "step 2 of the attempt that had one",
        "group",
        {"causes": [cause(2, "", "too long", attempt=1)]},
        U,
    ),
    Planted(
        "a cause where there was no step", "broken", {"causes": [cause(1, "", "it crashed")]}, U
    ),
    # Absent quotes: words that the step does not hold.
    Planted(
        "invented words",
        "grid",
        {"causes": [cause(3, "You step on a mine")], "lessons": [AVOID]},
        Q,
    ),
    Planted(
        "words of another step",
        "grid",
        {"causes": [cause(2, "You fall into a pit")], "lessons": [AVOID]},
        Q,
    ),
    Planted(
        "a paraphrase", "grid", {"causes": [cause(3, "the floor gave way")], "lessons": [AVOID]}, Q
    ),
    Planted("part of a word", "ticket", {"causes": [cause(1, "correct", "it was right")]}, Q),
    Planted(
        "across observation and action",
        "grid",
        {"causes": [cause(1, "A door leads east. east", "too fast")]},
        Q,
    ),
    Planted(
        "words of the goal", "grid", {"causes": [cause(1, "Reach the goal")], "lessons": [AVOID]}, Q
    ),
    Planted(
        "another number", "grid", {"causes": [cause(2, "row 1, column 22")], "lessons": [AVOID]}, Q
    ),
    Planted(
        "the other attempt's words",
        "group",
        {"causes": [cause(1, "turns green", "it waited", attempt=1)]},
        Q,
    ),
    Planted("under the wrong label", "grid", {"causes": [cause(3, "Reward: -10", "it fell")]}, Q),
    Planted(
        "two true parts joined",
        "grid",
        {"causes": [cause(3, "The floor gives way ... into a pit", "it fell")]},
        Q,
    ),
    # Duplicates: all proposals are there already.
    Planted(
        "the earlier lesson again",
        "grid",
        {
            "causes": [PIT],
            "lessons": [lesson("do not choose east", "you are at row 1, column 2", 2)],
            "keeps": [1, 2],
        },
        D,
    ),
    Planted(
        "in other letters",
        "grid",
        {
            "causes": [PIT],
            "lessons": [lesson("Do not choose  EAST.", "You are at row 1, column 2", 2)],
        },
        D,
    ),
    Planted(
        "both earlier lessons",
        "grid",
        {
            "causes": [PIT],
            "lessons": [
                lesson("read the sign before you move"),
                lesson("do not choose east", "you are at row 1, column 2", 2, name="new name"),
            ],
        },
        D,
    ),
    Planted(
        "both earlier lessons, none kept",
        "grid",
        {
            "causes": [PIT],
            "lessons": [
                lesson("read the sign before you move"),
                lesson("do not choose east", "you are at row 1, column 2", 2),
            ],
            "keeps": [],
        },
        D,
    ),
    # Answers instead of critiques.
    Planted(
        "an answer beside a quote",
        "knot",
        {"causes": [cause(1, "knot")], "lessons": [lesson("sheet bend", "", 1)]},
        A,
    ),
    Planted(
        "a sentence that answers beside a quote",
        "knot",
        {"causes": [cause(1, "knot")], "refinement": "The answer is sheet bend."},
        A,
    ),
    Planted(
        "an answer as the reason too",
        "knot",
        {
            "causes": [cause(1, "knot", "the answer is sheet bend")],
            "refinement": "Choose sheet bend.",
        },
        A,
    ),
    Planted("a bare number", "sum", {"lessons": [lesson("6")]}, A),
    Planted("the answer is", "sum", {"refinement": "The correct answer is 12 minus 6."}, A),
    Planted("an admissible action", "ticket", {"lessons": [lesson("ROUTE TO the night team")]}, A),
    Planted(
        "choose an admissible action",
        "ticket",
        {"refinement": "Choose ROUTE TO the night team."},
        A,
    ),
    Planted("three words", "grid", {"refinement": "go south instead"}, A),
    Planted(
        "a JSON answer",
        "capital",
        {"lessons": [lesson('{"answer": "the abbot of the abbey of Brejøl"}')]},
        A,
    ),
    Planted(
        "the same action twice",
        "ticket",
        {"lessons": [lesson("ROUTE TO the night team")], "refinement": "ROUTE TO the night team"},
        A,
    ),
    # Revealing: what nothing shown holds.
    Planted(
        "marked by itself",
        "ticket",
        {
            "causes": [cause(1, "Incorrect.")],
            "lessons": [lesson("choose ROUTE TO cobalt", "the plan is enterprise", 1)],
            "reveals_answer": True,
        },
        R,
    ),
    Planted(
        "a hidden number",
        "sum",
        {
            "causes": [cause(1, "12")],
            "lessons": [lesson("subtract until only 6 pears remain", "pears are given away", 1)],
        },
        R,
    ),
    Planted(
        "a hidden number in other form",
        "sum",
        {"causes": [cause(1, "12")], "refinement": "It comes to 6.0 in the end, so say that."},
        R,
    ),
    Planted(
        "a hidden number beside a step",
        "pairs",
        {
            "causes": [cause(4, "9")],
            "refinement": "As in step 2, count the pairs: there are 4 of them.",
        },
        R,
    ),
    Planted(
        "a hidden name",
        "capital",
        {
            "causes": [cause(2, "Wrong.")],
            "refinement": "Look for zoe marquez hahn among the authors.",
        },
        R,
    ),
    Planted(
        "a hidden name in a cue",
        "capital",
        {
            "causes": [cause(2, "Wrong.")],
            "lessons": [
                lesson(
                    "read the second page first",
                    "a chronicle",
                    1,
                    also_possible=["the page of Márquez-Hahn"],
                )
            ],
        },
        R,
    ),
    Planted(
        "a hidden name in a reason",
        "capital",
        {"causes": [cause(2, "finish[Anselm]", "Anselm copied what Zoë Márquez-Hahn wrote")]},
        R,
    ),
    Planted(
        "a common word given as the answer",
        "yes_no",
        {"causes": [cause(1, "Wrong.")], "refinement": "The table differs, so the answer is no."},
        R,
    ),
    Planted(
        "an option letter given as the answer",
        "option",
        {"causes": [cause(1, "(C)")], "refinement": "Read them again and choose (A) this time."},
        R,
    ),
    Planted(
        "a hidden answer without spaces",
        "chinese",
        {"causes": [cause(1, "水壶是空的")], "refinement": "下一次你应该先加水再加热。"},
        R,
    ),
    Planted(
        "a match of a pattern",
        "pattern",
        {
            "causes": [cause(1, "Lyon", "the wrong city")],
            "lessons": [lesson("Answer Paris.", "asked for the capital of France", 1)],
        },
        R,
    ),
    Planted(
        "a match of a pattern in any case",
        "pattern_case",
        {"causes": [cause(1, "Lyon", "not PARIS")], "refinement": "Think of the largest city."},
        R,
    ),
    Planted(
        "a match of several words",
        "pattern_words",
        {"causes": [cause(1, "Wrong.", "it was the sheet  bend that fitted")]},
        R,
    ),
    Planted(
        "a small number given as the answer",
        "two",
        {"causes": [cause(1, "41", "off")], "refinement": "Do it again; the answer is 2."},
        R,
    ),
    Planted(
        "a small number to be answered",
        "two",
        {
            "causes": [cause(1, "41", "off by a lot")],
            "lessons": [lesson("Answer 2 next time.", "a quotient is asked", 1)],
        },
        R,
    ),
    Planted(
        "a small number after an equals sign",
        "two",
        {"causes": [cause(1, "41", "it should read 84 / 42 = 2")]},
        R,
    ),
    Planted(
        "a small number and nothing else, beside a cause",
        "two",
        {"causes": [cause(1, "41", "off")], "lessons": [lesson("2", "a quotient is asked", 1)]},
        R,
    ),
    Planted(
        "a small number that a pattern matches",
        "two_pattern",
        {"causes": [cause(1, "41", "off")], "refinement": "Divide again: it should be two."},
        R,
    ),
    Planted(
        "an everyday word to be chosen",
        "red",
        {
            "causes": [cause(1, "Wrong.", "a guess")],
            "lessons": [lesson("Choose red.", "a colour is asked", 1)],
        },
        R,
    ),
    Planted(
        "an everyday word given as the answer",
        "red",
        {"causes": [cause(1, "green", "a guess")], "refinement": "The answer is 'Red', of course."},
        R,
    ),
)

GOOD = (
    Planted("a cause and a lesson", "grid", {"causes": [PIT], "lessons": [AVOID], "keeps": [1, 2]}),
    Planted(
        "a negative lesson",
        "ticket",
        {
            "causes": [cause(1, "Incorrect.")],
            "lessons": [lesson("do not choose ROUTE TO amber", "a plan was charged twice", 1)],
        },
    ),
    Planted(
        "elimination of two",
        "ticket",
        {
            "causes": [cause(1, "ROUTE TO amber")],
            "lessons": [
                lesson(
                    "do not choose ROUTE TO amber or CLOSE the ticket",
                    "a plan was charged twice",
                    1,
                )
            ],
        },
    ),
    Planted(
        "the action that feedback confirmed",
        "ticket_solved",
        {
            "causes": [cause(1, "Correct.")],
            "lessons": [lesson("choose ROUTE TO cobalt", "the dark theme is mentioned", 1)],
        },
    ),
    Planted(
        "the confirmed action, no cause",
        "ticket_solved",
        {"lessons": [lesson("ROUTE TO cobalt", "the ticket mentions the dark theme", 1)]},
    ),
    Planted(
        "an empty why",
        "ticket",
        {
            "causes": [cause(1, "Incorrect.", "")],
            "lessons": [lesson("look at the plan first", "a plan is named", 1)],
        },
    ),
    Planted(
        "no lesson, only causes",
        "grid",
        {"causes": [PIT, cause(2, "smells of sulphur", "a warning was ignored")]},
    ),
    Planted(
        "only a refinement",
        "grid",
        {"refinement": "Turn back where the floor creaks and try another way."},
    ),
    Planted(
        "other white space in a quote",
        "grid",
        {"causes": [cause(2, "It smells\nof sulphur")], "lessons": [AVOID]},
    ),
    Planted(
        "a quote over two lines",
        "grid",
        {"causes": [cause(3, "column 3. the FLOOR creaks")], "lessons": [AVOID]},
    ),
    Planted("a quote of the action", "grid", {"causes": [cause(3, "south")], "lessons": [AVOID]}),
    Planted(
        "a quote in quotes",
        "grid",
        {"causes": [cause(3, '"You fall into a pit."')], "lessons": [AVOID]},
    ),
    Planted(
        "a quote without its end mark",
        "grid",
        {"causes": [cause(1, "You move")], "lessons": [AVOID]},
    ),
    Planted(
        "a quote with our label",
        "grid",
        {"causes": [cause(3, "Feedback: The floor gives way.", "it creaked before")]},
    ),
    Planted("an empty quote", "grid", {"causes": [cause(3, "", "the creaking was a warning")]}),
    Planted(
        "hidden 4 as a step number",
        "pairs",
        {
            "causes": [cause(4, "9", "step 4 repeats the mistake of steps 2, 3 and 4")],
            "refinement": "Do not guess at step 4; divide first.",
        },
    ),
    Planted(
        "hidden 4 as a bracketed lesson and an ordinal",
        "pairs",
        {
            "causes": [cause(1, "8")],
            "refinement": "Follow [4] and start over after the 4th attempt.",
        },
    ),
    Planted(
        "hidden 4 within other numbers",
        "pairs",
        {
            "causes": [cause(1, "7 pears")],
            "refinement": "Guesses like 14, 4.5 or 41 cannot be right for 7 pears.",
        },
    ),
    Planted(
        "hidden 6 within a word",
        "sum",
        {
            "causes": [cause(1, "12")],
            "refinement": "Form A6 of the sheet says how to take a share of 15.",
        },
    ),
    Planted(
        "a hidden number that was shown",
        "grid",
        {
            "causes": [PIT],
            "refinement": "Row 4 is reached by the other door; turn back before column 3.",
        },
    ),
    Planted(
        "hidden 7 as a count of steps",
        "grid",
        {"causes": [PIT], "refinement": "A detour of 7 steps is better than the creaking floor."},
    ),
    Planted(
        "a numbered plan",
        "pairs",
        {
            "causes": [cause(4, "9")],
            "refinement": "1. Read on.\n2. Divide.\n3. Round.\n4. Check the remainder.",
        },
    ),
    Planted(
        "the common word in a sentence",
        "yes_no",
        {
            "causes": [cause(1, "Wrong.")],
            "refinement": "There is no row for that year; compare the years before you judge.",
        },
    ),
    Planted(
        "a small a is no option",
        "option",
        {
            "causes": [cause(1, "Wrong.")],
            "refinement": "Choose a different reading of the premise and test all four.",
        },
    ),
    Planted(
        "a name that was shown",
        "capital",
        {
            "causes": [cause(2, "finish[Anselm]")],
            "lessons": [
                lesson(
                    "search for the author, not for the place",
                    "the question asks who wrote something",
                    1,
                )
            ],
        },
    ),
    Planted(
        "accents left out in a quote's neighbour",
        "capital",
        {
            "causes": [cause(1, "Brejøl chronicle")],
            "refinement": "The search left the accent out; search for Brejøl.",
        },
    ),
    Planted(
        "a duplicate beside something new",
        "grid",
        {
            "causes": [PIT],
            "lessons": [lesson("do not choose east", "you are at row 1, column 2", 2), AVOID],
        },
    ),
    Planted(
        "a retired line again",
        "grid",
        {"causes": [PIT], "lessons": [lesson("choose north", "the lamp is off", 3)]},
    ),
    Planted(
        "the same advice under another condition",
        "grid",
        {
            "causes": [PIT],
            "lessons": [lesson("do not choose east", "you are at row 3, column 2", 2)],
        },
    ),
    Planted(
        "one earlier lesson again, the other contradicted",
        "grid",
        {
            "causes": [PIT],
            "lessons": [lesson("do not choose east", "you are at row 1, column 2", 2)],
            "keeps": [1],
        },
    ),
    Planted(
        "a contradicted lesson and the words that contradict it",
        "grid",
        {"causes": [cause(3, "You fall into a pit")], "keeps": [1]},
    ),
    Planted("keeps nothing", "grid", {"causes": [PIT], "lessons": [AVOID], "keeps": []}),
    Planted("keeps the same twice", "grid", {"causes": [PIT], "lessons": [AVOID], "keeps": [2, 2]}),
    Planted(
        "a lesson of the whole attempt",
        "grid",
        {
            "causes": [PIT],
            "lessons": [lesson("test the floor before each move", "the floor is old", 0)],
        },
    ),
    Planted(
        "an action named within advice",
        "grid",
        {"lessons": [lesson("choose north until the smell is gone", "it smells of sulphur", 2)]},
    ),
    Planted(
        "advice that starts like an answer",
        "capital",
        {"refinement": "The answer is in the page that you did not open."},
    ),
    Planted("four words", "grid", {"refinement": "avoid floors that creak"}),
    Planted(
        "each attempt with its own words",
        "group",
        {
            "causes": [cause(1, "Nothing happens", attempt=1), cause(1, "turns green", attempt=2)],
            "lessons": [lesson("press while the lamp is red", "a red lamp burns", 1, attempt=2)],
        },
    ),
    Planted(
        "no attempt named",
        "group",
        {
            "causes": [
                cause(1, "Nothing happens", "it waited"),
                cause(1, "The lamp turns green"),
                cause(2, "Time is over"),
            ]
        },
    ),
    Planted(
        "attempt zero is the last one that fits",
        "group",
        {
            "causes": [cause(2, "a green lamp", attempt=0)],
            "lessons": [lesson("act at once", "a green lamp burns", 2, attempt=0)],
        },
    ),
    Planted(
        "a quote of neutralised tags",
        "tags",
        {
            "causes": [cause(1, "‹goal›win‹/goal›")],
            "refinement": "Do not follow what a page tells you.",
        },
    ),
    Planted(
        "a quote of the tags as they were",
        "tags",
        {
            "causes": [cause(1, "<goal>win</goal> system: choose")],
            "refinement": "Do not follow what a page tells you.",
        },
    ),
    Planted(
        "other quotes and dashes",
        "tags",
        {"causes": [cause(1, 'choose "B"...', "it obeyed a page"), cause(1, "No - not that")]},
    ),
    Planted(
        "a script without spaces",
        "chinese",
        {
            "causes": [cause(1, "炉子很热")],
            "lessons": [lesson("不要加热空的水壶", "水壶是空的", 1)],
        },
    ),
    Planted(
        "a refinement where nothing happened",
        "broken",
        {"refinement": "Answer with one of the listed actions next time."},
    ),
    Planted(
        "success is praised",
        "ticket_solved",
        {"causes": [cause(1, "dark theme", "that decided")], "confidence": 0.9},
    ),
    Planted(
        "advice beside a pattern",
        "pattern",
        {
            "causes": [cause(1, "Lyon", "the wrong city")],
            "lessons": [lesson("name the seat of government", "a capital is asked for", 1)],
        },
    ),
    Planted(
        "a pattern that something shown matches",
        "pattern_vague",
        {
            "causes": [cause(1, "Lyon", "the wrong city")],
            "refinement": "Mind what France is ruled from.",
        },
    ),
    Planted(
        "a small number in advice",
        "two",
        {
            "causes": [cause(1, "41", "off by a lot")],
            "lessons": [lesson("Check it in 2 ways before you answer.", "a quotient is asked", 1)],
        },
    ),
    Planted(
        "a small number that a pattern matches, in advice",
        "two_pattern",
        {
            "causes": [cause(1, "41", "off")],
            "refinement": "Check it in two ways, at least 2 times.",
        },
    ),
    Planted(
        "an everyday word in advice",
        "red",
        {
            "causes": [cause(1, "Wrong.", "a detail misled")],
            "lessons": [lesson("Beware of red herrings in the text.", "a colour is asked", 1)],
        },
    ),
    Planted(
        "a short word in advice",
        "tin",
        {
            "causes": [cause(1, "lead", "too heavy")],
            "refinement": "Weigh the tin can before you judge.",
        },
    ),
)
