"""A page of limited size: a block that does not fit is left out, and counted."""

from __future__ import annotations

from collections.abc import Iterable

from llmctl.report.numbers import count

__all__ = ["MAX_BYTES", "Page"]

MAX_BYTES = 60_000
"""Of a comment: GitHub takes 65,536 characters, and 1 MiB for the summaries of a step. Bytes bound characters."""
_CLOSING_BYTES = 200


class Page:
    """Collects blocks of Markdown in order."""

    def __init__(self, closing: str = "", max_bytes: int = MAX_BYTES) -> None:
        """`closing` stands at the end whatever was left out before it."""
        self._blocks: list[str] = []
        self._closing = closing
        self._room = max_bytes - _size(closing) - _CLOSING_BYTES
        self._left_out = 0

    def add(self, block: str) -> bool:
        """Whether it had room."""
        if _size(block) > self._room:
            self._left_out += 1
            return False
        self._room -= _size(block)
        self._blocks.append(block)
        return True

    def extend(self, heading: str, blocks: Iterable[str]) -> None:
        """A heading and its blocks, those that have room."""
        if self.add(heading):
            for block in blocks:
                self.add(block)

    def text(self) -> str:
        """The whole page."""
        said = ""
        if self._left_out:
            said = (
                f"\n{count(self._left_out)} parts are left out here: a comment holds no more. The report files have"
                " them all.\n"
            )
        return "".join([*self._blocks, said, self._closing])


def _size(text: str) -> int:
    return len(text.encode("utf-8", "backslashreplace"))
