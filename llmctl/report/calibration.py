"""What `judge calibrate` says: the table, agreement with its intervals, where they disagree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from llmctl.evaluators.wording import quote
from llmctl.report.layout import Cell, Column, grid, show, styled
from llmctl.report.model import Amount
from llmctl.report.numbers import count, interval_text, money_amount, percent
from llmctl.runs.calibrate import Calibrated, JudgedItem
from llmctl.runs.calibration import FEW_LABELS, Calibration, Measured
from llmctl.runs.records import JudgeEvent
from llmctl.stats.agreement import Rate
from llmctl.stats.intervals import Interval

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["CalibrationReport", "calibration_json", "calibration_text", "calibration_warnings", "render_calibration"]

_SHOWN = 10
_GOOD_KAPPA = 0.6
_GOOD_ALPHA = 0.667


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """One calibration, measured."""

    judge: JudgeEvent
    calibrated: Calibrated
    measured: Measured
    kept: Calibration | None
    """What was written; None where it was not done to its end."""

    @property
    def labelled(self) -> list[JudgedItem]:
        """Outputs on which people are of one mind."""
        return [item for item in self.calibrated.items if item.people is not None]

    @property
    def without_verdict(self) -> list[JudgedItem]:
        """Outputs of which the judge said nothing that counts."""
        return [item for item in self.calibrated.items if item.judge is None]

    @property
    def disagreements(self) -> list[JudgedItem]:
        """Outputs on which people and the judge differ."""
        return [item for item in self.labelled if item.judge is not None and item.judge != item.people]


def render_calibration(console: Console, report: CalibrationReport) -> None:
    """Print it at the console's width."""
    show(console, calibration_text(report, console.width))


def calibration_text(report: CalibrationReport, width: int) -> Text:
    """The table, the figures, the disagreements."""
    text = styled(f"{_head(report)}\n\n", "bold")
    text.append_text(_table(report.measured, width))
    text.append("\n")
    text.append_text(_figures(report.measured, width))
    for title, items in (("Disagreements", report.disagreements), ("No verdict", report.without_verdict)):
        if items:
            text.append_text(styled(f"\n{title}: {count(len(items))}\n", "bold"))
            text.append_text(styled("".join(map(_item, items[:_SHOWN]))))
    return text


def _head(report: CalibrationReport) -> str:
    judge, done = report.judge, report.calibrated
    raters = {rater for item in done.items for rater in item.item.labelled.verdicts}
    people = "1 rater" if len(raters) == 1 else f"{count(len(raters))} raters"
    compared = sum(map(sum, report.measured.table))
    sent = f"{count(done.count.sent)} {'call' if done.count.sent == 1 else 'calls'} sent"
    cost = money_amount(Amount(done.count.cost_usd, done.count.unpriced), at_least="at least")
    return (
        f"The judge {judge.metric} of the bank {judge.bank} ({judge.resolved_model}) against {people}: "
        f"{count(compared)} of {count(len(done.items))} outputs compared; {sent}, cost {cost}."
    )


def _table(measured: Measured, width: int) -> Text:
    names = [str(verdict) for verdict in measured.verdicts]
    columns = [Column("people \\ judge", is_label=True), *(Column(name) for name in names)]
    rows = [
        [Cell(name), *(Cell(count(number)) for number in row)] for name, row in zip(names, measured.table, strict=True)
    ]
    return grid(columns, rows, width, indent=0)


def _figures(measured: Measured, width: int) -> Text:
    counts = measured.pass_fail
    rows = [
        _rate_row("agreement", measured.agreement, "say the same"),
        [Cell("kappa"), Cell(_number(measured.kappa.value)), Cell(_bounds(measured.kappa.interval)), Cell(_KAPPA)],
        *_alphas(measured),
        _rate_row("sensitivity", counts.sensitivity, "of what people pass, the judge passes"),
        _rate_row("specificity", counts.specificity, "of what people fail, the judge fails"),
    ]
    columns = [Column("", is_label=True), Column(""), Column("95 %"), Column("", is_label=True, droppable=True)]
    return grid(columns, rows, width, indent=0)


_KAPPA = "Cohen's: agreement beyond chance"


def _alphas(measured: Measured) -> Iterator[list[Cell]]:
    meaning = "Krippendorff's, the judge as one more rater"
    yield [Cell("alpha"), Cell(_number(measured.alpha)), Cell(""), Cell(meaning)]
    if measured.alpha_of_raters is not None:
        yield [Cell("alpha of people"), Cell(_number(measured.alpha_of_raters)), Cell(""), Cell("without the judge")]


