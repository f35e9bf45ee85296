"""Every column of every view has a meaning, and the page says the same."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from llmctl.errors import UsageError
from llmctl.evaluators.base import MetricScore
from llmctl.report.views import views_json, views_markdown, views_text
from llmctl.runs.records import Event, ResultEvent
from llmctl.runs.store_reader import StoreReader
from llmctl.store.database import open_database
from llmctl.store.layout import Layout
from llmctl.store.query import Query, running
from llmctl.store.sandbox import Limits
from llmctl.store.schema import VIEWS as STATEMENTS
from llmctl.store.shapes import Shape
from llmctl.store.views import VIEWS, known_view, view_columns
from tests.runs.journal_examples import OTHER_ID, RUN_ID, journal_of, whole_run, write_journal

PAGE = Path(__file__).parents[2] / "docs" / "sql.md"
EXAMPLES = re.findall(r"^```sql\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def test_every_column_has_a_meaning_in_its_order() -> None:
    assert {view: [column.name for column in columns] for view, columns in view_columns().items()} == {
        name: list(view.columns) for name, view in VIEWS.items()
    }


def test_every_view_is_promised_but_those_of_our_own() -> None:
    made = {match[1] for text in STATEMENTS if (match := re.search(r"CREATE OR REPLACE VIEW (\w+)", text))}
    assert made - {"current_results"} == set(VIEWS)


def test_no_view_has_a_number_that_parquet_cannot_hold() -> None:
    wide = [(view, one.name) for view, columns in view_columns().items() for one in columns if "HUGEINT" in one.kind]
    assert wide == []


def test_a_store_that_is_brought_up_to_date_has_the_same_columns(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.prepare()
    with open_database(layout, read_only=False) as con:
        con.execute("DROP VIEW judges")
        con.execute("DELETE FROM migrations WHERE number >= 6")
    with open_database(layout, read_only=False) as con:
        assert con.execute("SELECT count(*) FROM judges").fetchall() == [(0,)]


def test_the_page_lists_what_the_database_has() -> None:
    written = PAGE.read_text(encoding="utf-8")
    assert written[written.index("### ") :] == views_markdown(), "run `python docs/generate_sql.py`"


def test_the_examples_are_there() -> None:
    assert len(EXAMPLES) > 8


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> StoreReader:
    """The first case passes in one of them only."""
    store = tmp_path_factory.mktemp("store")
    write_journal(journal_of(store), whole_run())
    write_journal(journal_of(store, OTHER_ID), [_failing(event) for event in whole_run(OTHER_ID)])
    return StoreReader(store)


def _failing(event: Event) -> Event:
    if not isinstance(event, ResultEvent) or event.case_id != "case-0":
        return event
    scores = (MetricScore("exact", "exact", 1.0, 0.0, False, "differs"),)
    return dataclasses.replace(event, passed=False, score=0.0, scores=scores)


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_finds_something(two_runs: StoreReader, text: str) -> None:
    query = Query(text, {"a": RUN_ID, "b": OTHER_ID} if "$a" in text else {})

    def read(layout: Layout) -> int:
        with running(layout, query, Limits()) as found:
            return len(list(found.rows(Shape.CELLS)))

    assert two_runs.look(read) > 0


def test_the_list_tells_every_column() -> None:
    shown = views_text(list(VIEWS), view_columns(), 200).plain
    for name, view in VIEWS.items():
        assert f"{name}  {view.meaning}" in shown
        for column, meaning in view.columns.items():
            assert re.search(rf"^  {column} +\S+( with time zone)? +{re.escape(meaning)}$", shown, re.MULTILINE), column


def test_the_document_tells_every_column() -> None:
    [view] = views_json(["banks"])["views"]
    assert view["name"] == "banks"
    assert view["columns"][1] == {"name": "name", "type": "VARCHAR", "meaning": "The bank's name."}


def test_an_unknown_view_names_the_nearest() -> None:
    assert known_view("results") == "results"
    with pytest.raises(UsageError) as raised:
        known_view("reslts")
    assert raised.value.hint == 'Did you mean "results"?'
    with pytest.raises(UsageError) as raised:
        known_view("zzz")
    assert raised.value.hint is not None
    assert "attempts" in raised.value.hint
