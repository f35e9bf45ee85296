"""A gate on one Markdown page, for a pull request's comment and a job's summary, readable by who writes no code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

from llmctl.compare.diff_report import Change
from llmctl.compare.verdict import GateReport, JudgedCase, RuleName, RuleVerdict, Verdict
from llmctl.report.ci.figures import figures
from llmctl.report.ci.inline import cell as in_cell
from llmctl.report.ci.inline import html_code, plain
from llmctl.report.ci.page import Page
from llmctl.report.ci.shown_case import sorted_cases
from llmctl.report.diff_sources import change_title, changed_lines
from llmctl.report.gate_words import (
    exit_sentence,
    headline,
    limit_text,
    observed_text,
    rule_text,
    sides_text,
    spending_text,
)
from llmctl.report.markdown_file import code, fenced
from llmctl.report.numbers import count

__all__ = ["MARKER", "gate_summary", "write_gate_summary"]

MARKER = "<!-- llmctl:gate -->"
"""The first line: by it a later run finds the comment that it replaces."""
_MOST_RULES = 60
_MOST_NAMES = 100
_MOST_LINES = 100
_MAX_TEXT = 1_500


def write_gate_summary(file: TextIO, report: GateReport) -> None:
    """Write the page."""
    file.write(gate_summary(report))


def gate_summary(report: GateReport) -> str:
    """The verdict, the figures, the rules, the cases, what changed, and the command; at most 60,000 bytes."""
    page = Page(_closing(report))
    page.add(_top(report))
    for warning in report.warnings[:20]:
        page.add(f"\nWarning: {plain(warning, 2_000)}\n")
    page.add(figures(report))
    page.add(_rules(report))
    _add_cases(page, report)
    changes = report.context.comparison.changes if report.context.comparison is not None else ()
    if changes:
        page.extend("\n### What changed\n", map(_change, changes))
    return page.text()


def _top(report: GateReport) -> str:
    verdict, _, rest = headline(report).partition(": ")
    sides = sides_text(report)
    return (
        f"{MARKER}\n## {verdict}\n\n**{plain(rest)}.** {plain(exit_sentence(report))}\n\n"
        f"{plain(sides[:1].upper() + sides[1:])}.\n"
    )


def _closing(report: GateReport) -> str:
    text = f"\n{plain(spending_text(report))}"
    if report.run_id is not None:
        text += f" Run {code(report.run_id)}."
    text += "\n"
    if report.context.command:
        text += f"\nThe same on your machine:\n\n{fenced(_cut(report.context.command)).replace('text', 'console', 1)}"
    return text


def _rules(report: GateReport) -> str:
    """A table of all rules; below it the evidence of those that do not pass, and folded away that of the others."""
    rules = [(cell, rule) for cell in report.cells for rule in cell.rules]
    if not rules:
        return ""
    several = len(report.cells) > 1
    titles = [*(["cell"] if several else []), "rule", "verdict", "limit", "found"]
    lines = [titles, ["---"] * len(titles)]
    for cell, rule in rules[:_MOST_RULES]:
        names = [in_cell(str(cell.cell))] if several else []
        lines.append([*names, in_cell(rule_text(rule)), f"**{rule.verdict}**", limit_text(rule), observed_text(rule)])
    text = "\n### Rules\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)
    if len(rules) > _MOST_RULES:
        text += f"\n... and {count(len(rules) - _MOST_RULES)} more rules.\n"
    kept = [rule for _, rule in rules[:_MOST_RULES]]
    open_ones = "".join(_sentence(rule) for rule in kept if rule.verdict is not Verdict.PASS)
    passed = "".join(_sentence(rule) for rule in kept if rule.verdict is Verdict.PASS)
    text += f"\n{open_ones}" if open_ones else ""
    return text + (_folded("The evidence of the rules that hold", passed) if passed else "")


def _sentence(rule: RuleVerdict) -> str:
    name = "" if rule.rule is RuleName.COVERAGE else f"{plain(rule_text(rule), 80)}: "
    parts = [f"{name}{plain(rule.sentence)}", *(plain(more) for more in (rule.guarantee, rule.advice) if more)]
    return f"- **{rule.verdict}** {' '.join(parts)}\n"


def _add_cases(page: Page, report: GateReport) -> None:
    cases = sorted_cases(report)
    several = len(report.cells) > 1

    def whole(case: JudgedCase) -> str:
        return _case(case, several)

    if cases.broken:
        number = len(cases.broken) + cases.unlisted
        page.extend(f"\n### Newly broken: {count(number)}\n", map(whole, cases.broken))
        if cases.unlisted:
            page.add(f"\n... and {count(cases.unlisted)} more.\n")
    if cases.failing:
        page.extend(f"\n### Also failing: {count(len(cases.failing))}\n", map(whole, cases.failing))
    if cases.fixed:
        page.add(_named("Fixed", cases.fixed, lambda case: _title(case, several)))
    if cases.flaky:
        page.add(_named("Flaky, so this may be noise", cases.flaky, lambda case: _title(case, several)))


def _named(heading: str, cases: Sequence[JudgedCase], title: Callable[[JudgedCase], str]) -> str:
    names = "".join(f"- {title(case)}\n" for case in cases[:_MOST_NAMES])
    more = f"- ... and {count(len(cases) - _MOST_NAMES)} more\n" if len(cases) > _MOST_NAMES else ""
    return f"\n### {heading}: {count(len(cases))}\n{_folded('Which', names + more)}"


def _folded(title: str, markdown: str) -> str:
    """Markdown behind a click; `title` is HTML."""
    return f"\n<details><summary>{title}</summary>\n\n{markdown}\n</details>\n"


def _title(case: JudgedCase, several: bool) -> str:
    """As HTML."""
    marks = [mark for mark, on in (("must pass", case.must_pass), ("flaky", case.flaky)) if on]
    if case.evidence > 1 or (case.baseline_evidence or 0) > 1:
        before = (
            "" if case.baseline_evidence is None else f", before {case.baseline_passed} of {case.baseline_evidence}"
        )
        marks.append(f"passes {case.passed} of {case.evidence}{before}")
    where = f" on {html_code(str(case.cell))}" if several else ""
    return f"{html_code(case.name.case_id)}{where}" + (f" ({', '.join(marks)})" if marks else "")


def _case(case: JudgedCase, several: bool) -> str:
    return _folded(_title(case, several), "\n".join(_texts(case)))


def _texts(case: JudgedCase) -> Iterator[str]:
    for name, text in (
        ("Expected", case.expected),
        ("Before", case.baseline_output),
        ("Now", case.output),
        ("Why", case.reason or None),
    ):
        if text is not None:
            yield f"{name}:\n\n{fenced(_cut(text))}" if text.strip() else f"{name}: an empty answer.\n"
        elif name == "Now":
            yield "Now: nothing.\n"


def _change(change: Change) -> str:
    lines = list(changed_lines(change))
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], f"... {count(len(lines) - _MOST_LINES)} more lines"]
    body = fenced("\n".join(lines))
    return _folded(html_code(change_title(change)), body.replace("text", "diff", 1))


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}\n... {len(text) - _MAX_TEXT:,} more characters"
