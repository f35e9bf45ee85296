"""Reads the evidence of a side by SQL: one look at its cases, its results and its answers' times and costs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from llmctl.canonical import from_json
from llmctl.compare.cells import Cell
from llmctl.compare.gate.evidence import EVALUATOR_ERROR, STALE_JUDGE, CellEvidence, GateCase
from llmctl.compare.side import Side
from llmctl.errors import UsageError
from llmctl.outcome import Outcome
from llmctl.store.database import open_database
from llmctl.store.layout import Layout

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["side_evidence"]

_EVIDENCE = [outcome.value for outcome in Outcome if outcome.evidence]

_RESULTS = f"""
    CREATE OR REPLACE TEMP TABLE gate_results AS
    WITH judged AS (
        SELECT run_id, position, string_agg(score_key, ' ' ORDER BY number) AS keys,
            bool_or(stale AND weight > 0) AS stale
        FROM score_rows WHERE run_id = $run GROUP BY ALL
    )
    SELECT r.bank, coalesce(r.prompt_name, r.prompt) AS prompt, r.model, r.prompt AS label, r.case_id, r.repeat,
        r.latency_ms, r.cost_usd, r.call_key, coalesce(j.keys, '') AS score_keys, r.passed,
        CASE WHEN NOT list_contains($evidence, r.outcome) THEN r.outcome
             WHEN r.passed IS NULL OR isnan(r.score) THEN '{EVALUATOR_ERROR}'
             WHEN j.stale THEN '{STALE_JUDGE}' END AS problem
    FROM results r LEFT JOIN judged j USING (run_id, position)
    WHERE r.run_id = $run AND ($labels IS NULL OR list_contains($labels, r.prompt))"""

_BY_CASE = """
    SELECT bank, prompt, model, case_id, count(*) AS made, count_if(problem IS NULL) AS evidence,
        count_if(problem IS NULL AND passed) AS passed,
        md5(array_to_string(list_sort(list(repeat || ' ' || call_key)), chr(10)))[1:16] AS calls,
        md5(array_to_string(list_sort(list(repeat || ' ' || score_keys)), chr(10)))[1:16] AS scores
    FROM gate_results GROUP BY ALL"""


@dataclass(frozen=True, slots=True)
class _Tallied:
    """What the results of one case of a cell amount to."""

    made: int
    evidence: int
    passed: int
    calls: str
    scores: str


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the run was to make."""

    repeat: int
    planned: Mapping[tuple[str, str, str], int]
    """Results by bank, prompt label and model."""


def side_evidence(side: Side, unneeded: Mapping[Cell, frozenset[str]] | None = None) -> dict[Cell, CellEvidence]:
    """The evidence of each cell of a side, in the order of its plan. A cell whose calls never came is there too.

    `unneeded`: cases that were left out on purpose, by cell.

    Raises:
        UsageError: the side holds two versions of a prompt for one cell.
        StoreError: its database cannot be read.
    """
    labels = None if side.labels is None else list(side.labels)
    with open_database(Layout(side.database.parent), read_only=True) as con:
        con.execute(_RESULTS, {"run": side.run_id, "evidence": _EVIDENCE, "labels": labels})
        try:
            cells = _cells(con, side)
            for cell, evidence in cells.items():
                evidence.leave_out((unneeded or {}).get(cell, frozenset()))
            _add_answers(con, cells)
            _add_problems(con, cells)
        finally:
            con.execute("DROP TABLE temp.gate_results")
    return cells


def _cells(con: DuckDBPyConnection, side: Side) -> dict[Cell, CellEvidence]:
    cases = _cases(con, side.run_id)
    plan = _plan(con, side.run_id)
    tallied: dict[Cell, dict[str, _Tallied]] = defaultdict(dict)
    for bank, prompt, model, case_id, *counts in con.execute(_BY_CASE).fetchall():
        tallied[Cell(bank, prompt, model)][case_id] = _Tallied(*counts)
    found = {}
    for cell, label in _labels(con, side, plan).items():
        planned = plan.planned.get((cell.bank, label, cell.model)) if plan else None
        repeat = plan.repeat if plan else max((one.made for one in tallied[cell].values()), default=1)
        found[cell] = _evidence(cell, cases.get(cell.bank, ()), tallied[cell], repeat, planned)
    return found


