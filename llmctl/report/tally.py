"""From results, as they come, to the report: by target, by tag and in all.

Each result is counted in one cell, that of its target and its tags; the rows of the report are sums of cells. What is
kept of a result are 16 bytes, so that 100,000 of them fit beside a run.
"""

from __future__ import annotations

import sys
from array import array
from bisect import insort
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import chain, groupby

from llmctl.report.classification import ClassTally
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
from llmctl.runs.classes import MetricClasses
from llmctl.runs.records import ResultEvent
from llmctl.stats.intervals import ClusterSums, clustered_wilson
from llmctl.stats.percentiles import p50, p95

__all__ = ["KEPT", "Tally"]

KEPT = 20
"""How many failed results, and how many without evidence, a report holds in full."""

_NUMBERS = 1 << 61
_HASHES = (1 << 62) - 1


class _Cell:
    """Counts, latencies and clusters over the results of one target that have the same tags."""

    __slots__ = ("counts", "latencies_ms", "packed", "tags", "target")

    def __init__(self, target: TargetKey, tags: Sequence[str]) -> None:
        self.target = target
        self.tags = frozenset(tags)
        self.counts = Counts()
        self.latencies_ms = array("d")
        self.packed = array("q")
        """For each result with evidence its cluster * 2 + passed."""

    def add(self, result: ResultEvent, facts: CaseFacts | None, *, evidence: bool) -> None:
        self.counts.add(result, evidence=evidence)
        if evidence:
            if result.latency_ms is not None:
                self.latencies_ms.append(result.latency_ms)
            self.packed.append(_cluster(result, facts) << 1 | bool(result.passed))

    def merge(self, other: _Cell) -> None:
        self.counts.merge(other.counts)
        self.latencies_ms.extend(other.latencies_ms)
        self.packed.extend(other.packed)


def _cluster(result: ResultEvent, facts: CaseFacts | None) -> int:
    """A number for what is not independent: a case with its repeats, or a group of cases.

    A group's is a hash: that two of 100,000 have one is as likely as 1 to a billion, and would merge two clusters.
    """
    if facts is not None:
        if facts.group is not None:
            return _hashed(result.bank, "group", facts.group)
        if 0 <= facts.order < _NUMBERS:
            return facts.order
    return _hashed(result.bank, "case", result.case_id)


def _hashed(*names: str) -> int:
    """A negative number for names, the same in every process."""
    text = "\0".join(names).encode("utf-8", "surrogatepass")
    return -1 - (int.from_bytes(blake2b(text, digest_size=8).digest()) & _HASHES)


