"""From results, as they come, to the report: by target, by tag and in all."""

from __future__ import annotations

import sys
from array import array
from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from llmctl.report.counts import Counts
from llmctl.report.explain import error_kind
from llmctl.report.model import (
    CaseFacts,
    CaseKey,
    RunHead,
    RunReport,
    Summary,
    TagSummary,
    TargetKey,
    TargetSummary,
    has_evidence,
)
from llmctl.runs.records import ResultEvent
from llmctl.stats.intervals import ClusterSums, clustered_wilson
from llmctl.stats.percentiles import p50, p95

__all__ = ["KEPT", "Tally"]

KEPT = 20
"""How many failed results, and how many without evidence, a report holds in full."""

_ONE = 1 << 32
"""A cluster is one number: results * 2**32 + passed (a tenth of the memory of a list)."""


class _Group:
    """Counts, latencies and clusters over the results of one target, one tag or the run."""

    __slots__ = ("_clusters", "counts", "latencies_ms")

    def __init__(self) -> None:
        self.counts = Counts()
        self.latencies_ms = array("d")
        self._clusters: dict[CaseKey, int] = {}

    def add(self, result: ResultEvent, cluster: CaseKey, *, evidence: bool) -> None:
        self.counts.add(result, evidence=evidence)
        if evidence:
            if result.latency_ms is not None:
                self.latencies_ms.append(result.latency_ms)
            self._clusters[cluster] = self._clusters.get(cluster, 0) + _ONE + bool(result.passed)

    def summary(self, planned: int | None) -> Summary:
        counts = self.counts
        sums = ClusterSums.of((packed % _ONE, packed // _ONE) for packed in self._clusters.values())
        return Summary(
            planned=planned,
            done=counts.done,
            passed=counts.passed,
            failed=counts.failed,
            errors=counts.errors,
            cached=counts.cached,
            sent=counts.sent,
            interval=clustered_wilson(sums),
            latency_p50_ms=p50(self.latencies_ms),
            latency_p95_ms=p95(self.latencies_ms),
            input_tokens=counts.input_tokens.amount,
            output_tokens=counts.output_tokens.amount,
            cost_usd=counts.cost.amount,
            spent_usd=counts.spent.amount,
        )


@dataclass(frozen=True, slots=True, order=True)
class _Rank:
    """`must_pass` first, then the bank's order, then as they came."""

    optional: bool
    order: int
    prompt: str
    model: str
    repeat: int
    arrival: int


class _First:
    """The first few results by rank."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._ranked: list[tuple[_Rank, ResultEvent]] = []

    def add(self, rank: _Rank, result: ResultEvent) -> None:
        if len(self._ranked) >= self._limit and (not self._ranked or rank > self._ranked[-1][0]):
            return
        insort(self._ranked, (rank, result), key=lambda pair: pair[0])
        del self._ranked[self._limit :]

    @property
    def results(self) -> tuple[ResultEvent, ...]:
        return tuple(result for _, result in self._ranked)


class Tally:
    """Counts results as they come; `report` may be asked for at any time."""

    def __init__(
        self,
        cases: Mapping[CaseKey, CaseFacts] | None = None,
        *,
        planned_by_target: Mapping[TargetKey, int] | None = None,
        planned_by_tag: Mapping[str, int] | None = None,
        kept: int = KEPT,
    ) -> None:
        """Prepare to count.

        Args:
            cases: order, `must_pass` and group of the planned cases (`case_facts`); without them failures stand in the
                order in which they came, and only repeats are taken as clusters.
            planned_by_target: how many results the plan holds for each target. Needed for the coverage by target of a
                run that did not finish; in a finished one every planned result was made.
            planned_by_tag: the same by tag.
            kept: how many failures, and how many errors, are kept in full.
        """
        self._cases = cases or {}
        self._planned_by_target = planned_by_target or {}
        self._planned_by_tag = planned_by_tag or {}
        self._total = _Group()
        self._targets: defaultdict[TargetKey, _Group] = defaultdict(_Group)
        self._tags: defaultdict[str, _Group] = defaultdict(_Group)
        for key in self._planned_by_target:  # a target without a single result is a row too
            self._targets[key] = _Group()
        for tag in self._planned_by_tag:
            self._tags[tag] = _Group()
        self._failures = _First(kept)
        self._errors = _First(kept)
        self._error_kinds: Counter[str] = Counter()

    @property
    def counts(self) -> Counts:
        """The running counts of the whole run."""
        return self._total.counts

    def add(self, result: ResultEvent) -> None:
        """Count a result."""
        case = (result.bank, result.case_id)
        facts = self._cases.get(case)
        cluster = (result.bank, f"group\0{facts.group}") if facts and facts.group is not None else case
        evidence = has_evidence(result)
        self._total.add(result, cluster, evidence=evidence)
        self._targets[TargetKey.of(result)].add(result, cluster, evidence=evidence)
        for tag in dict.fromkeys(result.tags):
            self._tags[tag].add(result, cluster, evidence=evidence)
        if not evidence:
            self._error_kinds[error_kind(result)] += 1
            self._errors.add(self._rank(result, facts), result)
        elif not result.passed:
            self._failures.add(self._rank(result, facts), result)

    def report(self, head: RunHead) -> RunReport:
        """Everything that was counted, as the renderers read it."""
        whole = self._total.counts.done >= head.planned
        targets = [
            TargetSummary(key, group.summary(self._planned_by_target.get(key, group.counts.done if whole else None)))
            for key, group in self._targets.items()
        ]
        tags = [
            TagSummary(tag, group.summary(self._planned_by_tag.get(tag, group.counts.done if whole else None)))
            for tag, group in sorted(self._tags.items())
        ]
        kept = (*self._failures.results, *self._errors.results)
        return RunReport(
            head=head,
            total=self._total.summary(head.planned),
            targets=tuple(sorted(targets, key=lambda target: target.key)),
            tags=tuple(tags),
            failures=self._failures.results,
            errors=self._errors.results,
            error_kinds=dict(sorted(self._error_kinds.items())),
            must_pass=frozenset((r.bank, r.case_id) for r in kept if self._must_pass(r)),
        )

    def _must_pass(self, result: ResultEvent) -> bool:
        facts = self._cases.get((result.bank, result.case_id))
        return facts is not None and facts.must_pass

    def _rank(self, result: ResultEvent, facts: CaseFacts | None) -> _Rank:
        arrival = self._total.counts.done
        if facts is None:
            return _Rank(True, sys.maxsize, "", "", 0, arrival)
        return _Rank(not facts.must_pass, facts.order, result.prompt, result.model, result.repeat, arrival)
