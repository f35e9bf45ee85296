"""What `llmctl compare` says, as every renderer reads it."""

from __future__ import annotations

from dataclasses import dataclass

from llmctl.compare.diff_report import Difference, Rate

__all__ = ["BankComparison", "Claim", "ComparedTarget", "TargetComparison", "TargetName"]


@dataclass(frozen=True, slots=True, order=True)
class TargetName:
    """A prompt, by its label, on a model."""

    prompt: str
    model: str

    def __str__(self) -> str:
        return f"{self.prompt} · {self.model}"


@dataclass(frozen=True, slots=True)
class ComparedTarget:
    """One target on the shared cases of a bank."""

    name: TargetName
    planned: int
    """Results that the run was to make; those it made where the plan is not known."""
    evidence: int
    """Results with evidence, also of cases that are not shared."""
    rate: Rate
    """Over the shared cases."""
    cost_per_1000_usd: float | None
    """Of one answer to each of 1,000 such cases; None: not known of every answer."""
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    on_front: bool = False
    """No other target is at least as good in quality, cost and latency, and better in one of them."""

    @property
    def coverage(self) -> float | None:
        """Results with evidence / planned."""
        return self.evidence / self.planned if self.planned else None


@dataclass(frozen=True, slots=True)
class Claim:
    """The best target against another one."""

    better: TargetName
    other: TargetName
    lead: Difference
    """Pass rate of the better one minus that of the other, case by case; `adjusted_p` after Holm, over all pairs."""
    shown: bool
    """Whether the lead is more than chance, at the level of the comparison."""


@dataclass(frozen=True, slots=True)
class BankComparison:
    """The targets of one bank, the best first."""

    bank: str
    cases: int
    """That the bank has."""
    shared: int
    """Of them those that every target has evidence on: all figures are of these."""
    clusters: int
    """Independent groups among the shared cases."""
    repeats: int
    """The most answers that a target has to a case."""
    targets: tuple[ComparedTarget, ...]
    claims: tuple[Claim, ...]
    """Against each of the others, in their order."""
    comparisons: int
    """Pairs of targets that the p-values are corrected for."""
    without_evidence: tuple[TargetName, ...] = ()
    """Targets without any: they are left out."""


@dataclass(frozen=True, slots=True)
class TargetComparison:
    """A run, all its banks."""

    title: str
    run_id: str
    alpha: float
    banks: tuple[BankComparison, ...]
    notes: tuple[str, ...] = ()
    """What a reader should know, each one sentence."""
