"""The same comparison by metric and by tag."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import numpy as np

from llmctl.compare.diff.opened import Opened
from llmctl.compare.diff.pair_table import PairTable
from llmctl.compare.diff.statistics import difference_of, rate_of
from llmctl.compare.diff_report import Difference, MetricDiff, TagDiff
from llmctl.compare.side import Side
from llmctl.stats.checks import Floats, Integers
from llmctl.stats.multiplicity import benjamini_hochberg

__all__ = ["MetricTable", "TagTable", "TagsOfCell", "read_metrics", "read_tags"]

_MOST_TAGS = 100
"""Of a cell; a bank where every case has a tag of its own would be a table as long as the bank."""

_SCORES = """
    CREATE TEMP TABLE diff_scores_{letter} AS
    SELECT d.cell, d.n, s.metric_key, avg(s.score) AS score FROM diff_{letter} d JOIN (
        SELECT position, hash(metric) AS metric_key, score FROM {schema}.score_rows
        WHERE run_id = $run AND score IS NOT NULL AND NOT isnan(score) AND position NOT IN ({replaced})
        UNION ALL SELECT position, hash(metric), score FROM diff_new_scores
            WHERE side = '{letter}' AND score IS NOT NULL
    ) s USING (position)
    WHERE d.passed IS NOT NULL GROUP BY d.cell, d.n, s.metric_key"""
_REPLACED = "SELECT position FROM diff_new_results WHERE side = '{letter}'"
_NAMES = """
    SELECT metric, hash(metric) FROM {schema}.score_rows WHERE run_id = $run GROUP BY metric ORDER BY min(number)"""
_METRICS = """
    SELECT a.cell, a.n, a.metric_key, a.score AS score_a, b.score AS score_b
    FROM diff_scores_a a JOIN diff_scores_b b USING (cell, n, metric_key) ORDER BY a.cell, a.metric_key, a.n"""
_TAGS = "SELECT n, hash(tag) AS tag_key FROM (SELECT n, unnest(list_distinct(tags)) AS tag FROM diff_cases)"
_TAG_NAMES = "SELECT DISTINCT tag, hash(tag) FROM (SELECT unnest(tags) AS tag FROM diff_cases)"


class _Compared(Protocol):
    """A row of a table of comparisons."""

    @property
    def difference(self) -> Difference: ...


Compared = TypeVar("Compared", MetricDiff, TagDiff)


@dataclass(frozen=True, slots=True)
class MetricTable:
    """The mean score of each metric on either side, for each case that both sides scored by it."""

    cell: Integers
    n: Integers
    metric: Integers
    """A key of `names`."""
    score_a: Floats
    score_b: Floats
    names: Mapping[int, str]
    """In the order in which the evaluators stand."""

    def compare(self, cell: int, table: PairTable) -> tuple[MetricDiff, ...]:
        """Every metric over the pairs of a cell, p-values adjusted over them."""
        start, stop = np.searchsorted(self.cell, [cell, cell + 1])
        keys = self.metric[start:stop]
        rows = list(self._rows(int(start), keys, table))
        order = {name: number for number, name in enumerate(self.names.values())}
        return _adjusted(sorted(rows, key=lambda row: order.get(row.metric, 0)))

    def _rows(self, start: int, keys: Integers, table: PairTable) -> Iterator[MetricDiff]:
        groups = table.groups
        for key in np.unique(keys):
            first, last = (start + int(place) for place in np.searchsorted(keys, [key, key], "left"))
            last = start + int(np.searchsorted(keys, key, "right"))
            n = self.n[first:last]
            places = np.searchsorted(table.n, n)
            places[places == table.size] = 0
            compared = table.n[places] == n if table.size else np.zeros(n.size, dtype=bool)
            before, after = self.score_a[first:last][compared], self.score_b[first:last][compared]
            difference = difference_of(before, after, None if groups is None else groups[places[compared]])
            if difference is not None:
                name = self.names[int(key)]
                yield MetricDiff(name, int(before.size), float(before.mean()), float(after.mean()), difference)


@dataclass(frozen=True, slots=True)
class TagsOfCell:
    """The tags of a cell that are compared, and how many are not."""

    tags: tuple[TagDiff, ...]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class TagTable:
    """The tags of each case."""

    n: Integers
    tag: Integers
    """A key of `names`."""
    names: Mapping[int, str]

    def compare(self, table: PairTable) -> TagsOfCell:
        """The pass rates by tag over the pairs of a cell, p-values adjusted over them; the most frequent tags."""
        if not table.size or not self.n.size:
            return TagsOfCell(())
        places = np.searchsorted(table.n, self.n)
        places[places == table.size] = 0
        mine = table.n[places] == self.n
        places, tags = places[mine], self.tag[mine]
        order = np.argsort(tags, kind="stable")
        places, tags = places[order], tags[order]
        keys, starts, counts = np.unique(tags, return_index=True, return_counts=True)
        chosen = sorted(range(keys.size), key=lambda one: (-int(counts[one]), self.names[int(keys[one])]))[:_MOST_TAGS]
        rows = [
            _tag(self.names[int(keys[one])], table, places[starts[one] : starts[one] + counts[one]]) for one in chosen
        ]
        found = _adjusted([row for row in rows if row is not None])
        return TagsOfCell(found, int(keys.size) - len(chosen))


def _tag(name: str, table: PairTable, places: Integers) -> TagDiff | None:
    before, after = table.rate_a[places], table.rate_b[places]
    groups = table.groups
    groups = None if groups is None else groups[places]
    difference = difference_of(before, after, groups)
    if difference is None:
        return None
    rate_a = rate_of(before, int(table.evidence_a[places].sum()), groups)
    rate_b = rate_of(after, int(table.evidence_b[places].sum()), groups)
    return TagDiff(name, int(places.size), rate_a, rate_b, difference)


def _adjusted(rows: Sequence[Compared]) -> tuple[Compared, ...]:
    p_values = [1.0 if row.difference.p_value is None else row.difference.p_value for row in rows]
    adjusted = benjamini_hochberg(p_values)
    return tuple(
        replace(row, difference=replace(row.difference, adjusted_p=p)) for row, p in zip(rows, adjusted, strict=True)
    )


def read_metrics(opened: Opened, a: Side, b: Side) -> MetricTable:
    """Read the scores of both sides."""
    names: dict[int, str] = {}
    for letter, schema, side in (("a", opened.a, a), ("b", opened.b, b)):
        replaced = _REPLACED.format(letter=letter)
        opened.run(_SCORES.format(letter=letter, schema=schema, replaced=replaced), {"run": side.run_id})
        names |= {key: name for name, key in opened.rows(_NAMES.format(schema=schema), {"run": side.run_id})}
    names |= {key: name for name, key in opened.rows("SELECT DISTINCT metric, hash(metric) FROM diff_new_scores")}
    columns = opened.arrays(_METRICS)
    return MetricTable(
        columns["cell"], columns["n"], columns["metric_key"], columns["score_a"], columns["score_b"], names
    )


def read_tags(opened: Opened) -> TagTable:
    """Read the tags as the newer side's bank has them."""
    columns = opened.arrays(_TAGS)
    return TagTable(columns["n"], columns["tag_key"], {key: name for name, key in opened.rows(_TAG_NAMES)})
