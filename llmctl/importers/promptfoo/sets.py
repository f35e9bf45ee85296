"""Assertion sets as `all` and `any`.

promptfoo passes a set whose weighted mean reaches its threshold. Where each part scores 0 or 1, the sets of parts that
are enough can be listed: `any` of them, each of them `all` of its parts.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from llmctl.importers.promptfoo.assertion import Entry, UnconvertibleError, never

__all__ = ["SetPart", "set_entry"]

_MAX_PARTS = 12
_MAX_WAYS = 60
_ROUNDED = "Its parts count as passed or failed here, not by their scores in between."


@dataclass(frozen=True, slots=True)
class SetPart:
    """One assertion of a set."""

    data: Mapping[str, object]
    weight: float
    graded: bool


def set_entry(parts: Sequence[SetPart], threshold: float | None) -> Entry:
    """The entry of a set; without a threshold every part must pass.

    Raises:
        UnconvertibleError: there are too many ways in which it passes, or it always does.
    """
    if threshold is None:
        return Entry(_all([part.data for part in parts]))
    if threshold <= 0:
        raise UnconvertibleError("with its threshold no output could fail")
    changed = (_ROUNDED,) if any(part.graded for part in parts) else ()
    ways = list(itertools.islice(_ways(parts, threshold), _MAX_WAYS + 1)) if len(parts) <= _MAX_PARTS else []
    if len(parts) > _MAX_PARTS or len(ways) > _MAX_WAYS:
        raise UnconvertibleError("too many combinations of its parts reach the threshold")
    if not ways:
        return Entry(never(), ("No output reaches its threshold, as in promptfoo.",))
    enough = [_all([part.data for part in way]) for way in ways]
    return Entry(enough[0] if len(enough) == 1 else {"any": enough}, changed)


def _ways(parts: Sequence[SetPart], threshold: float) -> Iterator[tuple[SetPart, ...]]:
    """The smallest sets of parts whose weights reach the threshold."""
    total = sum(part.weight for part in parts)
    found: list[frozenset[int]] = []
    for size in range(1, len(parts) + 1):
        for chosen in itertools.combinations(range(len(parts)), size):
            if any(way <= set(chosen) for way in found):
                continue
            if sum(parts[index].weight for index in chosen) / total >= threshold:
                found.append(frozenset(chosen))
                yield tuple(parts[index] for index in chosen)


def _all(entries: list[Mapping[str, object]]) -> dict[str, object]:
    return dict(entries[0]) if len(entries) == 1 else {"all": entries}
