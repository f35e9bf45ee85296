"""Two sides, compared: reads, pairs, makes comparable, and puts every statistic into one report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from llmctl.compare.diff.by_part import MetricTable, TagTable, read_metrics, read_tags
from llmctl.compare.diff.cell_pairs import CellPair, PairedCells
from llmctl.compare.diff.changes import read_changes
from llmctl.compare.diff.comparable import Comparability, make_comparable
from llmctl.compare.diff.flips import FlippedRow, Flips, find_flips, shown_cases
from llmctl.compare.diff.opened import Opened, opened
from llmctl.compare.diff.pair_table import Flags, PairTable, read_pairs
from llmctl.compare.diff.request import DiffRequest
from llmctl.compare.diff.statistics import clusters_of, difference_of, rate_of, ratio_of, sensitivity_of
from llmctl.compare.diff.tables import chosen_cells, fill_tables
from llmctl.compare.diff_report import CellDiff, DiffReport, FlippedCase, SetApart
from llmctl.compare.side import Side

__all__ = ["Comparison", "compare_sides", "comparing"]

_NAMED = 20
"""How many cases a list of names holds."""
_CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class _Cell:
    """One cell while it is compared."""

    number: int
    pair: CellPair
    every: PairTable
    """All its cases of which either side has a result."""
    apart: Flags
    """Of these, the ones that stand on both sides and cannot be compared."""
    compared: PairTable
    flips: Flips


@dataclass(frozen=True, slots=True)
class Comparison:
    """A report, and as long as the block lasts every case behind it."""

    report: DiffReport
    _opened: Opened
    _cells: Sequence[_Cell]

    def cases(self) -> Iterator[FlippedCase]:
        """Every pair, cell by cell in the order of the bank, also those that did not flip."""
        a, b = self.report.a, self.report.b
        for cell in self._cells:
            flaky = {row.place for row in (*cell.flips.regressions, *cell.flips.fixes) if row.flaky}
            mixed = cell.compared.mixed
            for start in range(0, cell.compared.size, _CHUNK):
                places = range(start, min(start + _CHUNK, cell.compared.size))
                rows = [FlippedRow(place, place in flaky or bool(mixed[place])) for place in places]
                yield from shown_cases(self._opened, a, b, cell.pair.cell, cell.compared, rows)


def compare_sides(a: Side, b: Side, request: DiffRequest) -> DiffReport:
    """The report on two sides. Nothing is sent.

    Raises:
        UsageError: nothing is selected, or a side holds two versions of a prompt.
        StoreError: a database or a journal cannot be read.
    """
    with comparing(a, b, request) as comparison:
        return comparison.report


@contextmanager
def comparing(a: Side, b: Side, request: DiffRequest) -> Iterator[Comparison]:
    """The same, with every case at hand until the block ends.

    Raises:
        UsageError, StoreError: as `compare_sides` does.
    """
    with opened(a, b, request.store) as tables:
        paired = chosen_cells(tables, a, b, request.selection)
        fill_tables(tables, a, b, paired.pairs, request.selection)
        comparability = make_comparable(tables, a, b, request)
        cells = _cells(tables, a, b, paired, comparability)
        report = _Report(tables, a, b, request, comparability, read_metrics(tables, a, b), read_tags(tables))
        yield Comparison(report.make(paired, cells), tables, cells)


def _cells(tables: Opened, a: Side, b: Side, paired: PairedCells, comparability: Comparability) -> list[_Cell]:
    pairs = read_pairs(tables)
    every = [pairs.of_cell(number) for number in range(len(paired.pairs))]
    apart = [
        comparability.apart_flags(number, table) & table.known_a & table.known_b for number, table in enumerate(every)
    ]
    compared = [
        table.where((table.evidence_a > 0) & (table.evidence_b > 0) & ~left_out)
        for table, left_out in zip(every, apart, strict=True)
    ]
    flips = find_flips(tables, a, b, compared)
    together = zip(paired.pairs, every, apart, compared, flips, strict=True)
    return [_Cell(number, *parts) for number, parts in enumerate(together)]


def _notes(letter: str, side: Side) -> Iterator[str]:
    yield from side.notes
    if side.stale:
        since = f"; the oldest is of {side.oldest:%Y-%m-%d}" if side.oldest else ""
        yield (
            f"Side {letter}: {side.stale:,} of {side.planned:,} answers are older than `cache_max_age`, and the name "
            f"of their model may mean another model today{since}."
        )


@dataclass(frozen=True, slots=True)
class _Report:
    """All that the report is made from."""

    tables: Opened
    a: Side
    b: Side
    request: DiffRequest
    comparability: Comparability
    metrics: MetricTable
    tags: TagTable

    def make(self, paired: PairedCells, cells: Sequence[_Cell]) -> DiffReport:
        return DiffReport(
            self.a,
            self.b,
            tuple(map(self._cell, cells)),
            read_changes(self.tables, self.a, self.b, paired.pairs),
            paired.only_a,
            paired.only_b,
            tuple(dict.fromkeys((*_notes("A", self.a), *_notes("B", self.b)))),
        )

    def _cell(self, cell: _Cell) -> CellDiff:
        table, every, pair = cell.compared, cell.every, cell.pair
        before, after, groups = table.rate_a, table.rate_b, table.groups
        both = every.known_a & every.known_b
        lacking = both & ~cell.apart & ((every.evidence_a == 0) | (every.evidence_b == 0))
        one_sided = lacking & ((every.evidence_a > 0) | (every.evidence_b > 0))
        gone, new = every.made_a & ~every.known_b, every.made_b & ~every.known_a
        tags = self.tags.compare(table)
        return CellDiff(
            cell=pair.cell,
            pairs=table.size,
            clusters=clusters_of(table.size, groups),
            draws=int(np.count_nonzero(~table.same_calls)),
            rate_a=rate_of(before, int(table.evidence_a.sum()), groups),
            rate_b=rate_of(after, int(table.evidence_b.sum()), groups),
            difference=difference_of(before, after, groups),
            regressions=self._shown(cell, cell.flips.regressions),
            fixes=self._shown(cell, cell.flips.fixes),
            regression_count=len(cell.flips.regressions),
            fix_count=len(cell.flips.fixes),
            changed_outputs=int(np.count_nonzero((before == after) & ~table.same_outputs)),
            metrics=self.metrics.compare(cell.number, table),
            tags=tags.tags,
            latency=ratio_of(table, table.latency_a, table.latency_b),
            cost=ratio_of(table, table.cost_a, table.cost_b),
            sensitivity=sensitivity_of(before, after, groups, self.request.margin(pair.b.bank)),
            only_a=int(np.count_nonzero(gone)),
            only_b=int(np.count_nonzero(new)),
            no_evidence=int(np.count_nonzero(lacking)),
            apart=int(np.count_nonzero(cell.apart)),
            label_a=pair.a.label,
            label_b=pair.b.label,
            model_a=pair.a.model,
            model_b=pair.b.model,
            repeats_a=int(every.evidence_a.max(initial=0)),
            repeats_b=int(every.evidence_b.max(initial=0)),
            one_sided=int(np.count_nonzero(one_sided)),
            flaky_regressions=sum(row.flaky for row in cell.flips.regressions),
            flaky_fixes=sum(row.flaky for row in cell.flips.fixes),
            rescored=len(self._rescored(cell)),
            cases_only_a=self._ids(every, gone),
            cases_only_b=self._ids(every, new),
            cases_apart=self._apart(cell),
            tags_left_out=tags.left_out,
        )

    def _shown(self, cell: _Cell, rows: Sequence[FlippedRow]) -> tuple[FlippedCase, ...]:
        shown = rows[: self.request.listed]
        return tuple(shown_cases(self.tables, self.a, self.b, cell.pair.cell, cell.compared, shown))

    def _rescored(self, cell: _Cell) -> set[int]:
        found = {n for number, n in self.comparability.rescored if number == cell.number}
        return found.intersection(cell.compared.n.tolist()) if found else set()

    def _ids(self, table: PairTable, chosen: Flags) -> tuple[str, ...]:
        return tuple(self._names(table, chosen).values())

    def _names(self, table: PairTable, chosen: Flags) -> dict[int, str]:
        """The ids of the first chosen cases, by number."""
        n = [int(one) for one in table.n[chosen][:_NAMED]]
        query = "SELECT n, case_id FROM diff_cases WHERE n IN (SELECT unnest($n)) ORDER BY n"
        return dict(self.tables.rows(query, {"n": n})) if n else {}

    def _apart(self, cell: _Cell) -> tuple[SetApart, ...]:
        names = self._names(cell.every, cell.apart)
        return tuple(SetApart(name, self.comparability.reason(cell.number, n) or "") for n, name in names.items())
