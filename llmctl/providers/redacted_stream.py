"""Keys that come in pieces: in a stream's text as it is shown, and in its body as it is kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from llmctl.providers.redaction import REDACTED, Redactor, Span

__all__ = ["RedactedStream", "redact_pieces"]

_STRING = re.compile(r'"(\w+)"\s*:\s*"((?:[^"\\]|\\.)*)"')


class RedactedStream:
    """Passes text on as it comes, but for known keys; what may be the beginning of one waits until that is clear."""

    def __init__(self, redactor: Redactor, show: Callable[[str], None]) -> None:
        self._redactor = redactor
        self._show = show
        self._held = ""

    def __call__(self, piece: str) -> None:
        """The next piece of the text."""
        text = self._held + piece
        end = self._clear(text)
        self._held = text[end:]
        if end:
            self._show(self._redactor.exact(text[:end]))

    def end(self) -> None:
        """Show what is held back: nothing follows any more."""
        text, self._held = self._held, ""
        if text:
            self._show(self._redactor.exact(text))

    def _clear(self, text: str) -> int:
        """How much of the text can be shown now."""
        end = len(text) - self._begun(text)
        for span in reversed(self._redactor.spans(text)):
            # A key that is whole, and whose end may be the beginning of another or of a longer one.
            if span.end >= end > span.start:
                end = span.start
        return end

    def _begun(self, text: str) -> int:
        """The length of the longest end of the text that is the beginning of a key."""
        longest = 0
        for key in self._redactor.keys:
            for form in key.plain_forms:
                for length in range(min(len(form) - 1, len(text)), longest, -1):
                    if text.endswith(form[:length]):
                        longest = length
                        break
        return longest


@dataclass(frozen=True, slots=True)
class _Piece:
    start: int
    """In the body."""
    offset: int
    """In the text that all pieces make."""
    length: int


def redact_pieces(body: str, redactor: Redactor) -> str:
    """A body without the keys that the texts in it make only when they are put together, as a stream's deltas are.

    Texts under one name (`content`, `arguments`, `partial_json` ...) belong together, in their order.
    """
    cuts = sorted({cut for pieces in _by_name(body) for cut in _cuts(body, pieces, redactor)}, reverse=True)
    for cut in cuts:
        body = body[: cut.start] + REDACTED + body[cut.end :]
    return body


def _by_name(body: str) -> list[list[_Piece]]:
    pieces: dict[str, list[_Piece]] = {}
    lengths: dict[str, int] = {}
    for found in _STRING.finditer(body):
        name, start, length = found[1], found.start(2), len(found[2])
        if length:
            offset = lengths.get(name, 0)
            pieces.setdefault(name, []).append(_Piece(start, offset, length))
            lengths[name] = offset + length
    return [group for group in pieces.values() if len(group) > 1]


def _cuts(body: str, pieces: Sequence[_Piece], redactor: Redactor) -> Iterator[Span]:
    whole = "".join(body[piece.start : piece.start + piece.length] for piece in pieces)
    for span in redactor.spans(whole):
        for piece in pieces:
            start, end = max(span.start, piece.offset), min(span.end, piece.offset + piece.length)
            if start < end:
                yield Span(piece.start + start - piece.offset, piece.start + end - piece.offset)
