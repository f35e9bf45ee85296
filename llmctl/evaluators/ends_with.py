"""The output ends with a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmctl.evaluators.text_part import TextPart

__all__ = ["EndsWith"]


@dataclass(frozen=True, slots=True)
class EndsWith(TextPart):
    """The output ends with a text; outer white space is never compared.

    `25` ends with `5`, as text: for numbers use `number`.
    """

    name: ClassVar = "ends_with"
    where: ClassVar = "at the end of the output"

    def find(self, output: str, text: str) -> int | None:
        """Where the last part begins, or nowhere."""
        return len(output) - len(text) if output.endswith(text) else None
