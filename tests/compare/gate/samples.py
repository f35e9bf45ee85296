"""Evidence for tests: each case as a word of letters, one for each planned answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llmctl.compare.cells import Cell
from llmctl.compare.gate.evidence import CellEvidence, GateCase
from llmctl.compare.gate.judging import CellInput, judge_cells
from llmctl.compare.gate.pairs import Pairs
from llmctl.compare.gate.rules.scope import Scope
from llmctl.compare.verdict import CellVerdict, RuleName, RuleVerdict
from llmctl.outcome import Outcome
from llmctl.project.models import GateRules, GateSettings
from llmctl.runs.records import MetricScore, ResultEvent

CELL = Cell("triage", "triage", "small")

LETTERS: Mapping[str, tuple[Outcome, bool | None]] = {
    "P": (Outcome.ANSWERED, True),
    "F": (Outcome.ANSWERED, False),
    "R": (Outcome.REFUSED, False),
    "T": (Outcome.TIMEOUT, None),
    "E": (Outcome.ANSWERED, None),
}
"""P passed, F failed, R refused, T timed out, E an evaluator broke; `-`: never made."""


def result(case_id: str, letter: str, repeat: int = 1, **more: object) -> ResultEvent:
    """One result; its keys are those of its side unless they are given."""
    outcome, passed = LETTERS[letter]
    values: dict[str, object] = {
        "bank": CELL.bank,
        "case_id": case_id,
        "prompt": CELL.prompt,
        "model": CELL.model,
        "repeat": repeat,
        "outcome": outcome,
        "passed": passed,
        "score": None if passed is None else float(passed),
        "reason": "",
        "call_id": f"{case_id}-{repeat}",
        "call_key": f"call-{case_id}-{repeat}",
        "latency_ms": 100.0,
        "cost_usd": 0.001,
        "scores": (MetricScore("exact", "exact", 1.0, None, passed, "", score_key=f"score-{letter}"),),
        **more,
    }
    return ResultEvent(**values)  # type: ignore[arg-type]


def gate_cases(words: Sequence[str], facts: Mapping[int, Mapping[str, object]] | None = None) -> list[GateCase]:
    """A case for each word; `facts`: what else of the case at a place."""
    return [
        GateCase(f"case-{number}", len(word), **((facts or {}).get(number, {})))  # type: ignore[arg-type]
        for number, word in enumerate(words)
    ]


def evidence(
    words: Sequence[str], facts: Mapping[int, Mapping[str, object]] | None = None, side: str = ""
) -> CellEvidence:
    """One side; `side` is part of its call keys, so that two sides are not the same answers."""
    found = CellEvidence(CELL, gate_cases(words, facts))
    for number, word in enumerate(words):
        for repeat, letter in enumerate(word, 1):
            if letter != "-":
                found.add(result(f"case-{number}", letter, repeat, call_key=f"{side}{number}-{repeat}"))
    return found


def scope(now: CellEvidence, before: CellEvidence | None = None, **more: object) -> Scope:
    """What a rule is judged on."""
    return Scope(now, Pairs(now, before) if before is not None else None, **more)  # type: ignore[arg-type]


def judged(
    now: CellEvidence,
    rules: GateRules,
    before: CellEvidence | None = None,
    settings: GateSettings | None = None,
    **more: object,
) -> CellVerdict:
    """The verdict of one cell alone."""
    cell = CellInput(now, rules, before, **more)  # type: ignore[arg-type]
    (verdict,) = judge_cells([cell], settings or GateSettings())
    return verdict


def rule_of(verdict: CellVerdict, name: RuleName, tag: str | None = None) -> RuleVerdict:
    """The one verdict on a rule."""
    (found,) = (rule for rule in verdict.rules if rule.rule is name and rule.tag == tag)
    return found
