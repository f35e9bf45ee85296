"""What a rule is judged on: a cell, or its cases with a tag; and the words that all rules share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from llmctl.compare.cells import CaseName
from llmctl.compare.gate.evidence import CellEvidence
from llmctl.compare.gate.pairs import Pairs
from llmctl.compare.verdict import JudgedCase, RuleName, RuleVerdict, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from llmctl.compare.gate.progress import AskedAgain, StagedCell

__all__ = ["Scope", "counted", "judged_cases", "not_evaluated", "per_cent", "points"]

SHOWN_CASES = 20
"""Deciding cases that a verdict carries, the first in the bank's order."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Scope:
    """Everything that the rules read."""

    candidate: CellEvidence
    pairs: Pairs | None = None
    """None: there is no baseline for this cell."""
    tag: str | None = None
    no_baseline: str = "There is no baseline."
    """Why, as a sentence."""
    no_baseline_advice: str = "Name one: --baseline REV, `baseline` in [gate], or `llmctl baseline save`."
    alpha: float = 0.05
    max_missing: float = 0.02
    staged: StagedCell | None = None
    """Where the candidate was run stage by stage."""
    again: AskedAgain | None = None
    """Where flipped cases were asked again."""
    unjudged: tuple[str, ...] = ()
    """Why verdicts of judges cannot be trusted, one sentence for each; then only time and cost can be judged."""
    family: int = 1
    """Rules and cells that are tests at a fixed size in this gate: alpha is divided among them."""
    asked_cases: int = 1
    """Cases of all cells that have `max_new_failures`: its bound on false alarms is over all of them."""
    repeat_advice: str = "Ask for more answers a case: `repeat = 3` under [eval]."

    @property
    def covered(self) -> bool:
        """Whether enough of what was asked of the candidate is evidence."""
        return _enough(self.candidate.coverage, self.max_missing)

    @property
    def paired(self) -> bool:
        """Whether enough of it has a pair in the baseline."""
        return self.pairs is not None and _enough(self.pairs.coverage, self.max_missing)


def _enough(coverage: float | None, max_missing: float) -> bool:
    return coverage is not None and coverage >= 1 - max_missing - _ROUNDING


def not_evaluated(
    rule: RuleName, scope: Scope, sentence: str, advice: str = "", limit: float | None = None
) -> RuleVerdict:
    """There is no evidence that could be judged."""
    return RuleVerdict(rule, Verdict.NOT_EVALUATED, sentence, advice=advice, tag=scope.tag, limit=limit)


def judged_cases(scope: Scope, places: Iterable[int]) -> tuple[JudgedCase, ...]:
    """The cases at these places, without their texts; `texts.with_texts` adds those. At most 20."""
    found = []
    for number in list(places)[:SHOWN_CASES]:
        case, now, pairs = scope.candidate.cases[number], scope.candidate, scope.pairs
        known = pairs is not None and bool(pairs.evidence_before[number])
        found.append(
            JudgedCase(
                name=CaseName(now.cell.bank, case.case_id),
                cell=now.cell,
                expected=None,
                output=None,
                baseline_output=None,
                reason="",
                passed=int(now.passed[number]),
                evidence=int(now.evidence[number]),
                baseline_passed=int(pairs.passed_before[number]) if pairs is not None and known else None,
                baseline_evidence=int(pairs.evidence_before[number]) if pairs is not None and known else None,
                tags=case.tags,
                must_pass=case.must_pass,
            )
        )
    return tuple(found)


def failing_first(scope: Scope, places: Sequence[int]) -> list[int]:
    """Those that must pass first, then those that fail more often than they pass."""
    now = scope.candidate

    def rank(number: int) -> tuple[bool, float, int]:
        share = float(now.passed[number]) / max(1, int(now.evidence[number]))
        return not now.cases[number].must_pass, share, number

    return sorted(places, key=rank)


def failing(scope: Scope) -> list[int]:
    """All cases of which an answer failed, worst first."""
    now = scope.candidate
    return failing_first(scope, np.flatnonzero(now.passed < now.evidence).tolist())


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 case`, `1,200 cases`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def per_cent(share: float) -> str:
    """`90 %`, `89.6 %`, `0.07 %`: never rounded to 0 or to 100."""
    value = 100 * share
    for digits in range(5):
        text = f"{value:.{digits}f}"
        exact = abs(float(text) - value) < 0.5 * 10 ** -(max(1, digits) + 1)
        if exact or (digits and float(text) not in (0.0, 100.0)):
            return f"{text.removesuffix('.0')} %"
    return f"{value:.2g} %"


def points(share: float) -> str:
    """`3.1 points`: a difference of pass rates."""
    text = f"{100 * share:.1f}".removesuffix(".0")
    return f"{text} point" if text == "1" else f"{text} points"
