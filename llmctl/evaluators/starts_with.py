"""The output starts with a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmctl.evaluators.text_part import TextPart

__all__ = ["StartsWith"]


@dataclass(frozen=True, slots=True)
class StartsWith(TextPart):
    """The output begins with a text; outer white space is never compared."""

    name: ClassVar = "starts_with"
    where: ClassVar = "at the start of the output"

    def find(self, output: str, text: str) -> int | None:
        """The first character, or nowhere."""
        return 0 if output.startswith(text) else None
