"""A gate as JUnit XML: a suite for each cell, a test for each rule and for each case that decided.

INCONCLUSIVE and NOT EVALUATED are errors: most CI systems show a skipped test as green. Only where INCONCLUSIVE is a
mere warning (`inconclusive = "warn"`) it is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO
from xml.sax.saxutils import escape

from llmctl.compare.cells import CaseName
from llmctl.compare.gate_context import FilePlace
from llmctl.compare.verdict import CellVerdict, GateReport, JudgedCase, RuleVerdict, Verdict
from llmctl.errors import ExitCode
from llmctl.report.gate_words import exit_sentence, headline, rule_text, sides_text, spending_text
from llmctl.report.junit_file import attribute, clean
from llmctl.safe_text import one_line

__all__ = ["write_gate_junit"]

_MAX_TEXT = 4_000
_MAX_MESSAGE = 300


@dataclass(frozen=True, slots=True)
class _Test:
    group: str
    name: str
    tag: str
    """`failure`, `error`, `skipped`; empty: passed."""
    kind: str = ""
    message: str = ""
    text: str = ""
    place: FilePlace | None = None


def write_gate_junit(file: TextIO, report: GateReport) -> None:
    """Write the verdict of the whole as the first test, then every cell's."""
    suites = [("llmctl gate", [_whole(report)])]
    suites += [(str(cell.cell), list(_tests(report, cell))) for cell in report.cells]
    every = [test for _, tests in suites for test in tests]
    file.write('<?xml version="1.0" encoding="UTF-8"?>\n')
    file.write(f'<testsuites name="llmctl gate"{_counts(every)}>\n')
    for name, tests in suites:
        file.write(f"  <testsuite name={attribute(name)}{_counts(tests)}>\n")
        file.writelines(map(_xml, tests))
        file.write("  </testsuite>\n")
    file.write("</testsuites>\n")


def _counts(tests: list[_Test]) -> str:
    numbers = {name: sum(test.tag == tag for test in tests) for name, tag in _COUNTED}
    return f' tests="{len(tests)}"' + "".join(f' {name}="{number}"' for name, number in numbers.items())


_COUNTED = (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))


def _whole(report: GateReport) -> _Test:
    """Never green where the exit code is not 0, whatever the rules say."""
    text = "\n".join([headline(report), sides_text(report), *report.warnings, spending_text(report)])
    tag = _tag(report, report.verdict)
    if not tag and report.exit_code is not ExitCode.DONE:
        tag = "error"
    return _Test("llmctl gate", "verdict", tag, report.verdict.value, exit_sentence(report), text)


def _tag(report: GateReport, verdict: Verdict) -> str:
    match verdict:
        case Verdict.PASS:
            return ""
        case Verdict.FAIL:
            return "failure"
        case Verdict.INCONCLUSIVE if report.exit_code is ExitCode.DONE:
            return "skipped"
        case _:
            return "error"


def _tests(report: GateReport, cell: CellVerdict) -> Iterator[_Test]:
    group = f"{cell.cell.prompt} on {cell.cell.model}"
    seen: set[CaseName] = set()
    for rule in cell.rules:
        text = "\n".join(part for part in (rule.sentence, rule.guarantee, rule.advice) if part)
        place = report.context.prompts.get(cell.cell.prompt)
        name = f"{cell.cell.bank}: {rule_text(rule)}"
        yield _Test(group, name, _tag(report, rule.verdict), rule.verdict.value, rule.sentence, text, place)
    for rule in sorted(cell.rules, key=lambda one: one.verdict is not Verdict.FAIL):
        for case in rule.cases if rule.verdict is not Verdict.PASS else ():
            if case.name not in seen:
                seen.add(case.name)
                yield _case(report, rule, case, group)


def _case(report: GateReport, rule: RuleVerdict, case: JudgedCase, group: str) -> _Test:
    parts = [
        f"{name}: {text[:_MAX_TEXT]}"
        for name, text in (
            ("why", case.reason or rule.sentence),
            ("expected", case.expected),
            ("got", case.output),
            ("before", case.baseline_output),
        )
        if text is not None
    ]
    name = f"{case.name.bank}.{case.name.case_id}"
    kind, message = f"{rule.verdict}: {rule_text(rule)}", case.reason or rule.sentence
    place = report.context.cases.get(case.name)
    return _Test(group, name, _tag(report, rule.verdict), kind, message, "\n".join(parts), place)


def _xml(test: _Test) -> str:
    head = f"    <testcase classname={attribute(test.group)} name={attribute(test.name)}"
    if test.place is not None:
        head += f' file={attribute(str(test.place.path))} line="{test.place.line}"'
    if not test.tag:
        return f"{head}/>\n"
    message = attribute(one_line(test.message, _MAX_MESSAGE))
    kind = "" if test.tag == "skipped" else f" type={attribute(test.kind)}"  # the schema knows no type of a skip
    inside = f"      <{test.tag}{kind} message={message}>{escape(clean(test.text))}</{test.tag}>\n"
    return f"{head}>\n{inside}    </testcase>\n"
