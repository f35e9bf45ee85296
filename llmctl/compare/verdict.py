"""What a gate says: one verdict for each rule and cell, with its evidence, and the worst of them for the whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from llmctl.compare.cells import CaseName, Cell
from llmctl.compare.gate_context import GateContext
from llmctl.errors import ExitCode
from llmctl.stats.intervals import Interval

__all__ = ["CellVerdict", "GateReport", "JudgedCase", "RuleName", "RuleVerdict", "Spending", "Verdict", "worst"]


class Verdict(StrEnum):
    """The closed set."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    """The evidence is sound but too little."""
    NOT_EVALUATED = "NOT EVALUATED"
    """There is no evidence that could be judged: a key, a provider, a judge, missing results, no baseline."""

    @property
    def exit_code(self) -> ExitCode:
        """What the command ends with."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Verdict.PASS: ExitCode.DONE,
    Verdict.FAIL: ExitCode.FAILED,
    Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
    Verdict.NOT_EVALUATED: ExitCode.UNFINISHED,
}
_FROM_WORST = (Verdict.FAIL, Verdict.NOT_EVALUATED, Verdict.INCONCLUSIVE, Verdict.PASS)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """FAIL wins, as no missing result could undo it; then NOT EVALUATED, then INCONCLUSIVE. Nothing is never a pass."""
    found = set(verdicts)
    return next((verdict for verdict in _FROM_WORST if verdict in found), Verdict.NOT_EVALUATED)


class RuleName(StrEnum):
    """The rules, as `gate:` writes them."""

    COVERAGE = "max_missing"
    MUST_PASS = "must_pass"
    MIN_PASS_RATE = "min_pass_rate"
    MAX_NEW_FAILURES = "max_new_failures"
    MARGIN = "margin"
    MAX_FLAKE_RATE = "max_flake_rate"
    MAX_LATENCY_P95 = "max_latency_p95_ms"
    MAX_COST = "max_cost_per_1000_usd"


@dataclass(frozen=True, slots=True)
class JudgedCase:
    """A case that a rule points at, with all that a person wants to see of it."""

    name: CaseName
    cell: Cell
    expected: str | None
    output: str | None
    """The candidate's; the failing one where there are several."""
    baseline_output: str | None
    """None: not known (a committed baseline holds no texts)."""
    reason: str
    """Why it fails, in the evaluators' words."""
    passed: int = 0
    """The candidate's answers that passed, of `evidence`."""
    evidence: int = 0
    baseline_passed: int | None = None
    baseline_evidence: int | None = None
    tags: tuple[str, ...] = ()
    must_pass: bool = False

    @property
    def flaky(self) -> bool:
        """Whether a side passed and failed on equal calls."""
        before = self.baseline_passed is not None and 0 < self.baseline_passed < (self.baseline_evidence or 0)
        return before or 0 < self.passed < self.evidence


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """One rule on one cell, or on the cases with a tag in it."""

    rule: RuleName
    verdict: Verdict
    sentence: str
    """The evidence: `no drop larger than 3.1 points (95 %)`."""
    guarantee: str = ""
    """The error rates of this verdict; empty where it is a plain fact about the results."""
    advice: str = ""
    """The way out: what would decide, which line to add."""
    tag: str | None = None
    limit: float | None = None
    """What the rule allows, in the rule's own unit."""
    observed: float | None = None
    """What was found, in the same unit."""
    interval: Interval | None = None
    """Of `observed`, where it is an estimate."""
    p_value: float | None = None
    cases: tuple[JudgedCase, ...] = ()
    """Those that decided, worst first."""
    open: bool = False
    """Answers that nobody has asked for yet could still change it: never of a PASS or a FAIL."""


@dataclass(frozen=True, slots=True)
class CellVerdict:
    """A cell: the worst of its rules."""

    cell: Cell
    rules: tuple[RuleVerdict, ...]
    planned: int
    """Results of the candidate."""
    evidence: int
    passed: int
    interval: Interval | None
    """Of the pass rate, 95 %."""
    baseline_evidence: int | None = None
    """None: no rule needs a baseline."""
    baseline_passed: int | None = None
    asked: int | None = None
    """Results that this gate wanted: fewer than `planned` where it stopped early. None: all."""

    @property
    def verdict(self) -> Verdict:
        """Of the whole cell."""
        return worst(rule.verdict for rule in self.rules)


@dataclass(frozen=True, slots=True)
class Spending:
    """What judging cost."""

    sent: int = 0
    """Calls that this gate sent, on both sides."""
    stored: int = 0
    """Answers that were there already."""
    saved: int = 0
    """Calls that stopping early made unnecessary."""
    cost_usd: float | None = 0.0
    """None: a price is not known."""


@dataclass(frozen=True, slots=True)
class GateReport:
    """The whole verdict, as every renderer reads it."""

    cells: tuple[CellVerdict, ...]
    candidate: str
    """The side's title."""
    baseline: str | None
    """The side's title; None: no rule needs one, or there is none."""
    run_id: str | None
    """The candidate's run."""
    alpha: float = 0.05
    spending: Spending = field(default_factory=Spending)
    warnings: tuple[str, ...] = ()
    stopped: ExitCode | None = None
    """What ended the candidate's run before its end: STOPPED (budget), INTERRUPTED, TERMINATED."""
    tolerate_inconclusive: bool = False
    """`[gate] inconclusive = "warn"`: INCONCLUSIVE ends with 0, and is still called so."""
    context: GateContext = field(default_factory=GateContext)
    """What is shown beside the verdict, and is no part of it; empty where nobody has asked for it."""

    @property
    def verdict(self) -> Verdict:
        """The worst cell's."""
        return worst(cell.verdict for cell in self.cells)

    @property
    def exit_code(self) -> ExitCode:
        """FAIL wins; else what ended the run; else the verdict's."""
        if self.verdict is Verdict.FAIL or self.stopped is None:
            if self.verdict is Verdict.INCONCLUSIVE and self.tolerate_inconclusive:
                return ExitCode.DONE
            return self.verdict.exit_code
        return self.stopped
