"""The cases of a gate as a reader sorts them: newly broken, failing otherwise, flaky, fixed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from llmctl.compare.cells import CaseName, Cell
from llmctl.compare.diff_report import FlippedCase
from llmctl.compare.verdict import GateReport, JudgedCase, Verdict

__all__ = ["SortedCases", "sorted_cases"]

_Named = dict[tuple[CaseName, Cell], JudgedCase]


@dataclass(frozen=True, slots=True)
class SortedCases:
    """Each case of a cell stands in one list. What is not listed but counted is in the `..._count`."""

    broken: tuple[JudgedCase, ...] = ()
    """Pass less often than before, by cases that never contradicted themselves."""
    failing: tuple[JudgedCase, ...] = ()
    """Rules point at them, and they are not newly broken."""
    flaky: tuple[JudgedCase, ...] = ()
    """Passed and failed on equal calls: what happened to them may be noise."""
    fixed: tuple[JudgedCase, ...] = ()
    unlisted: int = 0
    """Regressions beyond those that the comparison lists."""


def sorted_cases(report: GateReport) -> SortedCases:
    """From the rules that are not passed, and from the comparison where there is one."""
    broken: _Named = {}
    failing: _Named = {}
    flaky: _Named = {}
    fixed: _Named = {}
    for case in _pointed_at(report):
        where = flaky if case.flaky else broken if _worse(case) else failing
        where.setdefault((case.name, case.cell), case)
    seen = {*broken, *flaky}
    compared = report.context.comparison.cells if report.context.comparison is not None else ()
    for cell in compared:
        for flip in cell.regressions:
            name = (flip.name, flip.cell)
            if name in seen:
                continue
            # A case that a rule points at without the counts of the baseline may still be a regression.
            shown = failing.pop(name, None) or _judged(flip)
            (flaky if flip.flaky else broken)[name] = shown
        for flip in cell.fixes:
            (flaky if flip.flaky else fixed).setdefault((flip.name, flip.cell), _judged(flip))
    return SortedCases(
        tuple(sorted(broken.values(), key=lambda case: not case.must_pass)),
        tuple(failing.values()),
        tuple(flaky.values()),
        tuple(fixed.values()),
        sum(cell.regression_count - len(cell.regressions) for cell in compared),
    )


def _pointed_at(report: GateReport) -> Iterator[JudgedCase]:
    rules = [rule for cell in report.cells for rule in cell.rules if rule.verdict is not Verdict.PASS]
    for rule in sorted(rules, key=lambda one: one.verdict is not Verdict.FAIL):
        yield from rule.cases


def _worse(case: JudgedCase) -> bool:
    if not case.baseline_evidence or not case.evidence or case.baseline_passed is None:
        return False
    return case.passed * case.baseline_evidence < case.baseline_passed * case.evidence


def _judged(flip: FlippedCase) -> JudgedCase:
    return JudgedCase(
        name=flip.name,
        cell=flip.cell,
        expected=flip.expected,
        output=flip.output_b,
        baseline_output=flip.output_a,
        reason=flip.reason_b or flip.reason_a,
        passed=flip.passed_b,
        evidence=flip.evidence_b,
        baseline_passed=flip.passed_a,
        baseline_evidence=flip.evidence_a,
        tags=flip.tags,
        must_pass=flip.must_pass,
    )
