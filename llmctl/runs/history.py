"""What was run: the runs of a store, and everything that is kept of one. Imports what is new before it reads.

Every look opens the database for a moment and closes it, so that a reader never keeps a writer waiting: long answers
are read in chunks, in the order of their journal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from llmctl.canonical import from_json
from llmctl.errors import StoreError, UsageError
from llmctl.evaluators.base import MetricScore
from llmctl.outcome import Outcome
from llmctl.providers.records import Attempt, Call
from llmctl.runs import rows
from llmctl.runs.alive import is_alive
from llmctl.runs.importer import ImportSummary, import_journals, rebuild
from llmctl.runs.records import (
    BankEvent,
    CaseEvent,
    EndEvent,
    JudgeEvent,
    PlanEvent,
    PromptEvent,
    ResultEvent,
    RunEvent,
    TargetEvent,
    TargetName,
    UnitName,
)
from llmctl.runs.rows import Row, columns
from llmctl.runs.run_names import find_run, nearest_hint
from llmctl.store.database import CorruptError, open_database
from llmctl.store.layout import Layout

__all__ = ["Averages", "ExpectedAnswer", "History", "JudgeCall", "JudgeSpending", "Location", "RunState", "RunSummary"]

_WAIT_S = 10.0
_CHUNK = 2000
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


class RunState(StrEnum):
    """How a run ended, or what became of it: a `RunStatus`, or `killed`."""

    RUNNING = "running"
    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    STOPPED = "stopped"
    KILLED = "killed"
    """The journal has no end, and no process writes it."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run in a list."""

    run_id: str
    label: str | None
    command: str
    status: RunState
    started_at: datetime
    """UTC."""
    ended_at: datetime | None
    commit: str | None
    branch: str | None
    dirty: bool | None
    planned: int
    done: int
    """Results recorded."""
    passed: int
    failed: int
    errors: int
    """Results without a verdict: no evidence."""
    cached: int
    targets: int
    """How many."""
    calls: int
    """Calls that this run sent."""
    unpriced_calls: int
    """Calls among them whose cost is unknown: `cost_usd` is then a lower bound."""
    cost_usd: float | None
    """What the run sent; None: not known of any call."""
    input_tokens: int | None
    output_tokens: int | None
    error: str | None
    damaged_lines: int
    """Lines of the journal that could not be read."""


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
class ExpectedAnswer:
    """Cases of a bank that have the same evaluators and expect the same."""

    bank: str
    evaluators: str
    """Their configuration, as JSON text."""
    expected: object
    cases: int


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
_SUMMARY_COLUMNS = columns(RunSummary)
_EVIDENCE = [outcome.value for outcome in Outcome if outcome.evidence]


