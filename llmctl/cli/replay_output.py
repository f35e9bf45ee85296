"""What a replay shows when it has ended: the findings of every candidate, and the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmctl.cli.screen import print_json, stdout
from llmctl.runs.history import History
from llmctl.traffic.replay.lanes import Candidate, ReplayRun, replayed
from llmctl.traffic.replay.records import Choice

if TYPE_CHECKING:
    from llmctl.cli.replaying import Wishes
    from llmctl.cli.session import Session
    from llmctl.compare.verdict import GateReport
    from llmctl.traffic.replay.findings import ReplayReport

__all__ = ["ReplayOutput"]


@dataclass(frozen=True, slots=True)
class ReplayOutput:
    """Shows a replay that is in the store."""

    session: Session
    wishes: Wishes
    offline: bool = False

    def show(self, run_id: str, verdict: GateReport | None) -> None:
        """Print the report, and write it to every file asked for."""
        from llmctl.report.gate import render_gate
        from llmctl.report.gate_json import gate_json
        from llmctl.report.replay import render_replay
        from llmctl.report.replay_document import replay_json
        from llmctl.report.replay_files import write_replay

        report = self._report(run_id)
        for path in self.wishes.outputs:
            write_replay(path, report)
        if self.wishes.as_json:
            print_json({**replay_json(report), **({"gate": gate_json(verdict)} if verdict else {})})
            return
        render_replay(stdout(), report)
        if verdict is not None:
            render_gate(stdout(), verdict)

    def _report(self, run_id: str) -> ReplayReport:
        run = ReplayRun.read(History(self.session.config.store), run_id)
        first, *others = [self._findings(run, candidate) for candidate in run.candidates]
        return first.with_others(*others)

    def _findings(self, run: ReplayRun, candidate: Candidate) -> ReplayReport:
        from dataclasses import replace

        from llmctl.traffic.replay.findings import FindingsRequest, measure

        missing: list[str] = []
        request = FindingsRequest(
            mode=run.mode,
            candidate=str(candidate),
            config=self.session.config,
            equivalent=self.wishes.equivalent,
            worst=self.wishes.worst,
            run_id=run.run_id,
            choice=_choice(run.said.get("choice") or {}),
            offline=self.offline,
        )
        report = measure(replayed(self.session.config.store, run, candidate, missing), request)
        if not missing:
            return report
        calls = "1 call is" if len(missing) == 1 else f"{len(missing):,} calls are"
        note = f"{calls} not in the store any more: nothing is said of what was logged."
        return replace(report, notes=(*report.notes, note))


def _choice(said: Mapping[str, Any]) -> Choice:
    return Choice(
        looked_at=said.get("looked_at", 0),
        chosen=said.get("chosen", 0),
        set_aside=Counter(said.get("set_aside") or {}),
        duplicates=said.get("duplicates", 0),
        not_sampled=said.get("not_sampled", 0),
    )
