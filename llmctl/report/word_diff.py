"""Which words differ between two texts, in time that is bounded however long they are."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

__all__ = ["DiffBudget", "Piece", "PieceKind", "equal_share", "word_diff"]

_SINGLE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Scripts that put no space between words: Thai, Lao, Burmese, Khmer, kana, Han. Each character is a word."""
_PUNCTUATION = r"!-/:-@\[-`{-~\u00a1-\u00bf\u2010-\u205e\u3001-\u303f\uff01-\uff0f\uff1a-\uff20"
_LETTER = rf"[^\s{_PUNCTUATION}{_SINGLE}]"
_WORD = re.compile(rf"\d+(?:[.,]\d+)+|{_LETTER}+(?:['\u2019]{_LETTER}+)*|\s+|[\s\S]")

_MAX_STEPS = 1_000_000
"""Comparisons of words: about a second. What is left then is shown as replaced."""
_ANCHORED = 2_000
"""Words from which on those that stand once on either side are paired first."""


class PieceKind(StrEnum):
    """What became of a piece."""

    EQUAL = "equal"
    REMOVED = "removed"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class Piece:
    """Words in a row that fared alike."""

    kind: PieceKind
    text: str


@dataclass(frozen=True, slots=True)
class _Span:
    """Part of the one text, and what stands in its place in the other; by word, or by character."""

    start: int
    end: int
    other_start: int
    other_end: int

    @property
    def length(self) -> int:
        """Of the longer side."""
        return max(self.end - self.start, self.other_end - self.other_start)


@dataclass(slots=True)
class DiffBudget:
    """How many comparisons of words are left to many diffs together, and how many one of them may take."""

    left: int
    each: int = _MAX_STEPS


class _Steps:
    """How many comparisons are left."""

    def __init__(self, left: int) -> None:
        self.left = left


def word_diff(before: str, after: str, budget: DiffBudget | None = None) -> list[Piece]:
    """The pieces of both texts in order: what is equal, what was removed, and what was added in its place.

    All but the added pieces joined are `before`; all but the removed ones are `after`. Short words that two long
    changes have in common by chance are shown as changed. Equal texts are one piece, and two empty ones none. The time
    is bounded: 1 MB against 1 MB takes about two seconds at most, and a part that is too different to be compared in it
    is one removed and one added piece. Where many texts are compared, `budget` bounds the time of all of them.
    """
    if before == after:
        return [Piece(PieceKind.EQUAL, before)] if before else []
    shared = budget or DiffBudget(_MAX_STEPS)
    steps = _Steps(granted := max(0, min(shared.left, shared.each)))
    words, others = _WORD.findall(before), _WORD.findall(after)
    changes = list(_changes(words, others, steps))
    shared.left -= granted - steps.left
    return list(_pieces(before, after, _readable(before, _by_character(words, others, changes))))


def equal_share(pieces: Sequence[Piece]) -> float:
    """How much of the longer text is equal, in [0, 1]; 1 of nothing."""
    sizes: Counter[PieceKind] = Counter()
    for piece in pieces:
        sizes[piece.kind] += len(piece.text)
    equal = sizes[PieceKind.EQUAL]
    longer = equal + max(sizes[PieceKind.REMOVED], sizes[PieceKind.ADDED])
    return equal / longer if longer else 1.0


def _changes(words: Sequence[str], others: Sequence[str], steps: _Steps) -> Iterator[_Span]:
    """What is not equal, by word, in order."""
    whole = _trimmed(words, others, _Span(0, len(words), 0, len(others)))
    gaps = [whole] if whole.length < _ANCHORED else _gaps(words, others, whole)
    for gap in gaps:
        inner = _trimmed(words, others, gap)
        if inner.start == inner.end or inner.other_start == inner.other_end:
            if inner.length:
                yield inner
        else:
            yield from _shortest_edit(words, others, inner, steps)


def _trimmed(words: Sequence[str], others: Sequence[str], span: _Span) -> _Span:
    """Without what both sides begin and end with."""
    start, end, other_start, other_end = span.start, span.end, span.other_start, span.other_end
    while start < end and other_start < other_end and words[start] == others[other_start]:
        start, other_start = start + 1, other_start + 1
    while start < end and other_start < other_end and words[end - 1] == others[other_end - 1]:
        end, other_end = end - 1, other_end - 1
    return _Span(start, end, other_start, other_end)


def _gaps(words: Sequence[str], others: Sequence[str], span: _Span) -> Iterator[_Span]:
    """The parts between words that stand once on either side and in the same order on both.

    Bram Cohen's patience diff; the order by the longest increasing subsequence.
    """
    places, other_places = _once(words, span.start, span.end), _once(others, span.other_start, span.other_end)
    both = [(place, other_places[word]) for word, place in places.items() if word in other_places]
    last_start, last_other = span.start, span.other_start
    for place, other in _increasing(both):
        yield _Span(last_start, place, last_other, other)
        last_start, last_other = place + 1, other + 1
    yield _Span(last_start, span.end, last_other, span.other_end)


def _once(words: Sequence[str], start: int, end: int) -> dict[str, int]:
    """The place of each word that stands there once, in order."""
    counts = Counter(words[start:end])
    return {word: place for place in range(start, end) if counts[word := words[place]] == 1 and not word.isspace()}


