"""The output contains each of several texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmctl.evaluators.text_parts import TextParts

__all__ = ["ContainsAll"]


@dataclass(frozen=True, slots=True)
class ContainsAll(TextParts):
    """Each of the texts stands somewhere in the output, in any order."""

    name: ClassVar = "contains_all"

    def enough(self, missing: int, of: int) -> bool:  # noqa: ARG002
        """With none that is missing."""
        return missing == 0
