"""The output contains one of several texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmctl.evaluators.text_parts import TextParts

__all__ = ["ContainsAny"]


@dataclass(frozen=True, slots=True)
class ContainsAny(TextParts):
    """At least one of the texts stands somewhere in the output."""

    name: ClassVar = "contains_any"

    def enough(self, missing: int, of: int) -> bool:
        """With one that is there."""
        return missing < of
