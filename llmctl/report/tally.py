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
    TargetRepeats,
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

_NAMED = 1_000
"""How many cases that have failed are known by name: 100 kB."""
_NUMBERS = 1 << 61
_HASHES = (1 << 62) - 1


class _Cell:
    """Counts, latencies and clusters over the results of one target that have the same tags."""

    __slots__ = ("clusters", "counts", "latencies_ms", "packed", "repeats", "tags", "target")

    def __init__(self, target: TargetKey, tags: Sequence[str]) -> None:
        self.target = target
        self.tags = frozenset(tags)
        self.counts = Counts()
        self.latencies_ms = array("d")
        self.packed = array("q")
        """For each result with evidence its case * 2 + passed."""
        self.clusters = array("q")
        """For each of them its cluster; empty where every case is its own."""
        self.repeats = 1
        """The highest number of a repeat."""

    def add(self, result: ResultEvent, facts: CaseFacts | None, *, evidence: bool) -> None:
        self.counts.add(result, evidence=evidence)
        if evidence:
            if result.latency_ms is not None:
                self.latencies_ms.append(result.latency_ms)
            group = None if facts is None else facts.group
            case = case_number(result, facts)
            if group is not None or self.clusters:
                if not self.clusters:
                    self.clusters = array("q", (value >> 1 for value in self.packed))
                # That two groups of 100,000 have one hash, and are one cluster, is as likely as 1 to a billion.
                self.clusters.append(case if group is None else _hashed(result.bank, "group", group))
            self.packed.append(case << 1 | bool(result.passed))
            self.repeats = max(self.repeats, result.repeat)

    def merge(self, other: _Cell) -> None:
        self.counts.merge(other.counts)
        self.latencies_ms.extend(other.latencies_ms)
        if self.clusters or other.clusters:
            self.clusters = array("q", chain(self.cluster_of_each, other.cluster_of_each))
        self.packed.extend(other.packed)
        self.repeats = max(self.repeats, other.repeats)

    @property
    def cluster_of_each(self) -> Iterable[int]:
        """For each result with evidence the number of what is not independent of it: its case, or its group."""
        return self.clusters or (value >> 1 for value in self.packed)

    @property
    def by_cluster(self) -> Iterable[int]:
        """For each result with evidence its cluster * 2 + passed."""
        if not self.clusters:
            return self.packed
        return (cluster << 1 | value & 1 for cluster, value in zip(self.clusters, self.packed, strict=True))


def case_number(result: ResultEvent, facts: CaseFacts | None) -> int:
    """A number for a case, the same for all its results: its place in the plan, or a hash where that is not known."""
    if facts is not None and 0 <= facts.order < _NUMBERS:
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
    sums = ClusterSums.of(_clusters(chain.from_iterable(cell.by_cluster for cell in cells)))
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
        self._failed_cases: dict[int, str] = {}
        """The ids of cases that have failed, by their number: of flaky ones the report says the names."""

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
            if len(self._failed_cases) < _NAMED:
                self._failed_cases.setdefault(case_number(result, facts), result.case_id)

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
        self._failed_cases = {**other._failed_cases, **self._failed_cases}
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
            repeats=tuple(self._repeats()),
        )

    def _repeats(self) -> Iterator[TargetRepeats]:
        """What repeats say, for each target that has any; nothing of it is computed for a run without."""
        found: dict[TargetKey, list[_Cell]] = {}
        for cell in self._cells.values():
            found.setdefault(cell.target, []).append(cell)
        for key, cells in sorted(found.items()):
            if max(cell.repeats for cell in cells) > 1:
                from llmctl.report.repeats import repeats_of  # numpy

                row = repeats_of(key, [cell.packed for cell in cells], self._failed_cases)
                if row.statistics.cases:
                    yield row

    def _cluster_size(self, key: TargetKey) -> float:
        """How many results with evidence of a target stand in a cluster, on average."""
        mine = [cell for cell in self._cells.values() if cell.target == key]
        total = sum(len(cell.packed) for cell in mine)
        return total / len(set(chain.from_iterable(cell.cluster_of_each for cell in mine))) if total else 1.0

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
