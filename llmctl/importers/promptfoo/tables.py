"""Tables that a config names: CSV and spreadsheets, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import PurePosixPath

from llmctl.errors import Problem, Severity
from llmctl.importers.promptfoo.config import At, Reader, refusal
from llmctl.project.tables import Row, read_table

__all__ = ["table_rows"]

_FIRST_SHEET = frozenset({"", "1"})


def table_rows(reader: Reader, named: str, at: At) -> Iterator[Row]:
    """The rows of a table; `book.xlsx#Sheet` names a sheet, of which only the first can be read.

    Raises:
        ProjectError: it cannot be read.
    """
    file, _, sheet = named.partition("#")
    path = PurePosixPath(reader.files.path(file, at.place))
    if sheet not in _FIRST_SHEET:
        raise refusal(f"Only the first sheet of {path} can be read, not `{sheet}`.", at.place)
    problems: list[Problem] = []
    with reader.files.tree.open(path, asked_at=at.place) as stream:
        table = read_table(stream, path, problems)
        with closing(table.rows):
            yield from table.rows
    reader.files.read_paths.append(path)
    for problem in problems:
        if problem.severity is Severity.ERROR:
            reader.notes.left_out(str(path), problem.message, problem.place)
