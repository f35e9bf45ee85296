"""Excel tables: the first visible sheet, its values as the spreadsheet last computed them."""

from __future__ import annotations

import io
import itertools
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date, datetime, time, timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from llmctl.canonical import written
from llmctl.project.tables.cells import CellRow, add_cell_rows, column_letters
from llmctl.project.tables.records import Table, TableBuilder

if TYPE_CHECKING:
    from openpyxl.workbook import Workbook

__all__ = ["read_xlsx"]

_MAX_UNPACKED_MB = 500
_MAX_CELLS = 20_000_000
_OLE = b"\xd0\xcf\x11\xe0"
_INT64 = range(-(2**63), 2**63)
_FORMULA = re.compile(rb"<(?:\w+:)?f[ />]")


class _SheetError(Exception):
    """The workbook cannot be read any further; says why."""


def read_xlsx(data: bytes, path: PurePosixPath) -> Table:
    """Read an `.xlsx` file: dates as ISO 8601 text, whole numbers without `.0`, an empty cell as empty text."""
    builder = TableBuilder(path, text_rows=True)
    try:
        formulas = _check_archive(data)
        with warnings.catch_warnings():
            # It warns of styles and extensions that it does not keep; only values are read here.
            warnings.simplefilter("ignore")
            _read(data, formulas, builder)
    except _SheetError as error:
        builder.refuse(str(error), hint="Save it again as .xlsx, or export the sheet as CSV.")
    except Exception as error:
        # openpyxl meets damage with every kind of exception there is: KeyError, TypeError, ParseError, BadZipFile.
        kind = type(error).__name__
        builder.refuse(
            f"The file is not an .xlsx workbook, or it is damaged ({kind}).",
            hint="Save it again as .xlsx, or export the sheet as CSV.",
        )
    return builder.table()


def _check_archive(data: bytes) -> bool:
    """Whether any sheet holds formulas."""
    if data.startswith(_OLE):
        raise _SheetError("The file is an old .xls workbook or is protected by a password.")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(member.file_size for member in archive.infolist()) > _MAX_UNPACKED_MB * 2**20:
            raise _SheetError(f"The workbook unpacks to more than {_MAX_UNPACKED_MB} MB.")
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/") and name.endswith(".xml")]
        return any(_FORMULA.search(archive.read(name)) for name in sheets)


def _read(data: bytes, formulas: bool, builder: TableBuilder) -> None:
    with closing(_open(data, values=True)) as book, closing(_open(data, values=not formulas)) as source:
        index = next((i for i, sheet in enumerate(book.worksheets) if sheet.sheet_state == "visible"), None)
        if index is None:
            raise _SheetError("The workbook has no visible sheet.")
        sources = _cells(source, index) if formulas else iter(())
        add_cell_rows(builder, _rows(_cells(book, index), sources, builder), short_rows=True)


def _open(data: bytes, *, values: bool) -> Workbook:
    import openpyxl

    return openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=values, keep_links=False)


def _rows(
    computed: Iterator[Sequence[Any]], formulas: Iterator[Sequence[Any]], builder: TableBuilder
) -> Iterator[CellRow]:
    """The rows of the sheet; those with a cell that says nothing certain are refused and left out."""
    total = 0
    for number, (row, sources) in enumerate(itertools.zip_longest(computed, formulas, fillvalue=()), start=1):
        total += len(row)
        if total > _MAX_CELLS:
            raise _SheetError(f"The sheet has more than {_MAX_CELLS:,} cells.")
        if _uncertain(row, sources, number, builder):
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
    return sheet.iter_rows()


def _uncertain(row: Sequence[Any], sources: Sequence[Any], number: int, builder: TableBuilder) -> bool:
    found = False
    for index, (cell, source) in enumerate(itertools.zip_longest(row, sources)):
        if cell is not None and cell.data_type == "e":
            message = f"The cell holds the error {cell.value}."
        elif source is not None and source.data_type == "f" and (cell is None or cell.value is None):
            message = "The formula in the cell has no stored value."
        else:
            continue
        name = builder.columns[index] if index < len(builder.columns) else column_letters(index)
        hint = "Open the file in a spreadsheet program, correct it and save it."
        builder.refuse(message, builder.at(number, None, name), hint)
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
