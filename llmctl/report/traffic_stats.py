"""Figures of logged calls: on a terminal with bars over time, as JSON, and as a page of one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from llmctl.report.layout import Cell, Column, grid, show, styled
from llmctl.report.model import Amount
from llmctl.report.numbers import count, latency, money_amount, percent, short_count, token_amount

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console
    from rich.text import Text

    from llmctl.traffic.statistics import Figures, TrafficStats

__all__ = ["cells_of", "render_stats", "sparkline", "stats_json", "stats_text", "write_stats_html"]

_BARS = "▁▂▃▄▅▆▇█"
_SHOWN_STEPS = 60
_COLUMNS = ("calls", "errors", "tokens in", "tokens out", "p50", "p95", "cost")


def render_stats(console: Console, stats: TrafficStats) -> None:
    """Print the figures."""
    show(console, stats_text(stats, console.width))


def stats_text(stats: TrafficStats, width: int) -> Text:
    """All calls, then by group, then over time with bars."""
    if not stats.total.calls:
        return styled("No logged calls. Next: llmctl traffic import FILE\n")
    span = f", {stats.first_at[:16]} to {(stats.last_at or '')[:16]} UTC" if stats.first_at else ""
    text = styled(f"{count(stats.total.calls)} calls{span}\n\n")
    text.append_text(_table(stats.by.value, [*stats.groups, stats.total], width, total=True))
    if stats.over_time:
        text.append_text(styled("\n"))
        text.append_text(_over_time(stats, width))
    if stats.without_time:
        text.append_text(styled(f"{count(stats.without_time)} calls have no time in their log.\n", "dim"))
    if stats.total.unknown:
        text.append_text(styled(f"Of {count(stats.total.unknown)} calls the log does not say how they ended.\n", "dim"))
    return text


def cells_of(figures: Figures) -> tuple[str, ...]:
    """The figures as text, in the order of the table's columns; what is known of some calls only begins with `>=`."""
    without = figures.without_tokens
    return (
        count(figures.calls),
        f"{count(figures.errors)} ({percent(figures.errors, figures.calls)})" if figures.errors else "0",
        token_amount(Amount(figures.input_tokens or 0, without), short=True),
        token_amount(Amount(figures.output_tokens or 0, without), short=True),
        latency(figures.latency_p50_ms),
        latency(figures.latency_p95_ms),
        money_amount(Amount(figures.cost_usd or 0.0, figures.without_cost)),
    )


def _table(title: str, rows: Sequence[Figures], width: int, *, total: bool = False) -> Text:
    columns = [Column(title, is_label=True, max_width=36), *_columns()]
    lines = [[Cell(_label(row)), *map(Cell, cells_of(row))] for row in rows]
    if total:
        lines[-1] = [Cell("all", "bold"), *(Cell(cell.text, "bold") for cell in lines[-1][1:])]
    return grid(columns, lines, width, indent=0)


def _columns() -> list[Column]:
    return [Column(name, droppable=name.startswith("tokens")) for name in _COLUMNS]


def _label(figures: Figures) -> str:
    return figures.key if figures.key is not None else "(not logged)"


def _over_time(stats: TrafficStats, width: int) -> Text:
    """A bar for each step, and lines of small ones for what does not fit beside it."""
    steps = stats.over_time[-_SHOWN_STEPS:]
    most = max(step.calls for step in steps)
    columns = [
        Column(f"{stats.every.value} (UTC)", is_label=True),
        *_columns(),
        Column("", is_label=True, droppable=True, max_width=24),
    ]
    rows = [
        [Cell(_label(step)), *map(Cell, cells_of(step)), Cell("█" * max(1, round(20 * step.calls / most)), "cyan")]
        for step in steps
    ]
    text = grid(columns, rows, width, indent=0)
    if len(stats.over_time) > len(steps):
        text.append_text(styled(f"The last {len(steps)} of {count(len(stats.over_time))} steps.\n", "dim"))
    if len(steps) > 1:
        lines: dict[str, list[float | None]] = {
            "calls": [float(step.calls) for step in steps],
            "errors": [step.errors / step.calls for step in steps],
            "p95": [step.latency_p95_ms for step in steps],
            "cost": [step.cost_usd for step in steps],
        }
        text.append_text(styled("\n"))
        for name, values in lines.items():
            if any(values):
                text.append_text(styled(f"{name.ljust(8)}{sparkline(values)}\n"))
    return text


def sparkline(values: Sequence[float | None]) -> str:
    """A bar of eight heights for each value, from 0 to the largest; a blank where there is none."""
    most = max((value for value in values if value is not None), default=0.0)
    if most <= 0:
        return "".join(" " if value is None else _BARS[0] for value in values)
    return "".join(" " if value is None else _BARS[min(7, int(value / most * 7.999))] for value in values)


def stats_json(stats: TrafficStats) -> dict[str, Any]:
    """The figures as a document, `llmctl/traffic-stats/1`."""
    return {
        "schema": "llmctl/traffic-stats/1",
        "first_at": stats.first_at,
        "last_at": stats.last_at,
        "without_time": stats.without_time,
        "total": asdict(stats.total),
        "by": stats.by.value,
        "groups": [asdict(one) for one in stats.groups],
        "every": stats.every.value,
        "over_time": [asdict(one) for one in stats.over_time],
    }


def write_stats_html(path: Path, stats: TrafficStats) -> None:
    """Write the page; the file appears whole or not at all.

    Raises:
        UnfinishedError: it cannot be written.
    """
    from llmctl.report.atomic import atomic_text
    from llmctl.report.html.page import write_static_page

    values = {
        "stats": stats,
        "columns": _COLUMNS,
        "groups": [(_label(one), cells_of(one)) for one in stats.groups],
        "total": cells_of(stats.total),
        "steps": [(_label(one), cells_of(one)) for one in stats.over_time],
        "charts": _charts(stats),
    }
    with atomic_text(path) as file:
        write_static_page(file, "traffic.html", values)


def _charts(stats: TrafficStats) -> list[dict[str, Any]]:
    """A chart for each figure over time: the largest value, and each bar's height in per cent of it."""
    steps = stats.over_time
    series = {
        "Calls": ([float(step.calls) for step in steps], short_count),
        "Errors, share": ([step.errors / step.calls for step in steps], lambda value: f"{100 * value:.1f} %"),
        "Tokens": (
            [float((step.input_tokens or 0) + (step.output_tokens or 0)) for step in steps],
            short_count,
        ),
        "Latency, p95": ([step.latency_p95_ms or 0.0 for step in steps], latency),
        "Cost": ([step.cost_usd or 0.0 for step in steps], lambda value: money_amount(Amount(value, 0))),
    }
    charts = []
    for title, (values, words) in series.items():
        most = max(values, default=0.0)
        if most > 0:
            bars = [
                {"height": 100 * value / most, "title": f"{_label(step)}: {words(value)}"}
                for value, step in zip(values, steps, strict=True)
            ]
            charts.append({"title": title, "most": words(most), "bars": bars})
    return charts
