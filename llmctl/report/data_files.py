"""Rows of the store as data: Parquet, CSV, JSON and JSONL, by the ending of a file's name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from llmctl.errors import UsageError
from llmctl.report.query_table import json_lines, write_json_rows
from llmctl.store.shapes import Shape

if TYPE_CHECKING:
    from llmctl.store.found_rows import FoundRows

__all__ = ["ENDINGS", "PARQUET", "check_place", "ending_of", "write_text_file", "write_text_rows"]

PARQUET = ".parquet"
ENDINGS: Sequence[str] = (".csv", ".json", ".jsonl", PARQUET)


def ending_of(path: Path) -> str:
    """The format of a file.

    Raises:
        UsageError: there is none for its ending.
    """
    ending = path.suffix.lower()
    if ending in ENDINGS:
        return ending
    raise UsageError(
        f'No data format has the ending of "{path.name}".', hint=f"Data can be written to {', '.join(ENDINGS)}."
    )


def check_place(path: Path) -> None:
    """Say at once that a file could not stand there.

    Raises:
        UsageError: it names a directory, or one that is not there.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a directory.", hint="Name a file in it.")
    if not path.parent.is_dir():
        raise UsageError(f"There is no directory {path.parent} for {path.name}.", hint="Make it first.")


def write_text_file(path: Path, ending: str, found: FoundRows) -> int:
    """Write the rows to a file that is not there yet; how many.

    Raises:
        OSError: it cannot be written.
    """
    # Excel reads a CSV file as UTF-8 only with a byte order mark; pandas and DuckDB skip it.
    encoding = "utf-8-sig" if ending == ".csv" else "utf-8"
    with path.open("x", encoding=encoding, newline="") as file:
        return write_text_rows(file, ending, found)


def write_text_rows(file: TextIO, ending: str, found: FoundRows) -> int:
    """Write the rows as text; how many.

    CSV has a header. Its text is made safe as on the screen, and begins with `'` where a spreadsheet would take it for
    a formula; JSON and JSONL are exact.
    """
    if ending == ".csv":
        return _write_lines(file, (found.csv_header(),)) - 1 + _write_lines(file, found.lines(Shape.CSV))
    lines = json_lines(found.lines(Shape.JSON), found.columns)
    return write_json_rows(file, lines) if ending == ".json" else _write_lines(file, lines)


def _write_lines(file: TextIO, lines: Iterable[str]) -> int:
    count = 0
    for line in lines:
        file.write(f"{line}\n")
        count += 1
    return count
