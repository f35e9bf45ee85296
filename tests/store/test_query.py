"""A query is checked before it is carried out, and a mistake in it is a sentence with its place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from llmctl.errors import LlmctlError, Problem, ProjectError, UsageError
from llmctl.runs.store_reader import StoreReader
from llmctl.store.layout import Layout
from llmctl.store.query import Query, running
from llmctl.store.sandbox import Limits
from llmctl.store.shapes import Column, Shape
from tests.runs.journal_examples import journal_of, whole_run, write_journal


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    store = tmp_path_factory.mktemp("store")
    write_journal(journal_of(store), whole_run())
    reader = StoreReader(store)
    reader.refresh()
    return reader.layout


def found(layout: Layout, query: Query) -> list[tuple[str | None, ...]]:
    with running(layout, query, Limits()) as rows:
        return list(rows.rows(Shape.CELLS))


def problem(layout: Layout, text: str) -> Problem:
    with pytest.raises(ProjectError) as raised:
        found(layout, Query(text))
    [one] = raised.value.problems
    return one


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("SELECT scre FROM results", (1, 8), 'There is no column "scre".', 'Did you mean "score"?'),
        ("SELECT 'é😀', scre FROM results", (1, 14), 'There is no column "scre".', 'Did you mean "score"?'),
        ("SELECT 1,\n  r.scre\nFROM results r", (2, 3), '"r" has no column "scre".', 'Did you mean "score"?'),
        (
            "SELECT zzzzzz FROM results",
            (1, 8),
            'There is no column "zzzzzz".',
            "`llmctl sql --tables` lists what there is.",
        ),
        ("SELECT *\nFROM reslts", (2, 6), 'There is no table or view "reslts".', 'Did you mean "results"?'),
        ("SELECT mediam(score) FROM results", (1, 8), 'There is no function "mediam".', 'Did you mean "median"?'),
        ("SELECT x.score FROM results", (1, 8), 'The query names no table "x" after FROM.', None),
        ("SELEC 1", (1, 1), 'Syntax error at or near "SELEC".', None),
        ("SELECT 'x", (1, 8), "Unterminated string literal.", None),
        ("SELECT 1; SELECT 2", (1, 11), "There is more than one statement.", "Give one."),
        ("DROP VIEW results", (1, 1), "The store is read only: DROP is refused.", "Write a SELECT."),
        (
            "COPY (PIVOT results ON repeat USING count(*)) TO 'x'",
            (1, 1),
            "The store is read only: this statement is refused.",
            "Write a SELECT.",
        ),
        (
            "SELECT case_id FROM results GROUP BY bank",
            (1, 8),
            'Column "case_id" must appear in the GROUP BY clause or must be part of an aggregate function.',
            "GROUP BY ALL groups by everything that is not aggregated.",
        ),
    ],
)
def test_a_mistake_is_a_sentence_with_its_place(
    layout: Layout, text: str, place: tuple[int, int], message: str, hint: str | None
) -> None:
    one = problem(layout, text)
    assert one.message == message
    assert one.place is not None
    assert (one.place.line, one.place.column) == place
    assert hint is None or one.hint == hint
    assert one.excerpt == text.split("\n")[place[0] - 1]


def test_a_value_that_cannot_be_computed_names_its_place(layout: Layout) -> None:
    one = problem(layout, "SELECT output::INT FROM results")
    assert one.message.startswith("Could not convert string 'billing")
    assert one.place is not None
    assert (one.place.line, one.place.column) == (1, 14)


@pytest.mark.parametrize("text", ["", "  \n", "-- nothing", "/* nothing */ ;"])
def test_an_empty_query_is_said(layout: Layout, text: str) -> None:
    with pytest.raises(UsageError, match="empty"):
        found(layout, Query(text))


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 5;",
        "SELECT 5 ; ; -- é;",
        "SELECT 5 /* ; */",
        "-- é\nSELECT 5 -- five",
        "FROM (VALUES (5))",
        "VALUES (5)",
        "WITH a AS (SELECT 5 AS x) FROM a",
    ],
)
def test_one_select_may_be_written_in_any_way(layout: Layout, text: str) -> None:
    assert found(layout, Query(text)) == [("5",)]


@pytest.mark.parametrize("text", ["DESCRIBE results", "SHOW TABLES", "SUMMARIZE results"])
def test_the_schema_can_be_looked_at(layout: Layout, text: str) -> None:
    assert found(layout, Query(text))


def test_a_pivot_may_look_for_its_columns(layout: Layout) -> None:
    with running(layout, Query("PIVOT results ON outcome USING count(*) GROUP BY bank"), Limits()) as rows:
        assert rows.columns == (Column("bank", "VARCHAR"), Column("answered", "BIGINT"), Column("timeout", "BIGINT"))
        assert list(rows.rows(Shape.CELLS)) == [("triage", "3", "1")]


@pytest.mark.parametrize(
    ("text", "parameters", "expected"),
    [
        ("SELECT case_id FROM results WHERE case_id = $id", {"id": "case-2"}, [("case-2",)]),
        ("SELECT count(*) FROM results WHERE repeat = $r", {"r": "1"}, [("4",)]),
        ("SELECT $n::INT + 1", {"n": "5"}, [("6",)]),
        ("SELECT $x", {"x": "'; DROP VIEW results --"}, [("'; DROP VIEW results --",)]),
    ],
)
def test_parameters_are_values(
    layout: Layout, text: str, parameters: Mapping[str, str], expected: list[tuple[str]]
) -> None:
    assert found(layout, Query(text, parameters)) == expected


@pytest.mark.parametrize(
    ("text", "parameters", "message"),
    [
        ("SELECT $a", {}, "The query needs a value for: a."),
        ("SELECT $a", {"a": "1", "b": "2"}, "The query has no parameter: b."),
        ("SELECT 1", {"b": "2"}, "The query has 0 parameters, and values were given."),
    ],
)
def test_parameters_that_do_not_fit_are_said(
    layout: Layout, text: str, parameters: Mapping[str, str], message: str
) -> None:
    with pytest.raises(LlmctlError, match=r"parameter|value") as raised:
        found(layout, Query(text, parameters))
    assert raised.value.message == message


def test_a_limit_keeps_the_order(layout: Layout) -> None:
    text = "SELECT case_id FROM results ORDER BY case_id DESC"
    assert found(layout, Query(text, limit=2)) == [("case-3",), ("case-2",)]
    assert found(layout, Query(text, limit=0)) == []


def test_columns_of_one_name_are_told_apart(layout: Layout) -> None:
    with running(layout, Query('SELECT 1 AS a, 2 AS a, 3 AS "A", 4 AS "we""ird"'), Limits()) as rows:
        assert list(rows.lines(Shape.JSON)) == ['{"a":1,"a_1":2,"A_2":3,"we\\"ird":4}']


def test_a_long_text_is_cut_for_a_table_only(layout: Layout) -> None:
    with running(layout, Query("SELECT repeat('x', 5000) AS x"), Limits()) as rows:
        assert list(rows.rows(Shape.CELLS)) == [("x" * 400,)]
        assert list(rows.lines(Shape.CSV)) == ["x" * 5000]


def test_types_that_python_cannot_hold_are_text(layout: Layout) -> None:
    with running(
        layout, Query("SELECT TIMESTAMPTZ '2026-01-02 03:04:05+00' AS t, DATE '290000-01-01' AS d"), Limits()
    ) as rows:
        [(moment, day)] = rows.rows(Shape.CELLS)
        assert str(moment).startswith("2026-01-02")
        assert day == "290000-01-01"


def test_the_source_of_a_query_is_named(layout: Layout) -> None:
    with pytest.raises(ProjectError) as raised:
        found(layout, Query("SELECT x", source=Path("slow.sql")))
    assert str(raised.value.problems[0].place) == "slow.sql:1:8"
