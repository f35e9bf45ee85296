"""Cases that a bank got, on a terminal and as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from llmctl.canonical import plain
from llmctl.report.layout import Cell, block, show, styled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console
    from rich.text import Text

    from llmctl.traffic.to_bank.expected import Expected
    from llmctl.traffic.to_bank.making import Cleaner
    from llmctl.traffic.to_bank.new_case import NewCase

__all__ = ["Added", "added_json", "added_text", "case_json", "render_added"]

_COLUMN = 12


class Added(Protocol):
    """Cases that a bank gets: `Addition`."""

    @property
    def bank(self) -> str:
        """Its name."""

    @property
    def path(self) -> Path:
        """Its file."""

    @property
    def cases(self) -> Sequence[NewCase]:
        """The new ones."""

    @property
    def tables(self) -> Sequence[Path]:
        """Where its other cases stand."""


def render_added(console: Console, added: Added, expected: Expected, cleaner: Cleaner, *, dry_run: bool) -> None:
    """Print what became of a call."""
    show(console, added_text(added, expected, cleaner, console.width, dry_run=dry_run))


def added_text(added: Added, expected: Expected, cleaner: Cleaner, width: int, *, dry_run: bool) -> Text:
    """The case, where it stands, what it expects, what was taken out, and what to do next."""
    text = styled("")
    for case in added.cases:
        for label, value in _facts(added, case, expected, cleaner, dry_run=dry_run):
            text.append_text(block(label, Cell(value), width, indent=0, column=_COLUMN))
    return text


def _facts(
    added: Added, case: NewCase, expected: Expected, cleaner: Cleaner, *, dry_run: bool
) -> Iterator[tuple[str, str]]:
    yield "would add" if dry_run else "added", f"{case.id} to {added.path}"
    yield "case", case.comment
    yield "expected", expected.origin if case.has_expected else f"none: {expected.origin}"
    taken = [f"{kind.lower()} {number}" for kind, number in cleaner.personal.items()]
    if cleaner.keys:
        taken.append(f"keys {cleaner.keys}")
    if taken:
        yield "redacted", ", ".join(taken)
    if added.tables:
        yield "note", f"Other cases stand in {', '.join(map(str, added.tables))}; this one in the bank's own file."
    if not dry_run:
        yield "next", f"llmctl eval {shlex.quote(added.bank)} -k {shlex.quote(case.id)}"


def added_json(added: Added, expected: Expected, cleaner: Cleaner, *, dry_run: bool) -> dict[str, Any]:
    """The same as a document, `llmctl/bank-add/1`."""
    return {
        "schema": "llmctl/bank-add/1",
        "bank": added.bank,
        "file": str(added.path),
        "dry_run": dry_run,
        "case": case_json(added.cases[0]),
        "expected_from": expected.origin if expected.given else None,
        "no_expected": None if expected.given else expected.origin,
        "redacted": {**{kind.lower(): number for kind, number in cleaner.personal.items()}, "keys": cleaner.keys},
    }


def case_json(case: NewCase) -> dict[str, Any]:
    """A case as the bank has it, with its comment."""
    return {**plain(case.data()), "comment": case.comment}
