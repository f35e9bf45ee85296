"""Output against output for a terminal: word by word where they are alike, else one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmctl.report.layout import text_block
from llmctl.report.word_diff import DiffBudget, Piece, PieceKind, equal_share, word_diff
from llmctl.safe_text import safe_text

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["marked", "output_block"]

_ALIKE = 0.4
"""From which share of equal text on words are shown within each other."""
_KEPT = 60
"""Of a long equal part, the characters at either end."""
_LONGEST = 1_500
"""Characters of one removed or added part."""
_MOST = 4_000
"""Characters in all."""
_STYLES = {PieceKind.EQUAL: "", PieceKind.REMOVED: "red strike", PieceKind.ADDED: "green"}
_MARKS = {PieceKind.EQUAL: ("", ""), PieceKind.REMOVED: ("[-", "-]"), PieceKind.ADDED: ("{+", "+}")}


def output_block(
    before: str | None, after: str | None, width: int, *, colour: bool, budget: DiffBudget | None = None
) -> Text:
    """Both outputs beside their labels; without colour removed words stand in `[-...-]`, added ones in `{+...+}`."""
    if before is None or after is None or not before or not after:
        return _apart(before, after, width)
    if before == after:
        return text_block("output", _text([Piece(PieceKind.EQUAL, before)], colour=colour), width)
    pieces = word_diff(before, after, budget)
    if equal_share(pieces) < _ALIKE:
        return _apart(before, after, width)
    return text_block("output", _text(pieces, colour=colour), width)


def marked(pieces: Sequence[Piece]) -> str:
    """The pieces with the marks of a text without colour; long parts are cut."""
    return _text(pieces, colour=False).plain


def _apart(before: str | None, after: str | None, width: int) -> Text:
    text = text_block("before", _whole(before), width)
    return text.append_text(text_block("after", _whole(after), width))


def _whole(output: str | None) -> Text:
    from rich.text import Text

    if output is None:
        return Text("nothing", "dim")
    if not output.strip():
        return Text('""' if not output else repr(output[:_LONGEST]), "dim")
    return Text(safe_text(_cut(output.replace("\r\n", "\n"))))


def _text(pieces: Sequence[Piece], *, colour: bool) -> Text:
    from rich.text import Text

    text = Text()
    for number, piece in enumerate(pieces):
        if len(text) > _MOST:
            left = sum(len(one.text) for one in pieces[number:])
            return text.append(f" ... {left:,} more characters", style="dim")
        body = safe_text(_shortened(pieces, number).replace("\r\n", "\n"))
        opening, closing = ("", "") if colour else _MARKS[piece.kind]
        text.append(f"{opening}{body}{closing}", style=_STYLES[piece.kind] if colour else "")
    return text


def _shortened(pieces: Sequence[Piece], number: int) -> str:
    """A piece as it is shown: of what is equal only what stands beside a change."""
    piece = pieces[number]
    if piece.kind is not PieceKind.EQUAL:
        return _cut(piece.text)
    if len(pieces) == 1:
        return _cut(piece.text)
    head = piece.text[:_KEPT] if number else ""
    tail = piece.text[-_KEPT:] if number < len(pieces) - 1 else ""
    if len(piece.text) <= len(head) + len(tail) + 40:
        return piece.text
    return f"{head} ... {tail}" if head and tail else f"{head} ..." if head else f"... {tail}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ... {len(text) - _LONGEST:,} more characters"
