"""The texts of the cases that a verdict points at: what was expected, what came, what came before, and why it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from llmctl.compare.cells import Cell
from llmctl.compare.side import Side
from llmctl.compare.verdict import CellVerdict, JudgedCase
from llmctl.store.database import open_database
from llmctl.store.layout import Layout

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["with_texts"]


@dataclass(frozen=True, slots=True)
class _Texts:
    output: str | None
    reason: str
    expected: str | None


_Found = Mapping[tuple[Cell, str], _Texts]


def with_texts(
    cells: Sequence[CellVerdict], candidate: Side, baseline: Side | None, *, baseline_prompt: str | None = None
) -> tuple[CellVerdict, ...]:
    """The same verdicts, their cases with texts: of the candidate a failing answer, of the baseline a passing one.

    Args:
        cells: the verdicts.
        candidate: the side that was judged.
        baseline: None where it is a committed file, which holds no texts.
        baseline_prompt: the one prompt that all cells are compared with; None: each with its own.

    Raises:
        StoreError: a side's database cannot be read.
    """
    cases = [case for cell in cells for rule in cell.rules for case in rule.cases]
    if not cases:
        return tuple(cells)
    after = _texts(candidate, cases, failing=True)
    before = _texts(baseline, cases, failing=False) if baseline is not None else {}
    if baseline_prompt is not None:
        before = _renamed(before, cases, baseline_prompt)
    return tuple(
        replace(
            cell,
            rules=tuple(
                replace(rule, cases=tuple(_filled(case, after, before) for case in rule.cases)) for rule in cell.rules
            ),
        )
        for cell in cells
    )


def _texts(side: Side, cases: Sequence[JudgedCase], *, failing: bool) -> _Found:
    with open_database(Layout(side.database.parent), read_only=True) as con:
        rows = _rows(con, side, {(case.name.bank, case.name.case_id) for case in cases}, failing=failing)
    return {
        (Cell(bank, prompt, model), case_id): _Texts(output, reason or "", expected)
        for bank, prompt, model, case_id, output, reason, expected in rows
    }


def _renamed(found: _Found, cases: Sequence[JudgedCase], prompt: str) -> _Found:
    """The texts of another prompt, by the cells that they are compared with."""
    names = [(case.cell, case.name.case_id) for case in cases]
    texts = {name: found.get((replace(name[0], prompt=prompt), name[1])) for name in names}
    return {name: text for name, text in texts.items() if text is not None}


def _rows(
    con: DuckDBPyConnection, side: Side, names: set[tuple[str, str]], *, failing: bool
) -> list[tuple[str, str, str, str, str | None, str | None, str | None]]:
    """One answer for each case, repeats by their number."""
    first = "CASE WHEN r.passed IS {} THEN 0 WHEN r.passed IS NOT NULL THEN 1 ELSE 2 END * 1e6 + r.repeat"
    # arg_min passes over an output that is NULL, and would take another answer's: so it picks a row.
    picked = "arg_min(struct_pack(output := r.output, reason := r.reason), " + first.format(not failing) + ")"
    return con.execute(
        f"SELECT bank, prompt_name, model, case_id, picked.output, picked.reason, expected FROM ("
        f"SELECT r.bank, coalesce(r.prompt_name, r.prompt) AS prompt_name, r.model, r.case_id, {picked} AS picked, "
        "any_value(r.expected) AS expected FROM results r "
        "JOIN (SELECT unnest($banks) AS bank, unnest($cases) AS case_id) wanted USING (bank, case_id) "
        "WHERE r.run_id = $run AND ($labels IS NULL OR list_contains($labels, r.prompt)) GROUP BY 1, 2, 3, 4)",
        {
            "banks": [bank for bank, _ in sorted(names)],
            "cases": [case_id for _, case_id in sorted(names)],
            "run": side.run_id,
            "labels": None if side.labels is None else list(side.labels),
        },
    ).fetchall()


def _filled(case: JudgedCase, after: _Found, before: _Found) -> JudgedCase:
    now, then = after.get((case.cell, case.name.case_id)), before.get((case.cell, case.name.case_id))
    return replace(
        case,
        expected=now.expected if now else None,
        output=now.output if now else None,
        reason=now.reason if now else "",
        baseline_output=then.output if then else None,
    )
