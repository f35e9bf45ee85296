"""Excel tables: the first visible sheet, its values as the spreadsheet last computed them."""

from __future__ import annotations

import itertools
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO

from llmctl.canonical import written
from llmctl.project.tables.cells import CellRow, column_letters, named_rows
from llmctl.project.tables.records import Row, Table

if TYPE_CHECKING:
    from openpyxl.workbook import Workbook

__all__ = ["xlsx_rows"]

_MAX_UNPACKED_MB = 500
_MAX_CELLS = 20_000_000
_OLE = b"\xd0\xcf\x11\xe0"
_INT64 = range(-(2**63), 2**63)
_FORMULA = re.compile(rb"<(?:\w+:)?f[ />]")
_LONGEST_TAG = 100
_CHUNK_BYTES = 1 << 20


class _SheetError(Exception):
    """The workbook cannot be read any further; says why."""


def xlsx_rows(stream: BinaryIO, table: Table) -> Iterator[Row]:
    """The rows of an `.xlsx` file: dates as ISO 8601 text, whole numbers without `.0`, an empty cell as empty text."""
    try:
        formulas = _check_archive(stream)
        yield from _read(stream, formulas, table)
    except _SheetError as error:
        table.refuse(str(error), hint="Save it again as .xlsx, or export the sheet as CSV.")
    except Exception as error:
        # openpyxl meets damage with every kind of exception there is: KeyError, TypeError, ParseError, BadZipFile.
        kind = type(error).__name__
        table.refuse(
            f"The file is not an .xlsx workbook, or it is damaged ({kind}).",
            hint="Save it again as .xlsx, or export the sheet as CSV.",
        )


def _check_archive(stream: BinaryIO) -> bool:
    """Whether any sheet holds formulas."""
    if stream.read(len(_OLE)) == _OLE:
        raise _SheetError("The file is an old .xls workbook or is protected by a password.")
    with zipfile.ZipFile(stream) as archive:
        if sum(member.file_size for member in archive.infolist()) > _MAX_UNPACKED_MB * 2**20:
            raise _SheetError(f"The workbook unpacks to more than {_MAX_UNPACKED_MB} MB.")
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/") and name.endswith(".xml")]
        return any(_holds_formula(archive, name) for name in sheets)


def _holds_formula(archive: zipfile.ZipFile, sheet: str) -> bool:
    end = b""
    with archive.open(sheet) as content:
        while chunk := content.read(_CHUNK_BYTES):
            text = end + chunk
            if _FORMULA.search(text):
                return True
            end = text[-_LONGEST_TAG:]
    return False


def _read(stream: BinaryIO, formulas: bool, table: Table) -> Iterator[Row]:
    with ExitStack() as stack:
        book = stack.enter_context(closing(_open(stream, values=True)))
        index = next((i for i, sheet in enumerate(book.worksheets) if sheet.sheet_state == "visible"), None)
        if index is None:
            raise _SheetError("The workbook has no visible sheet.")
        sources: Iterator[Sequence[Any]] = iter(())
        if formulas:
            sources = _cells(stack.enter_context(closing(_open(stream, values=False))), index)
        yield from named_rows(table, _rows(_cells(book, index), sources, table), short_rows=True)


def _open(stream: BinaryIO, *, values: bool) -> Workbook:
    import openpyxl

    with _quiet():
        return openpyxl.load_workbook(stream, read_only=True, data_only=values, keep_links=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings of styles, extensions and dates that it does not keep: only values are read here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _rows(computed: Iterator[Sequence[Any]], formulas: Iterator[Sequence[Any]], table: Table) -> Iterator[CellRow]:
    """The rows of the sheet; those with a cell that says nothing certain are refused and left out."""
    total = 0
    for number, (row, sources) in enumerate(itertools.zip_longest(computed, formulas, fillvalue=()), start=1):
        total += len(row)
        if total > _MAX_CELLS:
            raise _SheetError(f"The sheet has more than {_MAX_CELLS:,} cells.")
        if _uncertain(row, sources, number, table):
            if number == 1:
                raise _SheetError("Row 1 must name the columns.")
            continue
        cells = [_text_or_value(cell) for cell in row]
        while cells and cells[-1] == "":
            cells.pop()
        yield CellRow(cells, number)


def _cells(book: Workbook, index: int) -> Iterator[Sequence[Any]]:
    sheet = book.worksheets[index]
    # Some programs write a wrong size into the sheet, and rows beyond it would be lost without a word.
    sheet.reset_dimensions()
    rows = sheet.iter_rows()
    while True:
        with _quiet():  # not around a `yield`: it holds for the whole process
            row = next(rows, None)
        if row is None:
            return
        yield row


def _uncertain(row: Sequence[Any], sources: Sequence[Any], number: int, table: Table) -> bool:
    found = False
    for index, (cell, source) in enumerate(itertools.zip_longest(row, sources)):
        if cell is not None and cell.data_type == "e":
            message = f"The cell holds the error {cell.value}."
        elif source is not None and source.data_type == "f" and (cell is None or cell.value is None):
            message = "The formula in the cell has no stored value."
        else:
            continue
        name = table.columns[index] if index < len(table.columns) else column_letters(index)
        hint = "Open the file in a spreadsheet program, correct it and save it."
        table.refuse(message, table.at(number, None, name), hint)
        found = True
    return found


def _text_or_value(cell: Any) -> object:
    from openpyxl.utils.escape import unescape

    value = cell.value
    match value:
        case None:
            return ""
        case str():
            return unescape(value) if "_x" in value else value
        case float() if value.is_integer() and int(value) in _INT64:
            return int(value)
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return str(value)
        case bool() | int() | float():
            return value
        case _:
            return written(value)
