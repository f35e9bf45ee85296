"""Parquet and Excel tables: values as JSON would have them, damage and bombs in one sentence."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from datetime import date, datetime, time, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import duckdb
import openpyxl
import pytest

from llmctl.canonical import written
from llmctl.errors import Severity
from llmctl.project.tables import parquet_rows, read_table, xlsx_rows
from tests.project.whole_table import WholeTable, whole_table


def _parquet(folder: Path, query: str, options: str = "") -> WholeTable:
    file = folder / "made.parquet"
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"COPY ({query}) TO '{file}' (FORMAT parquet{options})")
    return whole_table(file.read_bytes(), "t.parquet")


def _xlsx(*rows: list[Any], **cells: Any) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    for name, value in cells.items():
        sheet[name] = value
    file = io.BytesIO()
    book.save(file)
    book.close()
    return file.getvalue()


def _read_xlsx(data: bytes) -> WholeTable:
    return whole_table(data, "t.xlsx")


def test_parquet_values_are_plain_data(tmp_path: Path) -> None:
    table = _parquet(
        tmp_path,
        """SELECT 1 AS i, true AS yes, 'ü' AS text, NULL::VARCHAR AS nothing, 1.10::DECIMAL(5,2) AS price, 0.5 AS half,
        DATE '2024-01-02' AS day, TIMESTAMP '2024-01-02 03:04:05.678901' AS moment, TIME '03:04:05' AS hour,
        TIMESTAMPTZ '2024-01-02 03:04:05+02' AS instant, 18446744073709551615::UBIGINT AS large,
        TIMESTAMP_NS '2024-01-02 03:04:05.123456789' AS fine, INTERVAL 3 DAYS AS wait,
        '7f3e8d6a-5b1c-4e2f-9a8b-1c2d3e4f5a6b'::UUID AS uid,
        ['a', 'b'] AS tags, {'role': 'user', 'at': DATE '2024-01-02', 'n': 1.50::DECIMAL(4,2)} AS message""",
    )
    assert table.said == []
    values = table.rows[0].values
    assert written(values.pop("price")) == "1.10"
    message = values.pop("message")
    assert isinstance(message, dict)
    assert written(message.pop("n")) == "1.50"
    assert message == {"role": "user", "at": "2024-01-02"}
    assert values == {
        "i": 1,
        "yes": True,
        "text": "ü",
        "nothing": None,
        "half": 0.5,
        "day": "2024-01-02",
        "moment": "2024-01-02T03:04:05.678901",
        "hour": "03:04:05",
        "instant": "2024-01-02T01:04:05Z",
        "large": 18446744073709551615,
        "fine": "2024-01-02T03:04:05.123456789",
        "wait": "3 days",
        "uid": "7f3e8d6a-5b1c-4e2f-9a8b-1c2d3e4f5a6b",
        "tags": ["a", "b"],
    }
    assert table.columns[:3] == ["i", "yes", "text"]
    assert not table.rows[0].text_rows


def test_parquet_rows_have_numbers(tmp_path: Path) -> None:
    table = _parquet(tmp_path, 'SELECT range AS n, \'x\' AS "a ""b""" FROM range(2500)')
    assert len(table.rows) == 2500
    assert str(table.rows[2499].cell('a "b"')) == 't.parquet (row 2500, column a "b")'


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("'ab'::BLOB", "The cell holds binary data; store it as text."),
        ("'nan'::DOUBLE", "nan is no finite number."),
        ("['inf'::DOUBLE]", "inf is no finite number."),
    ],
)
def test_parquet_values_that_no_text_can_hold(tmp_path: Path, value: str, message: str) -> None:
    table = _parquet(tmp_path, f"SELECT 'a' AS id, {value} AS x UNION ALL SELECT 'b', NULL")
    assert table.said == [f"t.parquet (row 1, column x): {message}"]
    assert [row.values["id"] for row in table.rows] == ["b"]


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" + b"\0" * 50 + b"PAR1", b"id,text\n1,2\n"])
def test_parquet_that_is_none(data: bytes) -> None:
    table = whole_table(data, "t.parquet")
    assert table.said == ["t.parquet: The file is not a Parquet file, or it is damaged."]
    assert table.rows == []


