"""The banks of a replay, to be scored again: its cases stand in its journal, its evaluators in today's files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmctl.errors import Problem, UsageError
from llmctl.project.models import Bank, Case, Config
from llmctl.runs.line_reader import LineReader
from llmctl.traffic.replay.request import REPLAY, ScoredBy
from llmctl.traffic.replay.scoring import Scoring, read_scoring

if TYPE_CHECKING:
    from llmctl.runs.history import History
    from llmctl.runs.rescore.old_run import OldRun
    from llmctl.runs.rescore.plan import BankSource

__all__ = ["replay_banks"]


def replay_banks(config: Config, history: History, run_id: str) -> BankSource | None:
    """Where the banks of a run come from; None: it is no replay, and they are files.

    Raises:
        ProjectError: the file of its evaluators has mistakes.
        UsageError: it was replayed without evaluators, or they are gone.
    """
    said = history.head(run_id).options.get(REPLAY)
    if not isinstance(said, Mapping):
        return None
    scored_by = ScoredBy.from_data(said.get("scored_by") or {})
    if not scored_by:
        raise UsageError(
            f"The replay {run_id} was made without evaluators: nothing says what a good answer is.",
            hint="Replay again with --bank BANK or --evaluators FILE: answers that are stored are not sent for again.",
        )
    scoring = read_scoring(config, scored_by)
    return lambda old, name: _bank(old, name, scoring)


def _bank(old: OldRun, name: str, scoring: Scoring) -> Bank:
    return Bank(name, Path(), _Cases(old, name, scoring), evaluators=scoring.evaluators, digest=scoring.digest)


@dataclass(frozen=True)
class _Cases:
    """Reads the cases of one bank from the run's journal, with the evaluators of today."""

    old: OldRun
    bank: str
    scoring: Scoring

    def __call__(self, _problems: list[Problem]) -> Iterator[Case]:
        positions = self.old.positions()
        with closing(LineReader(self.old.journal)) as lines:
            for number, bank in enumerate(self.old.bank_of):
                if bank == self.bank:
                    yield self._case(lines.fields_at(positions[number]).fields)

    def _case(self, fields: Mapping[str, Any]) -> Case:
        expected = fields["expected"] if fields["has_expected"] else None
        return Case(
            bank=self.bank,
            id=fields["case_id"],
            vars=fields["vars"],
            evaluators=self.scoring.of(expected),
            expected=expected,
            has_expected=fields["has_expected"],
            tags=tuple(fields["tags"]),
            group=fields["group"],
            weight=fields["weight"],
            pass_score=self.scoring.pass_score,
        )
