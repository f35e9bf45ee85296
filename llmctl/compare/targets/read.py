"""The results of a run as columns: for each target of a bank what it made of the cases that all of them answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from llmctl.canonical import from_json
from llmctl.compare.diff.opened import Opened
from llmctl.compare.side import Side
from llmctl.compare.targets.report import TargetName
from llmctl.runs.selection import Selection
from llmctl.stats.checks import Floats, Integers

__all__ = ["BankTargets", "Measured", "read_banks"]

_TARGETS = "CREATE TEMP TABLE compare_targets (target INTEGER, prompt VARCHAR, model VARCHAR)"
_CASES = """
    CREATE TEMP TABLE compare_cases AS
    SELECT (row_number() OVER (ORDER BY position) - 1)::INTEGER AS n, case_id, "group"
    FROM {schema}.case_rows WHERE run_id = $run AND bank = $bank AND ($tags IS NULL OR list_has_any(tags, $tags))"""
# A judge's score from before a change is none of today's answer: the result counts as one without evidence.
_RESULTS = """
    CREATE TEMP TABLE compare_results AS
    SELECT t.target, k.n, r.latency_ms, r.cost_usd,
        CASE WHEN NOT coalesce(isnan(r.score), false) AND s.position IS NULL THEN r.passed END AS passed
    FROM {schema}.current_results r
    JOIN compare_targets t USING (prompt, model) JOIN compare_cases k USING (case_id)
    LEFT JOIN (SELECT DISTINCT position FROM {schema}.score_rows WHERE run_id = $run AND stale AND weight > 0) s
        USING (position)
    WHERE r.run_id = $run AND r.bank = $bank"""
_COUNTED = """
    SELECT target, count(*) AS done, count(passed) AS evidence FROM compare_results GROUP BY target"""
_SHARED = """
    CREATE TEMP TABLE compare_shared AS
    SELECT n FROM compare_results WHERE passed IS NOT NULL GROUP BY n
    HAVING count(DISTINCT target) = (SELECT count(DISTINCT target) FROM compare_results WHERE passed IS NOT NULL)"""
_MEANS = """
    SELECT target, n, count(passed) AS evidence, count_if(passed) AS passed
    FROM compare_results SEMI JOIN compare_shared USING (n) WHERE passed IS NOT NULL GROUP BY target, n
    ORDER BY target, n"""
_COSTS = """
    WITH answers AS (SELECT * FROM compare_results SEMI JOIN compare_shared USING (n) WHERE passed IS NOT NULL),
    costs AS (SELECT target, n, avg(cost_usd) AS cost_usd, count(*) - count(cost_usd) AS unknown
        FROM answers GROUP BY target, n),
    times AS (SELECT target, quantile_disc(latency_ms, 0.5) AS p50, quantile_disc(latency_ms, 0.95) AS p95
        FROM answers GROUP BY target)
    SELECT target, CASE WHEN sum(unknown) = 0 THEN 1000 * avg(cost_usd) END, any_value(p50), any_value(p95)
    FROM costs JOIN times USING (target) GROUP BY target"""
_GROUPS = """
    SELECT n, "group" IS NOT NULL AS grouped, hash(coalesce("group", '')) AS cluster
    FROM compare_cases SEMI JOIN compare_shared USING (n) ORDER BY n"""
_TABLES = ("compare_targets", "compare_cases", "compare_results", "compare_shared")


@dataclass(frozen=True, slots=True)
class Measured:
    """One target, on the shared cases of its bank."""

    name: TargetName
    planned: int
    done: int
    evidence: int
    rates: Floats
    """The share of its answers that passed, for each shared case."""
    answers: int
    """To the shared cases."""
    most_answers: int
    """To one of them."""
    cost_per_1000_usd: float | None
    latency_p50_ms: float | None
    latency_p95_ms: float | None


@dataclass(frozen=True, slots=True)
class BankTargets:
    """The targets of a bank."""

    bank: str
    cases: int
    groups: Integers | None
    """The cluster of each shared case; None where no case has a group."""
    targets: tuple[Measured, ...]
    """With evidence."""
    without_evidence: tuple[TargetName, ...]


def read_banks(opened: Opened, side: Side, selection: Selection) -> Iterator[BankTargets]:
    """Each bank of a run with the targets that are selected, in the order of the plan."""
    planned: dict[str, dict[TargetName, int]] = {}
    for bank, name, number in _planned(opened, side):
        if _selected(bank, name, selection):
            targets = planned.setdefault(bank, {})
            targets[name] = max(number, targets.get(name, 0))
    for bank, targets in planned.items():
        yield _bank(opened, side, bank, targets, selection)
        for table in _TABLES:
            opened.run(f"DROP TABLE temp.{table}")


def _planned(opened: Opened, side: Side) -> Iterator[tuple[str, TargetName, int]]:
    """What the run was to make of each target, and what it made of others (of old journals, that say no plan)."""
    for (text,) in opened.rows(f"SELECT targets FROM {opened.a}.plan_rows WHERE run_id = $run", {"run": side.run_id}):
        for one in from_json(text or "[]"):
            yield one["bank"], TargetName(one["prompt"], one["model"]), one.get("planned") or 0
    query = f"SELECT DISTINCT bank, prompt, model FROM {opened.a}.result_rows WHERE run_id = $run ORDER BY ALL"
    for bank, prompt, model in opened.rows(query, {"run": side.run_id}):
        yield bank, TargetName(prompt, model), 0


def _selected(bank: str, name: TargetName, selection: Selection) -> bool:
    asked = {f"{one.name}@{one.rev}" if one.rev else one.name for one in selection.prompts}
    return (
        (not selection.banks or bank in selection.banks)
        and (not selection.models or name.model in selection.models)
        and (not asked or name.prompt in asked or name.prompt.partition("@")[0] in asked)
    )


def _bank(opened: Opened, side: Side, bank: str, planned: dict[TargetName, int], selection: Selection) -> BankTargets:
    names = list(planned)
    opened.run(_TARGETS)
    for number, name in enumerate(names):
        opened.con.execute("INSERT INTO compare_targets VALUES (?, ?, ?)", (number, name.prompt, name.model))
    run = {"run": side.run_id, "bank": bank}
    opened.run(_CASES.format(schema=opened.a), {**run, "tags": list(selection.tags) or None})
    opened.run(_RESULTS.format(schema=opened.a), run)
    opened.run(_SHARED)
    counted = {target: (done, evidence) for target, done, evidence in opened.rows(_COUNTED)}
    costs = {target: figures for target, *figures in opened.rows(_COSTS)}
    means = opened.arrays(_MEANS)
    found, without = [], []
    for number, name in enumerate(names):
        done, evidence = counted.get(number, (0, 0))
        if not evidence:
            without.append(name)
            continue
        mine = means["target"] == number
        answers = means["evidence"][mine]
        rates = means["passed"][mine] / answers
        # With --tag fewer results are looked at than were planned.
        wanted = done if selection.tags else max(planned[name], done)
        most = int(answers.max(initial=0))
        figures = costs.get(number, [None, None, None])
        found.append(Measured(name, wanted, done, evidence, rates, int(answers.sum()), most, *figures))
    cases = opened.rows("SELECT count(*) FROM compare_cases")[0][0]
    return BankTargets(bank, cases, _groups(opened), tuple(found), tuple(without))


def _groups(opened: Opened) -> Integers | None:
    columns = opened.arrays(_GROUPS)
    grouped = columns["grouped"].astype(bool)
    if not grouped.any():
        return None
    # A case without a group is its own: its number, below every hash that is taken here.
    hashed = columns["cluster"].astype(np.uint64) // 4 + (1 << 62)
    return np.where(grouped, hashed, columns["n"].astype(np.uint64)).astype(np.int64)