class History:
    """The runs of a store. A missing store is an empty history."""

    def __init__(self, store: Path, *, wait_s: float = _WAIT_S) -> None:
        """`wait_s`: for how long to try while another process holds the store."""
        self.layout = Layout(store)
        self._wait_s = wait_s
        self._imported: ImportSummary | None = None

    def refresh(self) -> ImportSummary:
        """Import what is new; done once by itself before the first look.

        Raises:
            StoreError: the store cannot be read or written.
        """
        self._imported = import_journals(self.layout.root, wait_s=self._wait_s)
        return self._imported

    def runs(self, limit: int = 20, offset: int = 0) -> list[RunSummary]:
        """The latest runs, newest first."""
        page = "SELECT run_id FROM journal_rows ORDER BY run_id DESC LIMIT ? OFFSET ?"
        found = self._rows(
            f"SELECT {_SUMMARY_COLUMNS} FROM runs WHERE run_id IN ({page}) ORDER BY run_id DESC", [limit, offset]
        )
        return [self._summary(row) for row in found]

    def run(self, run_id: str) -> RunSummary:
        """One run, by its whole id.

        Raises:
            UsageError: there is none.
        """
        found = self._rows(f"SELECT {_SUMMARY_COLUMNS} FROM runs WHERE run_id = ?", [run_id])
        if not found:
            raise UsageError(f"There is no run {run_id}.", hint="List the runs with `llmctl runs`.")
        return self._summary(found[0])

    def find(self, reference: str) -> str:
        """The id of a run: from its first 6 or more characters, `@last`, `@last~2`, or a label.

        `run:` and `label:` before it say which is meant.

        Raises:
            UsageError: there is none, or several.
        """
        return find_run(self._rows, reference)

    def head(self, run_id: str) -> RunEvent:
        """How the run began.

        Raises:
            UsageError: nothing is kept of that.
        """
        names = columns(RunEvent, without=["run_id"])
        found = self._rows(f"SELECT {names} FROM run_heads WHERE run_id = ? ORDER BY position DESC LIMIT 1", [run_id])
        if not found:
            raise UsageError(f"The beginning of the run {run_id} is not kept.")
        return rows.head_of(run_id, found[0])

    def end(self, run_id: str) -> EndEvent | None:
        """How the run ended; None where it did not."""
        found = self._rows(
            f"SELECT {columns(EndEvent)} FROM run_ends WHERE run_id = $run AND position > "
            "(SELECT coalesce(max(position), -1) FROM run_heads WHERE run_id = $run) ORDER BY position DESC LIMIT 1",
            {"run": run_id},
        )
        return rows.end_of(found[0]) if found else None

    def targets(self, run_id: str) -> list[TargetEvent]:
        """Each prompt x model of the run."""
        return [rows.target_of(row) for row in self._of_run("target_rows", columns(TargetEvent), run_id)]

    def prompts(self, run_id: str) -> list[PromptEvent]:
        """Each prompt version of the run."""
        return [rows.prompt_of(row) for row in self._of_run("prompt_rows", columns(PromptEvent), run_id)]

    def banks(self, run_id: str) -> list[BankEvent]:
        """Each bank of the run."""
        return [rows.bank_of(row) for row in self._of_run("bank_rows", columns(BankEvent), run_id)]

    def cases(self, run_id: str) -> Iterator[CaseEvent]:
        """Each planned case of the run."""
        for chunk in self._chunks("case_rows", columns(CaseEvent), run_id):
            for row in chunk:
                yield rows.case_of(row[1:])

    def expected(self, run_id: str, most: int) -> list[ExpectedAnswer]:
        """What the run's cases expect, by bank and evaluators; without those that expect more than `most` answers."""
        found = self._rows(
            "SELECT bank, evaluators, expected, count(*) FROM case_rows WHERE run_id = ? AND has_expected "
            "GROUP BY bank, evaluators, expected QUALIFY count(*) OVER (PARTITION BY bank, evaluators) <= ? "
            "ORDER BY min(position)",
            [run_id, most],
        )
        return [ExpectedAnswer(bank, evaluators, from_json(text), cases) for bank, evaluators, text, cases in found]

    def prompt(self, run_id: str, label: str) -> PromptEvent:
        """One prompt version of the run.

        Raises:
            UsageError: there is none.
        """
        prompts = {prompt.label: prompt for prompt in self.prompts(run_id)}
        if label not in prompts:
            raise UsageError(f'The run {run_id} has no prompt "{label}".', hint=nearest_hint(label, list(prompts)))
        return prompts[label]

    def case(self, run_id: str, bank: str, case_id: str) -> CaseEvent:
        """One case as it was planned.

        Raises:
            UsageError: there is none.
        """
        found = self._rows(
            f"SELECT {columns(CaseEvent)} FROM case_rows WHERE run_id = ? AND bank = ? AND case_id = ? LIMIT 1",
            [run_id, bank, case_id],
        )
        if found:
            return rows.case_of(found[0])
        ids = self._rows("SELECT DISTINCT case_id FROM case_rows WHERE run_id = ? AND bank = ?", [run_id, bank])
        near = nearest_hint(case_id, [row[0] for row in ids])
        raise UsageError(f'The run {run_id} has no case "{case_id}" of the bank "{bank}".', hint=near)

    def call(self, call_id: str) -> Call:
        """One call with its attempts, from whichever run made it.

        Raises:
            UsageError: there is none.
        """
        found = self._rows(
            f"SELECT run_id, position, {rows.CALL_COLUMNS} FROM call_rows WHERE call_id = ? ORDER BY run_id LIMIT 1",
            [call_id],
        )
        if not found:
            raise UsageError(f"There is no call {call_id}.")
        attempts = self._rows(
            f"SELECT {columns(Attempt)} FROM attempt_rows WHERE run_id = ? AND position = ? ORDER BY number",
            list(found[0][:2]),
        )
        return rows.call_of(found[0][2:], [rows.attempt_of(row) for row in attempts])

    def locate(self, keys: Sequence[str], *, run_id: str | None = None) -> dict[str, Location]:
        """Where the latest call with evidence stands for each call key, in a journal that is still there.

        `run_id`: only what this run has sent.
        """
        found = self._rows(
            "SELECT key, run_id, position, started_at FROM call_rows "
            "WHERE key IN (SELECT unnest($keys)) AND outcome IN (SELECT unnest($outcomes)) "
            "AND run_id IN (SELECT unnest($runs)) "
            "QUALIFY row_number() OVER (PARTITION BY key ORDER BY started_at DESC, run_id DESC, position DESC) = 1",
            {"keys": list(keys), "outcomes": _EVIDENCE, "runs": self._journals() if run_id is None else [run_id]},
        )
        return {row[0]: Location(*row[1:]) for row in found}

    def calls_of(self, run_id: str) -> dict[str, Location]:
        """Where the calls stand that the run's results refer to, by id, as far as their journals are still there."""
        found = self._rows(
            "SELECT call_id, c.run_id, c.position, c.started_at FROM call_rows c SEMI JOIN "
            "(SELECT call_id FROM result_rows WHERE run_id = $run) USING (call_id) "
            "WHERE c.run_id IN (SELECT unnest($runs))",
            {"run": run_id, "runs": self._journals()},
        )
        return {row[0]: Location(*row[1:]) for row in found}

    def judge_calls(self, models: Sequence[str], *, run_id: str | None = None) -> Iterator[JudgeCall]:
        """The stored answers of these models (litellm model strings) to judges' questions, by key, the latest first.

        `run_id`: only what this run has sent.
        """
        wanted = {
            "models": list(models),
            "outcomes": _EVIDENCE,
            "runs": self._journals() if run_id is None else [run_id],
        }
        after = ""
        while True:
            chunk = self._rows(
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

    def judges(self, run_id: str) -> list[JudgeEvent]:
        """Each judge of the run."""
        return [rows.judge_of(row) for row in self._of_run("judge_rows", columns(JudgeEvent), run_id)]

    def judge_spending(self, run_id: str) -> JudgeSpending:
        """What the run sent to its judges."""
        found = self._rows(
            "SELECT count(*), coalesce(sum(cost_usd), 0.0), count_if(cost_usd IS NULL) FROM call_rows "
            "WHERE run_id = ? AND purpose = 'judge'",
            [run_id],
        )
        return JudgeSpending(*found[0]) if found else JudgeSpending(0, 0.0, 0)

    def failed(self, run_id: str) -> list[UnitName]:
        """The run's results that failed or have no evidence, in the order of the journal."""
        found = self._rows(
            f"SELECT {columns(UnitName)} FROM current_results WHERE run_id = $run "
            "AND (passed IS NOT TRUE OR outcome NOT IN (SELECT unnest($outcomes))) ORDER BY position",
            {"run": run_id, "outcomes": _EVIDENCE},
        )
        return [UnitName(*row) for row in found]

    def averages(self, target: TargetName) -> Averages | None:
        """What the latest calls of a target took; None where there are none."""
        found = self._rows(
            "WITH latest AS (SELECT DISTINCT call_id FROM (SELECT call_id FROM result_rows "
            f"WHERE prompt = ? AND model = ? ORDER BY run_id DESC, position DESC LIMIT {_LATEST_CALLS})) "
            "SELECT avg(c.output_tokens), sum(c.input_tokens) / nullif(sum(CASE WHEN c.input_tokens IS NOT NULL "
            "THEN strlen(TRY(json_extract(a.request_body, '$.messages'))::VARCHAR) END), 0) "
            "FROM latest JOIN call_rows c USING (call_id) "
            "JOIN attempt_rows a ON a.run_id = c.run_id AND a.position = c.position AND a.number = 1",
            [target.prompt, target.model],
        )
        return Averages(*found[0]) if found and any(value is not None for value in found[0]) else None

    def plan(self, run_id: str) -> PlanEvent | None:
        """What the run was to make; None where its journal does not say."""
        found = self._of_run("plan_rows", columns(PlanEvent), run_id)
        return rows.plan_of(found[-1]) if found else None

    def results(self, run_id: str, *, bank: str | None = None, case_id: str | None = None) -> Iterator[ResultEvent]:
        """The run's results with their scores, in the order they were recorded."""
        wanted = {"bank": bank, "case_id": case_id}
        given = {name: value for name, value in wanted.items() if value is not None}
        for chunk in self._chunks("current_results", columns(ResultEvent, without=["scores"]), run_id, given):
            scores = self._scores(run_id, chunk[0][0], chunk[-1][0])
            for row in chunk:
                yield rows.result_of(row[1:], scores[row[0]])

    def _scores(self, run_id: str, first: int, last: int) -> defaultdict[int, list[MetricScore]]:
        """The scores of the results between two positions."""
        found = self._rows(
            f"SELECT position, {columns(MetricScore)} FROM score_rows "
            "WHERE run_id = ? AND position BETWEEN ? AND ? ORDER BY position, number",
            [run_id, first, last],
        )
        scores: defaultdict[int, list[MetricScore]] = defaultdict(list)
        for position, *row in found:
            scores[position].append(rows.score_of(tuple(row)))
        return scores

    def _chunks(self, table: str, names: str, run_id: str, wanted: dict[str, str] | None = None) -> Iterator[list[Row]]:
        """Rows of a run in the order of the journal, their position first; no chunk is empty."""
        wanted = wanted or {}
        conditions = "".join(f" AND {name} = ${name}" for name in wanted)
        position = -1
        while True:
            chunk = self._rows(
                f"SELECT position, {names} FROM {table} WHERE run_id = $run AND position > $after{conditions} "
                f"ORDER BY position LIMIT {_CHUNK}",
                {"run": run_id, "after": position, **wanted},
            )
            if not chunk:
                return
            yield chunk
            if len(chunk) < _CHUNK:
                return
            position = chunk[-1][0]

    def _of_run(self, table: str, names: str, run_id: str) -> list[Row]:
        return self._rows(f"SELECT {names} FROM {table} WHERE run_id = ? ORDER BY position", [run_id])

    def _journals(self) -> list[str]:
        """The runs whose journals are still there."""
        return [path.stem.encode("utf-8", "backslashreplace").decode() for path in self.layout.runs.glob("*.jsonl")]

    def _rows(self, query: str, parameters: object) -> list[Row]:
        """One look at the database. A damaged file is set aside and built again, once."""
        imported = self._imported or self.refresh()
        if not self.layout.database.exists():
            if imported.later is not None:
                raise StoreError(imported.later, hint="Try again in a moment.")
            return []
        try:
            return self._look(query, parameters)
        except CorruptError:
            self._imported = rebuild(self.layout.root, wait_s=self._wait_s)
            return self._look(query, parameters)

    def _look(self, query: str, parameters: object) -> list[Row]:
        with open_database(self.layout, read_only=True, wait_s=self._wait_s) as con:
            return con.execute(query, parameters).fetchall()

    def _summary(self, row: Row) -> RunSummary:
        values = dict(zip(RunSummary.__dataclass_fields__, row, strict=True))
        values["status"] = self._state(values["run_id"], values["status"])
        values["started_at"] = _utc(values["started_at"]) or _NO_TIME
        values["ended_at"] = _utc(values["ended_at"])
        return RunSummary(**values)

    def _state(self, run_id: str, status: str) -> RunState:
        if status != "unfinished":
            return RunState(status)
        return RunState.RUNNING if is_alive(self.layout.journal(run_id)) else RunState.KILLED


def _utc(value: object) -> datetime | None:
    # DuckDB gives a timestamp that Python's datetime cannot hold as text.
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else None
