"""Files that were made of the store: what they hold, and how large they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmctl.report.layout import Cell, Column, grid, show
from llmctl.report.numbers import count

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["ExportedFile", "exported_json", "exported_text", "render_exported"]


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One view in one file."""

    what: str
    """The view."""
    path: Path
    rows: int
    size_bytes: int


def render_exported(console: Console, files: Sequence[ExportedFile]) -> None:
    """Print the list at the console's width."""
    show(console, exported_text(files, console.width))


def exported_text(files: Sequence[ExportedFile], width: int) -> Text:
    """A line for each file."""
    columns = [
        Column("what", is_label=True),
        Column("rows"),
        Column("size"),
        Column("file", is_label=True, max_width=max(width - 40, 40)),
    ]
    rows = [
        [Cell(file.what), Cell(count(file.rows)), Cell(_size(file.size_bytes)), Cell(str(file.path))] for file in files
    ]
    return grid(columns, rows, width, indent=0)


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f} MB" if size_bytes >= 1e5 else f"{size_bytes / 1e3:,.1f} kB"


def exported_json(run_id: str | None, files: Sequence[ExportedFile]) -> dict[str, Any]:
    """The same as a document, `llmctl/export/1`."""
    return {
        "schema": "llmctl/export/1",
        "run_id": run_id,
        "files": [
            {"what": file.what, "path": file.path.as_posix(), "rows": file.rows, "size_bytes": file.size_bytes}
            for file in files
        ],
    }
