"""Which calls were made, whatever run made them: where their answers stand, what they took, what judges were asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmctl.errors import UsageError
from llmctl.outcome import Outcome
from llmctl.providers.records import Attempt, Call
from llmctl.runs import rows
from llmctl.runs.records import TargetName
from llmctl.runs.rows import columns
from llmctl.runs.store_reader import StoreReader

__all__ = ["Averages", "CallHistory", "JudgeCall", "JudgeSpending", "Location"]


@dataclass(frozen=True, slots=True)
class Location:
    """Where a call stands: read it with `read_line(layout.journal(run_id), position)`."""

    run_id: str
    position: int
    """The byte at which its line begins."""
    started_at: float
    """UTC epoch seconds of the call."""


@dataclass(frozen=True, slots=True)
class Averages:
    """What the latest calls of a target took; None: not known."""

    output_tokens: float | None
    """Mean of a call."""
    tokens_per_byte: float | None
    """Input tokens over the size of the messages as JSON in UTF-8."""


@dataclass(frozen=True, slots=True)
class JudgeCall:
    """Where the answer to a judge's question stands."""

    key: str
    """The call key."""
    model: str
    """The litellm model string."""
    location: Location


@dataclass(frozen=True, slots=True)
class JudgeSpending:
    """What a run sent to its judges."""

    calls: int
    cost_usd: float
    unpriced_calls: int
    """Calls among them whose cost is unknown: `cost_usd` is then a lower bound."""


_LATEST_CALLS = 2_000
_JUDGE_CALLS = 20_000
_EVIDENCE = [outcome.value for outcome in Outcome if outcome.evidence]


class CallHistory:
    """The calls of a store. A missing store has none."""

    def __init__(self, reader: StoreReader) -> None:
        self._reader = reader

    def call(self, call_id: str) -> Call:
        """One call with its attempts, from whichever run made it.

        Raises:
            UsageError: there is none.
        """
        found = self._reader.rows(
            f"SELECT run_id, position, {rows.CALL_COLUMNS} FROM call_rows WHERE call_id = ? ORDER BY run_id LIMIT 1",
            [call_id],
        )
        if not found:
            raise UsageError(f"There is no call {call_id}.")
        attempts = self._reader.rows(
            f"SELECT {columns(Attempt)} FROM attempt_rows WHERE run_id = ? AND position = ? ORDER BY number",
            list(found[0][:2]),
        )
        return rows.call_of(found[0][2:], [rows.attempt_of(row) for row in attempts])

    def locate(self, keys: Sequence[str], *, run_id: str | None = None) -> dict[str, Location]:
        """Where the latest call with evidence stands for each call key, in a journal that is still there.

        `run_id`: only what this run has sent.
        """
        found = self._reader.rows(
            "SELECT key, run_id, position, started_at FROM call_rows "
            "WHERE key IN (SELECT unnest($keys)) AND outcome IN (SELECT unnest($outcomes)) "
            "AND run_id IN (SELECT unnest($runs)) "
            "QUALIFY row_number() OVER (PARTITION BY key ORDER BY started_at DESC, run_id DESC, position DESC) = 1",
            {"keys": list(keys), "outcomes": _EVIDENCE, "runs": self._runs(run_id)},
        )
        return {row[0]: Location(*row[1:]) for row in found}

    def calls_of(self, run_id: str) -> dict[str, Location]:
        """Where the calls stand that the run's results refer to, by id, as far as their journals are still there."""
        found = self._reader.rows(
            "SELECT call_id, c.run_id, c.position, c.started_at FROM call_rows c SEMI JOIN "
            "(SELECT call_id FROM result_rows WHERE run_id = $run) USING (call_id) "
            "WHERE c.run_id IN (SELECT unnest($runs))",
            {"run": run_id, "runs": self._runs()},
        )
        return {row[0]: Location(*row[1:]) for row in found}

    def judge_calls(self, models: Sequence[str], *, run_id: str | None = None) -> Iterator[JudgeCall]:
        """The stored answers of these models (litellm model strings) to judges' questions, by key, the latest first.

        `run_id`: only what this run has sent.
        """
        wanted = {"models": list(models), "outcomes": _EVIDENCE, "runs": self._runs(run_id)}
        after = ""
        while True:
            chunk = self._reader.rows(
                "SELECT key, model, run_id, position, started_at FROM call_rows WHERE purpose = 'judge' "
                "AND model IN (SELECT unnest($models)) AND outcome IN (SELECT unnest($outcomes)) "
                "AND run_id IN (SELECT unnest($runs)) AND key > $after "
                f"ORDER BY key, started_at DESC, run_id DESC, position DESC LIMIT {_JUDGE_CALLS}",
                {**wanted, "after": after},
            )
            for key, model, *where in chunk:
                yield JudgeCall(key, model, Location(*where))
            if len(chunk) < _JUDGE_CALLS:
                return
            after = chunk[-1][0]

    def judge_spending(self, run_id: str) -> JudgeSpending:
        """What the run sent to its judges."""
        found = self._reader.rows(
            "SELECT count(*), coalesce(sum(cost_usd), 0.0), count_if(cost_usd IS NULL) FROM call_rows "
            "WHERE run_id = ? AND purpose = 'judge'",
            [run_id],
        )
        return JudgeSpending(*found[0]) if found else JudgeSpending(0, 0.0, 0)

    def averages(self, target: TargetName) -> Averages | None:
        """What the latest calls of a target took; None where there are none."""
        found = self._reader.rows(
            "WITH latest AS (SELECT DISTINCT call_id FROM (SELECT call_id FROM result_rows "
            f"WHERE prompt = ? AND model = ? ORDER BY run_id DESC, position DESC LIMIT {_LATEST_CALLS})) "
            "SELECT avg(c.output_tokens), sum(c.input_tokens) / nullif(sum(CASE WHEN c.input_tokens IS NOT NULL "
            "THEN strlen(TRY(json_extract(a.request_body, '$.messages'))::VARCHAR) END), 0) "
            "FROM latest JOIN call_rows c USING (call_id) "
            "JOIN attempt_rows a ON a.run_id = c.run_id AND a.position = c.position AND a.number = 1",
            [target.prompt, target.model],
        )
        return Averages(*found[0]) if found and any(value is not None for value in found[0]) else None

    def _runs(self, run_id: str | None = None) -> list[str]:
        return self._reader.journals() if run_id is None else [run_id]
