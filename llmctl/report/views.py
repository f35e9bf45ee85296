"""The views that users may rely on, with the meaning of every column: on a terminal, as JSON, and for the docs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llmctl.report.layout import Cell, block, show, styled
from llmctl.store.shapes import Column
from llmctl.store.views import VIEWS, view_columns

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["render_views", "views_json", "views_markdown", "views_text"]


def render_views(console: Console, names: Sequence[str]) -> None:
    """Print the views at the console's width."""
    show(console, views_text(names, view_columns(), console.width))


def views_text(names: Sequence[str], columns: Mapping[str, Sequence[Column]], width: int) -> Text:
    """Each view with its columns, their types and meanings."""
    text = styled("")
    for number, name in enumerate(names):
        text.append("\n" if number else "")
        text.append_text(block(name, Cell(VIEWS[name].meaning), width, indent=0, column=len(name) + 2))
        widest = max(len(column.name) for column in columns[name]) + 2
        kinds = max(len(column.kind) for column in columns[name]) + 2
        for column in columns[name]:
            label = f"{column.name.ljust(widest)}{column.kind.lower()}"
            meaning = Cell(VIEWS[name].columns[column.name])
            text.append_text(block(label, meaning, width, indent=2, column=widest + kinds))
    return text


def views_json(names: Sequence[str]) -> dict[str, Any]:
    """The same as a document."""
    columns = view_columns()
    return {"schema": "llmctl/sql-tables/1", "views": [_view_json(name, columns[name]) for name in names]}


def _view_json(name: str, columns: Sequence[Column]) -> dict[str, Any]:
    listed = [
        {"name": column.name, "type": column.kind, "meaning": VIEWS[name].columns[column.name]} for column in columns
    ]
    return {"name": name, "meaning": VIEWS[name].meaning, "columns": listed}


def views_markdown() -> str:
    """The tables of `docs/sql.md`."""
    columns = view_columns()
    return "\n".join(_markdown(name, columns[name]) for name in VIEWS)


def _markdown(name: str, columns: Sequence[Column]) -> str:
    rows = [
        f"| `{column.name}` | {column.kind.lower()} | {VIEWS[name].columns[column.name].replace('|', chr(92) + '|')} |"
        for column in columns
    ]
    return "\n".join(
        [f"### `{name}`\n", VIEWS[name].meaning, "", "| column | type | meaning |", "|---|---|---|", *rows, ""]
    )
