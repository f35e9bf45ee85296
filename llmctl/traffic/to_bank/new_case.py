"""A case on its way into a test bank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["NewCase"]


@dataclass(frozen=True, slots=True)
class NewCase:
    """A case that does not stand in a bank yet."""

    id: str
    vars: Mapping[str, object]
    expected: object = None
    has_expected: bool = False
    tags: tuple[str, ...] = ()
    must_pass: bool = False
    comment: str = ""
    """Where it comes from; stands above it."""

    def data(self) -> dict[str, object]:
        """As a bank's file has it, keys in the order in which people read them."""
        case: dict[str, object] = {"id": self.id, "vars": dict(self.vars)}
        if self.has_expected:
            case["expected"] = self.expected
        if self.tags:
            case["tags"] = list(self.tags)
        if self.must_pass:
            case["must_pass"] = True
        return case
