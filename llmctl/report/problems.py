"""Mistakes in users' files: the place, the line itself with a caret, the sentence, and the way out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmctl.errors import LlmctlError, Problem, ProjectError, Severity
from llmctl.report.layout import Cell, block, show, styled
from llmctl.report.numbers import count
from llmctl.safe_text import one_line, safe_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["SHOWN_PROBLEMS", "error_text", "problems_text", "render_error", "render_problems"]

SHOWN_PROBLEMS = 50
"""A spreadsheet with a wrong column has a problem in every row: the first ones tell it all."""

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow"}


def render_problems(console: Console, problems: Sequence[Problem], *, limit: int | None = SHOWN_PROBLEMS) -> None:
    """Print the problems at the console's width, at most `limit` of them (None: all)."""
    show(console, problems_text(problems, console.width, limit=limit))


def render_error(console: Console, error: LlmctlError) -> None:
    """Print one error: its sentence and its way out, or every problem that it carries."""
    show(console, error_text(error, console.width))


def error_text(error: LlmctlError, width: int) -> Text:
    """`Error: ` and the sentence, and below it what to do."""
    if isinstance(error, ProjectError):
        text = problems_text(error.problems, width)
    else:
        text = block("Error:", Cell(error.message), width, indent=0, column=7)
        text.stylize("bold red", 0, len("Error:"))
    if error.hint:
        text.append_text(block("", Cell(error.hint), width, indent=0, column=0))
    return text


def problems_text(problems: Sequence[Problem], width: int, *, limit: int | None = SHOWN_PROBLEMS) -> Text:
    """Errors first, then warnings, each in the order in which it was found; the last line counts them."""
    ordered = sorted(problems, key=lambda problem: problem.severity is Severity.WARNING)
    text = styled("")
    for problem in ordered[:limit]:
        text.append_text(_problem(problem, width))
        text.append("\n")
    if ordered:
        text.append_text(_counted(ordered, limit))
    return text


def _problem(problem: Problem, width: int) -> Text:
    text = styled("")
    if problem.place is not None:
        text.append(f"{safe_text(str(problem.place)).replace(chr(10), ' ')}\n", style="bold")
    label = f"{problem.severity.value}:"
    sentence = block(label, Cell(problem.message), width, indent=2, column=len(label) + 1)
    sentence.stylize(_STYLES[problem.severity], 2, 2 + len(label))
    text.append_text(sentence)
    if problem.excerpt is not None and problem.excerpt.strip():
        text.append_text(_excerpt(problem.excerpt, problem, width))
    if problem.hint:
        text.append_text(block("", Cell(problem.hint), width, indent=4, column=0))
    return text


def _excerpt(line: str, problem: Problem, width: int) -> Text:
    """The line with a caret under its column; of a long line the part around the column."""
    place = problem.place
    number = str(place.line) if place is not None and place.line is not None else ""
    column = place.column if place is not None and place.line is not None else None
    gutter = f"    {number} | "
    room = max(width - len(gutter), 20)
    line = line.replace("\r", " ").replace("\n", " ")
    start = _start(line, column or 1, room)
    shown = one_line(("... " if start else "") + line[start:], room)
    text = styled(gutter, "dim")
    text.append(f"{shown}\n")
    if column is not None and start <= column - 1 <= len(line):
        text.append(f"    {' ' * len(number)} | ", style="dim")
        text.append(" " * _cells(("... " if start else "") + line[start : column - 1]) + "^\n", style="bold red")
    return text


def _start(line: str, column: int, room: int) -> int:
    """Where to begin, so that the column and a third of the room after it can be seen."""
    if _cells(line) <= room or _cells(line[: column - 1]) <= 2 * room // 3:
        return 0
    start = max(column - 1 - room // 2, 0)
    while start < column - 1 and _cells(line[start : column - 1]) > 2 * room // 3:
        start += 1  # wide or escaped characters
    return start


def _cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(safe_text(text.replace("\t", " ")))


def _counted(problems: Sequence[Problem], limit: int | None) -> Text:
    counts = Counter(problem.severity for problem in problems)
    parts = [
        f"{count(number)} {severity.value}{'' if number == 1 else 's'}"
        for severity in Severity
        if (number := counts[severity])
    ]
    hidden = 0 if limit is None else len(problems) - limit
    more = f" ({count(hidden)} not shown; `llmctl validate` shows all)" if hidden > 0 else ""
    return styled(f"{', '.join(parts)}{more}.\n", _STYLES[problems[0].severity])
