"""The table of a gate's summary: for each cell what was measured before, what now, and the difference."""

from __future__ import annotations

from collections.abc import Iterator

from llmctl.compare.diff_report import CellDiff, RatioDiff
from llmctl.compare.verdict import CellVerdict, GateReport, RuleName
from llmctl.report.ci.inline import cell as in_cell
from llmctl.report.diff_words import bounds, points, rate_text
from llmctl.report.numbers import NONE, interval_text, latency, money, percent

__all__ = ["figures"]

_MOST_ROWS = 60
_TITLES = ("cell", "verdict", "metric", "baseline", "candidate", "difference", "95 % interval")


def figures(report: GateReport) -> str:
    """A table: pass rate, metrics, latency and cost of each cell; empty without a cell."""
    if not report.cells:
        return ""
    comparison = report.context.comparison
    compared = {one.cell: one for one in comparison.cells} if comparison is not None else {}
    rows = [row for cell in report.cells for row in _rows(cell, compared.get(cell.cell))]
    lines = [_TITLES, ("---",) * 3 + ("---:",) * 4, *rows[:_MOST_ROWS]]
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    if len(rows) > _MOST_ROWS:
        text += f"\n... and {len(rows) - _MOST_ROWS:,} more rows.\n"
    return f"\n{text}"


def _rows(cell: CellVerdict, compared: CellDiff | None) -> Iterator[tuple[str, ...]]:
    name = in_cell(str(cell.cell))
    rate = _judged_rate(cell) if compared is None else _compared_rate(compared)
    yield (name, f"**{cell.verdict}**", "pass rate", *rate)
    if compared is None:
        return
    for metric in compared.metrics if len(compared.metrics) > 1 else ():
        one = metric.difference
        # A mean of scores is in [0, 1], not a share of cases: no points.
        spread = f"[{one.low:+.3f}, {one.high:+.3f}]" if one.low is not None and one.high is not None else NONE
        yield (
            "",
            "",
            in_cell(metric.metric),
            f"{metric.mean_a:.3f}",
            f"{metric.mean_b:.3f}",
            f"{one.value:+.3f}",
            spread,
        )
    for title, ratio, shown in (("latency", compared.latency, latency), ("cost", compared.cost, money)):
        if ratio is not None and ratio.value is not None:
            before, after = (NONE if value is None else shown(value) for value in (ratio.before, ratio.after))
            yield ("", "", f"{title} (median)", before, after, *_ratio(ratio))


def _compared_rate(cell: CellDiff) -> tuple[str, str, str, str]:
    one = cell.difference
    rates = rate_text(cell.rate_a), rate_text(cell.rate_b)
    if one is None:
        return (*rates, NONE, NONE)
    return (*rates, f"{points(one.value)} points", bounds(one.low, one.high) or NONE)


def _judged_rate(cell: CellVerdict) -> tuple[str, str, str, str]:
    """Without a comparison: the counts, and the difference that `margin` has found."""
    now = NONE
    if cell.evidence:
        now = percent(cell.passed, cell.evidence)
        now += f" {interval_text(cell.interval)}" if cell.interval else ""
    before = NONE
    if cell.baseline_evidence and cell.baseline_passed is not None:
        before = percent(cell.baseline_passed, cell.baseline_evidence)
    margin = next((rule for rule in cell.rules if rule.rule is RuleName.MARGIN and rule.tag is None), None)
    if margin is None or margin.observed is None:
        return before, now, NONE, NONE
    # The rule speaks of drops; the table of differences.
    spread = bounds(-margin.interval.high, -margin.interval.low) if margin.interval else NONE
    return before, now, f"{points(0.0 - margin.observed)} points", spread


def _ratio(ratio: RatioDiff) -> tuple[str, str]:
    value = f"x{ratio.value:.2f}"
    return value, NONE if ratio.low is None or ratio.high is None else f"x[{ratio.low:.2f}, {ratio.high:.2f}]"
