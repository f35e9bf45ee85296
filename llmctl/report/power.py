"""What `llmctl power` prints: each cell in sentences, then margins by shares of pairs that differ."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from llmctl.compare.power.report import (
    EARLY_FACTOR,
    CellPower,
    Clusters,
    Discordance,
    Needed,
    NoiseSource,
    PowerReport,
    PowerTable,
    Size,
)
from llmctl.report.layout import Cell, Column, block, grid, show, styled
from llmctl.report.numbers import count, interval_text, percent
from llmctl.safe_text import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["power_json", "power_text", "render_power"]


def render_power(console: Console, report: PowerReport) -> None:
    """Print the answer at the console's width."""
    show(console, power_text(report, console.width))


def power_text(report: PowerReport, width: int) -> Text:
    """Head, each cell, the two tables, and what a reader should know."""
    from rich.text import Text

    parts = [_head(report, width), *(_cell(cell, width) for cell in report.cells)]
    parts += [_passing(report, width), _seeing(report, width)]
    if report.notes:
        parts.append(Text().join(block("", Cell(note), width, indent=0, column=0) for note in report.notes))
    return Text("\n").join(parts)


def _head(report: PowerReport, width: int) -> Text:
    text = styled(f"{one_line(report.title, max(width, 40))}\n", "bold")
    sure = (
        f"Found in {100 * report.power:g} % of comparisons (power), wrong in at most {100 * report.alpha:g} % (alpha)."
    )
    return text.append_text(block("", Cell(sure), width, indent=0, column=0))


def _cell(cell: CellPower, width: int) -> Text:
    text = styled(f"{one_line(str(cell.cell), width)}\n", "bold cyan")
    for sentence in (_differs(cell.discordance), _has(cell), *(_takes(one, cell) for one in cell.needed)):
        text.append_text(block("", Cell(sentence), width, indent=2, column=0))
    return text


def _differs(found: Discordance) -> str:
    """Which share of pairs differs, and how that is known."""
    share = percent(found.value, 1)
    cases = f"{count(found.cases)} {_word(found.cases, 'case', 'cases')}, {count(found.answers)} answers"
    match found.source:
        case NoiseSource.GIVEN:
            return f"{share} of pairs differ, as given."
        case NoiseSource.ASSUMED:
            return f"{share} of pairs differ: an assumption."
        case NoiseSource.SIDES:
            pairs = "of the two sides"
        case NoiseSource.EARLIER:
            pairs = "of answers to earlier versions of the prompt"
        case NoiseSource.DRAWS:
            pairs = "of answers to the same calls"
    if not found.value:
        most = f", at most {percent(found.interval.high, 1)} do" if found.interval else ""
        return f"No pair {pairs} differs{most}: {cases}."
    bounds = f" {interval_text(found.interval)}" if found.interval else ""
    return f"{share} of pairs {pairs} differ{bounds}: {cases}."


def _has(cell: CellPower) -> str:
    """What the cases of this bank can show."""
    size, drop = _size(cell.clusters), cell.smallest.exact or cell.smallest.formula
    if not cell.discordance.value:
        return f"{size}: what drop they show depends on how much a change makes differ."
    if drop is None:
        return f"{size}: too few to show any drop."
    formula = cell.smallest.formula
    beside = (
        f" ({_up(formula)} by the formula)"
        if cell.smallest.exact is not None and formula is not None and _up(formula) != _up(drop)
        else ""
    )
    return f"{size}: the smallest drop they show is {_up(drop)} points{beside}."


def _size(clusters: Clusters) -> str:
    text = f"{count(clusters.cases)} {_word(clusters.cases, 'case', 'cases')}"
    if clusters.effect == 1 and clusters.clusters == clusters.cases:
        return text
    groups = f"{count(clusters.clusters)} independent groups"
    alike = f"alike by {clusters.correlation:.2f} (ICC)"
    return f"{text} in {groups}, {alike}, worth {count(clusters.effective)} independent ones"


def _takes(needed: Needed, cell: CellPower) -> str:
    """What a margin takes, against what there is."""
    size, have = needed.to_pass, cell.clusters.cases
    margin = f"{100 * needed.margin:g} {_word(100 * needed.margin, 'point', 'points')}"
    exact = f" ({count(size.formula)} by the formula)" if size.exact not in (None, size.formula) else ""
    text = (
        f"For a version without any change to pass a margin of {margin}: {count(size.cases)} cases{exact}, "
        f"{count(size.early)} where the gate looks early"
    )
    if have >= size.early:
        return f"{text}. There are enough."
    lack = f"{count(size.early - have)} are missing"
    return (
        f"{text}. {lack}." if have < size.cases else f"{text}: {lack} for that, and enough are there at a fixed size."
    )


