"""The report at the end of a run, for a person at a terminal."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmctl.report.classification_text import classification_text
from llmctl.report.explain import error_kind, why
from llmctl.report.flips import flips_text
from llmctl.report.judges import judges_text
from llmctl.report.layout import Cell, Column, block, grid, show, styled
from llmctl.report.model import RunReport, Summary, TargetKey
from llmctl.report.numbers import (
    calls,
    count,
    coverage,
    duration,
    latency,
    money_amount,
    rate,
    rate_sentence,
    token_amount,
    tokens,
)
from llmctl.report.repeats import repeats_text
from llmctl.runs.records import ResultEvent
from llmctl.safe_text import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["render_report", "report_text"]

_SHORT_OUTPUT_LINES = 3


def render_report(console: Console, report: RunReport) -> None:
    """Print the report at the console's width."""
    show(console, report_text(report, console.width))


def report_text(report: RunReport, width: int) -> Text:
    """Tables by target and tag, failed cases, results without evidence, one summary line, and the next command."""
    from rich.text import Text

    parts = [
        _by_target(report, width),
        _by_tag(report, width),
        repeats_text(report, width),
        classification_text(report, width),
        _failures(report, width),
        _errors(report, width),
        flips_text(report, width),
        judges_text(report, width),
        _closing(report, width),
    ]
    return Text("\n").join(part for part in parts if part)


def _by_target(report: RunReport, width: int) -> Text | None:
    if not report.targets:
        return None
    keys = [target.key for target in report.targets]
    said, names = _said_once(keys)
    heading = "By target" + (f": {', '.join(said)}" if said else "")
    labels = [[Cell(getattr(key, name)) for name in names] for key in keys]
    return _table(heading, names, labels, [target.summary for target in report.targets], width)


def _said_once(keys: Sequence[TargetKey]) -> tuple[list[str], list[str]]:
    """What is the same in every row, as words to stand above the table; and the columns that are left."""
    said: list[str] = []
    left = ["bank", "prompt", "model"]
    if len(keys) == 1:
        return said, left
    for name in ("bank", "prompt", "model"):
        values = {getattr(key, name) for key in keys}
        if len(values) == 1:
            said.append(f"{name} {one_line(values.pop(), 40)}")
            left.remove(name)
    if "prompt" in left and all(key.prompt == key.bank for key in keys):
        said.insert(0, "each prompt on the bank of its name")
        left.remove("prompt")
    return said, left


def _by_tag(report: RunReport, width: int) -> Text | None:
    if not report.tags:
        return None
    labels = [[Cell(tag.tag)] for tag in report.tags]
    return _table("By tag", ["tag"], labels, [tag.summary for tag in report.tags], width)


def _table(
    heading: str, names: Sequence[str], labels: Sequence[list[Cell]], summaries: Sequence[Summary], width: int
) -> Text:
    gaps = any(not summary.covered for summary in summaries)
    columns = [Column(name, is_label=True) for name in names]
    columns += [Column("passed"), Column("rate [95 %]")]
    columns += [Column("coverage")] if gaps else []
    columns += [Column("p50"), Column("p95"), Column("tokens", droppable=True), Column("cost")]
    rows = [[*label, *_numbers(summary, gaps)] for label, summary in zip(labels, summaries, strict=True)]
    return styled(f"{heading}\n", "bold") + grid(columns, rows, width)


def _numbers(summary: Summary, gaps: bool) -> list[Cell]:
    cells = [Cell(f"{summary.passed}/{summary.evidence}", "red" if summary.failed else ""), Cell(rate(summary))]
    if gaps:
        cells.append(Cell(coverage(summary), "" if summary.covered else "yellow"))
    return [
        *cells,
        Cell(latency(summary.latency_p50_ms)),
        Cell(latency(summary.latency_p95_ms)),
        Cell(token_amount(tokens(summary), short=True)),
        Cell(money_amount(summary.cost_usd)),
    ]


def _failures(report: RunReport, width: int) -> Text | None:
    if not report.total.failed:
        return None
    text = styled(f"Failed: {count(report.total.failed)}\n", "bold red")
    for result in report.failures:
        text.append_text(_failed_case(result, _mark(report, result), width))
    return _and_more(text, report.total.failed - len(report.failures))


def _mark(report: RunReport, result: ResultEvent) -> str:
    """What is said of a failed case beside its name."""
    flaky = report.flakiness(result)
    marks = ["must pass"] if (result.bank, result.case_id) in report.must_pass else []
    return ", ".join([*marks, f"flaky, {flaky.passed}/{flaky.answers} passed"] if flaky else marks)