def _evidence(
    cell: Cell, cases: Sequence[GateCase], tallied: Mapping[str, _Tallied], repeat: int, planned: int | None
) -> CellEvidence:
    """A run of chosen results only (`--failed`) holds no case but those, and not all repeats of them."""
    chosen = planned is not None and planned != len(cases) * repeat
    kept = [
        case if case.planned == (wanted := made if chosen else repeat) else replace(case, planned=wanted)
        for case in cases
        if (made := tallied[case.case_id].made if case.case_id in tallied else 0) or not chosen
    ]
    evidence = CellEvidence(cell, kept)
    for number, case in enumerate(kept):
        one = tallied.get(case.case_id)
        if one is not None:
            evidence.evidence[number], evidence.passed[number] = one.evidence, one.passed
            evidence.calls[number], evidence.scores[number] = one.calls, one.scores
    if chosen and planned is not None:
        evidence.unplaced = max(0, planned - int(evidence.planned.sum()))
    return evidence


def _cases(con: DuckDBPyConnection, run_id: str) -> dict[str, list[GateCase]]:
    """The cases of each bank, in its order."""
    rows = con.execute(
        'SELECT bank, case_id, digest, "group", tags, must_pass FROM case_rows WHERE run_id = ? ORDER BY position',
        [run_id],
    ).fetchall()
    found: dict[str, dict[str, GateCase]] = defaultdict(dict)
    for bank, case_id, digest, group, tags, must_pass in rows:
        found[bank][case_id] = GateCase(case_id, 1, digest or "", group, tuple(tags or ()), bool(must_pass))
    return {bank: list(cases.values()) for bank, cases in found.items()}


def _plan(con: DuckDBPyConnection, run_id: str) -> _Plan | None:
    row = con.execute(
        "SELECT repeat, targets FROM plan_rows WHERE run_id = ? ORDER BY position DESC LIMIT 1", [run_id]
    ).fetchone()
    if row is None:
        return None
    targets: list[dict[str, Any]] = from_json(row[1]) if row[1] else []
    return _Plan(row[0] or 1, {(one["bank"], one["prompt"], one["model"]): one["planned"] for one in targets})


def _labels(con: DuckDBPyConnection, side: Side, plan: _Plan | None) -> dict[Cell, str]:
    """The prompt's label in each cell: of what was planned, and of what was made."""
    names = dict(con.execute("SELECT label, name FROM prompt_rows WHERE run_id = ?", [side.run_id]).fetchall())
    found: dict[Cell, str] = {}
    for bank, label, model in _targets(con, plan):
        if side.labels is not None and label not in side.labels:
            continue
        cell = Cell(bank, names.get(label, label), model)
        if found.setdefault(cell, label) != label:
            raise UsageError(
                f"{side.title} holds two versions of the prompt {cell.prompt}: {found[cell]} and {label}.",
                hint=f"Say which one: {found[cell]} or {label}.",
            )
    return found


def _targets(con: DuckDBPyConnection, plan: _Plan | None) -> Iterator[tuple[str, str, str]]:
    if plan is not None:
        yield from plan.planned
    yield from con.execute("SELECT DISTINCT bank, label, model FROM gate_results ORDER BY ALL").fetchall()


def _add_answers(con: DuckDBPyConnection, cells: Mapping[Cell, CellEvidence]) -> None:
    """Times and costs of the answers with evidence."""
    rows = con.execute(
        "SELECT bank, prompt, model, list(case_id), list(coalesce(latency_ms, 'nan'::DOUBLE)), "
        "list(coalesce(cost_usd, 'nan'::DOUBLE)) FROM gate_results WHERE problem IS NULL GROUP BY ALL"
    ).fetchall()
    for bank, prompt, model, case_ids, latencies, costs in rows:
        evidence = cells[Cell(bank, prompt, model)]
        place = evidence.place
        for case_id, latency, cost in zip(case_ids, latencies, costs, strict=True):
            if case_id in place:
                evidence.answer_case.append(place[case_id])
                evidence.latency_ms.append(latency)
                evidence.cost_usd.append(cost)


def _add_problems(con: DuckDBPyConnection, cells: Mapping[Cell, CellEvidence]) -> None:
    rows = con.execute(
        "SELECT bank, prompt, model, case_id, problem, count(*) FROM gate_results WHERE problem IS NOT NULL "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    for bank, prompt, model, case_id, problem, number in rows:
        evidence = cells[Cell(bank, prompt, model)]
        evidence.problems[problem] += number
        if problem == EVALUATOR_ERROR and case_id in evidence.place:
            evidence.broken.append(evidence.place[case_id])
