"""A run that is scored again: its cases and results by their place in its journal, as the store's index has them."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b, md5
from pathlib import Path

from llmctl.canonical import to_json
from llmctl.errors import StoreError, UsageError
from llmctl.runs.line_reader import LineReader
from llmctl.runs.records import BankEvent, PlanEvent, PromptEvent, RunEvent, TargetEvent, TargetName
from llmctl.runs.store_reader import StoreReader

__all__ = ["OldCase", "OldRun", "OldUnit", "case_key", "read_old_run", "vars_digest"]

_HEADS = """
    SELECT position FROM run_heads WHERE run_id = $run UNION ALL SELECT position FROM prompt_rows WHERE run_id = $run
    UNION ALL SELECT position FROM target_rows WHERE run_id = $run
    UNION ALL SELECT position FROM bank_rows WHERE run_id = $run
    UNION ALL SELECT position FROM plan_rows WHERE run_id = $run ORDER BY position"""
_CASES = """
    SELECT bank, case_id, md5(arg_min(vars, position)) AS vars, min(position) AS position
    FROM case_rows WHERE run_id = $run GROUP BY bank, case_id"""
_UNITS = f"""
    SELECT c.number, r.prompt, r.model, r.repeat, r.position
    FROM current_results r
    JOIN (SELECT bank, case_id, row_number() OVER (ORDER BY position) - 1 AS number FROM ({_CASES})) c
        USING (bank, case_id)
    WHERE r.run_id = $run ORDER BY r.position"""


@dataclass(frozen=True, slots=True)
class OldCase:
    """A case as it was."""

    number: int
    vars_digest: bytes
    position: int
    """The byte at which its line begins."""


@dataclass(frozen=True, slots=True)
class OldUnit:
    """One result as it was."""

    position: int
    """The byte at which the latest line of the result begins."""
    case: int
    """The number of its case."""
    target: int
    repeat: int


@dataclass(slots=True)
class OldRun:
    """What is known of a run. About 300 bytes are kept of each case and its results."""

    journal: Path
    head: RunEvent | None = None
    plan: PlanEvent | None = None
    prompts: dict[str, PromptEvent] = field(default_factory=dict)
    targets: dict[TargetName, TargetEvent] = field(default_factory=dict)
    banks: dict[str, BankEvent] = field(default_factory=dict)
    cases: dict[bytes, OldCase] = field(default_factory=dict)
    """By `case_key`, in the order of the journal."""
    bank_of: list[str] = field(default_factory=list)
    """The bank of each case, by its number."""
    _positions: array[int] = field(default_factory=lambda: array("Q"))
    _cases: array[int] = field(default_factory=lambda: array("I"))
    _targets: array[int] = field(default_factory=lambda: array("H"))
    _repeats: array[int] = field(default_factory=lambda: array("H"))

    @property
    def run_id(self) -> str:
        """Its id."""
        return self.journal.stem

    def units(self) -> Iterator[OldUnit]:
        """Every result, the latest line of each, in the order of the journal."""
        return map(OldUnit, self._positions, self._cases, self._targets, self._repeats)

    def positions(self) -> array[int]:
        """Where each case's line begins, by its number."""
        return array("Q", (case.position for case in self.cases.values()))

    def _read(self, store: StoreReader) -> None:
        lines = LineReader(self.journal)
        try:
            for (position,) in store.rows(_HEADS, {"run": self.run_id}):
                self._take_head(lines.at(position))
        finally:
            lines.close()
        for bank, case_id, digest, position in store.rows(f"{_CASES} ORDER BY position", {"run": self.run_id}):
            self.cases[case_key(bank, case_id)] = OldCase(len(self.cases), bytes.fromhex(digest), position)
            self.bank_of.append(sys.intern(bank))
        indexes = {(name.prompt, name.model): number for number, name in enumerate(self.targets)}
        for case, prompt, model, repeat, position in store.rows(_UNITS, {"run": self.run_id}):
            target = indexes.get((prompt, model))
            if target is not None:  # else the target's line is damaged
                self._positions.append(position)
                self._cases.append(case)
                self._targets.append(target)
                self._repeats.append(repeat)

    def _take_head(self, event: object) -> None:
        """Note one of the events before the cases."""
        match event:
            case RunEvent():
                self.head = self.head or event
            case PlanEvent():
                self.plan = event
            case PromptEvent():
                self.prompts[event.label] = event
            case TargetEvent():
                self.targets.setdefault(TargetName(event.prompt, event.model), event)
            case BankEvent():
                self.banks[event.name] = event
            case _:
                return


def case_key(bank: str, case_id: str) -> bytes:
    """Twelve bytes for a case: that two of a million have the same ones is as likely as 1 to 10^17."""
    return blake2b(f"{len(bank)}/{bank}/{case_id}".encode("utf-8", "surrogatepass"), digest_size=12).digest()


def vars_digest(variables: Mapping[str, object]) -> bytes:
    """Sixteen bytes for the text of a case's variables, as a journal has it."""
    return md5(to_json(variables), usedforsecurity=False).digest()


def read_old_run(store: Path, run_id: str) -> OldRun:
    """Read a run that has ended or stands still.

    Raises:
        UsageError: its journal is not here, or does not hold what can be scored.
        StoreError: the store cannot be read, or the journal cannot be brought into it now.
    """
    reader = StoreReader(store)
    journal = reader.layout.journal(run_id)
    if not journal.exists():
        raise UsageError(
            f"The journal of the run {run_id} is not here: {journal}.",
            hint="Only a run whose journal is kept can be scored again.",
        )
    if (later := reader.refresh().later) is not None:
        raise StoreError(later, hint="Try again in a moment.")
    run = OldRun(journal)
    run._read(reader)
    if run.head is None or not run.targets:
        raise UsageError(
            f"The journal of the run {run_id} does not say what was run.", hint="Start a new run: `llmctl eval`."
        )
    return run
