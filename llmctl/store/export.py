"""Which rows of a view belong to a run: its own, and those of the calls that its results refer to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from llmctl.store.database import WAIT_S, open_database
from llmctl.store.found_rows import FoundRows
from llmctl.store.interruptible import interruptible
from llmctl.store.shapes import quoted
from llmctl.store.views import VIEWS

if TYPE_CHECKING:
    from llmctl.store.layout import Layout

__all__ = ["is_of_no_run", "view_rows"]

_OF_CALLS = ("calls", "attempts")
_NOT_OF_RUNS = ("traffic",)
_ORDER = (
    "run_id",
    "import_id",
    "position",
    "bank",
    "case_id",
    "prompt",
    "model",
    "repeat",
    "metric",
    "call_id",
    "number",
    "name",
)
"""The same store makes the same file."""


def is_of_no_run(view: str) -> bool:
    """Whether a view's rows belong to no run, so that all of them are meant."""
    return view in (*_NOT_OF_RUNS, "feedback")


@contextmanager
def view_rows(layout: Layout, view: str, run_id: str | None, *, wait_s: float = WAIT_S) -> Iterator[FoundRows]:
    """The rows of a view in a fixed order; `run_id`: only those of this run. The store must be there.

    Raises:
        StoreError: it cannot be read.
    """
    order = ", ".join(quoted(name) for name in _ORDER if name in VIEWS[view].columns)
    condition = "" if run_id is None else f"WHERE {_condition(view)} "
    with open_database(layout, read_only=True, wait_s=wait_s) as con, interruptible(con) as calls:
        parameters = {} if run_id is None else {"run": run_id}
        yield FoundRows(calls, f"SELECT * FROM {view} {condition}ORDER BY {order}", parameters)


def _condition(view: str) -> str:
    if view in _NOT_OF_RUNS:
        return "$run IS NOT NULL"
    if view not in _OF_CALLS:
        return "run_id = $run"
    return "run_id = $run OR call_id IN (SELECT call_id FROM result_rows WHERE run_id = $run)"