def _clusters(packed: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Passed and total of each cluster."""
    for _, members in groupby(sorted(packed), key=lambda value: value >> 1):
        flags = [value & 1 for value in members]
        yield sum(flags), len(flags)


def _latencies(cells: Sequence[_Cell]) -> tuple[float | None, float | None]:
    """The 50th and the 95th percentile."""
    ordered = sorted(chain.from_iterable(cell.latencies_ms for cell in cells))
    return p50(ordered), p95(ordered)


def _summary(cells: Sequence[_Cell], planned: int | None) -> Summary:
    counts = Counts()
    for cell in cells:
        counts.merge(cell.counts)
    median_ms, slow_ms = _latencies(cells)
    sums = ClusterSums.of(_clusters(chain.from_iterable(cell.packed for cell in cells)))
    return Summary(
        planned=planned,
        done=counts.done,
        passed=counts.passed,
        failed=counts.failed,
        errors=counts.errors,
        cached=counts.cached,
        sent=counts.sent,
        interval=clustered_wilson(sums),
        latency_p50_ms=median_ms,
        latency_p95_ms=slow_ms,
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

    def merge(self, other: _First, arrived: int) -> None:
        """Take in what another one holds; `arrived`: how many results came before it."""
        for rank, result in other._ranked:
            self.add(replace(rank, arrival=arrived + rank.arrival), result)

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
        classes: Iterable[MetricClasses] = (),
        kept: int = KEPT,
    ) -> None:
        """Prepare to count.

        Args:
            cases: order, `must_pass` and group of the planned cases (`case_facts`), for results of old journals, which
                do not say it themselves; without them failures stand in the order in which they came.
            planned_by_target: how many results the plan holds for each target. Needed for the coverage by target of a
                run that did not finish; in a finished one every planned result was made.
            planned_by_tag: the same by tag.
            classes: the metrics that sort answers into classes.
            kept: how many failures, and how many errors, are kept in full.
        """
        self._cases = cases or {}
        self._planned_by_target = planned_by_target or {}
        self._planned_by_tag = planned_by_tag or {}
        self._classes = ClassTally(classes)
        self._arrived = 0
        self._cells: dict[tuple[str, str, str, tuple[str, ...]], _Cell] = {}
        self._failures = _First(kept)
        self._errors = _First(kept)
        self._error_kinds: Counter[str] = Counter()

    def add(self, result: ResultEvent) -> None:
        """Count a result."""
        facts = self._facts(result)
        evidence = has_evidence(result)
        self._arrived += 1
        name = (result.bank, result.prompt, result.model, result.tags)
        cell = self._cells.get(name)
        if cell is None:
            cell = self._cells[name] = _Cell(TargetKey.of(result), result.tags)
        cell.add(result, facts, evidence=evidence)
        self._classes.add(result, evidence=evidence)
        if not evidence:
            self._error_kinds[error_kind(result)] += 1
            self._errors.add(self._rank(result, facts), result)
        elif not result.passed:
            self._failures.add(self._rank(result, facts), result)

    def merge(self, other: Tally) -> None:
        """Count all that another tally of the same plan has counted."""
        for name, cell in other._cells.items():
            own = self._cells.get(name)
            if own is None:
                self._cells[name] = cell
            else:
                own.merge(cell)
        self._failures.merge(other._failures, self._arrived)
        self._errors.merge(other._errors, self._arrived)
        self._error_kinds.update(other._error_kinds)
        self._classes.merge(other._classes)
        self._arrived += other._arrived

    def report(self, head: RunHead) -> RunReport:
        """Everything that was counted, as the renderers read it."""
        cells = list(self._cells.values())
        total = _summary(cells, head.planned)
        kept = (*self._failures.results, *self._errors.results)
        return RunReport(
            head=head,
            total=total,
            targets=tuple(self._targets(total, whole=total.done >= head.planned)),
            tags=tuple(self._tags(whole=total.done >= head.planned)),
            failures=self._failures.results,
            errors=self._errors.results,
            error_kinds=dict(sorted(self._error_kinds.items())),
            classifications=self._classes.report(self._cluster_size),
            must_pass=frozenset((r.bank, r.case_id) for r in kept if self._must_pass(r)),
        )

    def _cluster_size(self, key: TargetKey) -> float:
        """How many results with evidence of a target stand in a cluster, on average."""
        packed = [cell.packed for cell in self._cells.values() if cell.target == key]
        total = sum(map(len, packed))
        return total / len({value >> 1 for value in chain.from_iterable(packed)}) if total else 1.0

    def _targets(self, total: Summary, *, whole: bool) -> Iterator[TargetSummary]:
        """A target without a single result is a row too."""
        found: dict[TargetKey, list[_Cell]] = {key: [] for key in self._planned_by_target}
        for cell in self._cells.values():
            found.setdefault(cell.target, []).append(cell)
        for key, cells in sorted(found.items()):
            planned = self._planned_by_target.get(key, sum(cell.counts.done for cell in cells) if whole else None)
            yield TargetSummary(key, replace(total, planned=planned) if len(found) == 1 else _summary(cells, planned))

    def _tags(self, *, whole: bool) -> Iterator[TagSummary]:
        found: dict[str, list[_Cell]] = {tag: [] for tag in self._planned_by_tag}
        for cell in self._cells.values():
            for tag in cell.tags:
                found.setdefault(tag, []).append(cell)
        for tag, cells in sorted(found.items()):
            planned = self._planned_by_tag.get(tag, sum(cell.counts.done for cell in cells) if whole else None)
            yield TagSummary(tag, _summary(cells, planned))

    def _facts(self, result: ResultEvent) -> CaseFacts | None:
        if result.case_number is None:
            return self._cases.get((result.bank, result.case_id))
        return CaseFacts(result.case_number, result.must_pass, result.group)

    def _must_pass(self, result: ResultEvent) -> bool:
        facts = self._facts(result)
        return facts is not None and facts.must_pass

    def _rank(self, result: ResultEvent, facts: CaseFacts | None) -> _Rank:
        arrival = self._arrived
        if facts is None:
            return _Rank(True, sys.maxsize, "", "", 0, arrival)
        return _Rank(not facts.must_pass, facts.order, result.prompt, result.model, result.repeat, arrival)
