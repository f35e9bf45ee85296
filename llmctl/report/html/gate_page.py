"""The page of a gate: the verdict, the rules behind it, and the cases that decided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TextIO

from llmctl.compare.cells import CaseName, Cell
from llmctl.compare.verdict import GateReport, JudgedCase, Verdict
from llmctl.report.gate_words import exit_sentence, headline, spending_text
from llmctl.report.html.cards import Card
from llmctl.report.html.page import Listing, write_page
from llmctl.report.html.rows import Reason, Row, Status

__all__ = ["judged_row", "write_gate_page"]

_LISTING = Listing(
    (Status.WORSE, Status.FAILED, Status.BETTER, Status.NO_EVIDENCE, Status.PASSED),
    before="Baseline",
    output="Candidate",
    pairs=True,
)
_SHOWN = 20
_TONES = {Verdict.PASS: "good", Verdict.FAIL: "bad", Verdict.INCONCLUSIVE: "warn", Verdict.NOT_EVALUATED: "warn"}


def write_gate_page(file: TextIO, report: GateReport, details: Iterable[JudgedCase]) -> None:
    """Write the page; the details are read one at a time."""
    deciding = list(_deciding(report))
    values = {
        "report": report,
        "headline": headline(report).partition(": ")[2],
        "exit_sentence": exit_sentence(report),
        "spending": spending_text(report),
        "tones": _TONES,
        "cards": [Card.of(judged_row(case)) for case in deciding[:_SHOWN]],
        "more": max(0, len(deciding) - _SHOWN),
    }
    write_page(file, "gate.html", values, _LISTING, map(judged_row, _all(deciding, details)))


def judged_row(case: JudgedCase) -> Row:
    """A judged case as the page lists it."""
    return Row(
        status=_status(case),
        bank=case.name.bank,
        case=case.name.case_id,
        prompt=case.cell.prompt,
        model=case.cell.model,
        tags=case.tags,
        must_pass=case.must_pass,
        flaky=case.flaky,
        expected=case.expected,
        before=case.baseline_output,
        output=case.output,
        why=(Reason("", "", None, case.reason),) if case.reason else (),
        passes=f"{case.passed} of {case.evidence}" if case.evidence > 1 else "",
        passes_before=f"{case.baseline_passed} of {case.baseline_evidence}"
        if (case.baseline_evidence or 0) > 1
        else "",
    )


def _status(case: JudgedCase) -> Status:
    """By the shares of the answers that passed, where the baseline's are known."""
    if not case.evidence:
        return Status.NO_EVIDENCE
    if case.baseline_passed is not None and case.baseline_evidence:
        before, after = case.baseline_passed * case.evidence, case.passed * case.baseline_evidence
        if before != after:
            return Status.WORSE if after < before else Status.BETTER
    return Status.PASSED if case.passed == case.evidence else Status.FAILED


def _deciding(report: GateReport) -> Iterator[JudgedCase]:
    """The cases that rules point at, each once, those of broken rules first."""
    seen: set[tuple[CaseName, Cell]] = set()
    rules = [rule for cell in report.cells for rule in cell.rules]
    for rule in sorted(rules, key=lambda one: one.verdict is not Verdict.FAIL):
        for case in rule.cases:
            if (case.name, case.cell) not in seen:
                seen.add((case.name, case.cell))
                yield case


def _all(deciding: Iterable[JudgedCase], details: Iterable[JudgedCase]) -> Iterator[JudgedCase]:
    """The deciding cases, then the others."""
    listed = set()
    for case in deciding:
        listed.add((case.name, case.cell))
        yield case
    yield from (case for case in details if (case.name, case.cell) not in listed)
