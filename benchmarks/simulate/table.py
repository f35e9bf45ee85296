"""A simulation as Markdown, and into a page between its marks."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.simulate.results import BankRow, FailuresRow, GateRow, Rate, Results

__all__ = ["BEGIN", "END", "render", "replaced"]

BEGIN = "<!-- simulation: begin (written by `python -m benchmarks.simulate`) -->"
END = "<!-- simulation: end -->"
_GATE_LEGEND = """\
Margin 5 points, alpha 5 % each way. *cases*: cases x repeats. *groups*: none, or so many, of 2 to 8 cases of which half
answer alike. *differ*: share of single answers that differ between the sides (at least the drop). *saved*: mean share
of the candidate's calls that were not sent. The columns with a bold verdict are the errors, to be at most 5 %."""


def render(results: Results) -> str:
    """All tables, with what each column is."""
    minutes = results.cpu_seconds / 60
    made = f"{results.rounds:,} rounds a cell, seed {results.seed}, {minutes:.1f} minutes of one core."
    parts = [
        f"{made} {_verdict(results)}",
        "",
        "### The sequential margin",
        "",
        _GATE_LEGEND,
        "",
        *_gate(results.gate),
        "",
        "### Bank mode",
        "",
        "One bank each, in many random orders: how often an early verdict differs from that of the whole bank.",
        "",
        *_bank(results.bank),
        "",
        "### `max_new_failures: 0`",
        "",
        "No case got worse: every case passes with the same probability before and now. *k*: draws a side.",
        "",
        *_alarms([row for row in results.failures if not row.broken]),
        "",
        "Some cases broke; they always passed before. All others are stable.",
        "",
        *_detections([row for row in results.failures if row.broken]),
    ]
    return "\n".join(parts) + "\n"


def replaced(page: str, table: str) -> str:
    """A page with the tables between its marks.

    Raises:
        ValueError: the page has no such marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"The page has no lines {BEGIN} and {END}.")
    return f"{before}{BEGIN}\n\n{table}\n{END}{after}"


def _verdict(results: Results) -> str:
    if not results.broken:
        return "Every error rate is at or below its bound, within three standard errors of the simulation."
    return f"**{len(results.broken)} rows are above their bound** by more than three standard errors of the simulation."


def _gate(rows: Sequence[GateRow]) -> list[str]:
    header = (
        "cases",
        "groups",
        "differ",
        "no change: **FAIL**",
        "PASS",
        "saved",
        "5 points worse: **PASS**",
        "FAIL",
        "saved",
        "10 points worse: FAIL",
        "saved",
    )
    return _table(header, [_gate_cells(trio) for trio in zip(rows[::3], rows[1::3], rows[2::3], strict=True)])


def _gate_cells(trio: tuple[GateRow, GateRow, GateRow]) -> tuple[str, ...]:
    """One bank: unchanged, worse by the margin, and worse by twice the margin."""
    same, worse, much = trio
    return (
        f"{same.cases} x {same.repeats}",
        f"{same.clusters}" if same.clustered else "none",
        _percent(same.discordance, 0),
        _rate(same.failed),
        _rate(same.passed),
        _percent(same.saved, 0),
        _rate(worse.passed),
        _rate(worse.failed),
        _percent(worse.saved, 0),
        _rate(much.failed),
        _percent(much.saved, 0),
    )


def _bank(rows: Sequence[BankRow]) -> list[str]:
    header = ("cases", "differ", "drop of the bank", "the whole bank says", "early verdict **differs**", "saved")
    return _table(
        header,
        [
            (
                f"{row.cases}",
                _percent(row.discordance, 0),
                _percent(row.drop),
                row.whole.upper(),
                _rate(row.wrong),
                _percent(row.saved, 0),
            )
            for row in rows
        ],
    )


def _alarms(rows: Sequence[FailuresRow]) -> list[str]:
    header = ("cases x cells", "k", "every case passes", "**false FAIL**", "bound", "calls to ask again")
    return _table(
        header,
        [
            (
                f"{row.cases} x {row.cells}",
                f"{row.draws}",
                _percent(row.flaky, 0),
                _rate(row.failed),
                _percent(row.expected),
                f"{row.asked:,.0f}",
            )
            for row in rows
        ],
    )


def _detections(rows: Sequence[FailuresRow]) -> list[str]:
    header = ("cases x cells", "k", "broken cases", "they fail", "FAIL", "by the formula", "calls to ask again")
    return _table(
        header,
        [
            (
                f"{row.cases} x {row.cells}",
                f"{row.draws}",
                f"{row.broken}",
                _percent(row.fails, 0),
                _rate(row.failed),
                _percent(row.expected),
                f"{row.asked:,.0f}",
            )
            for row in rows
        ],
    )


def _rate(rate: Rate) -> str:
    return _percent(rate.value)


def _percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table whose columns are aligned, so that it reads on a terminal too."""
    widths = [max(len(line[column]) for line in (header, *rows)) for column in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    return [line(header), "|" + "|".join("-" * (width + 2) for width in widths) + "|", *map(line, rows)]