def _rate_row(name: str, rate: Rate, meaning: str) -> list[Cell]:
    value = percent(rate.count, rate.total) if rate.total else "-"
    bounds = interval_text(rate.interval) if rate.interval else ""
    return [Cell(name), Cell(value), Cell(bounds), Cell(f"{count(rate.count)} of {count(rate.total)} {meaning}")]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _bounds(interval: Interval | None) -> str:
    return f"[{interval.low:.2f}, {interval.high:.2f}]" if interval else ""


def _item(item: JudgedItem) -> str:
    row = item.item.labelled.row
    people = "/".join(str(verdict) for verdict in item.item.labelled.verdicts.values())
    return f"  {_name(item)}: people say {people}. {item.explanation}\n    {quote(row.output, 120)}\n"


def _name(item: JudgedItem) -> str:
    row = item.item.labelled.row
    return f"row {row.row.number}" + (f", case {row.case_id}" if row.case_id else "")


def calibration_warnings(report: CalibrationReport) -> Iterator[str]:
    """What should keep somebody from relying on it."""
    measured, compared = report.measured, sum(map(sum, report.measured.table))
    if compared < FEW_LABELS:
        yield f"{count(compared)} labels are few: label {FEW_LABELS} or more, so that the intervals say something."
    sides = [measured.pass_fail.sensitivity.total, measured.pass_fail.specificity.total]
    if compared and 0 in sides:
        side = "fail" if sides[0] else "pass"
        yield f"People {side} none of these outputs: whether the judge sees the difference is not measured."
    divided = sum(1 for item in report.calibrated.items if item.people is None and item.item.labelled.verdicts)
    if divided:
        yield f"On {count(divided)} of the outputs people are divided: they count in alpha only."
    silent = sum(1 for item in report.calibrated.items if not item.item.labelled.verdicts)
    if silent:
        yield f"{count(silent)} of the rows have no label."
    low = measured.kappa.interval.low if measured.kappa.interval else None
    if low is None or low < _GOOD_KAPPA:
        yield f"Kappa may be below {_GOOD_KAPPA}: do not let this judge decide alone."
    elif measured.alpha is not None and measured.alpha < _GOOD_ALPHA:
        yield f"Alpha is below {_GOOD_ALPHA}: do not let this judge decide alone."


def calibration_json(report: CalibrationReport) -> dict[str, object]:
    """The same as data."""
    measured, done = report.measured, report.calibrated
    counts = measured.pass_fail
    return {
        "schema": "llmctl/judge-calibrate/1",
        "run_id": done.run_id,
        "judge": {"bank": report.judge.bank, "metric": report.judge.metric, "model": report.judge.resolved_model},
        "key": report.judge.key,
        "outputs": len(done.items) + done.kept_back,
        "compared": sum(map(sum, measured.table)),
        "without_verdict": len(report.without_verdict),
        "not_judged": done.kept_back,
        "stopped": done.reason,
        "verdicts": list(measured.verdicts),
        "table": [list(row) for row in measured.table],
        "agreement": _rate_json(measured.agreement),
        "kappa": {"value": measured.kappa.value, "interval_95": _interval_json(measured.kappa.interval)},
        "alpha": measured.alpha,
        "alpha_of_raters": measured.alpha_of_raters,
        "pass_fail": asdict(counts),
        "sensitivity": _rate_json(counts.sensitivity),
        "specificity": _rate_json(counts.specificity),
        "calls": {"sent": done.count.sent, "reused": done.count.reused, "cost_usd": _cost(done)},
        "warnings": list(calibration_warnings(report)),
        "disagreements": [_item_json(item) for item in report.disagreements],
        "no_verdict": [_item_json(item) for item in report.without_verdict],
    }


def _cost(done: Calibrated) -> float | None:
    return Amount(done.count.cost_usd, done.count.unpriced).value


def _rate_json(rate: Rate) -> dict[str, object]:
    return {"value": rate.value, "count": rate.count, "total": rate.total, "interval_95": _interval_json(rate.interval)}


def _interval_json(interval: Interval | None) -> Sequence[float] | None:
    return [interval.low, interval.high] if interval else None


def _item_json(item: JudgedItem) -> dict[str, object]:
    row = item.item.labelled.row
    return {
        "row": row.row.number,
        "case": row.case_id,
        "people": dict(item.item.labelled.verdicts),
        "judge": item.judge,
        "explanation": item.explanation,
        "output": row.output,
    }
