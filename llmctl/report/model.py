"""What every renderer reads: one run, counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from llmctl.runs.records import CaseEvent, EndEvent, ResultEvent, RunEvent, RunStatus
from llmctl.stats.intervals import Interval

if TYPE_CHECKING:
    from llmctl.report.classification import CellClasses
    from llmctl.report.judges import Judging
    from llmctl.runs.history import RunSummary
    from llmctl.runs.rescore.plan import Apart
    from llmctl.runs.rescore.score import Flip
    from llmctl.stats.repeats import Repeats

__all__ = [
    "Amount",
    "CaseFacts",
    "CaseKey",
    "FlakyCase",
    "RescoredFrom",
    "RunHead",
    "RunReport",
    "Summary",
    "TagSummary",
    "TargetKey",
    "TargetRepeats",
    "TargetSummary",
    "case_facts",
    "has_evidence",
]

CaseKey = tuple[str, str]
"""Bank and case id."""


def has_evidence(result: ResultEvent) -> bool:
    """Whether the result counts in a rate: its outcome says something about the model, and its evaluators judged."""
    return result.outcome.evidence and result.passed is not None


@dataclass(frozen=True, slots=True)
class RunHead:
    """Which run, when, from which commit. Times are UTC."""

    run_id: str
    planned: int
    """How many results the plan holds."""
    status: str = RunStatus.COMPLETED
    """A `RunStatus`, or what the history derives for a run that never ended (`killed`)."""
    label: str | None = None
    command: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    commit: str | None = None
    branch: str | None = None
    dirty: bool | None = None
    error: str | None = None
    """Why the run failed or stopped."""

    @classmethod
    def of(cls, run: RunEvent, end: EndEvent | None = None) -> RunHead:
        """From the first and the last event of a journal."""
        return cls(
            run_id=run.run_id,
            planned=run.planned,
            status=end.status if end else RunStatus.RUNNING,
            label=run.label,
            command=run.command,
            started_at=datetime.fromtimestamp(run.started_at, UTC),
            ended_at=datetime.fromtimestamp(end.ended_at, UTC) if end else None,
            commit=run.commit,
            branch=run.branch,
            dirty=run.dirty,
            error=end.error if end else None,
        )

    @classmethod
    def of_summary(cls, run: RunSummary) -> RunHead:
        """From the history, which also knows of runs that were killed."""
        return cls(
            run_id=run.run_id,
            planned=run.planned,
            status=run.status,
            label=run.label,
            command=run.command,
            started_at=run.started_at,
            ended_at=run.ended_at,
            commit=run.commit,
            branch=run.branch,
            dirty=run.dirty,
            error=run.error,
        )

    @property
    def duration_s(self) -> float | None:
        """Wall-clock seconds from start to end; None while it is not known."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True, order=True)
class TargetKey:
    """The row that a result belongs to: bank x prompt label x model."""

    bank: str
    prompt: str
    model: str

    @classmethod
    def of(cls, result: ResultEvent) -> TargetKey:
        """The target of a result."""
        return cls(result.bank, result.prompt, result.model)


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What a report wants to know of a case beside its results."""

    order: int
    """Its position in the plan."""
    must_pass: bool = False
    group: str | None = None


def case_facts(cases: Iterable[CaseEvent]) -> dict[CaseKey, CaseFacts]:
    """Order, `must_pass` and group of each planned case."""
    return {(case.bank, case.case_id): CaseFacts(order, case.must_pass, case.group) for order, case in enumerate(cases)}


@dataclass(frozen=True, slots=True)
class Amount:
    """A sum in which some parts may be unknown: then the sum is a lower bound, and where all are, it is unknown."""

    known: float = 0.0
    unknown: int = 0
    """How many results had no number; they never count as 0."""

    @property
    def value(self) -> float | None:
        """The sum, where every part of it is known."""
        return None if self.unknown else self.known


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts over some results of a run."""

    planned: int | None
    """None: not known for this part of a run that did not finish."""
    done: int
    passed: int
    failed: int
    errors: int
    """Results without evidence."""
    cached: int
    """Results whose answer was there already."""
    sent: int
    """Results whose answer was asked for in this run."""
    interval: Interval | None
    """Of the pass rate, 95 %, aware of repeats and groups."""
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    input_tokens: Amount
    output_tokens: Amount
    cost_usd: Amount
    """What these answers cost when they were made."""
    spent_usd: Amount
    """What this run itself spent on them."""

    @property
    def evidence(self) -> int:
        """Results that count in the rate."""
        return self.passed + self.failed

    @property
    def rate(self) -> float | None:
        """Passed / results with evidence; None where there is no evidence."""
        return self.passed / self.evidence if self.evidence else None

    @property
    def coverage(self) -> float | None:
        """Results with evidence / planned; None where nothing was planned or the plan is not known."""
        return self.evidence / self.planned if self.planned else None

    @property
    def covered(self) -> bool:
        """Whether every planned result has evidence."""
        return self.planned is not None and self.evidence >= self.planned


