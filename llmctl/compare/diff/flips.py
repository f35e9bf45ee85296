"""Which cases flipped, which of them are known to be flaky, and their texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from llmctl.compare.cells import CaseName, Cell
from llmctl.compare.diff.opened import Opened
from llmctl.compare.diff.pair_table import Flags, PairTable
from llmctl.compare.diff_report import FlippedCase
from llmctl.compare.side import Side
from llmctl.stats.checks import Integers

__all__ = ["FlippedRow", "Flips", "find_flips", "shown_cases"]

_FLIPPED = "CREATE TEMP TABLE diff_flips AS SELECT * FROM diff_flip_arrays"
# A call's key holds the number of the repeat: results of one run, case and target are draws of one request, and so are
# results of other runs that made the same call. Other evaluators would make other verdicts: only equal cases count.
_CALLS = """
    SELECT '{letter}' AS side, d.cell, d.n, r.call_key, r.bank, r.case_id
    FROM diff_flips f JOIN diff_{letter} d USING (cell, n)
    JOIN {schema}.result_rows r ON r.run_id = ${letter} AND r.position = d.position"""
_DIGESTS = """
    SELECT '{letter}' AS side, k.n, c.digest FROM diff_cases k JOIN mixed m ON m.n = k.n AND m.side = '{letter}'
    JOIN {schema}.case_rows c ON c.run_id = ${letter} AND c.position = k.at_{letter}"""
_FLAKY = """
    WITH calls AS ({calls_a} UNION ALL {calls_b}), kin AS (
        SELECT DISTINCT m.side, m.cell, m.n, r.run_id, r.bank, r.case_id, r.prompt, r.model
        FROM calls m JOIN {store}.result_rows r USING (call_key, bank, case_id)
        QUALIFY count(*) OVER (PARTITION BY m.side, m.cell, m.n) > 1
            OR r.run_id IN (SELECT run_id FROM {store}.plan_rows WHERE repeat > 1)
    ), draws AS (
        SELECT k.side, k.cell, k.n, r.run_id, r.bank, r.case_id, r.call_id, r.passed
        FROM kin k JOIN {store}.current_results r USING (run_id, bank, case_id, prompt, model)
        WHERE r.passed IS NOT NULL
    ), mixed AS (
        SELECT side, cell, n FROM draws GROUP BY ALL
        HAVING min(call_id) <> max(call_id) AND bool_or(passed) AND bool_or(NOT passed)
    ), digests AS (SELECT DISTINCT * FROM ({digests_a} UNION ALL {digests_b}))
    SELECT cell, n FROM draws SEMI JOIN mixed USING (side, cell, n) JOIN digests USING (side, n)
    JOIN {store}.case_rows USING (run_id, bank, case_id, digest)
    GROUP BY side, cell, n HAVING min(call_id) <> max(call_id) AND bool_or(passed) AND bool_or(NOT passed)"""
_SHOWN = """
    WITH wanted AS (SELECT unnest($n) AS n, unnest($passes) AS passes), best AS (
        SELECT d.n, arg_min(d.position, CASE WHEN d.passed = w.passes THEN 0 WHEN d.passed IS NULL THEN 2000000
            ELSE 1000000 END + d.repeat) AS position
        FROM diff_{letter} d JOIN wanted w ON w.n = d.n WHERE d.cell = $cell GROUP BY d.n
    )
    SELECT b.n, r.output, coalesce(w.reason, r.reason, '')
    FROM best b JOIN {schema}.result_rows r ON r.run_id = $run AND r.position = b.position
    LEFT JOIN diff_new_results w ON w.side = '{letter}' AND w.position = b.position"""
_CASES = """
    SELECT k.n, k.bank, k.case_id, k.tags, k.must_pass, coalesce(rb.expected, ra.expected)
    FROM diff_cases k
    LEFT JOIN (SELECT n, any_value(position) AS position FROM diff_a WHERE cell = $cell GROUP BY n) a USING (n)
    LEFT JOIN (SELECT n, any_value(position) AS position FROM diff_b WHERE cell = $cell GROUP BY n) b USING (n)
    LEFT JOIN {a}.result_rows ra ON ra.run_id = $a AND ra.position = a.position
    LEFT JOIN {b}.result_rows rb ON rb.run_id = $b AND rb.position = b.position
    WHERE k.n IN (SELECT unnest($n))"""


@dataclass(frozen=True, slots=True)
class FlippedRow:
    """A row of the pairs, and whether it is flaky."""

    place: int
    flaky: bool


@dataclass(frozen=True, slots=True)
class Flips:
    """The rows of one cell whose pass rate changed, in the order in which they are shown."""

    regressions: tuple[FlippedRow, ...]
    fixes: tuple[FlippedRow, ...]


def find_flips(opened: Opened, a: Side, b: Side, tables: Sequence[PairTable]) -> list[Flips]:
    """For each cell (by its compared pairs): `must_pass` first, flaky last, the greatest change first."""
    changes = [table.rate_b - table.rate_a for table in tables]
    flipped = [np.flatnonzero(change) for change in changes]
    known = _flaky_before(opened, a, b, tables, flipped)
    return [
        Flips(
            _ordered(table, -change, np.flatnonzero(change < 0), known),
            _ordered(table, change, np.flatnonzero(change > 0), known),
        )
        for table, change in zip(tables, changes, strict=True)
    ]


def _ordered(
    table: PairTable,
    size: np.ndarray[tuple[int], np.dtype[np.float64]],
    places: Integers,
    known: frozenset[tuple[int, int]],
) -> tuple[FlippedRow, ...]:
    if not places.size:
        return ()
    flaky = table.mixed[places] | _known(table, places, known)
    order = np.lexsort((places, -size[places], flaky, ~table.must_pass[places]))
    return tuple(FlippedRow(int(places[one]), bool(flaky[one])) for one in order)


def _known(table: PairTable, places: Integers, known: frozenset[tuple[int, int]]) -> Flags:
    if not known:
        return np.zeros(places.size, dtype=np.bool_)
    pairs = zip(table.cell[places].tolist(), table.n[places].tolist(), strict=True)
    return np.fromiter((pair in known for pair in pairs), np.bool_, places.size)


def _flaky_before(
    opened: Opened, a: Side, b: Side, tables: Sequence[PairTable], flipped: Sequence[Integers]
) -> frozenset[tuple[int, int]]:
    """Cell and case of those that have passed and failed on equal calls, in whatever run of the store."""
    if opened.store is None or not any(places.size for places in flipped):
        return frozenset()
    cells = np.concatenate([table.cell[places] for table, places in zip(tables, flipped, strict=True)])
    cases = np.concatenate([table.n[places] for table, places in zip(tables, flipped, strict=True)])
    opened.con.register("diff_flip_arrays", {"cell": cells, "n": cases})
    opened.run(_FLIPPED)
    opened.con.unregister("diff_flip_arrays")
    parts = {
        f"{name}_{letter}": query.format(letter=letter, schema=schema)
        for name, query in (("calls", _CALLS), ("digests", _DIGESTS))
        for letter, schema in (("a", opened.a), ("b", opened.b))
    }
    query = _FLAKY.format(**parts, store=opened.store)
    return frozenset((cell, n) for cell, n in opened.rows(query, {"a": a.run_id, "b": b.run_id}))


@dataclass(frozen=True, slots=True)
class _Text:
    output: str | None
    reason: str


def shown_cases(
    opened: Opened, a: Side, b: Side, cell: Cell, table: PairTable, rows: Sequence[FlippedRow]
) -> Iterator[FlippedCase]:
    """Some rows of a cell with their texts: of several repeats, one that passed where its side is the better one."""
    if not rows:
        return
    places = [row.place for row in rows]
    n = [int(one) for one in table.n[places]]
    number = int(table.cell[places[0]])
    better_b = [bool(one) for one in (table.rate_b[places] > table.rate_a[places])]
    wanted: dict[str, object] = {"n": n, "cell": number}
    better_a = [not better for better in better_b]
    texts_a = _texts(opened, "a", opened.a, wanted | {"passes": better_a, "run": a.run_id})
    texts_b = _texts(opened, "b", opened.b, wanted | {"passes": better_b, "run": b.run_id})
    parameters = {"cell": number, "n": n, "a": a.run_id, "b": b.run_id}
    cases = {row[0]: row[1:] for row in opened.rows(_CASES.format(a=opened.a, b=opened.b), parameters)}
    for row, one in zip(rows, n, strict=True):
        bank, case_id, tags, must_pass, expected = cases[one]
        text_a, text_b = (texts.get(one, _Text(None, "")) for texts in (texts_a, texts_b))
        place = row.place
        yield FlippedCase(
            CaseName(bank, case_id),
            cell,
            expected,
            text_a.output,
            text_b.output,
            text_a.reason,
            text_b.reason,
            int(table.passed_a[place]),
            int(table.evidence_a[place]),
            int(table.passed_b[place]),
            int(table.evidence_b[place]),
            row.flaky,
            tuple(tags or ()),
            must_pass,
            _known_number(table.latency_a[place]),
            _known_number(table.latency_b[place]),
            _known_number(table.cost_a[place]),
            _known_number(table.cost_b[place]),
        )


def _texts(opened: Opened, letter: str, schema: str, parameters: Mapping[str, object]) -> Mapping[int, _Text]:
    found = opened.rows(_SHOWN.format(letter=letter, schema=schema), parameters)
    return {row[0]: _Text(row[1], row[2]) for row in found}


def _known_number(value: np.float64) -> float | None:
    return float(value) if np.isfinite(value) else None
