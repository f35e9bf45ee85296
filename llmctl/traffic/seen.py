"""Which ids were met already: 16 bytes for each of them, where a set of Python's takes a hundred."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

__all__ = ["Seen"]

_FIRST_SIZE = 2**12


class Seen:
    """Numbers of 64 bits, evenly spread as those of a digest are."""

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._table = array("Q", bytes(8 * _FIRST_SIZE))
        self._mask = _FIRST_SIZE - 1
        self._count = 0
        for number in numbers:
            self.add(number)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, number: int) -> bool:
        number = number or 1
        table, mask = self._table, self._mask
        at = number & mask
        while held := table[at]:
            if held == number:
                return True
            at = (at + 1) & mask
        return False

    def add(self, number: int) -> bool:
        """Add a number; whether it is new."""
        number = number or 1  # 0 is an empty place
        table, mask = self._table, self._mask
        at = number & mask
        while held := table[at]:
            if held == number:
                return False
            at = (at + 1) & mask
        table[at] = number
        self._count += 1
        if self._count * 2 > mask:
            self._grow()
        return True

    def _grow(self) -> None:
        before = self._table
        self._mask = 2 * len(before) - 1
        self._table = table = array("Q", bytes(16 * len(before)))
        mask = self._mask
        for number in before:
            if number:
                at = number & mask
                while table[at]:
                    at = (at + 1) & mask
                table[at] = number
