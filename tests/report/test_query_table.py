"""Rows on a terminal: aligned, cut to the line, safe; a block for each where no table fits."""

from __future__ import annotations

import pytest

from llmctl.report.query_table import rows_text
from llmctl.store.shapes import Column

TEXT, NUMBER = Column("output", "VARCHAR"), Column("score", "DOUBLE")


def test_a_table_has_names_types_and_null() -> None:
    assert rows_text([TEXT, NUMBER], [("billing", "0.5"), (None, None)], 80, limit=10).plain == (
        "output    score\nvarchar  double\nbilling     0.5\nNULL       NULL\n"
    )


def test_no_rows_are_said() -> None:
    assert rows_text([TEXT], [], 80, limit=10).plain == "output\nvarchar\nNo rows.\n"


@pytest.mark.parametrize(
    ("limit", "said"),
    [(2, "2 rows shown, there are more: --limit N, or -o FILE.\n"), (1, "1 row shown, "), (0, "0 rows shown, ")],
)
def test_more_rows_than_shown_are_said(limit: int, said: str) -> None:
    text = rows_text([TEXT], [("a",)] * (limit + 1), 80, limit=limit).plain
    assert said in text
    assert text.count("\na") == limit


def test_all_rows_that_fit_the_limit_are_shown() -> None:
    assert "more" not in rows_text([TEXT], [("a",)] * 2, 80, limit=2).plain


@pytest.mark.parametrize("width", [30, 40, 61, 80, 200])
def test_wide_values_are_cut_to_the_line(width: int) -> None:
    columns = [Column("a", "VARCHAR"), Column("b", "VARCHAR"), Column("n", "BIGINT")]
    lines = rows_text(columns, [("x" * 300, "y" * 35, "12345")], width, limit=10).plain.splitlines()
    assert len(lines) == 3
    assert all(len(line) <= width for line in lines)
    assert lines[2].endswith("12345")
    assert "…" in lines[2]


def test_a_narrow_value_keeps_its_width_beside_a_wide_one() -> None:
    columns = [Column("a", "VARCHAR"), Column("b", "VARCHAR")]
    text = rows_text(columns, [("short value", "y" * 300)], 40, limit=10).plain
    assert "short value  yyy" in text


def test_more_columns_than_the_line_holds_become_blocks() -> None:
    columns = [Column(f"column_{number}", "VARCHAR") for number in range(12)]
    rows = [(*(f"value {number}" for number in range(11)), None)] * 2
    text = rows_text(columns, rows, 80, limit=10).plain
    assert text.startswith("row 1\n  column_0   value 0\n")
    assert "  column_11  NULL\nrow 2\n" in text


def test_what_a_model_wrote_cannot_steer_the_terminal() -> None:
    hostile = Column("\x1b[2Jname", "VARCHAR")
    for columns in ([hostile], [hostile, *[TEXT] * 20]):
        row = ("\x1b[31mred\nnext\u202e", *["x" * 20] * (len(columns) - 1))
        text = rows_text(columns, [row], 80, limit=10).plain
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "\\x1b[31mred⏎next" in text


def test_wide_characters_are_measured() -> None:
    text = rows_text([Column("a", "VARCHAR"), NUMBER], [("漢字", "1"), ("ab", "2")], 80, limit=10).plain
    assert text.splitlines()[2:] == ["漢字          1", "ab            2"]
