"""What a report says of the judges of a run: how they are calibrated, and what asking them took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from llmctl.errors import UsageError
from llmctl.report.layout import styled
from llmctl.report.model import Amount, RunReport
from llmctl.report.numbers import count, money_amount
from llmctl.runs.calibration import Calibration, load_calibration, staleness
from llmctl.runs.records import JudgeEvent

if TYPE_CHECKING:
    from rich.text import Text

    from llmctl.project.models import Config
    from llmctl.runs.call_history import JudgeSpending
    from llmctl.runs.judging import JudgeCount

__all__ = [
    "JudgeRow",
    "Judging",
    "asked_in_run",
    "asked_json",
    "asked_summary",
    "judges_json",
    "judges_text",
    "judging_lines",
    "judging_of",
    "spent",
]

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class JudgeRow:
    """One judge."""

    event: JudgeEvent
    calibration: Calibration | None = None
    problem: str | None = None
    """Why its calibration does not count: stale, or not to be read."""

    @property
    def calibrated(self) -> bool:
        """Whether it was compared with people as it is."""
        return self.calibration is not None and self.problem is None

    @property
    def said(self) -> str:
        """One phrase on its calibration."""
        if self.problem is not None and self.calibration is not None:
            return f"calibration of {self.calibration.made_on} is stale: {self.problem}"
        if self.calibration is None:
            return self.problem or "no calibration: what it says was never compared with people"
        kappa = _kappa(self.calibration)
        return f"calibrated {self.calibration.made_on} on {count(self.calibration.labelled)} labels, {kappa}"


@dataclass(frozen=True, slots=True)
class Judging:
    """The judges of a run."""

    rows: tuple[JudgeRow, ...]
    sent: int = 0
    reused: int | None = None
    """Answers that were there already; None: not known of a run of before."""
    cost_usd: Amount = field(default_factory=Amount)

    @property
    def calls(self) -> str:
        """`120 calls sent, 30 answers reused, cost $0.01`."""
        parts = [f"{count(self.sent)} {'call' if self.sent == 1 else 'calls'} sent"]
        if self.reused:
            parts.append(f"{count(self.reused)} {'answer' if self.reused == 1 else 'answers'} reused")
        parts.append(f"cost {money_amount(self.cost_usd, at_least='at least')}")
        return ", ".join(parts)


def judging_of(
    config: Config, events: Iterable[JudgeEvent], *, sent: int, reused: int | None, cost: Amount
) -> Judging | None:
    """The judges of a run with their calibrations; None where it has none."""
    rows = tuple(_row(config, event) for event in events)
    return Judging(rows, sent, reused, cost) if rows else None


def asked_in_run(config: Config, events: Iterable[JudgeEvent], counts: Mapping[str, JudgeCount]) -> Judging | None:
    """Of a run that has just ended."""
    rows = tuple(_row(config, event) for event in events)
    return replace(_asked(counts), rows=rows) if rows else None


def _asked(counts: Mapping[str, JudgeCount]) -> Judging:
    found = counts.values()
    cost = Amount(sum(one.cost_usd for one in found), sum(one.unpriced for one in found))
    return Judging((), sum(one.sent for one in found), sum(one.reused for one in found), cost)


def asked_summary(counts: Mapping[str, JudgeCount]) -> str:
    """What was asked of models and what it cost, as the end of a sentence."""
    return _asked(counts).calls


def asked_json(counts: Mapping[str, JudgeCount]) -> dict[str, Any]:
    """The same as data."""
    asked = _asked(counts)
    return {"sent": asked.sent, "reused": asked.reused, "cost_usd": asked.cost_usd.value}


def spent(config: Config, events: Iterable[JudgeEvent], spending: JudgeSpending) -> Judging | None:
    """Of a run of before."""
    cost = Amount(spending.cost_usd, spending.unpriced_calls)
    return judging_of(config, events, sent=spending.calls, reused=None, cost=cost)


def _row(config: Config, event: JudgeEvent) -> JudgeRow:
    try:
        calibration = load_calibration(config, event.bank, event.metric)
    except UsageError as error:
        return JudgeRow(event, problem=error.message.rstrip("."))
    return JudgeRow(event, calibration, staleness(event, calibration) if calibration else None)


def _kappa(calibration: Calibration) -> str:
    if calibration.kappa is None:
        return "kappa unknown"
    if calibration.kappa_low is None or calibration.kappa_high is None:
        return f"kappa {calibration.kappa:.2f}"
    return f"kappa {calibration.kappa:.2f} [{calibration.kappa_low:.2f}, {calibration.kappa_high:.2f}]"


def judges_text(report: RunReport, width: int) -> Text | None:
    """The judges, for a terminal; None where there are none."""
    from llmctl.report.layout import Cell, block

    if report.judging is None:
        return None
    text = styled(f"Judged by models: {report.judging.calls}\n", "bold")
    for row in report.judging.rows[:_SHOWN]:
        name = f"{_name(row, report.judging)} ({row.event.resolved_model}): "
        text.append_text(
            block("", Cell(f"{name}{row.said}.", "" if row.calibrated else "yellow"), width, indent=2, column=0)
        )
    if len(report.judging.rows) > _SHOWN:
        text.append_text(styled(f"  and {len(report.judging.rows) - _SHOWN} more\n"))
    return text


def judging_lines(report: RunReport) -> list[str]:
    """The same as plain sentences; empty where there are none."""
    if report.judging is None:
        return []
    shown = report.judging.rows[:_SHOWN]
    lines = [f"{_name(row, report.judging)} ({row.event.resolved_model}): {row.said}." for row in shown]
    return [f"Judged by models: {report.judging.calls}.", *lines]


def _name(row: JudgeRow, judging: Judging) -> str:
    banks = {one.event.bank for one in judging.rows}
    return f"{row.event.bank} / {row.event.metric}" if len(banks) > 1 else row.event.metric


def judges_json(report: RunReport) -> dict[str, Any] | None:
    """The same as data."""
    judging = report.judging
    if judging is None:
        return None
    return {
        "sent": judging.sent,
        "reused": judging.reused,
        "cost_usd": judging.cost_usd.value,
        "judges": [
            {
                "bank": row.event.bank,
                "metric": row.event.metric,
                "model": row.event.model,
                "resolved_model": row.event.resolved_model,
                "key": row.event.key,
                "calibrated": row.calibrated,
                "calibration": row.said,
                "kappa": row.calibration.kappa if row.calibration else None,
            }
            for row in judging.rows
        ],
    }
