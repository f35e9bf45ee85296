"""CSV of every country: separators, encodings, line ends, quotes, and what is wrong where."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmctl.errors import Severity
from llmctl.project.tables import csv_rows
from llmctl.project.tables.records import MAX_PROBLEMS
from tests.project.whole_table import WholeTable, whole_table

OPEN = "The quote that opens the cell is never closed; nothing from row "
AFTER = "There is text after the closing quote of the cell; nothing from row "
EXPECTED = [{"id": "1", "text": "Über, alles"}, {"id": "2", "text": "two\nlines"}]


def _read(data: bytes | str, name: str = "t.csv") -> WholeTable:
    return whole_table(data, name)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_spreadsheet_is_read(separator: str, encoding: str, end: str) -> None:
    lines = ["id,text", '1,"Über, alles"', '2,"two\nlines"', ""]
    text = end.join(line.replace(",", separator, 1) for line in lines)
    table = _read(text.encode(encoding))
    assert table.said == []
    assert table.values == EXPECTED
    assert table.columns == ["id", "text"]


def test_utf16_of_both_byte_orders() -> None:
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        assert _read(mark + "a;b\nü;2\n".encode(encoding)).values == [{"a": "ü", "b": "2"}]


def test_windows_1252_is_read_and_said() -> None:
    table = _read("id;text\n1;Grüße für 5 €\n".encode("cp1252"))
    assert table.values == [{"id": "1", "text": "Grüße für 5 €"}]
    assert table.said == ["t.csv:2: The file is not UTF-8; it was read as Windows-1252."]
    assert table.problems[0].severity is Severity.WARNING


@pytest.mark.parametrize(
    "data",
    [b"id\n\x81\x8d\n", b"\xef\xbb\xbfid\n\xff\n", b"\xff\xfea", b"\xff\xfe\x00\xd8a\x00", "a,b\n".encode("utf-16-le")],
)
def test_bytes_that_are_no_text_are_refused(data: bytes) -> None:
    table = _read(data)
    assert table.rows == []
    assert [problem.severity for problem in table.problems] == [Severity.ERROR]
    assert ("UTF-16" in table.problems[0].message) == (b"\0" in data or data.startswith(b"\xff\xfe"))


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("sep=|\na|b,c\n1|2\n", ["a", "b,c"]),
        ('"sep=;"\r\na;b\r\n1;2\r\n', ["a", "b"]),
        ('"a;b;c;d",e\n1,2\n', ["a;b;c;d", "e"]),
        ("id;reply, as sent, in full\n1;hello\n", ["id", "reply, as sent, in full"]),
        ("only\nvalue\n", ["only"]),
        ("a,b\n", ["a", "b"]),
        (" a , b \n1,2\n", ["a", "b"]),
        ("a,b,,\n1,2,,\n", ["a", "b"]),
    ],
)
def test_the_header_decides(text: str, columns: list[str]) -> None:
    table = _read(text)
    assert table.columns == columns
    assert table.said == []
    assert all(list(row.values) == columns for row in table.rows)


def test_a_tsv_keeps_its_commas() -> None:
    assert _read("a,x\tb,y\n1,1\t2,2\n", "T.TSV").values == [{"a,x": "1,1", "b,y": "2,2"}]


def test_values_are_text_exactly_as_written() -> None:
    table = _read('a,b,c,d\n 1.10 ,010,,"say ""hi"" \r\n to me"\n')
    assert table.values == [{"a": " 1.10 ", "b": "010", "c": "", "d": 'say "hi" \r\n to me'}]


def test_rows_have_the_numbers_that_a_spreadsheet_shows() -> None:
    table = _read('sep=,\nid,text\n1,"two\nlines"\n2,b\n\n3,c\n,\n\n')
    assert [(row.number, row.place.line) for row in table.rows] == [(2, 3), (3, 5), (5, 7)]
    assert str(table.rows[2].cell("text")) == "t.csv:7 (row 5, column text)"
    assert table.rows[0].text_rows
    assert table.said == ["t.csv:6 (row 4): Row 4 is empty and was skipped."]
    assert table.problems[0].severity is Severity.WARNING


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ["t.csv: The file is empty."]),
        ("\n\na,b\n", ["t.csv:1 (row 1): Row 1 is empty."]),
        ("a,,b\n1,2,3\n", ["t.csv:1 (row 1, column B): Column B has no name in row 1."]),
        ("a,b,a\n1,2,3\n", ["t.csv:1 (row 1, column a): The column name `a` stands in A and C."]),
        ("a,b\n1,2,3\n4,5\n", ["t.csv:2 (row 2, column C): Row 2 has 3 cells, but the header names 2."]),
        ("a,b\n1\n4,5\n", ["t.csv:2 (row 2, column b): Row 2 has 1 cell, but the header names 2."]),
        ("a,b\n1,x\0y\n4,5\n", ["t.csv:2 (row 2, column b): The cell holds a NUL character."]),
        ("aaaa,b\0\n1,2\n", ["t.csv:1 (row 1): The header holds a NUL character."]),
        (
            'a,b\n1,"x\ny"\n4,"5\n6,7\n',
            ["t.csv:4 (row 3, column b): " + OPEN + "3 on was read."],
        ),
        (
            'a,b\n4,5\n"6"x,7\n',
            ["t.csv:3 (row 3, column a): " + AFTER + "3 on was read."],
        ),
        (
            'a,"b\n1,2\n',
            ["t.csv:1 (row 1, column B): " + OPEN + "1 on was read."],
        ),
    ],
)
def test_mistakes_are_placed(text: str, said: list[str]) -> None:
    table = _read(text)
    assert table.said == said
    assert all(problem.severity is Severity.ERROR for problem in table.problems)
    assert {"a": "1", "b": "2"} not in table.values


def test_rows_beside_a_bad_one_are_still_read() -> None:
    assert _read("a,b\n1\n4,5\n6,7,8\n9,0\n").values == [{"a": "4", "b": "5"}, {"a": "9", "b": "0"}]


def test_a_file_wrong_on_every_row_is_said_once_and_for_all() -> None:
    table = _read("a,b\n" + "1\n" * 5_000)
    assert len(table.problems) == MAX_PROBLEMS + 1
    assert table.problems[-1].message == "There are 4,900 more problems like these."


def test_the_pieces_in_which_a_file_is_looked_through_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_rows, "_CHUNK_BYTES", 2)
    text = "id;text\n1;Grüße\n2;für 5 €\n"
    assert _read(text).values == [{"id": "1", "text": "Grüße"}, {"id": "2", "text": "für 5 €"}]
    table = _read(text.encode("cp1252"))
    assert table.values == [{"id": "1", "text": "Grüße"}, {"id": "2", "text": "für 5 €"}]
    assert table.said == ["t.csv:2: The file is not UTF-8; it was read as Windows-1252."]
    assert _read(b"a\nb\n\xc3").said == ["t.csv:3: The file is not UTF-8; it was read as Windows-1252."]
    assert _read(b"a\nb\n\xc3\x81x\xff\x81").said == ["t.csv:3: The byte 0xFF is not UTF-8."]
    assert _read("only\na\tb\n", "t.tsv").columns == ["only"]


def test_a_cell_may_be_a_whole_document() -> None:
    assert _read(f'a,b\n1,"{"x" * 500_000}"\n').values[0]["b"] == "x" * 500_000


def test_twenty_thousand_rows_are_no_wait() -> None:
    table = _read("id,text,expected\n" + "".join(f"{n},text {n},billing\n" for n in range(20_000)))
    assert len(table.rows) == 20_000
    assert table.rows[-1].number == 20_001


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)


@given(
    st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=6), st.sampled_from(",;\t|"), st.sampled_from(["\r\n", "\n"])
)
def test_what_a_csv_writer_writes_is_read_back(rows: list[tuple[str, str]], separator: str, end: str) -> None:
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([("id", "text"), *rows])
    table = _read(file.getvalue())
    kept = [{"id": left, "text": right} for left, right in rows if left or right]
    assert table.values == kept
    assert all(problem.severity is Severity.WARNING for problem in table.problems)


@given(st.binary(max_size=80) | st.text(st.sampled_from('ab,;"\r\n\0\t=|'), max_size=40).map(str.encode))
def test_any_bytes_give_rows_or_problems(data: bytes) -> None:
    for name in ("t.csv", "t.tsv"):
        table = _read(data, name)
        assert table.rows or table.problems or table.columns
        assert all(problem.place is not None for problem in table.problems)
