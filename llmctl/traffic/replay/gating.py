"""The verdict of a gate on a replay: the candidate's answers beside those of the re-run, or those that were logged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmctl.compare.cells import Cell
from llmctl.compare.gate.judges import untrusted_judges
from llmctl.compare.gate.judging import CellInput, judge_cells, rules_for
from llmctl.compare.gate.side_evidence import side_evidence
from llmctl.compare.gate.texts import with_texts
from llmctl.compare.side import Side, SideKind
from llmctl.compare.verdict import GateReport, Spending
from llmctl.errors import ExitCode, UsageError
from llmctl.project.models import Config, GateRules
from llmctl.runs.history import History
from llmctl.traffic.replay.lanes import ReplayRun
from llmctl.traffic.replay.logged_prompt import LOGGED
from llmctl.traffic.replay.scoring import Scoring

if TYPE_CHECKING:
    from llmctl.compare.gate.evidence import CellEvidence

__all__ = ["GatedReplay", "replay_rules"]


def replay_rules(config: Config, scoring: Scoring) -> GateRules:
    """The rules that a replay is judged by: those beside its evaluators, else those of `[gate]`.

    Raises:
        UsageError: there are no evaluators, or no rules.
    """
    if not scoring:
        raise UsageError(
            "--gate judges by evaluators, and none are named.",
            hint="Name them: --bank BANK, or --evaluators FILE.",
        )
    rules = rules_for(scoring.gate, config.gate)
    if rules is None or rules == GateRules():
        raise UsageError(
            f"There is no rule to judge {scoring.title} by.",
            hint="Write some under `gate:` beside the evaluators, or under [gate] of llmctl.toml: margin = 0.05.",
        )
    return rules


@dataclass(frozen=True)
class GatedReplay:
    """A replay that is to be judged. Its runs are in the store."""

    config: Config
    history: History
    run: ReplayRun
    rules: GateRules
    spending: Spending = field(default_factory=Spending)
    stopped: ExitCode | None = None
    """What ended the run before its end."""

    def report(self) -> GateReport:
        """The verdict on every candidate: one cell for each, and for each bank of the replay.

        Raises:
            StoreError: the store cannot be read.
        """
        settings = self.config.gate
        ours = self._side(self.run.run_id)
        theirs = self._side(self.run.observed) if self.run.observed and not self.run.rerun else None
        verdicts = with_texts(judge_cells(self._inputs(theirs), settings), ours, theirs)
        return GateReport(
            cells=verdicts,
            candidate=ours.title,
            baseline="the same requests, sent again" if self.run.rerun else "the logged answers",
            run_id=self.run.run_id,
            alpha=settings.alpha,
            spending=self.spending,
            stopped=self.stopped,
            tolerate_inconclusive=settings.inconclusive == "warn",
        )

    def _side(self, run_id: str, *labels: str) -> Side:
        database = self.history.layout.database
        return Side("", f"replay {run_id}", SideKind.RUN, database, run_id, labels=labels or None)

    def _inputs(self, theirs: Side | None) -> list[CellInput]:
        observed = side_evidence(theirs) if theirs else {}
        judges = untrusted_judges(self.config, self._side(self.run.run_id))
        names = {prompt.label: prompt.name for prompt in self.history.prompts(self.run.run_id)}
        again = self._evidence(LOGGED) if self.run.rerun else {}
        found = []
        for candidate in self.run.candidates:
            ours = self._evidence(candidate.prompt)
            for bank in self.run.banks:
                lanes = self.run.lanes(bank.name, candidate)
                if lanes.candidate is None:
                    continue
                cell = Cell(bank.name, names[candidate.prompt], lanes.candidate.model)
                asked = Cell(bank.name, LOGGED, lanes.baseline.model) if lanes.baseline else None
                before = again.get(asked) if asked else _of_bank(bank.name, observed)
                found.append(self._input(ours[cell], before, judges.get(bank.name, ())))
        return found

    def _evidence(self, label: str) -> Mapping[Cell, CellEvidence]:
        return side_evidence(self._side(self.run.run_id, label))

    def _input(self, now: CellEvidence, before: CellEvidence | None, unjudged: tuple[str, ...]) -> CellInput:
        return CellInput(
            now,
            self.rules,
            before,
            unjudged=unjudged,
            no_baseline="The logged answers were not scored.",
            no_baseline_advice="Replay again, with these evaluators or with --baseline rerun.",
        )


def _of_bank(bank: str, observed: Mapping[Cell, CellEvidence]) -> CellEvidence | None:
    return next((evidence for cell, evidence in observed.items() if cell.bank == bank), None)
