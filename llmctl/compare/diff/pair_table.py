"""The pairs as columns of numbers: one row for each case of a cell, the mean of its repeats on either side."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmctl.compare.diff.opened import Opened
from llmctl.stats.checks import Floats, Integers

__all__ = ["Flags", "PairTable", "read_pairs"]

Flags = NDArray[np.bool_]

_MEANS = """
    CREATE TEMP TABLE diff_means_{letter} AS
    SELECT cell, n, count(passed) AS evidence, count_if(passed) AS passed,
        avg(latency_ms) FILTER (WHERE passed IS NOT NULL) AS latency_ms,
        avg(cost_usd) FILTER (WHERE passed IS NOT NULL) AS cost_usd,
        bit_xor(hash(call_id)) AS calls, {outputs} AS outputs
    FROM diff_{letter} GROUP BY cell, n"""
# Two sides with three repeats each gave the same where they gave the same texts, in whatever order.
_ONE_OUTPUT, _OUTPUTS = "any_value(output)", "bit_xor(DISTINCT output)"
_PAIRS = """
    SELECT cell, n, coalesce(a.evidence, 0) AS evidence_a, coalesce(a.passed, 0) AS passed_a,
        coalesce(b.evidence, 0) AS evidence_b, coalesce(b.passed, 0) AS passed_b,
        a.n IS NOT NULL AS made_a, b.n IS NOT NULL AS made_b,
        coalesce(a.latency_ms, 'nan'::DOUBLE) AS latency_a, coalesce(b.latency_ms, 'nan'::DOUBLE) AS latency_b,
        coalesce(a.cost_usd, 'nan'::DOUBLE) AS cost_a, coalesce(b.cost_usd, 'nan'::DOUBLE) AS cost_b,
        coalesce(a.calls = b.calls, false) AS same_calls, coalesce(a.outputs = b.outputs, false) AS same_outputs,
        k.at_a IS NOT NULL AS known_a, k.at_b IS NOT NULL AS known_b, k.must_pass,
        k."group" IS NOT NULL AS grouped, hash(coalesce(k."group", '')) AS cluster
    FROM diff_means_a a FULL JOIN diff_means_b b USING (cell, n) JOIN diff_cases k USING (n)
    ORDER BY cell, n"""


@dataclass(frozen=True, slots=True)
class PairTable:
    """Columns of one length; those of a side end with its letter."""

    cell: Integers
    n: Integers
    """The number of the case."""
    evidence_a: Integers
    """Repeats with evidence."""
    passed_a: Integers
    evidence_b: Integers
    passed_b: Integers
    made_a: Flags
    """Whether there is a result at all."""
    made_b: Flags
    latency_a: Floats
    """Mean over the repeats, in ms; not a number where it is unknown."""
    latency_b: Floats
    cost_a: Floats
    """Mean over the repeats, in USD."""
    cost_b: Floats
    same_calls: Flags
    """Both sides refer to the same calls: they are one draw."""
    same_outputs: Flags
    known_a: Flags
    """Whether the side has the case."""
    known_b: Flags
    must_pass: Flags
    grouped: Flags
    cluster: Integers
    """Of the case's group; says nothing where it has none."""

    @property
    def size(self) -> int:
        """How many pairs."""
        return int(self.n.size)

    @property
    def rate_a(self) -> Floats:
        """Share of the repeats that passed; not a number without evidence."""
        return _share(self.passed_a, self.evidence_a)

    @property
    def rate_b(self) -> Floats:
        """The same on side B."""
        return _share(self.passed_b, self.evidence_b)

    @property
    def mixed(self) -> Flags:
        """Whether a side passed and failed."""
        mixed_a = (self.passed_a > 0) & (self.passed_a < self.evidence_a)
        return mixed_a | ((self.passed_b > 0) & (self.passed_b < self.evidence_b))

    @property
    def groups(self) -> Integers | None:
        """The cluster of each pair; None where no case has a group."""
        if not self.grouped.any():
            return None
        # A case without a group is its own: its number, below every hash that is taken here.
        return np.where(self.grouped, self.cluster.astype(np.uint64) // 4 + (1 << 62), self.n.astype(np.uint64)).astype(
            np.int64
        )

    def where(self, chosen: Flags | slice) -> PairTable:
        """Some of the rows."""
        return replace(self, **{field.name: getattr(self, field.name)[chosen] for field in fields(self)})

    def of_cell(self, cell: int) -> PairTable:
        """The rows of a cell."""
        start, stop = np.searchsorted(self.cell, [cell, cell + 1])
        return self.where(slice(int(start), int(stop)))


def read_pairs(opened: Opened) -> PairTable:
    """Every case of every cell of which either side has a result, in the order of side B's bank."""
    for letter in ("a", "b"):
        single = opened.rows(f"SELECT coalesce(max(repeat), 1) FROM diff_{letter}")[0][0] == 1
        opened.run(_MEANS.format(letter=letter, outputs=_ONE_OUTPUT if single else _OUTPUTS))
    columns = opened.arrays(_PAIRS)
    return PairTable(**{name: _plain(values) for name, values in columns.items()})


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    return values.filled() if isinstance(values, np.ma.MaskedArray) else values


def _share(passed: Integers, evidence: Integers) -> Floats:
    shares = np.full(passed.size, np.nan)
    np.divide(passed, evidence, out=shares, where=evidence > 0)
    return shares
