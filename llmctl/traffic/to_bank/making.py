"""A source as a case: its id, what it expects, what is taken out of it, and the line that says where it comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmctl.errors import UsageError
from llmctl.providers.redaction import Redactor
from llmctl.traffic.pii import Pseudonyms
from llmctl.traffic.to_bank.expected import Expected, verdict_words
from llmctl.traffic.to_bank.new_case import NewCase
from llmctl.traffic.to_bank.sources import CaseSource

__all__ = ["CaseWords", "Cleaner", "new_case"]


@dataclass(slots=True)
class Cleaner:
    """Takes keys out of all that goes into a bank, and personal data where that is asked for."""

    redactor: Redactor
    pseudonyms: Pseudonyms | None = None
    """None: personal data stays."""
    keys: int = 0
    """Texts from which keys were taken."""

    @property
    def personal(self) -> Counter[str]:
        """By kind: how often personal data was replaced."""
        return self.pseudonyms.counts if self.pseudonyms else Counter()

    def value(self, value: Any) -> Any:
        """The value without them; the same data otherwise."""
        match value:
            case str():
                return self.text(value)
            case Mapping():
                return {self.text(str(key)): self.value(one) for key, one in value.items()}
            case list() | tuple():
                return [self.value(one) for one in value]
            case _:
                return value

    def text(self, text: str) -> str:
        """The same of one text."""
        clean = self.redactor.text(text)
        self.keys += clean != text
        return self.pseudonyms.text(clean) if self.pseudonyms else clean


@dataclass(frozen=True, slots=True)
class CaseWords:
    """What the user says of a new case."""

    id: str | None = None
    tags: tuple[str, ...] = ()
    must_pass: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    """Over those that were found."""


def new_case(
    source: CaseSource, expected: Expected, words: CaseWords, cleaner: Cleaner, taken: Collection[str]
) -> NewCase:
    """The case of a source; its own name gets a number where it is taken.

    Raises:
        UsageError: its variables are not known, or the id that the user wants is taken.
    """
    if source.variables is None and not words.variables:
        raise UsageError(
            f"The variables of {source.id} are not known: {source.lacking or 'they were not logged'}.",
            hint="Say where the log holds them with --map NAME=PATH, or give them with --var NAME=TEXT.",
        )
    if words.id is not None and words.id in taken:
        raise UsageError(f"The bank has a case {words.id} already.", hint="--id gives another id.")
    said = verdict_words(source.feedback)
    from_where = f"expected: {expected.origin}" if expected.given else ""
    return NewCase(
        id=words.id or _free(cleaner.text(source.name), taken),
        vars=cleaner.value({**(source.variables or {}), **words.variables}),
        expected=cleaner.value(expected.value),
        has_expected=expected.given,
        tags=words.tags,
        must_pass=words.must_pass,
        comment=cleaner.text(", ".join(part for part in (f"from {source.origin}", *said, from_where) if part)),
    )


def _free(name: str, taken: Collection[str]) -> str:
    number, found = 2, name
    while found in taken:
        found, number = f"{name}-{number}", number + 1
    return found