def _failed_case(result: ResultEvent, mark: str, width: int) -> Text:
    text = _case_line(result, width, mark)
    if result.expected is not None:
        text.append_text(block("expected", Cell(_short(result.expected, width)), width))
    if result.output is None:
        text.append_text(block("got", Cell("nothing", "dim"), width))
    else:
        text.append_text(block("got", Cell(_short(result.output, width)), width))
    if result.outcome != "answered":
        text.append_text(block("outcome", Cell(result.outcome.value), width))
    for number, reason in enumerate(why(result)):
        text.append_text(block("" if number else "why", Cell(_short(str(reason), width)), width))
    return text


def _case_line(result: ResultEvent, width: int, mark: str) -> Text:
    target = f"{result.prompt}, {result.model}" + (f", repeat {result.repeat}" if result.repeat > 1 else "")
    case = one_line(f"{result.bank} / {result.case_id}", max(width - len(mark) - 6, 20))
    text = styled(f"  {case}", "bold")
    if mark:
        text.append(f"  {mark}", style="red")
    room = width - len(text.plain) - 4
    # The target stands beside the case where it fits, else below it.
    return text.append("  " if len(target) <= room else "\n    ").append(
        f"{one_line(target, max(room, width - 4))}\n", style="dim"
    )


def _short(text: str, width: int) -> str:
    """What fits in three lines; line ends are shown, so that an empty answer and a blank line look different."""
    return one_line(text, _SHORT_OUTPUT_LINES * max(width - 16, 20)) or '""'


def _errors(report: RunReport, width: int) -> Text | None:
    if not report.total.errors:
        return None
    kinds = ", ".join(f"{kind} {count(number)}" for kind, number in report.error_kinds.items())
    text = styled(f"No evidence: {count(report.total.errors)} ({kinds})\n", "bold yellow")
    # One broken endpoint gives the same reason a hundred times: said once, with the cases below it.
    by_reason: dict[tuple[str, str], list[ResultEvent]] = defaultdict(list)
    for result in report.errors:
        by_reason[error_kind(result), "; ".join(map(str, why(result)))].append(result)
    for (kind, reason), results in by_reason.items():
        text.append_text(block(kind, Cell(_short(reason, width)), width, indent=2, column=len(kind) + 2))
        cases = dict.fromkeys(one_line(f"{result.bank} / {result.case_id}", 60) for result in results)
        text.append_text(block("", Cell(", ".join(cases), "dim"), width, indent=4, column=0))
    return _and_more(text, report.total.errors - len(report.errors))


def _and_more(text: Text, number: int) -> Text:
    return text.append(f"  ... and {count(number)} more\n", style="dim") if number else text


def _closing(report: RunReport, width: int) -> Text:
    text = styled("")
    if report.missing:
        text.append(
            f"{count(report.missing)} of {count(report.head.planned)} planned results were not made.\n", "yellow"
        )
    text.append(_filled(_summary_parts(report), width), style="bold")
    text.append_text(block("", Cell(_run_line(report, width)), width, indent=0, column=0))
    return text


def _filled(parts: Sequence[str], width: int) -> str:
    """The parts as one sentence; a line never ends within one, so `14.2 s` stays together."""
    lines = [""]
    for number, part in enumerate(parts, 1):
        piece = part + (";" if number < len(parts) else ".")
        if lines[-1] and len(lines[-1]) + 1 + len(piece) > width:
            lines.append(piece)
        else:
            lines[-1] += f" {piece}" if lines[-1] else piece
    return "\n".join(lines) + "\n"


def _summary_parts(report: RunReport) -> list[str]:
    total = report.total
    if not total.done:
        return ["No result: nothing was evaluated"]
    parts = [f"{count(total.passed)} of {count(total.evidence)} passed: {rate_sentence(total)}"]
    if not total.covered:
        parts.append(f"coverage {coverage(total)}")
    if total.failed:
        parts.append(f"{count(total.failed)} failed")
    if total.errors:
        parts.append(f"{count(total.errors)} without evidence")
    parts.append(calls(total))
    parts.append(f"{token_amount(tokens(total), at_least='at least')} tokens")
    parts.append(_cost(total))
    if report.head.duration_s is not None:
        parts.append(duration(report.head.duration_s))
    return parts


def _cost(total: Summary) -> str:
    cost = f"cost {money_amount(total.cost_usd, at_least='at least')}"
    if total.cached:
        cost += f", spent now {money_amount(total.spent_usd, at_least='at least')}"
    return cost


def _run_line(report: RunReport, width: int) -> str:
    head = report.head
    name = f"Run {head.run_id}" + (f" ({head.label})" if head.label else "") + report.ended + "."
    following = f"Next: {report.resume or _show_command(report)}"
    # A command that is cut in two lines cannot be copied.
    return name + (" " if len(name) + 1 + len(following) <= width else "\n") + following


def _show_command(report: RunReport) -> str:
    first = next(iter((*report.failures, *report.errors)), None)
    return shlex.join(["llmctl", "show", report.head.run_id] + ([one_line(first.case_id, 60)] if first else []))
