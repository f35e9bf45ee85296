"""What a gate has to say of lines of the repository: of each rule that does not pass, at its cases or its prompt."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from llmctl.compare.gate_context import FilePlace
from llmctl.compare.verdict import CellVerdict, GateReport, JudgedCase, RuleVerdict, Verdict
from llmctl.errors import ExitCode
from llmctl.report.gate_words import exit_sentence, rule_text

__all__ = ["Finding", "Level", "findings"]

_MAX_TEXT = 500


class Level(StrEnum):
    """How loud."""

    ERROR = "error"
    WARNING = "warning"
    """Of INCONCLUSIVE where it only warns."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one place. The texts are not yet safe."""

    level: Level
    rule: str
    """`margin`, `must_pass` ...; `gate` of the whole."""
    verdict: Verdict
    title: str
    message: str
    place: FilePlace | None
    """None: no file of the repository is known for it."""
    fingerprint: str
    """The same for the same rule, cell and case in every run."""


def findings(report: GateReport) -> Iterator[Finding]:
    """Cell by cell, broken rules first; one of the whole where no rule says why it is no pass."""
    number = 0
    for cell in report.cells:
        for rule in sorted(cell.rules, key=lambda one: one.verdict is not Verdict.FAIL):
            if rule.verdict is not Verdict.PASS:
                for finding in _of_rule(report, cell, rule):
                    number += 1
                    yield finding
    if not number and report.exit_code is not ExitCode.DONE:
        message = " ".join([exit_sentence(report), *report.warnings])
        title = f"llmctl gate: {report.verdict}"
        yield Finding(Level.ERROR, "gate", report.verdict, title, message, None, _fingerprint("gate"))


def _of_rule(report: GateReport, cell: CellVerdict, rule: RuleVerdict) -> Iterator[Finding]:
    tolerated = rule.verdict is Verdict.INCONCLUSIVE and report.exit_code is ExitCode.DONE
    level = Level.WARNING if tolerated else Level.ERROR
    title = f"{rule.verdict}: {rule_text(rule)} on {cell.cell}"
    name, context = rule.rule.value, report.context
    print_of_rule = (name, rule.tag or "", *_names(cell))
    if not rule.cases:
        place = context.prompts.get(cell.cell.prompt) or context.banks.get(cell.cell.bank)
        message = " ".join(part for part in (rule.sentence, rule.advice) if part)
        yield Finding(level, name, rule.verdict, title, message, place, _fingerprint(*print_of_rule))
    for case in rule.cases:
        place = context.cases.get(case.name) or context.banks.get(case.name.bank)
        yield Finding(
            level, name, rule.verdict, title, _said(case, rule), place, _fingerprint(*print_of_rule, case.name.case_id)
        )


def _names(cell: CellVerdict) -> tuple[str, str, str]:
    return cell.cell.bank, cell.cell.prompt, cell.cell.model


def _said(case: JudgedCase, rule: RuleVerdict) -> str:
    parts = [f"{case.name.case_id}: {_short(case.reason) or rule.sentence}"]
    if case.expected is not None:
        parts.append(f"expected: {_short(case.expected)}")
    if case.output is not None:
        parts.append(f"got: {_short(case.output)}")
    return "\n".join(parts)


def _short(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]} ..."


def _fingerprint(*parts: str) -> str:
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:32]
