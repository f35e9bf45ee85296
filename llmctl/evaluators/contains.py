"""The output contains a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmctl.evaluators.text_part import LINE_ENDS, TextPart

__all__ = ["Contains"]


@dataclass(frozen=True, slots=True)
class Contains(TextPart):
    """A text stands somewhere in the output; its own outer spaces count, its line ends do not."""

    name: ClassVar = "contains"
    where: ClassVar = "in the output"
    outer: ClassVar = LINE_ENDS

    def find(self, output: str, text: str) -> int | None:
        """The first place."""
        at = output.find(text)
        return None if at < 0 else at
