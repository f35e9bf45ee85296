"""The rows behind a page's list of cases: one JSON array each, cut so that a browser can open the page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

import orjson

from llmctl.report.word_diff import DiffBudget, Piece, PieceKind, equal_share, word_diff
from llmctl.safe_text import safe_text

__all__ = ["FIELDS", "Limits", "Reason", "Row", "Rows", "Status", "cut", "json_data", "named", "shown", "side_by_side"]

_LISTED_ALIKE = 100_000
"""Rows from which on those that are as they should be are left out."""
_LISTED = 200_000
_TEXT = 100_000
"""Characters of one text."""
_TEXTS = 60_000_000
"""Characters of all texts, from which on each is cut short: a browser holds no string above 500 million."""
_SHORT = 300
_NAME = 1_000
_COMPARED = 20_000
"""Characters of a text that is still compared word by word."""
_ALIKE = 0.25
"""Two texts with less in common are easier to read whole, each beside the other."""


class Status(StrEnum):
    """What became of a case, as the page's filter names it."""

    WORSE = "worse"
    FAILED = "failed"
    BETTER = "better"
    CHANGED = "changed"
    NO_EVIDENCE = "no evidence"
    PASSED = "passed"
    SAME = "same"

    @property
    def quiet(self) -> bool:
        """Whether the row is the first to be left out where there are too many."""
        return self in (Status.PASSED, Status.SAME)


@dataclass(frozen=True, slots=True)
class Reason:
    """What an evaluator said; `mark` is `passed`, `failed`, `observed` (weight 0), `broke`, or empty."""

    metric: str
    mark: str
    score: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """One result of a run, or one case of a comparison; `before` is what it is compared with."""

    status: Status
    bank: str
    case: str
    prompt: str
    model: str
    repeat: int = 1
    tags: tuple[str, ...] = ()
    must_pass: bool = False
    flaky: bool = False
    expected: str | None = None
    before: str | None = None
    """The baseline's answer; in a run the expected one, where the two can be compared word by word."""
    output: str | None = None
    why: tuple[Reason, ...] = ()
    why_before: tuple[Reason, ...] = ()
    outcome: str = ""
    """Empty where it is `answered`, or not known."""
    score: float | None = None
    passes: str = ""
    """`2 of 3` where a case has several answers."""
    passes_before: str = ""
    latency_ms: float | None = None
    latency_before_ms: float | None = None
    cost_usd: float | None = None
    cost_before_usd: float | None = None
    cached: bool = False


FIELDS = (*(one.name for one in fields(Row)), "pieces")
"""The names of a row's places; `pieces` are `[kind, text, kind, text ...]` with 0 equal, 1 removed, 2 added: where they
stand, `before` and `output` do not."""
_KINDS = {PieceKind.EQUAL: 0, PieceKind.REMOVED: 1, PieceKind.ADDED: 2}


@dataclass(slots=True)
class Limits:
    """What a page could not hold."""

    listed: int = 0
    left_out: int = 0
    """Rows."""
    cut: int = 0
    """Texts."""
    characters: int = 0


def shown(text: str) -> str:
    """Text as a page shows it: nothing in it is invisible or turns the order of what stands beside it."""
    return safe_text(text.replace("\r\n", "\n"))


def cut(text: str, limit: int = _TEXT) -> str:
    """The beginning of a text as a page shows it, and how much is missing."""
    if len(text) <= limit:
        return shown(text)
    return f"{shown(text[:limit])}\n[{len(text) - limit:,} more characters are not on this page]"


def named(text: str) -> str:
    """The name of a case, prompt, model, tag ... as a page shows it."""
    return shown(text) if len(text) <= _NAME else shown(text[:_NAME]) + "\u2026"


def side_by_side(before: str | None, output: str | None, budget: DiffBudget | None = None) -> list[Piece] | None:
    """The word differences of two shown texts; None where they help nobody."""
    if before is None or output is None or before == output:
        return None
    shorter, longer = sorted((len(before), len(output)))
    if longer > _COMPARED or shorter < _ALIKE * longer:
        return None
    pieces = word_diff(before, output, budget)
    return pieces if equal_share(pieces) >= _ALIKE else None


def json_data(document: object) -> str:
    """JSON to stand in a `<script>` element: nothing in it can end the element or begin a comment."""
    text = orjson.dumps(document).decode()
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@dataclass(slots=True)
class Rows:
    """Writes rows, and keeps count of what was left out of them."""

    limits: Limits = field(default_factory=Limits)
    budget: DiffBudget = field(default_factory=lambda: DiffBudget(5_000_000, each=50_000))

    def lines(self, rows: Iterable[Row]) -> Iterator[str]:
        """Each row as a JSON array, with the commas between them."""
        for row in rows:
            if self.limits.listed >= (_LISTED_ALIKE if row.status.quiet else _LISTED):
                self.limits.left_out += 1
                continue
            yield (",\n" if self.limits.listed else "\n") + json_data(self._values(row))
            self.limits.listed += 1

    def _values(self, row: Row) -> list[Any]:
        before, output = self._text(row.before), self._text(row.output)
        pieces = side_by_side(before, output, self.budget)
        return [
            row.status.value,
            *map(named, (row.bank, row.case, row.prompt, row.model)),
            row.repeat,
            list(map(named, row.tags)),
            row.must_pass,
            row.flaky,
            self._text(row.expected),
            before if pieces is None else None,
            output if pieces is None else None,
            self._reasons(row.why),
            self._reasons(row.why_before),
            row.outcome,
            _number(row.score),
            row.passes,
            row.passes_before,
            *map(_number, (row.latency_ms, row.latency_before_ms, row.cost_usd, row.cost_before_usd)),
            row.cached,
            None if pieces is None else [value for one in pieces for value in (_KINDS[one.kind], one.text)],
        ]

    def _reasons(self, reasons: tuple[Reason, ...]) -> list[list[Any]]:
        return [[named(one.metric), one.mark, _number(one.score), self._text(one.text)] for one in reasons]

    def _text(self, text: str | None) -> str | None:
        if text is None:
            return None
        limit = _TEXT if self.limits.characters < _TEXTS else _SHORT
        kept = cut(text, limit)
        self.limits.characters += len(kept)
        self.limits.cut += len(text) > limit
        return kept


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
