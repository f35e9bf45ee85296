"""What a diff says, as every renderer reads it."""

from __future__ import annotations

from dataclasses import dataclass

from llmctl.compare.cells import CaseName, Cell
from llmctl.compare.side import Side
from llmctl.stats.intervals import Interval

__all__ = [
    "CellDiff",
    "Change",
    "ChangeKind",
    "DiffReport",
    "Difference",
    "FlippedCase",
    "MetricDiff",
    "Rate",
    "RatioDiff",
    "Sensitivity",
    "TagDiff",
]

ChangeKind = str
"""`prompt`, `model`, `params`, `evaluators`, `bank`, `llmctl`."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A pass rate of one side, over the pairs."""

    passed: float
    """A sum over cases of the share of their repeats that passed."""
    evidence: int
    """Cases."""
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Difference:
    """B minus A, with its interval; for rates in [-1, 1]."""

    value: float
    low: float | None
    high: float | None
    """None: no interval can be given (one case, no variance)."""
    p_value: float | None
    """Two-sided."""
    method: str
    """`Tango score interval, McNemar mid-p`; `paired t`; `clustered t`."""
    p_exact: float | None = None
    adjusted_p: float | None = None
    """By Benjamini and Hochberg over the table that it stands in."""


@dataclass(frozen=True, slots=True)
class RatioDiff:
    """B over A of the paired cases: latency or cost."""

    value: float | None
    low: float | None
    high: float | None
    pairs: int
    before: float | None
    """The median of A, in the metric's unit."""
    after: float | None


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What this many cases can show."""

    smallest_drop: float | None
    """That 80 % of such comparisons would have seen, as a share; None: no number of these cases sees any."""
    needed_for_margin: int | None
    """Cases for `margin` at 80 %; None: unknown."""
    margin: float
    discordance: float
    """Share of pairs that differ, that both were computed from."""


@dataclass(frozen=True, slots=True)
class FlippedCase:
    """A case that passes on one side and fails on the other."""

    name: CaseName
    cell: Cell
    expected: str | None
    output_a: str | None
    output_b: str | None
    reason_a: str
    reason_b: str
    passed_a: int
    evidence_a: int
    passed_b: int
    evidence_b: int
    flaky: bool
    """The case has passed and failed on equal calls: this flip may be noise."""
    tags: tuple[str, ...] = ()
    must_pass: bool = False
    latency_a_ms: float | None = None
    latency_b_ms: float | None = None
    cost_a_usd: float | None = None
    cost_b_usd: float | None = None


@dataclass(frozen=True, slots=True)
class MetricDiff:
    """One metric over the pairs that both sides scored."""

    metric: str
    pairs: int
    mean_a: float
    mean_b: float
    difference: Difference


@dataclass(frozen=True, slots=True)
class TagDiff:
    """The pass rate of the cases with a tag; reported, never gating."""

    tag: str
    pairs: int
    rate_a: Rate
    rate_b: Rate
    difference: Difference


@dataclass(frozen=True, slots=True)
class CellDiff:
    """One cell, paired by case."""

    cell: Cell
    pairs: int
    """Cases with evidence on both sides that can be compared."""
    clusters: int
    """Independent groups among them; equal to `pairs` where no case has a group."""
    draws: int
    """Pairs whose two answers are different draws; the others refer to one call and can differ by evaluators only."""
    rate_a: Rate
    rate_b: Rate
    difference: Difference | None
    """None: no pair."""
    regressions: tuple[FlippedCase, ...]
    """`must_pass` first, flaky last."""
    fixes: tuple[FlippedCase, ...]
    regression_count: int
    """Also those that are not listed."""
    fix_count: int
    changed_outputs: int
    """Pairs whose verdict is the same and whose text is not."""
    metrics: tuple[MetricDiff, ...] = ()
    tags: tuple[TagDiff, ...] = ()
    latency: RatioDiff | None = None
    cost: RatioDiff | None = None
    sensitivity: Sensitivity | None = None
    only_a: int = 0
    """Cases without a partner on the other side: removed."""
    only_b: int = 0
    no_evidence: int = 0
    """Pairs of which one side has no evidence."""
    apart: int = 0
    """Pairs whose expected answer or evaluators changed and that could not be scored again alike."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is not the same on both sides, beside the results."""

    kind: ChangeKind
    name: str
    before: str | None
    """As text to be compared line by line; None: it was not there."""
    after: str | None


@dataclass(frozen=True, slots=True)
class DiffReport:
    """Two sides, compared."""

    a: Side
    b: Side
    cells: tuple[CellDiff, ...]
    changes: tuple[Change, ...]
    only_in_a: tuple[Cell, ...] = ()
    only_in_b: tuple[Cell, ...] = ()

    @property
    def empty(self) -> bool:
        """Nothing differs: no flip, no output, no cell, no case."""
        return not (
            self.changes
            or self.only_in_a
            or self.only_in_b
            or any(
                cell.regression_count or cell.fix_count or cell.changed_outputs or cell.only_a or cell.only_b
                for cell in self.cells
            )
        )