def _passing(report: PowerReport, width: int) -> Text:
    heading = "Cases for a version without any change to pass a margin, by the share of pairs that differ"
    return _table(heading, report.table, report.table.to_pass, width)


def _seeing(report: PowerReport, width: int) -> Text:
    text = _table("Cases to see a drop as large as the margin", report.table, report.table.to_see, width)
    legend = (
        "By the formula, in brackets exactly. * as above. Independent cases, judged once; a gate that looks early "
        f"needs {EARLY_FACTOR:g} times as many."
    )
    return text.append_text(block("", Cell(legend, "dim"), width, indent=0, column=0))


def _table(heading: str, table: PowerTable, sizes: Sequence[Sequence[Size | None]], width: int) -> Text:
    own = table.own
    usual = [column for column in table.discordances if column not in own]
    # The project's own stand first: where the line is too narrow, those on the right are left out.
    shown = [*(column for column in table.discordances if column in own), *usual]
    columns = [Column("margin", is_label=True)]
    columns += [Column(_title(one, own), droppable=one not in own) for one in shown]
    places = [table.discordances.index(one) for one in shown]
    rows = [
        [Cell(f"{100 * margin:g}"), *(Cell(_sizes(row[place])) for place in places)]
        for margin, row in zip(table.margins, sizes, strict=True)
    ]
    text = styled("").append_text(block("", Cell(heading, "bold"), width, indent=0, column=0))
    return text.append_text(grid(columns, rows, width))


def _title(discordance: float, own: frozenset[float]) -> str:
    return f"{100 * discordance:g} %" + ("*" if discordance in own else "")


def _sizes(size: Size | None) -> str:
    if size is None:
        return "-"
    return count(size.formula) if size.exact is None else f"{count(size.formula)} ({count(size.exact)})"


def _up(share: float) -> str:
    """Points, rounded up to 0.1."""
    return f"{math.ceil(1000 * share - 1e-9) / 10:.1f}"


def _word(number: float, one: str, many: str) -> str:
    return one if number == 1 else many


def power_json(report: PowerReport) -> dict[str, Any]:
    """The answer as data, `llmctl/power/1`. Margins, drops and discordances are shares: 0.05 is 5 points."""
    return {
        "schema": "llmctl/power/1",
        "title": report.title,
        "alpha": report.alpha,
        "power": report.power,
        "early_factor": EARLY_FACTOR,
        "cells": [_cell_json(cell) for cell in report.cells],
        "table": list(_rows_json(report.table)),
        "notes": list(report.notes),
    }


def _cell_json(cell: CellPower) -> dict[str, Any]:
    interval = cell.discordance.interval
    return {
        **dataclasses.asdict(cell.cell),
        "cases": cell.clusters.cases,
        "clusters": cell.clusters.clusters,
        "effective_cases": cell.clusters.effective,
        "design_effect": cell.clusters.effect,
        "intraclass_correlation": cell.clusters.correlation,
        "discordance": {
            "value": cell.discordance.value,
            "source": cell.discordance.source.value,
            "interval_95": [interval.low, interval.high] if interval else None,
            "cases": cell.discordance.cases,
            "answers": cell.discordance.answers,
            "change": cell.discordance.change,
        },
        "smallest_drop": dataclasses.asdict(cell.smallest),
        "needed": [
            {"margin": one.margin, "to_pass": _size_json(one.to_pass), "to_see": _size_json(one.to_see)}
            for one in cell.needed
        ],
    }


def _rows_json(table: PowerTable) -> Iterator[dict[str, Any]]:
    for margin, passing, seeing in zip(table.margins, table.to_pass, table.to_see, strict=True):
        for discordance, to_pass, to_see in zip(table.discordances, passing, seeing, strict=True):
            yield {
                "margin": margin,
                "discordance": discordance,
                "own": discordance in table.own,
                "to_pass": _size_json(to_pass),
                "to_see": _size_json(to_see),
            }


def _size_json(size: Size | None) -> dict[str, Any] | None:
    return None if size is None else {"formula": size.formula, "exact": size.exact, "early": size.early}
