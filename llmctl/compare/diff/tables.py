"""The results of both sides as temporary tables: `diff_cells`, `diff_cases`, `diff_a`, `diff_b`.

A case has one number `n` on both sides, whatever its place in the bank; a cell has one, too. All that is computed from
the tables joins on these two integers. `passed` is NULL where a result has no evidence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from llmctl.canonical import from_json
from llmctl.compare.diff.cell_pairs import CellPair, PairedCells, SideCell, pair_cells
from llmctl.compare.diff.opened import Opened
from llmctl.compare.side import Side
from llmctl.errors import UsageError
from llmctl.runs.selection import Selection

__all__ = ["LETTERS", "chosen_cells", "fill_tables"]

LETTERS = ("a", "b")

_CELLS = """
    CREATE TEMP TABLE diff_cells (
        cell INTEGER, bank VARCHAR, label_a VARCHAR, model_a VARCHAR, label_b VARCHAR, model_b VARCHAR
    )"""
_CASES = """
    CREATE TEMP TABLE diff_cases AS
    WITH a AS (SELECT * FROM {a}.case_rows WHERE run_id = $a AND bank IN (SELECT bank FROM diff_cells)),
    b AS (SELECT * FROM {b}.case_rows WHERE run_id = $b AND bank IN (SELECT bank FROM diff_cells))
    SELECT (row_number() OVER (ORDER BY b.position NULLS LAST, a.position) - 1)::INTEGER AS n, bank, case_id,
        a.position AS at_a, b.position AS at_b, a.digest IS NOT DISTINCT FROM b.digest AS same,
        coalesce(b.tags, a.tags) AS tags, coalesce(b."group", a."group") AS "group",
        coalesce(b.must_pass, a.must_pass, false) AS must_pass
    FROM a FULL JOIN b USING (bank, case_id)
    WHERE ($tags IS NULL OR list_has_any(coalesce(b.tags, a.tags), $tags)) AND {pattern}"""
_RESULTS = """
    CREATE TEMP TABLE diff_{letter} AS
    SELECT c.cell, k.n, r.repeat, r.position, r.call_id, hash(r.output) AS output, r.latency_ms, r.cost_usd,
        CASE WHEN NOT coalesce(isnan(r.score), false) THEN r.passed END AS passed
    FROM {schema}.current_results r
    JOIN diff_cells c ON c.bank = r.bank AND c.label_{letter} = r.prompt AND c.model_{letter} = r.model
    JOIN diff_cases k ON k.bank = r.bank AND k.case_id = r.case_id
    WHERE r.run_id = $run"""
# A judge's score from before a change is none of today's answer: the result counts as one without evidence.
_STALE = """
    UPDATE diff_{letter} SET passed = NULL WHERE position IN
        (SELECT position FROM {schema}.score_rows WHERE run_id = $run AND stale AND weight > 0)"""


def chosen_cells(opened: Opened, a: Side, b: Side, selection: Selection) -> PairedCells:
    """The cells of both sides, paired, as far as they are selected.

    Raises:
        UsageError: nothing is selected, or a side holds two versions of a prompt.
    """
    cells_a = list(_side_cells(opened, opened.a, a, selection))
    cells_b = list(_side_cells(opened, opened.b, b, selection))
    if not cells_a and not cells_b:
        raise UsageError(
            "No results of the two sides are selected.", hint="Take -b, -p or -m away, or name others of what was run."
        )
    return pair_cells(cells_a, cells_b)


def _side_cells(opened: Opened, schema: str, side: Side, selection: Selection) -> Iterator[SideCell]:
    """What the side was to run, and what it ran."""
    names: Mapping[str, str] = dict(
        opened.rows(f"SELECT label, name FROM {schema}.prompt_rows WHERE run_id = $run", {"run": side.run_id})
    )
    asked = {f"{prompt.name}@{prompt.rev}" if prompt.rev else prompt.name for prompt in selection.prompts}
    for bank, label, model in _targets(opened, schema, side.run_id):
        cell = SideCell(bank, names.get(label, label), label, model)
        if _counts(cell, side, asked) and _selected(cell, selection, asked):
            yield cell


def _counts(cell: SideCell, side: Side, asked: set[str]) -> bool:
    """Whether the label is one of the side's; a label that was asked for by its whole name is."""
    return side.labels is None or cell.label in side.labels or ("@" in cell.label and cell.label in asked)


def _selected(cell: SideCell, selection: Selection, asked: set[str]) -> bool:
    return (
        (not selection.banks or cell.bank in selection.banks)
        and (not selection.models or cell.model in selection.models)
        and (not asked or cell.label in asked or cell.name in asked or _other_version(cell, asked))
    )


def _other_version(cell: SideCell, asked: set[str]) -> bool:
    """`-p triage@main` chooses among the versions of a side that has it; on the other side it means the prompt."""
    return "@" not in cell.label and any(one.partition("@")[0] == cell.name for one in asked)


def _targets(opened: Opened, schema: str, run_id: str) -> Iterator[tuple[str, str, str]]:
    parameters = {"run": run_id}
    for (text,) in opened.rows(f"SELECT targets FROM {schema}.plan_rows WHERE run_id = $run", parameters):
        for target in from_json(text or "[]"):
            yield target["bank"], target["prompt"], target["model"]
    query = f"SELECT DISTINCT bank, prompt, model FROM {schema}.result_rows WHERE run_id = $run ORDER BY ALL"
    yield from opened.rows(query, parameters)


def fill_tables(opened: Opened, a: Side, b: Side, pairs: Sequence[CellPair], selection: Selection) -> None:
    """Make the tables of the cells that are compared."""
    opened.run(_CELLS)
    for number, pair in enumerate(pairs):
        row = (number, pair.b.bank, pair.a.label, pair.a.model, pair.b.label, pair.b.model)
        opened.con.execute("INSERT INTO diff_cells VALUES (?, ?, ?, ?, ?, ?)", row)
    pattern = selection.pattern
    glob = pattern is not None and any(character in pattern for character in "*?[")
    condition = (
        "$pattern IS NULL" if pattern is None else "case_id GLOB $pattern" if glob else "contains(case_id, $pattern)"
    )
    opened.run(
        _CASES.format(a=opened.a, b=opened.b, pattern=condition),
        {"a": a.run_id, "b": b.run_id, "tags": list(selection.tags) or None, "pattern": pattern},
    )
    for letter, schema, side in (("a", opened.a, a), ("b", opened.b, b)):
        opened.run(_RESULTS.format(letter=letter, schema=schema), {"run": side.run_id})
        opened.run(_STALE.format(letter=letter, schema=schema), {"run": side.run_id})
