"""What was run: the runs of a store, with their plans and results."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from llmctl.canonical import from_json
from llmctl.errors import UsageError
from llmctl.evaluators.base import MetricScore
from llmctl.outcome import Outcome
from llmctl.runs import rows
from llmctl.runs.alive import is_alive
from llmctl.runs.call_history import CallHistory
from llmctl.runs.importer import ImportSummary
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
    UnitName,
)
from llmctl.runs.rows import Row, columns
from llmctl.runs.run_names import RunsCalled, find_run, known_names, nearest_hint, runs_called
from llmctl.runs.store_reader import WAIT_S, StoreReader

__all__ = ["ExpectedAnswer", "History", "RunState", "RunSummary"]

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
class ExpectedAnswer:
    """Cases of a bank that have the same evaluators and expect the same."""

    bank: str
    evaluators: str
    """Their configuration, as JSON text."""
    expected: object
    cases: int


_SUMMARY_COLUMNS = columns(RunSummary)
_EVIDENCE = [outcome.value for outcome in Outcome if outcome.evidence]


class History:
    """The runs of a store. A missing store is an empty history."""

    def __init__(self, store: Path, *, wait_s: float = WAIT_S) -> None:
        """`wait_s`: for how long to try while another process holds the store."""
        self._reader = StoreReader(store, wait_s=wait_s)
        self.layout = self._reader.layout
        self.calls = CallHistory(self._reader)

    def refresh(self) -> ImportSummary:
        """Import what is new; done once by itself before the first look.

        Raises:
            StoreError: the store cannot be read or written.
        """
        return self._reader.refresh()

    def runs(self, limit: int = 20, offset: int = 0) -> list[RunSummary]:
        """The latest runs, newest first."""
        page = "SELECT run_id FROM journal_rows ORDER BY run_id DESC LIMIT ? OFFSET ?"
        found = self._reader.rows(
            f"SELECT {_SUMMARY_COLUMNS} FROM runs WHERE run_id IN ({page}) ORDER BY run_id DESC", [limit, offset]
        )
        return [self._summary(row) for row in found]

    def run(self, run_id: str) -> RunSummary:
        """One run, by its whole id.

        Raises:
            UsageError: there is none.
        """
        found = self._reader.rows(f"SELECT {_SUMMARY_COLUMNS} FROM runs WHERE run_id = ?", [run_id])
        if not found:
            raise UsageError(f"There is no run {run_id}.", hint="List the runs with `llmctl runs`.")
        return self._summary(found[0])

    def find(self, reference: str) -> str:
        """The id of a run: from its first 6 or more characters, `@last`, `@last~2`, or a label.

        `run:` and `label:` before it say which is meant.

        Raises:
            UsageError: there is none, or several.
        """
        return find_run(self._reader.rows, reference)

    def called(self, text: str) -> RunsCalled:
        """Every run that a text may mean, by its id or by its label."""
        return runs_called(self._reader.rows, text)

    def names(self) -> list[str]:
        """The ids and labels of the latest runs."""
        return known_names(self._reader.rows)

    def head(self, run_id: str) -> RunEvent:
        """How the run began.

        Raises:
            UsageError: nothing is kept of that.
        """
        names = columns(RunEvent, without=["run_id"])
        found = self._reader.rows(
            f"SELECT {names} FROM run_heads WHERE run_id = ? ORDER BY position DESC LIMIT 1", [run_id]
        )
        if not found:
            raise UsageError(f"The beginning of the run {run_id} is not kept.")
        return rows.head_of(run_id, found[0])

    def end(self, run_id: str) -> EndEvent | None:
        """How the run ended; None where it did not."""
        found = self._reader.rows(
            f"SELECT {columns(EndEvent)} FROM run_ends WHERE run_id = $run AND position > "
            "(SELECT coalesce(max(position), -1) FROM run_heads WHERE run_id = $run) ORDER BY position DESC LIMIT 1",
            {"run": run_id},
        )
        return rows.end_of(found[0]) if found else None

    def targets(self, run_id: str) -> list[TargetEvent]:
        """Each prompt x model of the run."""
        return [rows.target_of(row) for row in self._reader.of_run("target_rows", columns(TargetEvent), run_id)]

    def prompts(self, run_id: str) -> list[PromptEvent]:
        """Each prompt version of the run."""
        return [rows.prompt_of(row) for row in self._reader.of_run("prompt_rows", columns(PromptEvent), run_id)]

    def banks(self, run_id: str) -> list[BankEvent]:
        """Each bank of the run."""
        return [rows.bank_of(row) for row in self._reader.of_run("bank_rows", columns(BankEvent), run_id)]

    def cases(self, run_id: str) -> Iterator[CaseEvent]:
        """Each planned case of the run."""
        for chunk in self._reader.chunks("case_rows", columns(CaseEvent), run_id):
            for row in chunk:
                yield rows.case_of(row[1:])

    def expected(self, run_id: str, most: int) -> list[ExpectedAnswer]:
        """What the run's cases expect, by bank and evaluators; without those that expect more than `most` answers."""
        found = self._reader.rows(
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
        found = self._reader.rows(
            f"SELECT {columns(CaseEvent)} FROM case_rows WHERE run_id = ? AND bank = ? AND case_id = ? LIMIT 1",
            [run_id, bank, case_id],
        )
        if found:
            return rows.case_of(found[0])
        ids = self._reader.rows("SELECT DISTINCT case_id FROM case_rows WHERE run_id = ? AND bank = ?", [run_id, bank])
        near = nearest_hint(case_id, [row[0] for row in ids])
        raise UsageError(f'The run {run_id} has no case "{case_id}" of the bank "{bank}".', hint=near)

    def judges(self, run_id: str) -> list[JudgeEvent]:
        """Each judge of the run."""
        return [rows.judge_of(row) for row in self._reader.of_run("judge_rows", columns(JudgeEvent), run_id)]

    def failed(self, run_id: str) -> list[UnitName]:
        """The run's results that failed or have no evidence, in the order of the journal."""
        found = self._reader.rows(
            f"SELECT {columns(UnitName)} FROM current_results WHERE run_id = $run "
            "AND (passed IS NOT TRUE OR outcome NOT IN (SELECT unnest($outcomes))) ORDER BY position",
            {"run": run_id, "outcomes": _EVIDENCE},
        )
        return [UnitName(*row) for row in found]

    def units(self, run_id: str) -> list[UnitName]:
        """What the run has a result of, in the order of the journal."""
        found = self._reader.rows(
            f"SELECT {columns(UnitName)} FROM current_results WHERE run_id = ? ORDER BY position", [run_id]
        )
        return [UnitName(*row) for row in found]

    def answered(self, run_id: str) -> int:
        """How many of the run's results have an answer that is evidence, whether or not anybody scored it."""
        found = self._reader.rows(
            "SELECT count(*) FROM current_results WHERE run_id = $run AND outcome IN (SELECT unnest($outcomes))",
            {"run": run_id, "outcomes": _EVIDENCE},
        )
        return int(found[0][0]) if found else 0

    def plan(self, run_id: str) -> PlanEvent | None:
        """What the run was to make; None where its journal does not say."""
        found = self._reader.of_run("plan_rows", columns(PlanEvent), run_id)
        return rows.plan_of(found[-1]) if found else None

    def results(self, run_id: str, *, bank: str | None = None, case_id: str | None = None) -> Iterator[ResultEvent]:
        """The run's results with their scores, in the order they were recorded."""
        wanted = {"bank": bank, "case_id": case_id}
        given = {name: value for name, value in wanted.items() if value is not None}
        for chunk in self._reader.chunks("current_results", columns(ResultEvent, without=["scores"]), run_id, given):
            scores = self._scores(run_id, chunk[0][0], chunk[-1][0])
            for row in chunk:
                yield rows.result_of(row[1:], scores[row[0]])

    def _scores(self, run_id: str, first: int, last: int) -> defaultdict[int, list[MetricScore]]:
        """The scores of the results between two positions."""
        found = self._reader.rows(
            f"SELECT position, {columns(MetricScore)} FROM score_rows "
            "WHERE run_id = ? AND position BETWEEN ? AND ? ORDER BY position, number",
            [run_id, first, last],
        )
        scores: defaultdict[int, list[MetricScore]] = defaultdict(list)
        for position, *row in found:
            scores[position].append(rows.score_of(tuple(row)))
        return scores

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
