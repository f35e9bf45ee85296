"""A case shown in full on the page itself, so that it can be read where no script runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from llmctl.report.html.rows import Row, cut, side_by_side
from llmctl.report.word_diff import Piece

__all__ = ["Card"]

_SHOWN = 4_000
"""Characters of a text; the list of all cases holds more."""


@dataclass(frozen=True, slots=True)
class Card:
    """A row with short texts; `pieces` are its word differences, where they help."""

    row: Row
    pieces: tuple[Piece, ...] | None

    @classmethod
    def of(cls, row: Row) -> Card:
        """From a row of the list."""
        before, output, expected = map(_cut, (row.before, row.output, row.expected))
        pieces = side_by_side(before, output)
        against = tuple(one for one in row.why if one.mark not in ("passed", "observed"))
        short = replace(row, before=before, output=output, expected=expected, why=against)
        return cls(short, None if pieces is None else tuple(pieces))


def _cut(text: str | None) -> str | None:
    return None if text is None else cut(text, _SHOWN)
