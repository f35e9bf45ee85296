"""Rows as data: the same text in CSV as in a report's, JSON that any program reads, and Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmctl.errors import UnfinishedError, UsageError
from llmctl.report.atomic import atomic_path
from llmctl.report.csv_file import _cell
from llmctl.report.data_files import check_place, ending_of, write_text_file, write_text_rows
from llmctl.store.found_rows import FoundRows
from llmctl.store.interruptible import interruptible

JOINERS = {0x200C, 0x200D, 0xFE0E, 0xFE0F}
"""Whether these are shown hangs on what stands beside them; CSV leaves them."""


def written(text: str, ending: str, parameters: Sequence[object] = ()) -> str:
    with duckdb.connect(":memory:") as con:
        con.execute("CREATE TABLE given (number INTEGER, text VARCHAR)")
        for number, value in enumerate(parameters):
            con.execute("INSERT INTO given VALUES (?, ?)", [number, value])
        with interruptible(con) as calls:
            file = io.StringIO()
            write_text_rows(file, ending, FoundRows(calls, text))
            return file.getvalue()


def csv_cells(texts: Sequence[object]) -> list[str]:
    rows = list(csv.reader(io.StringIO(written("SELECT text FROM given ORDER BY number", ".csv", texts), newline="")))
    assert rows[0] == ["text"]
    return [row[0] if row else "" for row in rows[1:]]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-5", "'-5"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =1", "'  =1"),
        ("\u3000=1", "'\u3000=1"),
        ("\uff1d1", "'\uff1d1"),
        ("\t=1", "'\t=1"),
        ("\rx", "'\\x0dx"),
        ("\nx", "'\nx"),
        ("a=1", "a=1"),
        ("a\r\nb", "a\nb"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\u202eevil", "\\u202eevil"),
        ("\U000e0041", "\\U000e0041"),
        ("\ufeff=1", "\\ufeff=1"),
        ('say "x", y', 'say "x", y'),
        ("👨‍👩‍👧 ❤️", "👨‍👩‍👧 ❤️"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_cell_is_neither_a_formula_nor_a_command(text: str | None, cell: str) -> None:
    assert csv_cells([text]) == [cell]


def test_every_character_is_written_as_in_a_report() -> None:
    points = [*range(0xD800), *range(0xE000, 0x1100), *range(0xE000, 0x10000), 0x13430, 0x1BCA0, 0x1D173, 0xE0001]
    whole = "".join(f"|{chr(point)}" for point in points if point not in JOINERS).replace("|\r|", "|")
    assert csv_cells([whole]) == [_cell(whole)]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\u200c\u200d\ufe0e\ufe0f"))))
def test_any_text_is_written_as_in_a_report(texts: list[str]) -> None:
    assert csv_cells(texts) == [_cell(text) for text in texts]


def test_csv_holds_every_type() -> None:
    text = """SELECT 1 AS n, -2.5 AS d, true AS b, NULL AS nothing, ['a', '=b'] AS l, DATE '2026-01-02' AS day,
        {'k': 1} AS s, '=x' AS "=head", 'nan'::DOUBLE AS nan"""
    assert written(text, ".csv").splitlines() == [
        "n,d,b,nothing,l,day,s,'=head,nan",
        "1,-2.5,true,,\"[a, '=b']\",2026-01-02,{'k': 1},'=x,nan",
    ]


def test_no_text_and_an_empty_text_differ() -> None:
    assert written("SELECT NULL::VARCHAR AS a, '' AS b", ".csv") == 'a,b\n,""\n'


@pytest.mark.parametrize("ending", [".json", ".jsonl"])
def test_json_is_exact_and_safe_to_show(ending: str) -> None:
    text = """SELECT 1 AS n, 0.1 AS d, 'nan'::DOUBLE AS nan, [1.5, 'infinity'::DOUBLE] AS l, NULL AS x, ['a'] AS tags,
        170141183460469231731687303715884105727 AS huge, text FROM given"""
    line = 'NaN "Infinity" \x1b \u202e é 👩‍👧 \x7f'
    shown = written(text, ending, [line])
    [row] = json.loads(shown) if ending == ".json" else [json.loads(one) for one in shown.splitlines()]
    assert row == {
        "n": 1,
        "d": 0.1,
        "nan": None,
        "l": [1.5, None],
        "x": None,
        "tags": ["a"],
        "huge": 2**127 - 1,
        "text": line,
    }
    assert "\u202e" not in shown
    assert "\x7f" not in shown
    assert "é 👩" in shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("'nan'::DOUBLE", "null"),
        ("'-infinity'::DOUBLE", "null"),
        ("'NaN'", '"NaN"'),
        ("chr(127)", '"\\u007f"'),
        ("chr(27)", '"\\u001B"'),
        ("9007199254740993", "9007199254740993"),
        ("170141183460469231731687303715884105727", "170141183460469231731687303715884105727"),
        ("{'é': 170141183460469231731687303715884105727}", '{"é":170141183460469231731687303715884105727}'),
        ("1.10::DECIMAL(5, 2)", "1.1"),
        ("'{\"a\": 1}'::JSON", '{"a":1}'),
    ],
)
def test_a_value_as_json(value: str, shown: str) -> None:
    assert written(f"SELECT {value} AS x", ".jsonl") == f'{{"x":{shown}}}\n'


def test_a_list_of_no_rows_is_a_list() -> None:
    assert written("SELECT 1 AS x WHERE false", ".json") == "[]\n"
    assert written("SELECT 1 AS x WHERE false", ".jsonl") == ""
    assert written("SELECT 1 AS x WHERE false", ".csv") == "x\n"


def test_a_column_may_be_called_like_the_rows() -> None:
    assert json.loads(written('SELECT 1 AS llmctl_rows, 2 AS one, 3 AS cell, 4 AS "a""b"', ".json")) == [
        {"llmctl_rows": 1, "one": 2, "cell": 3, 'a"b': 4}
    ]
    assert written("SELECT 'x' AS llmctl_rows, 'y' AS one, 'z' AS cell", ".csv") == "llmctl_rows,one,cell\nx,y,z\n"


def test_a_csv_file_says_that_it_is_utf_8(tmp_path: Path) -> None:
    with duckdb.connect(":memory:") as con, interruptible(con) as calls:
        assert write_text_file(tmp_path / "x.csv", ".csv", FoundRows(calls, "SELECT 'é' AS x")) == 1
    assert (tmp_path / "x.csv").read_bytes() == "\ufeffx\né\n".encode()


def test_the_ending_chooses_the_format() -> None:
    assert [ending_of(Path(name)) for name in ("a.CSV", "b.json", "c.jsonl", "d.parquet")] == [
        ".csv",
        ".json",
        ".jsonl",
        ".parquet",
    ]
    with pytest.raises(UsageError, match=r'the ending of "a\.xlsx"'):
        ending_of(Path("a.xlsx"))


def test_a_place_must_be_there(tmp_path: Path) -> None:
    check_place(tmp_path / "x.csv")
    with pytest.raises(UsageError, match="is a directory"):
        check_place(tmp_path)
    with pytest.raises(UsageError, match="no directory"):
        check_place(tmp_path / "none" / "x.csv")


def test_a_file_that_was_not_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_text("old")
    with pytest.raises(ValueError, match="broke"), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise ValueError("broke")
    assert [one.name for one in tmp_path.iterdir()] == ["x.parquet"]
    assert path.read_text() == "old"
    with pytest.raises(UnfinishedError, match="No such file"), atomic_path(path):
        pass  # nobody wrote it
    with atomic_path(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
