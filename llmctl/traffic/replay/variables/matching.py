"""Which values make a template's pieces equal to texts: none, one, or more than one. The work is bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from llmctl.traffic.replay.variables.forms import Path, Piece

__all__ = ["Equation", "TooMuchWork", "Values", "Work", "may_fit", "own_text", "solutions"]

Values = Mapping[Path, str]


class TooMuchWork(Exception):
    """The texts cannot be taken apart within the work that is allowed for one call."""


class Work:
    """What is left to spend: characters that are gone through."""

    def __init__(self, allowed: int) -> None:
        self._left = allowed

    def spend(self, characters: int) -> None:
        """Take some off; each step costs something, however short its text is.

        Raises:
            TooMuchWork: nothing is left.
        """
        self._left -= characters + 50
        if self._left < 0:
            raise TooMuchWork


@dataclass(frozen=True, slots=True)
class Equation:
    """Pieces that make a text."""

    pieces: tuple[Piece, ...]
    text: str


def own_text(pieces: Sequence[Piece]) -> int:
    """How many characters of a text are the template's own, white space not counted."""
    return sum(len("".join(piece.split())) for piece in pieces if isinstance(piece, str))


def may_fit(equation: Equation, work: Work) -> bool:
    """Whether the pieces make the text, were each variable printed once: a quick look that lets pass what may fit."""
    return _spans(_filled(equation.pieces, {}), equation.text, work) is not None


def solutions(equations: Sequence[Equation], known: Values, work: Work, most: int = 2) -> list[Values]:
    """The values that solve all equations, `most` at most; a variable has one value, wherever it is printed.

    Raises:
        TooMuchWork: it cannot be told how many there are.
    """
    found: list[Values] = []
    for one in _search(equations, known, work):
        if one not in found:
            found.append(one)
        if len(found) == most:
            break
    return found


def _search(equations: Sequence[Equation], known: Values, work: Work) -> Iterator[Values]:
    values = dict(known)
    while True:
        spans = [_spans(_filled(one.pieces, values), one.text, work) for one in equations]
        if any(of_text is None for of_text in spans):
            return
        open_spans = [
            (equation, span) for equation, of_text in zip(equations, spans, strict=True) for span in of_text or ()
        ]
        certain = [(span.path, equation.text[span.start : span.end]) for equation, span in open_spans if span.certain]
        if not certain:
            break
        values.update(certain)  # two that differ fail in the next round, where each is filled in
    if not open_spans:
        yield values
        return
    counts = Counter(span.path for _, span in open_spans)
    if max(counts.values()) == 1:
        # Nothing ties these variables to each other: each text can be cut at its first places or at its last ones.
        yield {**values, **{span.path: equation.text[span.start : span.end] for equation, span in open_spans}}
        yield {**values, **{span.path: equation.text[span.last_start : span.last_end] for equation, span in open_spans}}
        return
    equation, span = open_spans[0]
    for end in _ends(equation.text, span):
        yield from _search(equations, {**values, span.path: equation.text[span.start : end]}, work)


@dataclass(slots=True)
class _Span:
    """Where a variable may stand in a text: at the earliest, and at the latest."""

    path: Path
    start: int
    end: int
    after: str
    """The literal text that follows it."""
    last_start: int = 0
    last_end: int = 0

    @property
    def certain(self) -> bool:
        return (self.start, self.end) == (self.last_start, self.last_end)


def _filled(pieces: Sequence[Piece], values: Values) -> tuple[list[str], list[Path]]:
    """The literal texts, and the unknown variables between them: one text more than variables."""
    texts: list[list[str]] = [[]]
    slots: list[Path] = []
    for piece in pieces:
        if isinstance(piece, str):
            texts[-1].append(piece)
        elif piece.path in values:
            texts[-1].append(values[piece.path])
        else:
            slots.append(piece.path)
            texts.append([])
    return ["".join(parts) for parts in texts], slots


def _spans(filled: tuple[list[str], list[Path]], text: str, work: Work) -> list[_Span] | None:
    """Where each variable may stand; None: the literal texts do not occur in this order.

    Every solution has each literal text between its earliest place (found from the left) and its latest (from the
    right); both are solutions themselves, as long as each variable is printed once.
    """
    literals, slots = filled
    work.spend(len(text))
    first, last = literals[0], literals[-1]
    if not slots:
        return [] if text == first else None
    limit = len(text) - len(last)
    if len(first) > limit or not text.startswith(first) or not text.endswith(last):
        return None
    starts = _from_left(literals, text, limit)
    if starts is None:
        return None
    spans, at = [], len(first)
    for path, literal, start in zip(slots, literals[1:], starts, strict=True):
        spans.append(_Span(path, at, start, literal))
        at = start + len(literal)
    end = limit
    for number in range(len(slots) - 1, -1, -1):
        before = literals[number]
        start = text.rfind(before, len(first), end) if number else 0
        spans[number].last_start, spans[number].last_end = start + len(before), end
        end = start
    return spans


def _from_left(literals: Sequence[str], text: str, limit: int) -> list[int] | None:
    """The earliest place of each literal text but the first one; the last one stands at the end."""
    starts, at = [], len(literals[0])
    for literal in islice(literals, 1, len(literals) - 1):
        start = text.find(literal, at, limit)
        if start < 0:
            return None
        starts.append(start)
        at = start + len(literal)
    return [*starts, limit]


def _ends(text: str, span: _Span) -> Iterator[int]:
    """The places where the first unknown variable of a text may end: where the text that follows it begins."""
    end = span.end
    while 0 <= end <= span.last_end:
        yield end
        end = text.find(span.after, end + 1)
