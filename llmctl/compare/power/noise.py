"""How often two distinct answers to one case differ: read from two sides, or from all draws of equal calls.

Two results that refer to one call are one draw: they never make a pair.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmctl.compare.diff.cell_pairs import CellPair
from llmctl.compare.diff.opened import Opened
from llmctl.compare.side import Side
from llmctl.stats.checks import Floats, Integers

__all__ = ["CellCases", "CellNoise", "draws_of_calls", "draws_of_sides", "read_cases"]

_BETWEEN_SIDES = """
    SELECT cell, n, avg((a.passed <> b.passed)::INT) AS differ, avg(b.passed::INT - a.passed::INT) AS change,
        count(DISTINCT a.call_id) + count(DISTINCT b.call_id) AS answers
    FROM diff_a a JOIN diff_b b USING (cell, n)
    WHERE a.passed IS NOT NULL AND b.passed IS NOT NULL AND a.call_id <> b.call_id
    GROUP BY cell, n ORDER BY cell, n"""
_CELLS = "CREATE TEMP TABLE power_cells (cell INTEGER, bank VARCHAR, name VARCHAR, model VARCHAR)"
# A call's key holds the number of the repeat: the first key of a case and target in a run stands for its request.
_OWN = """
    CREATE TEMP TABLE power_own AS SELECT d.cell, d.n, arg_min(r.call_key, r.repeat) AS request
    FROM diff_a d JOIN {side}.result_rows r ON r.run_id = $run AND r.position = d.position GROUP BY d.cell, d.n"""
_REQUESTS = """
    CREATE TEMP TABLE power_requests AS
    SELECT c.cell, k.n, r.run_id, r.bank, r.case_id, r.prompt, r.model, arg_min(r.call_key, r.repeat) AS request
    FROM {store}.current_results r
    JOIN (SELECT run_id, label, any_value(name) AS name FROM {store}.prompt_rows GROUP BY run_id, label) p
        ON p.run_id = r.run_id AND p.label = r.prompt
    JOIN power_cells c ON c.bank = r.bank AND c.name = p.name AND c.model = r.model
    JOIN diff_cases k ON k.bank = r.bank AND k.case_id = r.case_id
    GROUP BY ALL"""
# Other evaluators would make other verdicts: only answers that were judged alike are compared.
_DRAWS = """
    WITH draws AS (
        SELECT q.cell, q.n, q.request, k.digest, r.call_id, arg_max(r.passed, r.run_id) AS passed
        FROM power_requests q JOIN {store}.current_results r USING (run_id, bank, case_id, prompt, model)
        JOIN {store}.case_rows k USING (run_id, bank, case_id)
        WHERE r.passed IS NOT NULL AND NOT coalesce(isnan(r.score), false) AND r.call_id IS NOT NULL
        GROUP BY ALL
    ), requests AS (
        SELECT cell, n, request, digest, count(*) AS draws, count_if(passed) AS passed
        FROM draws GROUP BY ALL HAVING count(*) > 1
    )
    SELECT cell, n, o.request IS NOT NULL AS own,
        avg(2.0 * passed * (draws - passed) / (draws * (draws - 1))) AS differ, sum(draws)::BIGINT AS answers
    FROM requests r LEFT JOIN power_own o USING (cell, n, request)
    GROUP BY cell, n, own ORDER BY cell, n"""
_CASES = """
    SELECT n, "group" IS NOT NULL AS grouped, hash(coalesce("group", '')) AS cluster
    FROM diff_cases WHERE bank = $bank AND at_{letter} IS NOT NULL ORDER BY n"""


@dataclass(frozen=True, slots=True)
class CellNoise:
    """For each case of a cell that has a pair of distinct answers, how often they differ."""

    n: Integers
    """The number of the case."""
    differ: Floats
    """The share of its pairs that differ."""
    answers: int
    change: Floats | None = None
    """Its pass rate on side B minus that on side A; None: both are draws of one call."""
    own: bool = True
    """Whether the calls are those of the side; else earlier ones of its prompts."""


@dataclass(frozen=True, slots=True)
class CellCases:
    """The cases of a cell, and which of them go together."""

    n: Integers
    groups: Integers | None
    """For each case its cluster; None where no case has a group."""

    def groups_of(self, n: Integers) -> Integers | None:
        """The clusters of some of the cases."""
        return None if self.groups is None else self.groups[np.searchsorted(self.n, n)]


def draws_of_sides(opened: Opened, cells: int) -> list[CellNoise]:
    """The pairs of two sides, for each cell."""
    columns = opened.arrays(_BETWEEN_SIDES)
    found = []
    for cell in range(cells):
        mine = columns["cell"] == cell
        answers = int(columns["answers"][mine].sum())
        found.append(CellNoise(columns["n"][mine], columns["differ"][mine], answers, columns["change"][mine]))
    return found


def draws_of_calls(opened: Opened, side: Side, pairs: Sequence[CellPair]) -> list[CellNoise]:
    """The draws of equal calls that the store holds, for each cell: of its own calls, else of earlier ones."""
    if opened.store is None:
        return [_nothing() for _ in pairs]
    opened.run(_CELLS)
    for number, pair in enumerate(pairs):
        row = (number, pair.b.bank, pair.b.name, pair.b.model)
        opened.con.execute("INSERT INTO power_cells VALUES (?, ?, ?, ?)", row)
    opened.run(_OWN.format(side=opened.a), {"run": side.run_id})
    opened.run(_REQUESTS.format(store=opened.store))
    columns = opened.arrays(_DRAWS.format(store=opened.store))
    return [_preferred(columns["cell"] == cell, columns) for cell in range(len(pairs))]


def _preferred(mine: NDArray[np.bool_], columns: dict[str, NDArray[np.generic]]) -> CellNoise:
    own = columns["own"].astype(bool)
    for chosen, is_own in ((mine & own, True), (mine & ~own, False)):
        if chosen.any():
            answers = int(columns["answers"][chosen].astype(np.int64).sum())
            differ = columns["differ"][chosen].astype(np.float64)
            return CellNoise(columns["n"][chosen].astype(np.int64), differ, answers, own=is_own)
    return _nothing()


def _nothing() -> CellNoise:
    return CellNoise(np.zeros(0, dtype=np.int64), np.zeros(0), 0)


def read_cases(opened: Opened, pairs: Sequence[CellPair], letter: str) -> Iterator[CellCases]:
    """The cases of each cell's bank, as a side has them."""
    for pair in pairs:
        columns = opened.arrays(_CASES.format(letter=letter), {"bank": pair.b.bank})
        grouped = columns["grouped"].astype(bool)
        n = columns["n"].astype(np.int64)
        groups = None
        if grouped.any():
            # A case without a group is its own: its number, below every hash that is taken here.
            hashed = columns["cluster"].astype(np.uint64) // 4 + (1 << 62)
            groups = np.where(grouped, hashed, n.astype(np.uint64)).astype(np.int64)
        yield CellCases(n, groups)
