"""`.md`: the run on one page, for somebody who writes prompts rather than code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TextIO

from llmctl.report.classification import CellClasses
from llmctl.report.classification_text import averages_cells, class_cells, summary_line
from llmctl.report.explain import error_kind, why
from llmctl.report.judges import judging_lines
from llmctl.report.model import RunReport, Summary
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
from llmctl.report.repeats import TITLES, figures, flaky_sentences, heading, legend
from llmctl.runs.records import ResultEvent
from llmctl.safe_text import one_line, safe_text

__all__ = ["code", "fenced", "write_markdown"]

_MAX_TEXT = 4_000


def write_markdown(file: TextIO, report: RunReport, results: Iterable[ResultEvent]) -> None:
    """Write the summary, the tables, and the failed cases that the report holds; all results are in other formats."""
    del results
    file.write(f"# {_title(report)}\n\n{_summary(report)}")
    if report.targets:
        labels = [[row.key.bank, row.key.prompt, row.key.model] for row in report.targets]
        file.write(_table(["bank", "prompt", "model"], labels, [row.summary for row in report.targets]))
    if report.tags:
        file.write("\n" + _table(["tag"], [[row.tag] for row in report.tags], [row.summary for row in report.tags]))
    if report.repeats:
        file.write(_repeats(report))
    file.writelines(_classes(cell) for cell in report.classifications)
    if report.total.failed:
        file.write(f"\n## Failed: {count(report.total.failed)}\n")
        for result in report.failures:
            file.write(_case(report, result))
        file.write(_and_more(report.total.failed - len(report.failures)))
    if report.total.errors:
        file.write(f"\n## No evidence: {count(report.total.errors)}\n\n")
        file.writelines(_error(result) for result in report.errors)
        file.write(_and_more(report.total.errors - len(report.errors)))


def code(text: str, width: int = 120) -> str:
    """Text on one line as it is.

    Escapes do not suffice: a forge looks for `@name`, `#12` and addresses in the finished page, but never inside code.
    """
    line = one_line(text, width).strip() or " "
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    space = " " if line.startswith("`") or line.endswith("`") else ""
    quote = "`" * (longest + 1)
    return f"{quote}{space}{line}{space}{quote}"


def fenced(text: str) -> str:
    """Text in a code block whose fence is longer than any in the text."""
    body = safe_text(text[:_MAX_TEXT].replace("\r\n", "\n"))
    if len(text) > _MAX_TEXT:
        body += f"\n... {len(text) - _MAX_TEXT:,} more characters"
    longest = max((len(run) for run in re.findall("`+", body)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{body}\n{fence}\n"


def _title(report: RunReport) -> str:
    label = f" ({code(report.head.label)})" if report.head.label else ""
    return f"Run {code(report.head.run_id)}{label}"


def _summary(report: RunReport) -> str:
    total, head = report.total, report.head
    if not total.done:
        return "\n\n".join(["**No result: nothing was evaluated.**", *filter(None, [_unfinished(report)])]) + "\n"
    lines = [f"**{count(total.passed)} of {count(total.evidence)} passed: {rate_sentence(total)}.**"]
    if not total.covered:
        lines.append(
            f"Coverage {coverage(total)}: of {count(head.planned)} planned results, {count(total.errors)} have no"
            f" evidence and {count(report.missing)} were not made."
        )
    if report.ended or report.resume:
        lines.append(_unfinished(report))
    spent = f"{calls(total).capitalize()}. Tokens: {token_amount(tokens(total), at_least='at least')}."
    spent += f" Cost: {money_amount(total.cost_usd, at_least='at least')}"
    if total.cached:
        spent += f", spent in this run {money_amount(total.spent_usd, at_least='at least')}"
    spent += "."
    if head.duration_s is not None:
        spent += f" Time: {duration(head.duration_s)}."
    lines.append(spent)
    # What a provider's or a bank's name may hold is no markup.
    lines += [code(line, 400) for line in judging_lines(report)]
    if head.commit:
        branch = f" on {code(head.branch)}" if head.branch else ""
        lines.append(f"Commit {code(head.commit[:12])}{branch}{', with changes not committed' if head.dirty else ''}.")
    return "\n\n".join(lines) + "\n"


def _unfinished(report: RunReport) -> str:
    """Why the run did not come to its end, and how it goes on."""
    # What a provider said may stand in the reason: as code, nothing in it is taken for markup.
    word, _, reason = report.ended.strip().partition(": ")
    parts = [f"Status: {word}" + (f", {code(reason, 400)}." if reason else ".")] if word else []
    parts += [f"Next: {code(report.resume)}."] if report.resume else []
    return " ".join(parts)


def _table(names: Sequence[str], labels: Sequence[Sequence[str]], summaries: Sequence[Summary]) -> str:
    titles = [*names, "passed", "pass rate [95 %]", "coverage", "p50", "p95", "tokens", "cost"]
    lines = [f"| {' | '.join(titles)} |", "|" + " --- |" * len(names) + " ---: |" * (len(titles) - len(names))]
    for label, summary in zip(labels, summaries, strict=True):
        cells = [*map(_cell, label), *_numbers(summary)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n" + "\n".join(lines) + "\n"


def _numbers(summary: Summary) -> list[str]:
    return [
        f"{summary.passed}/{summary.evidence}",
        rate(summary),
        coverage(summary),
        latency(summary.latency_p50_ms),
        latency(summary.latency_p95_ms),
        token_amount(tokens(summary), short=True, at_least="at least"),
        money_amount(summary.cost_usd, at_least="at least"),
    ]


def _repeats(report: RunReport) -> str:
    """What several answers to each case say, and the cases that are flaky."""
    names = ("bank", "prompt", "model")
    rows = [[*(_cell(getattr(row.key, name)) for name in names), *figures(row)] for row in report.repeats]
    text = f"\n## {heading(report)}\n\n{_grid([*names, *TITLES], rows)}\n{legend(report)}\n"
    for row in report.repeats:
        cases = ", ".join(f"{code(case, 40)} {passed}" for case, passed in flaky_sentences(row))
        more = f", and {count(row.unnamed)} more" if row.unnamed else ""
        if row.statistics.flaky:
            text += f"\nFlaky with {code(row.key.prompt)} on {code(row.key.model)}: {cases}{more}\n"
    return text


def _classes(cell: CellClasses) -> str:
    """Figures by class, and the whole confusion matrix."""
    key = cell.key
    heading = f"\n## Classes by {code(cell.metric)}: {code(key.bank)}, {code(key.prompt)} on {code(key.model)}\n\n"
    figures = cell.figures
    rows = [[_cell(label), *class_cells(one)] for label, one in zip(cell.labels, figures.classes, strict=True)]
    averages = {"macro": figures.macro, "micro": figures.micro, "weighted": figures.weighted}
    rows += [[f"{name} average", *averages_cells(one)] for name, one in averages.items()]
    titles = ["class", "results", "precision [95 %]", "recall [95 %]", "F1"]
    matrix = [
        [
            _cell(label),
            *(f"**{count(number)}**" if place == row else count(number) for place, number in enumerate(line)),
        ]
        for row, (label, line) in enumerate(zip(cell.labels, cell.matrix, strict=True))
    ]
    confusion = _grid(["expected \\ answered", *map(_cell, cell.columns)], matrix)
    return f"{heading}{summary_line(cell)}\n\n{_grid(titles, rows)}\n{confusion}"


def _cell(label: str) -> str:
    # Even inside code a bar would end the cell, and no escape of it survives a backslash before it.
    return code(label.replace("|", "\u00a6"), 80)


def _grid(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _case(report: RunReport, result: ResultEvent) -> str:
    flaky = report.flakiness(result)
    mark = " (must pass)" if (result.bank, result.case_id) in report.must_pass else ""
    mark += f" (flaky, {flaky.passed}/{flaky.answers} passed)" if flaky else ""
    text = f"\n### {_name(result)}{mark}\n\n{_target(result)}\n\n"
    if result.expected is not None:
        text += f"Expected:\n\n{fenced(result.expected)}\n"
    text += f"Got:\n\n{fenced(result.output)}\n" if result.output is not None else "Got: nothing.\n\n"
    reasons = "\n".join(map(str, why(result)))
    return text + (f"Why:\n\n{fenced(reasons)}" if reasons else "")


def _name(result: ResultEvent) -> str:
    return f"{code(result.bank)} / {code(result.case_id)}"


def _target(result: ResultEvent) -> str:
    repeat = f", repeat {result.repeat}" if result.repeat > 1 else ""
    return f"{code(result.prompt)} on {code(result.model)}{repeat}, {result.outcome.value}"


def _error(result: ResultEvent) -> str:
    reasons = "; ".join(map(str, why(result))) or "no reason given"
    broke = ", an evaluator broke" if error_kind(result) == "evaluator" else ""
    return f"- {_name(result)}, {_target(result)}{broke}: {code(reasons, 400)}\n"


def _and_more(number: int) -> str:
    return f"\n... and {count(number)} more.\n" if number else ""
