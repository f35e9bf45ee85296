"""A run that is scored again, as its journal holds it: cases and results by their place in the file."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from llmctl.canonical import digest
from llmctl.errors import UsageError
from llmctl.runs.codec import CodecError, decode, untagged
from llmctl.runs.journal_reader import Damage, sealed_lines
from llmctl.runs.records import BankEvent, PlanEvent, PromptEvent, RunEvent, TargetEvent, TargetName

__all__ = ["OldCase", "OldRun", "OldUnit", "case_key", "read_old_run", "vars_digest"]

_HEADS = frozenset({"run", "prompt", "target", "bank", "plan"})
_REPEATS = 1 << 16


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
    """What the journal of a run says. About 300 bytes are kept of each case and its results."""

    journal: Path
    head: RunEvent | None = None
    plan: PlanEvent | None = None
    prompts: dict[str, PromptEvent] = field(default_factory=dict)
    targets: dict[TargetName, TargetEvent] = field(default_factory=dict)
    banks: dict[str, BankEvent] = field(default_factory=dict)
    cases: dict[bytes, OldCase] = field(default_factory=dict)
    """By `case_key`."""
    bank_of: list[str] = field(default_factory=list)
    """The bank of each case, by its number."""
    damaged: int = 0
    """Lines that cannot be read."""
    _places: dict[int, int] = field(default_factory=dict)
    _indexes: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def run_id(self) -> str:
        """Its id."""
        return self.journal.stem

    def units(self) -> Iterator[OldUnit]:
        """Every result, the latest line of each, in the order in which they first came."""
        targets = max(1, len(self.targets))
        for unit, position in self._places.items():
            rest, repeat = divmod(unit, _REPEATS)
            case, target = divmod(rest, targets)
            yield OldUnit(position, case, target, repeat)

    def positions(self) -> array[int]:
        """Where each case's line begins, by its number."""
        return array("Q", (case.position for case in self.cases.values()))

    def take_head(self, line: bytes) -> None:
        """Note one of the events before the cases."""
        match decode(line).event:
            case RunEvent() as event:
                self.head = self.head or event
            case PlanEvent() as event:
                self.plan = event
            case PromptEvent() as event:
                self.prompts[event.label] = event
            case TargetEvent() as event:
                name = TargetName(event.prompt, event.model)
                self._indexes.setdefault((name.prompt, name.model), len(self.targets))
                self.targets.setdefault(name, event)
            case BankEvent() as event:
                self.banks[event.name] = event
            case _:
                return

    def take_case(self, fields: Mapping[str, Any], position: int) -> None:
        """Note a case."""
        bank = sys.intern(fields["bank"])
        key = case_key(bank, fields["case_id"])
        if key not in self.cases:
            self.cases[key] = OldCase(len(self.cases), vars_digest(fields["vars"]), position)
            self.bank_of.append(bank)

    def take_result(self, fields: Mapping[str, Any], position: int) -> None:
        """Note a result."""
        case = self.cases.get(case_key(fields["bank"], fields["case_id"]))
        target = self._indexes.get((fields["prompt"], fields["model"]))
        if case is None or target is None:
            self.damaged += 1
            return
        unit = (case.number * len(self.targets) + target) * _REPEATS + min(fields["repeat"], _REPEATS - 1)
        self._places[unit] = position


def case_key(bank: str, case_id: str) -> bytes:
    """Twelve bytes for a case: that two of a million have the same ones is as likely as 1 to 10^17."""
    return blake2b(f"{len(bank)}/{bank}/{case_id}".encode("utf-8", "surrogatepass"), digest_size=12).digest()


def vars_digest(variables: Mapping[str, object]) -> bytes:
    """Sixteen bytes for a case's variables."""
    return bytes.fromhex(digest(variables)[:32])


def read_old_run(journal: Path) -> OldRun:
    """Read the journal of a run that has ended or stands still.

    Raises:
        UsageError: it is not here, or does not hold what can be scored.
        StoreError: it cannot be read.
    """
    if not journal.exists():
        raise UsageError(
            f"The journal of the run {journal.stem} is not here: {journal}.",
            hint="Only a run whose journal is kept can be scored again.",
        )
    run = OldRun(journal)
    for line in sealed_lines(journal):
        if isinstance(line, Damage):
            run.damaged += 1
            continue
        try:
            if line.kind in _HEADS:
                run.take_head(line.line)
            elif line.kind == "case":
                run.take_case(untagged(line.line).fields, line.offset)
            elif line.kind == "result":
                run.take_result(untagged(line.line).fields, line.offset)
        except (CodecError, LookupError, TypeError, AttributeError):
            run.damaged += 1
    if run.head is None or not run.targets:
        raise UsageError(
            f"The journal of the run {journal.stem} does not say what was run.", hint="Start a new run: `llmctl eval`."
        )
    return run