def test_parquet_cut_anywhere_is_one_sentence(tmp_path: Path) -> None:
    _parquet(tmp_path, "SELECT range AS n, 'text ' || range AS t FROM range(300)")
    data = (tmp_path / "made.parquet").read_bytes()
    for end in range(0, len(data), len(data) // 7):
        assert len(whole_table(data[:end], "t.parquet").problems) == 1


@pytest.mark.parametrize("text", ["repeat('x', 100_000)", "[repeat('x', 100_000)]"])
def test_a_small_parquet_of_huge_texts_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(parquet_rows, "_MAX_UNPACKED_MB", 5)
    table = _parquet(tmp_path, f"SELECT {text} AS text FROM range(100)", ", COMPRESSION zstd")
    assert (tmp_path / "made.parquet").stat().st_size < 100_000
    assert table.said == ["t.parquet: The table unpacks to more than 5 MB."]


def test_too_many_parquet_rows_are_refused(tmp_path: Path) -> None:
    table = _parquet(tmp_path, "SELECT 1 AS n FROM range(1_000_001)")
    assert table.said == ["t.parquet: The table has more than 1,000,000 rows."]


def test_parquet_is_read_in_a_closed_room(tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    allowed = tmp_path / "made.parquet"
    _parquet(tmp_path, "SELECT 1 AS n")
    with parquet_rows._connect(allowed) as connection:
        assert connection.execute("FROM read_parquet($f)", {"f": str(allowed)}).fetchall() == [(1,)]
        for statement in (
            f"FROM '{secret}'",
            f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
            "SET threads = 1",
            "LOAD httpfs",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(statement)


def test_xlsx_values_are_plain_data() -> None:
    table = _read_xlsx(
        _xlsx(
            ["id", " text ", "x", None],
            [1, "line\nbreak", 2.0],
            [2.5, "_x000D_ and _x005F_x000D_", True],
            [datetime(2024, 1, 2), datetime(2024, 1, 2, 3, 4, 5), date(2024, 1, 2)],
            ["007", None, time(3, 4)],
            ["last", timedelta(hours=30)],
        )
    )
    assert table.said == []
    assert table.columns == ["id", "text", "x"]
    assert table.values == [
        {"id": 1, "text": "line\nbreak", "x": 2},
        {"id": 2.5, "text": "\r and _x000D_", "x": True},
        {"id": "2024-01-02", "text": "2024-01-02T03:04:05", "x": "2024-01-02"},
        {"id": "007", "text": "", "x": "03:04:00"},
        {"id": "last", "text": "1 day, 6:00:00", "x": ""},
    ]
    assert type(table.rows[0].values["x"]) is int
    assert table.rows[2].values["x"] == "2024-01-02"
    assert [row.number for row in table.rows] == [2, 3, 4, 5, 6]
    assert str(table.rows[0].cell("id")) == "t.xlsx (row 2, column id)"
    assert table.rows[0].text_rows


@pytest.mark.parametrize("size", [1, 2, 3, 1_000_000])
def test_a_formula_is_found_wherever_a_piece_of_the_file_ends(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(xlsx_rows, "_CHUNK_BYTES", size)
    with zipfile.ZipFile(io.BytesIO(_xlsx(["id"], ["=1+1"]))) as archive:
        assert xlsx_rows._holds_formula(archive, SHEET)
    with zipfile.ZipFile(io.BytesIO(_xlsx(["id"], ["text"]))) as archive:
        assert not xlsx_rows._holds_formula(archive, SHEET)


def test_reading_a_workbook_changes_no_setting_of_the_process() -> None:
    before = list(warnings.filters)
    rows = read_table(io.BytesIO(_xlsx(["id"], ["a"], ["b"])), PurePosixPath("t.xlsx"), []).rows
    next(rows)
    assert warnings.filters == before
    rows.close()


def test_a_date_that_cannot_be_is_a_mistake_in_its_cell() -> None:
    data = _xlsx(["id", "day"], ["a", datetime(2024, 1, 2)])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        sheet = archive.read(SHEET)
    stored = sheet.replace(b"<v>45293</v>", b"<v>99999999999</v>")
    assert stored != sheet
    table = _read_xlsx(_repacked(data, {SHEET: stored}))
    assert table.said == ["t.xlsx (row 2, column day): The cell holds the error #VALUE!."]


def test_xlsx_mistakes_have_row_and_column() -> None:
    data = _xlsx(["id", "queue"], ["a", "#N/A"], [], ["=1+1", "b"], ["c", "d", "e"], ["f", "g"], A9="", D12=None)
    table = _read_xlsx(data)
    assert table.said == [
        "t.xlsx (row 2, column queue): The cell holds the error #N/A.",
        "t.xlsx (row 4, column id): The formula in the cell has no stored value.",
        "t.xlsx (row 3): Row 3 is empty and was skipped.",
        "t.xlsx (row 5, column C): Row 5 has 3 cells, but the header names 2.",
    ]
    assert table.problems[2].severity is Severity.WARNING
    assert table.values == [{"id": "f", "queue": "g"}]


@pytest.mark.parametrize(
    ("rows", "part"),
    [
        ([], "The file is empty."),
        ([[None], ["id"]], "Row 1 is empty."),
        ([["id", None, "x"]], "Column B has no name in row 1."),
        ([["id", "id"]], "The column name `id` stands in A and B."),
        ([["=A2", "x"], [1, 2], [3, 4]], "The formula in the cell has no stored value."),
    ],
)
def test_xlsx_headers(rows: list[list[object]], part: str) -> None:
    table = _read_xlsx(_xlsx(*rows))
    assert table.problems[0].message == part
    assert table.rows == []


def test_the_first_visible_sheet_is_read() -> None:
    book = openpyxl.Workbook()
    first = book.active
    assert first is not None
    first.append(["hidden"])
    book.create_sheet("shown").append(["shown"])
    book.worksheets[1].append(["yes"])
    book.worksheets[0].sheet_state = "hidden"
    file = io.BytesIO()
    book.save(file)
    book.close()
    assert _read_xlsx(file.getvalue()).values == [{"shown": "yes"}]


def _repacked(data: bytes, change: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, change.get(name, old.read(name)))
        for name in change.keys() - set(old.namelist()):
            new.writestr(name, change[name])
    return file.getvalue()


SHEET = "xl/worksheets/sheet1.xml"


def test_a_wrong_size_in_the_sheet_loses_no_row() -> None:
    data = _xlsx(["id"], ["a"], ["b"])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        sheet = archive.read(SHEET)
    assert b'ref="A1:A3"' in sheet
    wrong = _repacked(data, {SHEET: sheet.replace(b'ref="A1:A3"', b'ref="A1"')})
    assert _read_xlsx(wrong).values == [{"id": "a"}, {"id": "b"}]


def test_a_formula_with_a_stored_value_is_that_value() -> None:
    data = _xlsx(["n"], ["=1+1"])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        sheet = archive.read(SHEET)
    assert b"<v></v>" in sheet or b"<v/>" in sheet or b"<v />" in sheet
    stored = re.sub(rb"<v ?/>|<v></v>", b"<v>2.0</v>", sheet)
    (values,) = _read_xlsx(_repacked(data, {SHEET: stored})).values
    assert values == {"n": 2}
    assert type(values["n"]) is int


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "not an .xlsx workbook"),
        (b"PK\x03\x04cut", "not an .xlsx workbook"),
        (b"id,text\n", "not an .xlsx workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old .xls workbook or is protected by a password"),
        (_repacked(_xlsx(["id"]), {SHEET: b"<worksheet><sheetData><row"}), "damaged"),
        (_repacked(_xlsx(["id"]), {"xl/workbook.xml": b"no xml"}), "damaged"),
    ],
)
def test_xlsx_that_is_none(data: bytes, part: str) -> None:
    table = _read_xlsx(data)
    assert len(table.problems) == 1
    assert part in table.problems[0].message
    assert table.rows == []


def test_a_zip_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_rows, "_MAX_UNPACKED_MB", 5)
    bomb = _repacked(_xlsx(["id"]), {"xl/media/zeros": b"\0" * (6 * 2**20)})
    assert len(bomb) < 2**16
    assert _read_xlsx(bomb).said == ["t.xlsx: The workbook unpacks to more than 5 MB."]


def test_an_entity_bomb_does_not_grow() -> None:
    lines = ['<!ENTITY a0 "haha">', *(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))]
    namespace = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    cells = "<row r='1'><c r='A1' t='str'><v>&a11;</v></c></row>"
    sheet = f"<!DOCTYPE x [{''.join(lines)}]><worksheet xmlns='{namespace}'><sheetData>{cells}</sheetData></worksheet>"
    table = _read_xlsx(_repacked(_xlsx(["id"]), {SHEET: sheet.encode()}))
    assert table.problems
    assert table.rows == []


def test_too_many_cells_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_rows, "_MAX_CELLS", 1_000)
    assert _read_xlsx(_xlsx(["id"], XFD2=1)).said == ["t.xlsx: The sheet has more than 1,000 cells."]
