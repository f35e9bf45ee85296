"""JSONL, JSON and YAML tables: every bad row named on its line, every good one kept."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmctl.canonical import WrittenFloat, WrittenInt, written
from llmctl.project.tables import records
from tests.project.whole_table import WholeTable, whole_table


def _read(data: bytes | str, name: str) -> WholeTable:
    return whole_table(data, name)


def test_jsonl_rows_and_their_lines() -> None:
    table = _read('\ufeff{"id": 1, "text": "a\u2028b\u0085c"}\r\n\n{"id": 2,\r"tags": ["x"]}\n', "t.jsonl")
    assert table.values == [{"id": 1, "text": "a\u2028b\u0085c"}, {"id": 2, "tags": ["x"]}]
    assert [(row.number, row.place.line) for row in table.rows] == [(1, 1), (3, 3)]
    assert table.columns == ["id", "text", "tags"]
    assert not table.rows[0].text_rows
    assert table.said == []


def test_numbers_keep_their_text() -> None:
    values = _read('{"a": 1.10, "b": 1e3, "c": -0, "d": 12, "e": 0.5, "f": 18446744073709551615}', "t.jsonl").values[0]
    assert [written(value) for value in values.values()] == ["1.10", "1e3", "-0", "12", "0.5", "18446744073709551615"]
    assert isinstance(values["a"], WrittenFloat)
    assert isinstance(values["c"], WrittenInt)
    assert type(values["d"]) is int
    assert type(values["e"]) is float


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"a": 1, "a": 2}', "The key `a` stands twice."),
        ('{"x": {"a": 1, "a": 2}}', "The key `a` stands twice."),
        ('{"a": NaN}', "NaN is no JSON number; write null or a text."),
        ('{"a": [-Infinity]}', "-Infinity is no JSON number; write null or a text."),
        ('{"a": 1e999}', "The number 1e999 is too large."),
        ('{"a": 18446744073709551616}', "The number 18446744073709551616 is too large; write it as text."),
        ('{"a": ' + "9" * 5000 + "}", "The number 99999999999999999999... is too large; write it as text."),
        ('{"a": "\\ud800"}', "A text holds half of a surrogate pair (`\\ud800` to `\\udfff` alone)."),
        ('{"a": ' + "[" * 70 + "]" * 70 + "}", "The value is nested deeper than 64 levels."),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "The value is nested deeper than 64 levels."),
        ("[1, 2]", "The row is no object: it has no column names."),
        ("17", "The row is no object: it has no column names."),
        ("{}", "The row is empty."),
    ],
)
def test_bad_values_are_named_on_their_row(line: str, message: str) -> None:
    table = _read(f'{{"ok": 1}}\n{line}\n{{"ok": 2}}\n', "t.jsonl")
    assert table.said == [f"t.jsonl:2 (row 2): {message}"]
    assert table.values == [{"ok": 1}, {"ok": 2}]
    in_list = _read(f'[{{"ok": 1}},\n{line}\n,{{"ok": 2}}]', "t.json")
    assert [problem.message for problem in in_list.problems][:1] == [message]
    if len(line) < 100_000:
        assert in_list.values == [{"ok": 1}, {"ok": 2}]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"a": "cut', "t.jsonl:2:7: The text that begins here is never closed."),
        ('{"a": 1', "t.jsonl:2:8: The JSON is cut off here."),
        ('{"a": 1} x', "t.jsonl:2:10: This is not valid JSON: extra data."),
        ("{'a': 1}", "t.jsonl:2:2: This is not valid JSON: expecting property name enclosed in double quotes."),
        ('{"a": "\t"}', "t.jsonl:2:8: This is not valid JSON: invalid control character."),
    ],
)
def test_broken_lines_have_a_column_and_their_line(line: str, said: str) -> None:
    table = _read(f'{{"ok": 1}}\n{line}\n{{"ok": 2}}\n', "t.jsonl")
    assert table.said == [said]
    assert table.problems[0].excerpt == line.replace("\t", " ")
    assert table.values == [{"ok": 1}, {"ok": 2}]


def test_a_line_that_is_not_utf8() -> None:
    table = _read(b'{"ok": 1}\n{"a": "\xff"}\n', "t.jsonl")
    assert table.said == ["t.jsonl:2:8: The byte 0xFF is not UTF-8."]
    assert len(table.rows) == 1


@pytest.mark.parametrize(
    "text",
    [
        '[\n {"id": "a"},\n\n {"id": "b"}\n]',
        '{"version": 1,\n"cases": [{"id": "a"},\n\n{"id": "b"}]}',
        '\ufeff{"cases": [\n{"id": "a"},\n\n{"id": "b"}], "meta": {"x": null}}\n',
    ],
)
def test_json_lists_and_their_lines(text: str) -> None:
    table = _read(text, "t.json")
    assert table.said == []
    assert table.values == [{"id": "a"}, {"id": "b"}]
    assert [(row.number, row.place.line) for row in table.rows] == [(1, 2), (2, 4)]
    assert str(table.rows[1].cell("id")) == "t.json:4 (row 2, column id)"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("17", "t.json:1: The file holds one value, not a list of rows."),
        ('{"a": 1}', "t.json:1: The file's object must hold one list of rows; it holds none."),
        ('{"a": [], "b": []}', "t.json:1: The file's object must hold one list of rows; it holds `a`, `b`."),
        ('{"a": [],\n"a": []}', "t.json:2: The key `a` stands twice."),
        ('{"a": [],\n"v": NaN}', "t.json:2: NaN is no JSON number; write null or a text."),
        ('[{"a": 1}\n{"a": 2}]', "t.json:2:1: This is not valid JSON: expecting ',' delimiter."),
        ('[{"a": 1},\n', "t.json:2:1: The JSON is cut off here."),
        ("", "t.json:1:1: The JSON is cut off here."),
        ('{"a": [{"b": 1}]} x', "t.json:1:19: This is not valid JSON: extra data."),
        ("[] x", "t.json:1:4: This is not valid JSON: extra data."),
        ("nonsense", "t.json:1:1: This is not valid JSON: expecting value."),
        ("{1: []}", "t.json:1:2: This is not valid JSON: expecting property name enclosed in double quotes."),
        ('{"a" []}', "t.json:1:6: This is not valid JSON: expecting ':' delimiter."),
    ],
)
def test_json_that_is_no_table(text: str, said: str) -> None:
    table = _read(text, "t.json")
    assert table.said == [said]
    assert table.values == ([{"a": 1}] if text.startswith('[{"a": 1}') else [])  # what stands before the mistake


def test_json_that_is_not_utf8() -> None:
    assert _read(b'[\n"\xff"]', "t.json").said == ["t.json:2: The file is not UTF-8."]


@pytest.mark.parametrize("name", ["t.yaml", "t.YML"])
def test_yaml_rows_and_their_lines(name: str) -> None:
    table = _read("- id: a\n  n: 1.10\n- id: no\n\n- {id: c}\n", name)
    assert table.said == []
    assert [[written(value) for value in row.values.values()] for row in table.rows] == [["a", "1.10"], ["no"], ["c"]]
    assert [row.place.line for row in table.rows] == [1, 3, 5]
    assert _read("meta: {x: 1}\ncases:\n- id: a\n", name).values == [{"id": "a"}]


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("a: 1\n", 1, "no list of rows"),
        ("- a: 1\n- text\n", 2, "no object"),
        ("- a: 1\n- b: 1\n  b: 2\n", 3, "b"),
        ("- a: [1\n", None, ""),
    ],
)
def test_yaml_mistakes_are_placed(text: str, line: int | None, part: str) -> None:
    problem = _read(text, "t.yaml").problems[0]
    assert part in problem.message
    assert problem.place is not None
    assert line in (None, problem.place.line)


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.json", "t.yaml"])
def test_rows_beyond_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(records, "MAX_ROWS", 3)
    lines = {
        "t.csv": "n\n1\n2\n3\n",
        "t.jsonl": '{"n": 1}\n' * 3,
        "t.json": '[{"n": 1},{"n": 1},{"n": 1}',
        "t.yaml": "- n: 1\n" * 3,
    }[name]
    more = {"t.csv": "4\n", "t.jsonl": '{"n": 1}', "t.json": ',{"n": 1}', "t.yaml": "- n: 1\n"}[name]
    end = "]" if name == "t.json" else ""
    assert _read(lines + end, name).said == []
    table = _read(lines + more + end, name)
    assert len(table.rows) == 3
    assert table.said == [f"{name}: The table has more than 3 rows."]


def test_an_unknown_ending_is_refused() -> None:
    table = _read("x", "t.ods")
    assert table.said == ["t.ods: t.ods is no table that llmctl reads."]
    assert ".xlsx" in (table.problems[0].hint or "")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(st.dictionaries(st.text("abc", max_size=3), JSON, min_size=1, max_size=3), max_size=4),
    st.sampled_from([None, 1]),
)
def test_what_json_writes_is_read_back(rows: list[dict[str, object]], indent: int | None) -> None:
    assert _read("\n".join(map(json.dumps, rows)), "t.jsonl").values == rows
    for document in (rows, {"meta": 1, "rows": rows}):
        assert _read(json.dumps(document, indent=indent), "t.json").values == rows


@given(st.binary(max_size=60) | st.text(st.sampled_from('ab{}[],:"\\u0d1e\n .-NI'), max_size=40).map(str.encode))
def test_any_bytes_give_rows_or_problems(data: bytes) -> None:
    for name in ("t.json", "t.jsonl", "t.yaml"):
        table = _read(data, name)
        assert all(problem.place is not None for problem in table.problems)