def _increasing(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest run of pairs, ordered by their first number, in which the second increases as well."""
    tails: list[int] = []
    tops: list[int] = []
    previous: list[int] = []
    for number, (_, second) in enumerate(pairs):
        pile = bisect_left(tails, second)
        previous.append(tops[pile - 1] if pile else -1)
        tails[pile : pile + 1] = [second]
        tops[pile : pile + 1] = [number]
    chain: list[tuple[int, int]] = []
    number = tops[-1] if tops else -1
    while number >= 0:
        chain.append(pairs[number])
        number = previous[number]
    return chain[::-1]


def _shortest_edit(words: Sequence[str], others: Sequence[str], span: _Span, steps: _Steps) -> list[_Span]:
    """The changes of a shortest edit script, or of its beginning where the budget ends, and the rest as one.

    Myers, E. W. (1986), An O(ND) difference algorithm and its variations, Algorithmica 1, 251-266: the greedy algorithm
    of figure 2, and the path back over the recorded fronts.
    """
    left, right = words[span.start : span.end], others[span.other_start : span.other_end]
    fronts = _fronts(left, right, steps)
    place = _farthest(fronts[-1], left, right)
    x, y = _point(fronts, len(fronts) - 1, place)
    changes = [_Span(x, len(left), y, len(right))] if x < len(left) or y < len(right) else []
    for edits in range(len(fronts) - 1, 0, -1):
        adds = _adds(fronts[edits - 1], place)
        place = place if adds else place - 1
        # Where the edit begins: the equal words behind it lie between it and the change found before.
        x, y = _point(fronts, edits - 1, place)
        edit = _Span(x, x, y, y + 1) if adds else _Span(x, x + 1, y, y)
        if changes and (changes[-1].start, changes[-1].other_start) == (edit.end, edit.other_end):
            last = changes.pop()
            edit = replace(edit, end=last.end, other_end=last.other_end)
        changes.append(edit)
    return [_moved(change, span) for change in reversed(changes)]


def _moved(change: _Span, by: _Span) -> _Span:
    return _Span(
        change.start + by.start,
        change.end + by.start,
        change.other_start + by.other_start,
        change.other_end + by.other_start,
    )


def _fronts(left: Sequence[str], right: Sequence[str], steps: _Steps) -> list[array[int]]:
    """How far along `left` 0, 1, 2 ... edits reach, until all is reached or the budget is used up.

    With n edits the diagonals -n, -n + 2 ... n can be reached, in places 0 to n; a diagonal is how much farther along
    `left` it is than along `right`.
    """
    fronts: list[array[int]] = []
    last = array("q")
    left_end, right_end = len(left), len(right)
    for edits in range(left_end + right_end + 1):
        front = array("q", bytes(8 * (edits + 1)))
        fronts.append(front)
        for place in range(edits + 1):
            start = (last[place] if _adds(last, place) else last[place - 1] + 1) if edits else 0
            x, y = start, start - (2 * place - edits)
            while x < left_end and y < right_end and left[x] == right[y]:
                x += 1
                y += 1
            front[place] = x
            steps.left -= x - start + 1
            if x >= left_end and y >= right_end:
                return fronts
        if steps.left <= 0:
            break
        last = front
    return fronts


def _adds(last: array[int], place: int) -> bool:
    """Whether the farthest path to a place comes from the front before by adding a word, not by removing one."""
    return place == 0 or (place < len(last) and last[place - 1] < last[place])


def _farthest(front: array[int], left: Sequence[str], right: Sequence[str]) -> int:
    """The place that is farthest along both texts together."""
    edits = len(front) - 1

    def reached(place: int) -> int:
        x = front[place]
        y = x - (2 * place - edits)
        return x + y if x <= len(left) and y <= len(right) else -1

    return max(range(len(front)), key=reached)


def _point(fronts: Sequence[array[int]], edits: int, place: int) -> tuple[int, int]:
    """How far along both texts a place is."""
    x = fronts[edits][place]
    return x, x - (2 * place - edits)


def _by_character(words: Sequence[str], others: Sequence[str], changes: Sequence[_Span]) -> list[_Span]:
    starts, other_starts = _starts(words), _starts(others)
    return [
        _Span(starts[one.start], starts[one.end], other_starts[one.other_start], other_starts[one.other_end])
        for one in changes
    ]


def _starts(words: Sequence[str]) -> list[int]:
    """Where each word begins, and where the last one ends."""
    starts = [0]
    for word in words:
        starts.append(starts[-1] + len(word))
    return starts


def _readable(before: str, changes: Sequence[_Span]) -> list[_Span]:
    """Changes joined over what is equal between them, where it is short beside both, or only white space."""
    joined: list[_Span] = []
    for change in changes:
        current = change
        while joined and _negligible(before[joined[-1].end : current.start], joined[-1], current):
            last = joined.pop()
            current = _Span(last.start, current.end, last.other_start, current.other_end)
        joined.append(current)
    return joined


def _negligible(equal: str, last: _Span, change: _Span) -> bool:
    return 2 * len(equal) <= min(last.length, change.length) or (equal.isspace() and "\n" not in equal)


def _pieces(before: str, after: str, changes: Sequence[_Span]) -> Iterator[Piece]:
    edges = [_Span(0, 0, 0, 0), *changes, _Span(len(before), len(before), len(after), len(after))]
    for last, change in pairwise(edges):
        for kind, text in (
            (PieceKind.EQUAL, before[last.end : change.start]),
            (PieceKind.REMOVED, before[change.start : change.end]),
            (PieceKind.ADDED, after[change.other_start : change.other_end]),
        ):
            if text:
                yield Piece(kind, text)
