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
    "SetApart",
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
    """A case, on both sides; listed where one of them passes more often than the other."""

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
class SetApart:
    """A case that stands on both sides and cannot be compared."""

    case_id: str
    reason: str
    """One sentence."""


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
    """Pairs of which one side has no evidence, or both."""
    apart: int = 0
    """Pairs whose expected answer or evaluators changed and that could not be scored again alike, or that ask something
    else."""
    label_a: str = ""
    """The prompt's label on side A: `triage@main`."""
    label_b: str = ""
    model_a: str = ""
    """The model's name on side A; another one than B's where the change is one of the model."""
    model_b: str = ""
    repeats_a: int = 1
    """The most answers that a case has on side A."""
    repeats_b: int = 1
    one_sided: int = 0
    """Pairs among those without evidence that have it on one side."""
    flaky_regressions: int = 0
    """Regressions of cases that have passed and failed on equal calls."""
    flaky_fixes: int = 0
    rescored: int = 0
    """Pairs whose older answer was scored again, with the evaluators and the expected answer of the newer side."""
    cases_only_a: tuple[str, ...] = ()
    """Ids of the first of them."""
    cases_only_b: tuple[str, ...] = ()
    cases_apart: tuple[SetApart, ...] = ()
    """The first of them."""
    tags_left_out: int = 0
    """Tags that are not in `tags`: on fewer cases than those that are."""


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
    notes: tuple[str, ...] = ()
    """What a reader should know of the comparison, each one sentence."""

    @property
    def empty(self) -> bool:
        """No result differs: no flip, no other text, no evidence lost or won.

        Cases and cells that stand on one side only are listed, and are no changed result: a case inserted into a bank
        leaves the diff empty. So do changes of the sources that changed no answer.
        """
        return not any(
            cell.regression_count or cell.fix_count or cell.changed_outputs or cell.one_sided for cell in self.cells
        )
