"""The list of a project's models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from llmctl.report.layout import Cell, Column, grid, show, styled

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["ModelRow", "models_text", "render_models"]


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model of `llmctl.toml`."""

    name: str
    model: str
    """The litellm model string."""
    transport: str
    endpoint: str
    ready: bool
    """Whether its key is in the environment, or its weights are on this machine."""
    note: str = ""
    """What is missing, and how to get it."""
    price_input: float | None = None
    """USD per million tokens; None: unknown."""
    price_output: float | None = None

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def render_models(console: Console, rows: Sequence[ModelRow]) -> None:
    """Print the list at the console's width."""
    show(console, models_text(rows, console.width))


def models_text(rows: Sequence[ModelRow], width: int) -> Text:
    """One line a model, and below them what is missing."""
    if not rows:
        return styled("No models in llmctl.toml. A prompt may name any litellm model string.\n")
    columns = [
        Column("name", is_label=True),
        Column("model", is_label=True),
        Column("ready", is_label=True),
        Column("USD per 1M in"),
        Column("out"),
        Column("by", is_label=True, droppable=True),
        Column("endpoint", is_label=True, droppable=True),
    ]
    text = grid(columns, [_row(row) for row in rows], width, indent=0)
    for row in rows:
        if row.note:
            text.append_text(styled(f"{row.name}: {row.note}\n".replace("\n", " ").rstrip() + "\n", "yellow"))
    return text


def _row(row: ModelRow) -> list[Cell]:
    return [
        Cell(row.name),
        Cell(row.model),
        Cell("yes", "green") if row.ready else Cell("no", "yellow"),
        Cell(_price(row.price_input)),
        Cell(_price(row.price_output)),
        Cell(row.transport),
        Cell(row.endpoint),
    ]


def _price(usd: float | None) -> str:
    return "unknown" if usd is None else f"{usd:.4g}"
