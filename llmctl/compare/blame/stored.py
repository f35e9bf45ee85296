"""What the store says of one case beyond its versions: every draw of their calls, and verdicts of earlier banks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from llmctl.runs.store_reader import StoreReader
from llmctl.store.layout import Layout

__all__ = ["CaseStore", "Draw", "EarlierPass"]

_DRAWS = """
    SELECT r.call_key, r.call_id, max(r.run_id), bool_or(k.digest = $digest), arg_max(r.passed, r.run_id)
        FILTER (WHERE k.digest = $digest)
    FROM current_results r JOIN case_rows k USING (run_id, bank, case_id)
    WHERE r.bank = $bank AND r.case_id = $case AND r.passed IS NOT NULL AND r.call_id IS NOT NULL
        AND list_contains($keys, r.call_key)
    GROUP BY r.call_key, r.call_id"""
_PASSED = """
    SELECT r.run_id, h."commit" FROM current_results r JOIN case_rows k USING (run_id, bank, case_id)
    LEFT JOIN runs h USING (run_id)
    WHERE r.bank = $bank AND r.case_id = $case AND r.passed AND k.digest <> $digest
        AND list_contains($keys, r.call_key)
    ORDER BY r.run_id DESC LIMIT 1"""
_REPEATS = "SELECT coalesce(max(repeat), 1) FROM result_rows WHERE bank = $bank AND case_id = $case"


@dataclass(frozen=True, slots=True)
class Draw:
    """One answer to a call."""

    call_key: str
    call_id: str
    run_id: str
    """The newest run that holds it."""
    passed: bool | None
    """By the evaluators of today; None: no run has judged it so."""


@dataclass(frozen=True, slots=True)
class EarlierPass:
    """A run in which a call passed, as the case was then."""

    run_id: str
    commit: str | None


@dataclass(frozen=True, slots=True)
class CaseStore:
    """The store's results of one case."""

    layout: Layout
    bank: str
    case_id: str

    def draws(self, keys: Collection[str], digest: str) -> list[Draw]:
        """Every stored answer to these calls; judged where the case was as it is now."""
        rows = self._rows(_DRAWS, keys=list(keys), digest=digest)
        return [Draw(key, call, run, passed if alike else None) for key, call, run, alike, passed in rows]

    def earlier_pass(self, keys: Collection[str], digest: str) -> EarlierPass | None:
        """The newest run in which one of these calls passed, while the case was another one."""
        rows = self._rows(_PASSED, keys=list(keys), digest=digest)
        return EarlierPass(*rows[0]) if rows else None

    def repeats(self) -> int:
        """The most answers that a run has asked for."""
        rows = self._rows(_REPEATS)
        return int(rows[0][0]) if rows else 1

    def _rows(self, query: str, **parameters: object) -> Sequence[tuple[Any, ...]]:
        given = {"bank": self.bank, "case": self.case_id, **parameters}
        return StoreReader(self.layout.root).rows(query, given)