@dataclass(frozen=True, slots=True)
class TargetSummary:
    """One row by target."""

    key: TargetKey
    summary: Summary


@dataclass(frozen=True, slots=True)
class TagSummary:
    """One row by tag."""

    tag: str
    summary: Summary


@dataclass(frozen=True, slots=True)
class FlakyCase:
    """A case that has passed and failed on equal calls."""

    case_id: str
    passed: int
    answers: int
    """With evidence."""


@dataclass(frozen=True, slots=True)
class TargetRepeats:
    """What several answers to each case say of a target. All of it is by case, never by answer."""

    key: TargetKey
    k: int
    """The most answers with evidence that a case has."""
    cases: int
    """With k answers: `pass_at_k` and `pass_hat_k` are of these."""
    pass_at_k: float | None
    """Share of cases of which at least one of k answers passes."""
    pass_hat_k: float | None
    """Share of cases of which all k answers pass (pass^k)."""
    statistics: Repeats
    """Over the cases with two answers or more."""
    flaky: tuple[FlakyCase, ...]
    """The first of them, in the bank's order."""

    @property
    def unnamed(self) -> int:
        """Flaky cases that are not listed."""
        return self.statistics.flaky - len(self.flaky)


@dataclass(frozen=True, slots=True)
class RescoredFrom:
    """The run whose answers were scored again, and what that changed."""

    run_id: str
    flips: tuple[Flip, ...]
    apart: Apart
    stale: int = 0
    """Scores of judges that were kept though what decides them has changed."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run, counted; `failures` and `errors` hold the first few results in full."""

    head: RunHead
    total: Summary
    targets: tuple[TargetSummary, ...]
    tags: tuple[TagSummary, ...]
    failures: tuple[ResultEvent, ...]
    """Failed results: `must_pass` cases first, then in the bank's order."""
    errors: tuple[ResultEvent, ...]
    """Results without evidence, in the same order."""
    error_kinds: Mapping[str, int]
    """How many results have no evidence, by outcome, or `evaluator` where an evaluator broke."""
    must_pass: frozenset[CaseKey] = frozenset()
    """Those of the kept results' cases that must pass."""
    classifications: tuple[CellClasses, ...] = ()
    """By target and metric, where the expected answers are labels."""
    judging: Judging | None = None
    """The judges, where evaluators ask models."""
    rescored: RescoredFrom | None = None
    """Where stored answers were scored again."""
    repeats: tuple[TargetRepeats, ...] = ()
    """By target, where cases were answered more than once."""

    def flakiness(self, result: ResultEvent) -> FlakyCase | None:
        """How often a result's case has passed, where it is known to be flaky."""
        key = TargetKey.of(result)
        mine = (row.flaky for row in self.repeats if row.key == key)
        return next((case for cases in mine for case in cases if case.case_id == result.case_id), None)

    @property
    def missing(self) -> int:
        """Planned results that were never made."""
        return max(0, self.head.planned - self.total.done)

    @property
    def ended(self) -> str:
        """` interrupted`, ` stopped: the budget is used up`; empty where the run came to its end, or goes on."""
        if self.head.status in (RunStatus.COMPLETED, RunStatus.RUNNING):
            return ""
        return f" {self.head.status}" + (f": {self.head.error.rstrip('. ')}" if self.head.error else "")

    @property
    def resume(self) -> str | None:
        """The command that makes the missing results; None where none is missing, or the run goes on."""
        if self.head.status == RunStatus.RUNNING or not self.missing:
            return None
        if self.rescored is not None:
            return f"llmctl rescore {self.rescored.run_id}"
        return f"llmctl eval --resume {self.head.run_id}"
