"""A confusion matrix, shaded so that what is confused is seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from llmctl.report.classification import CellClasses

__all__ = ["Matrix"]

_SHOWN = 25
_SHADES = 5


@dataclass(frozen=True, slots=True)
class _Count:
    number: int
    right: bool
    shade: int
    """0 to 5: its share of the row."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """A line for each expected label, without the columns of the last two that nobody answered."""

    columns: tuple[str, ...]
    lines: tuple[tuple[str, tuple[_Count, ...]], ...]

    @classmethod
    def of(cls, cell: CellClasses) -> Matrix | None:
        """None where there are too many labels to be seen at once."""
        if len(cell.labels) > _SHOWN:
            return None
        kept = [
            place
            for place in range(len(cell.columns))
            if place < len(cell.labels) or any(row[place] for row in cell.matrix)
        ]
        lines = tuple(
            (label, tuple(_count(row, place, number) for place in kept))
            for number, (label, row) in enumerate(zip(cell.labels, cell.matrix, strict=True))
        )
        return cls(tuple(cell.columns[place] for place in kept), lines)


def _count(row: Sequence[int], place: int, number: int) -> _Count:
    share = row[place] / sum(row) if row[place] else 0.0
    return _Count(row[place], place == number, math.ceil(share * _SHADES))
