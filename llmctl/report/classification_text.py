"""The classification report for a terminal: figures by class, and the confusion matrix where it fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmctl.report.classification import NO_ANSWER, OTHER, CellClasses
from llmctl.report.layout import Cell, Column, block, grid, styled
from llmctl.report.model import RunReport
from llmctl.report.numbers import NONE, count, interval_text, percent
from llmctl.safe_text import one_line
from llmctl.stats.classification import Averages, ClassFigures
from llmctl.stats.intervals import Interval

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["averages_cells", "class_cells", "classification_text", "summary_line"]

_SHOWN_CELLS = 3
_SHOWN_CLASSES = 20
_SHOWN_PAIRS = 10
_LABEL_WIDTH = 24
_INDENT, _GAP = 2, 2
_FIGURES = ("results", "precision [95 %]", "recall [95 %]", "F1")


def classification_text(report: RunReport, width: int) -> Text | None:
    """All of it, the first few targets in full; None where no expected answers are labels."""
    from rich.text import Text

    cells = report.classifications
    if not cells:
        return None
    parts = [_cell(cell, width, several=len(cells) > 1) for cell in cells[:_SHOWN_CELLS]]
    if len(cells) > _SHOWN_CELLS:
        parts.append(_others(cells[_SHOWN_CELLS:], width))
    return Text("\n").join(parts)


def class_cells(figures: ClassFigures) -> list[str]:
    """Results, precision, recall and F1 of one class."""
    return [
        count(figures.expected),
        _rate(figures.hits, figures.answered, figures.precision_interval),
        _rate(figures.hits, figures.expected, figures.recall_interval),
        _decimal(figures.f1),
    ]


def averages_cells(averages: Averages) -> list[str]:
    """The same of an average; it has no interval."""
    shares = [averages.precision, averages.recall]
    return ["", *(NONE if share is None else percent(share, 1) for share in shares), _decimal(averages.f1)]


def summary_line(cell: CellClasses) -> str:
    """`106 of 120 right: accuracy 88.3 % [81, 93], kappa 0.82, MCC 0.82.`, and what is left out or odd."""
    figures = cell.figures
    said = f"{count(figures.correct)} of {count(figures.total)} right: accuracy "
    said += _rate(figures.correct, figures.total, figures.accuracy_interval)
    said += f", kappa {_decimal(figures.kappa.value)}, MCC {_decimal(figures.mcc)}."
    if cell.left_out:
        said += f" {count(cell.left_out)} without evidence left out."
    if cell.repeats > 1:
        said += f" Each of {cell.repeats} draws counts."
    if cell.cluster_size > 1:
        said += " Intervals are as if the results of a case or group always agreed."
    return said


def _rate(part: int, whole: int, interval: Interval | None) -> str:
    return NONE if interval is None else f"{percent(part, whole)} {interval_text(interval)}"


def _decimal(value: float | None) -> str:
    if value is None:
        return NONE
    if 0.995 <= value < 1:
        return "0.99"  # 1.00 only where nothing is wrong
    return f"{value:.2f}"


def _name(cell: CellClasses) -> str:
    return f"{cell.key.bank}, {cell.key.prompt}, {cell.key.model}"


def _cell(cell: CellClasses, width: int, *, several: bool) -> Text:
    named = f"Classes by {one_line(cell.metric, 40)}" + (f": {one_line(_name(cell), 120)}" if several else "")
    text = styled(named + "\n", "bold")
    text.append_text(_figures(cell, width))
    text.append_text(block("", Cell(summary_line(cell)), width, indent=_INDENT, column=0))
    if cell.figures.correct < cell.figures.total:
        text.append_text(_matrix(cell, width) or _pairs(cell, width))
    return text


def _figures(cell: CellClasses, width: int) -> Text:
    columns = [Column("class", is_label=True, max_width=_LABEL_WIDTH), *(Column(name) for name in _FIGURES)]
    figures = cell.figures
    by_size = sorted(range(len(cell.labels)), key=lambda place: -figures.classes[place].expected)
    shown = sorted(by_size[:_SHOWN_CLASSES])
    rows = [[Cell(cell.labels[place]), *map(Cell, class_cells(figures.classes[place]))] for place in shown]
    for name, averages in (("macro average", figures.macro), ("micro average", figures.micro)):
        rows.append([Cell(name, "dim"), *map(Cell, averages_cells(averages))])
    text = grid(columns, rows, width)
    if len(shown) < len(cell.labels):
        text.append(f"  ... and {len(cell.labels) - len(shown)} smaller classes: see -o FILE.md or --json\n", "dim")
    return text


def _matrix(cell: CellClasses, width: int) -> Text | None:
    """The table of counts: with the labels as titles, else with their numbers; None where neither fits."""
    numbered = [f"{place} {label}" for place, label in enumerate(cell.labels, 1)]
    numbers = [*(str(place) for place in range(1, len(cell.labels) + 1)), OTHER, NO_ANSWER]
    for rows, titles in ((list(cell.labels), list(cell.columns)), (numbered, numbers)):
        kept = [place for place in range(len(titles)) if place < len(rows) or any(row[place] for row in cell.matrix)]
        columns = [Column("", is_label=True, max_width=_LABEL_WIDTH), *(Column(titles[place]) for place in kept)]
        counts = [_counts(row, number, kept) for number, row in enumerate(cell.matrix)]
        if _needed(columns, rows, counts) <= width:
            said = "Expected in the rows, answered in the columns"
            heading = f"  {said}{', by number' if rows is numbered else ''}:\n"
            table = [[Cell(label), *line] for label, line in zip(rows, counts, strict=True)]
            return styled(heading, "dim").append_text(grid(columns, table, width))
    return None


def _counts(row: Sequence[int], right: int, kept: Sequence[int]) -> list[Cell]:
    """A dot for 0: what is confused stands out."""
    return [Cell(count(row[place]) if row[place] else ".", "bold" if place == right else "") for place in kept]


def _needed(columns: Sequence[Column], labels: Sequence[str], counts: Sequence[Sequence[Cell]]) -> int:
    from rich.cells import cell_len

    needed = _INDENT + max(cell_len(one_line(label, _LABEL_WIDTH)) for label in labels)
    for number, column in enumerate(columns[1:]):
        needed += _GAP + max(cell_len(one_line(column.title, 1000)), *(len(row[number].text) for row in counts))
    return needed


def _pairs(cell: CellClasses, width: int) -> Text:
    confusions = cell.confusions
    text = styled("  Most confused:\n", "dim")
    for one in confusions[:_SHOWN_PAIRS]:
        said = f"{one_line(one.expected, 40)} answered as {one_line(one.answered, 40)}"
        text.append_text(block(count(one.count), Cell(said), width, indent=_INDENT, column=8))
    if len(confusions) > _SHOWN_PAIRS:
        text.append(f"  ... and {len(confusions) - _SHOWN_PAIRS} more pairs: see --json\n", "dim")
    return text


def _others(cells: Sequence[CellClasses], width: int) -> Text:
    columns = [Column(name, is_label=True) for name in ("bank", "prompt", "model", "metric")]
    columns += [Column("accuracy [95 %]"), Column("macro F1"), Column("kappa")]
    rows = []
    for cell in cells:
        figures = cell.figures
        accuracy = _rate(figures.correct, figures.total, figures.accuracy_interval)
        texts = [cell.key.bank, cell.key.prompt, cell.key.model, cell.metric, accuracy]
        rows.append([Cell(text) for text in (*texts, _decimal(figures.macro.f1), _decimal(figures.kappa.value))])
    return styled("Classes, the other targets (in full: -o FILE.md or --json)\n", "bold") + grid(columns, rows, width)
