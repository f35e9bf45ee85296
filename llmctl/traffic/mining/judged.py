"""Results of runs that a judge has failed."""

from __future__ import annotations

from dataclasses import dataclass

from llmctl.runs.store_reader import StoreReader
from llmctl.traffic.filters import TrafficFilter
from llmctl.traffic.mining.pool import ResultKey

__all__ = ["JudgedFailed", "judged_failed"]

_JUDGE = "judge"


@dataclass(frozen=True, slots=True)
class JudgedFailed:
    """One such result."""

    key: ResultKey
    explanation: str
    question: str
    """The case's variables, as JSON."""


def judged_failed(reader: StoreReader, chosen: TrafficFilter, most: int) -> list[JudgedFailed]:
    """The latest ones that fit the filter, at most so many.

    A filter that only a logged call can fit (a status, a tag, an import, SQL) leaves all of them out.

    Raises:
        StoreError: the store cannot be read.
    """
    if chosen.statuses or chosen.tags or chosen.imports or chosen.where is not None:
        return []
    rows = reader.rows(
        "SELECT r.run_id, r.bank, r.case_id, r.prompt, r.model, max(s.explanation), max(c.vars) "
        "FROM score_rows s JOIN current_results r USING (run_id, position) "
        "JOIN case_rows c ON c.run_id = r.run_id AND c.bank = r.bank AND c.case_id = r.case_id "
        "JOIN (SELECT run_id, min(started_at) AS began FROM run_heads GROUP BY run_id) h ON h.run_id = r.run_id "
        "WHERE s.evaluator = $judge AND s.passed IS FALSE AND NOT s.error AND s.weight > 0 "
        "AND ($since IS NULL OR h.began >= $since) AND ($until IS NULL OR h.began < $until) "
        "AND (len($models) = 0 OR list_contains($models, r.model)) "
        "AND (len($prompts) = 0 OR list_contains($prompts, split_part(r.prompt, '@', 1))) "
        "GROUP BY r.run_id, r.bank, r.case_id, r.prompt, r.model ORDER BY r.run_id DESC, min(r.position) LIMIT $most",
        {
            "judge": _JUDGE,
            "since": chosen.since,
            "until": chosen.until,
            "models": list(chosen.models),
            "prompts": list(chosen.prompts),
            "most": most,
        },
    )
    return [JudgedFailed(ResultKey(*row[:5]), row[5] or "", str(row[6])) for row in rows]
