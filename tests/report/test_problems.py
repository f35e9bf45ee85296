"""Mistakes in users' files, as they are shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmctl.errors import Place, Problem, ProjectError, Severity, UsageError
from llmctl.report.problems import SHOWN_PROBLEMS, render_error, render_problems
from tests.report.samples import HOSTILE, controls, printed

PROMPT = Path("prompts/triage.yaml")


def shown(*problems: Problem, width: int = 80) -> str:
    return printed(lambda console: render_problems(console, problems), width)


def test_place_sentence_line_caret_and_hint() -> None:
    problem = Problem(
        'Unknown key "temprature" in params.',
        Place(PROMPT, 4, 10),
        'Did you mean "temperature"?',
        "params: {temprature: 0, max_tokens: 24}",
    )
    assert (
        shown(problem)
        == """\
prompts/triage.yaml:4:10
  error: Unknown key "temprature" in params.
    4 | params: {temprature: 0, max_tokens: 24}
      |          ^
    Did you mean "temperature"?

1 error.
"""
    )


def test_errors_stand_before_warnings_and_both_are_counted() -> None:
    text = shown(
        Problem("This variable is never used.", Place(PROMPT, 2), severity=Severity.WARNING),
        Problem("This cell is empty.", Place(Path("testbanks/triage.csv"), cell="row 41, column queue")),
        Problem("There is no test bank."),
    )
    assert (
        text
        == """\
testbanks/triage.csv (row 41, column queue)
  error: This cell is empty.

  error: There is no test bank.

prompts/triage.yaml:2
  warning: This variable is never used.

2 errors, 1 warning.
"""
    )


def test_no_problems_print_nothing() -> None:
    assert shown() == ""


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize("column", [1, 5, 70, 81, 200, 390, 400, 401])
def test_of_a_long_line_the_part_around_the_column_is_shown(column: int, width: int) -> None:
    line = "".join(f"{number:<10}" for number in range(40))[:399] + "!"
    excerpt, caret = shown(Problem("Wrong.", Place(PROMPT, 12, column), None, line), width=width).split("\n")[2:4]
    assert len(excerpt) <= width
    assert len(caret) <= width + 1
    position = caret.index("^")
    if column <= len(line):
        assert excerpt[position] == line[column - 1] or (line[column - 1] == " " and position >= len(excerpt))
    else:
        assert position == len(excerpt)


@pytest.mark.parametrize(
    ("line", "column", "under"),
    [
        ("\tkey: value", 2, "key"),
        ("a\r\nkey: 1", 4, "key"),
        ("字字key: 1", 3, "key"),
        ("\x1b[0mkey: 1", 5, "key"),
        ("a\u202ekey", 3, "key"),
    ],
)
def test_the_caret_counts_cells_not_characters(line: str, column: int, under: str) -> None:
    from rich.cells import cell_len

    excerpt, caret = shown(Problem("Wrong.", Place(PROMPT, 1, column), None, line)).split("\n")[2:4]
    assert cell_len(excerpt[: excerpt.index(under)]) == caret.index("^")


def test_a_column_beyond_the_line_has_no_caret() -> None:
    assert "^" not in shown(Problem("Wrong.", Place(PROMPT, 1, 99), None, "short"))


def test_long_sentences_wrap_at_words() -> None:
    text = shown(Problem("word " * 40, Place(PROMPT, 1, 1), "hint " * 40))
    assert all(len(line) <= 80 for line in text.split("\n"))
    assert "wor\n" not in text
    assert "hin\n" not in text


def test_of_a_flood_the_first_are_shown() -> None:
    text = shown(*(Problem(f"Problem {number}.") for number in range(SHOWN_PROBLEMS + 7)))
    assert f"Problem {SHOWN_PROBLEMS - 1}." in text
    assert f"Problem {SHOWN_PROBLEMS}." not in text
    assert text.endswith("57 errors (7 not shown; `llmctl validate` shows all).\n")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_in_a_file_reaches_the_terminal_as_a_control(hostile: str) -> None:
    place = Place(Path(f"prompts/{hostile[:40].replace(chr(0), '')}.yaml"), 1, 3, hostile)
    text = shown(Problem(hostile, place, hostile, hostile), Problem(hostile, None, hostile))
    assert controls(text) == []


def test_one_error_is_a_sentence_and_a_way_out() -> None:
    error = UsageError("There is no prompt [triag].", hint='Did you mean "triage"?')
    text = printed(lambda console: render_error(console, error))
    assert text == 'Error: There is no prompt [triag].\nDid you mean "triage"?\n'


def test_an_error_with_problems_shows_them() -> None:
    text = printed(lambda console: render_error(console, ProjectError([Problem("Wrong.", Place(PROMPT, 1, 1))])))
    assert text == "prompts/triage.yaml:1:1\n  error: Wrong.\n\n1 error.\n"
