"""Results as Markdown: `python -m benchmarks.report FILE`, with `--page PAGE` into the page between its marks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.results import Results, Row, Sample, Spread, read_results
from benchmarks.targets import lag_median, verdicts

__all__ = ["BEGIN", "END", "main", "render", "replaced"]

BEGIN = "<!-- benchmark: begin (written by `python -m benchmarks.report`) -->"
END = "<!-- benchmark: end -->"


def render(results: Results) -> str:
    """The whole report: machine, targets, rows, children, notes."""
    parts = [_machine(results), "", *_targets(results), "", *_rows(results)]
    if children := _children(results):
        parts += ["", *children]
    if results.notes:
        parts += ["", *(f"- {note}" for note in results.notes)]
    return "\n".join(parts) + "\n"


def replaced(page: str, table: str) -> str:
    """A page with the report between its marks.

    Raises:
        ValueError: the page has no such marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"The page has no lines {BEGIN} and {END}.")
    return f"{before}{BEGIN}\n\n{table}\n{END}{after}"


def _machine(results: Results) -> str:
    one = results.machine
    versions = ", ".join(f"{name} {version}" for name, version in one.versions.items())
    commit = f" at {results.commit}" if results.commit else ""
    return (
        f"Taken {results.taken_at[:10]}{commit}: {one.cores} cores, {one.cpu}, {one.memory_gb:.0f} GB, {one.system}, "
        f"Python {one.python}, {versions}. Load average at the start: {one.load_average[0]:.2f}. Median of "
        f"{results.rounds} rounds. The server answers {results.server_per_second:,.0f} requests a second to a "
        "pipelining client, so it limits nothing here."
    )


def _targets(results: Results) -> list[str]:
    said = {True: "yes", False: "**no**", None: "not measured"}
    cells = [(one.what, one.goal, one.measured, said[one.reached]) for one in verdicts(results)]
    return _table(("target", "goal", "measured", "reached"), cells)


def _rows(results: Results) -> list[str]:
    header = (
        "work",
        "process",
        "whole process, s",
        "within the run, s",
        "cases/s",
        "CPU, s",
        "CPU, ms/case",
        "peak, MiB",
        "first request, s",
        "latency beyond the server's, ms (p50, p95, p99)",
        "others, cores",
    )
    return _table(header, [_cells(row) for row in results.rows])


def _cells(row: Row) -> tuple[str, ...]:
    work = f"{row.title}, {row.concurrency} at once" if row.cases > 1 else row.title
    cpu = row.median(lambda one: one.cpu_s)
    per_case = f"{cpu * 1000 / row.cases:.2f}" if cpu is not None and row.cases > 1 else ""
    return (
        work,
        row.step,
        _told(row, lambda one: one.wall_s, 2),
        _told(row, lambda one: one.run_s, 2),
        f"{row.rate:,.{0 if row.rate >= 10 else 1}f}" if row.rate else "",
        _told(row, lambda one: one.cpu_s, 2),
        per_case,
        _told(row, lambda one: one.peak_mb, 0),
        _told(row, lambda one: one.first_request_s, 2),
        _lag(row),
        _told(row, lambda one: one.others_cores, 2, spread=False),
    )


def _lag(row: Row) -> str:
    found = [lag_median(row, name) for name in ("p50", "p95", "p99")]
    return ", ".join(f"{value:.1f}" for value in found if value is not None)


def _children(results: Results) -> list[str]:
    """Processes that llmctl starts; short ones such as git only where they were seen."""
    cells = []
    for row in results.rows:
        seen: dict[str, list[tuple[float, float]]] = {}
        for sample in row.samples:
            for child in sample.children:
                seen.setdefault(child.name, []).append((child.peak_mb, child.cpu_s))
        for name, uses in seen.items():
            peak, cpu = max(use[0] for use in uses), max(use[1] for use in uses)
            cells.append((row.title, row.step, name, f"{peak:.0f}", f"{cpu:.2f}"))
    return _table(("work", "process", "child process", "peak, MiB", "CPU, s"), cells) if cells else []


def _told(row: Row, value: Callable[[Sample], float | None], digits: int, *, spread: bool = True) -> str:
    found = row.spread(value)
    if found is None:
        return ""
    return _spread(found, digits) if spread and len(row.samples) > 1 else f"{found.median:,.{digits}f}"


def _spread(found: Spread, digits: int) -> str:
    return f"{found.median:,.{digits}f} ({found.low:,.{digits}f} to {found.high:,.{digits}f})"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table whose columns are aligned, so that it reads on a terminal too."""
    widths = [max(len(line[column]) for line in (header, *rows)) for column in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    return [line(header), "|" + "|".join("-" * (width + 2) for width in widths) + "|", *map(line, rows)]


def main() -> None:
    """Print the report of a JSON file, or write it into a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--page", type=Path)
    given = parser.parse_args()
    table = render(read_results(given.file))
    if given.page:
        given.page.write_text(replaced(given.page.read_text(encoding="utf-8"), table), encoding="utf-8")
    else:
        sys.stdout.write(table)


if __name__ == "__main__":
    main()
