"""Reports for the tests of the pages."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

from llmctl.compare.cells import CaseName, Cell
from llmctl.compare.diff_report import (
    CellDiff,
    Change,
    Difference,
    DiffReport,
    FlippedCase,
    MetricDiff,
    Rate,
    RatioDiff,
    Sensitivity,
    TagDiff,
)
from llmctl.compare.side import Side, SideKind
from llmctl.compare.verdict import (
    CellVerdict,
    GateReport,
    JudgedCase,
    RuleName,
    RuleVerdict,
    Spending,
    Verdict,
)
from llmctl.runs.records import MetricScore, ResultEvent
from llmctl.stats.intervals import wilson
from tests.report.samples import failed, result, timed_out

TICKETS = (
    ("card-declined", "billing", "billing", "shipping"),
    ("double-charge", "billing", "billing", "other"),
    ("parcel-late", "shipping", "shipping", "billing"),
    ("lost-parcel", "shipping", "shipping", "other"),
    ("opening-hours", "other", "other", "billing"),
)
LETTER = (
    "Dear customer,\n\nthank you for writing to us. Your card was charged twice on Monday. We will refund the second"
    " charge within three working days, and you do not need to do anything else.\n\nKind regards,\nAcme"
)
NEW_LETTER = (
    "Dear customer,\n\nthank you for writing. Your card was charged twice on Monday. Please send us your card"
    " number, and we will refund the second charge within ten working days.\n\nKind regards,\nAcme"
)


def run_results(number: int = 60) -> list[ResultEvent]:
    """Results of two prompts on one bank, with failures and a timeout; the same each time."""
    chosen = random.Random(7)
    results: list[ResultEvent] = []
    for place in range(number // 2):
        name, expected, right, wrong = TICKETS[place % len(TICKETS)]
        case_id = f"{name}-{place}"
        for prompt, share in (("triage@main", 0.85), ("triage", 0.75)):
            good = chosen.random() < share
            score = MetricScore(
                "exact", "exact", 1.0, float(good), good, "It is the same." if good else f'"{wrong}" is not "{right}".'
            )
            tone = MetricScore("tone", "not", 0.0, 1.0, True, 'The answer does not contain "sorry".')
            make = result if good else failed
            results.append(
                make(
                    case_id,
                    prompt=prompt,
                    output=right if good else wrong,
                    expected=expected,
                    scores=(score, tone),
                    tags=("smoke", expected) if place % 3 else (expected,),
                    latency_ms=80 + chosen.random() * 1500,
                    cost_usd=0.0001 + chosen.random() / 1000,
                )
            )
    letter = MetricScore("no card number", "not", 1.0, 0.0, False, 'The answer asks for a "card number".')
    results.append(failed("refund-letter", output=NEW_LETTER, expected=LETTER, scores=(letter,), tags=("letters",)))
    results.append(timed_out("slow", prompt="triage"))
    return results


CELL = Cell("triage", "triage", "small")


def flip(case_id: str, **values: object) -> FlippedCase:
    """A case that passed before and fails now, but for what is given."""
    fields: dict[str, object] = {
        "name": CaseName("triage", case_id),
        "cell": CELL,
        "expected": "billing",
        "output_a": "billing",
        "output_b": "shipping",
        "reason_a": "",
        "reason_b": 'exact: The answer is "shipping", not "billing".',
        "passed_a": 1,
        "evidence_a": 1,
        "passed_b": 0,
        "evidence_b": 1,
        "flaky": False,
        "tags": ("smoke",),
        "latency_a_ms": 210.0,
        "latency_b_ms": 340.0,
        "cost_a_usd": 0.001,
        "cost_b_usd": 0.0012,
    }
    return FlippedCase(**(fields | values))  # type: ignore[arg-type]


def side(title: str, **values: object) -> Side:
    """A side that lies nowhere."""
    return replace(Side("", title, SideKind.RUN, Path("store.duckdb"), "0k3jd92ma1x7z"), **values)  # type: ignore[arg-type]


def diff_report() -> DiffReport:
    """Three regressions and a fix among 120 cases."""
    regressions = (
        flip("refund-letter", output_a=LETTER, output_b=NEW_LETTER, expected=None, must_pass=True),
        flip("card-declined"),
        flip("flaky-case", passed_a=3, evidence_a=3, passed_b=1, evidence_b=3, flaky=True),
    )
    fixes = (
        flip(
            "parcel-late",
            output_a="billing",
            output_b="shipping",
            expected="shipping",
            passed_a=0,
            passed_b=1,
            reason_a="exact: no.",
            tags=("hard",),
            reason_b="",
        ),
    )
    change = Change(
        "prompt",
        "triage",
        "You route tickets.\nAnswer with one word.\n",
        "You route support tickets.\nAnswer with one word, in lower case.\n",
    )
    difference = Difference(-2 / 120, -0.0521, 0.0164, 0.41, "Tango score interval, McNemar mid-p")
    tag = TagDiff(
        "smoke",
        40,
        Rate(36, 40, wilson(36, 40)),
        Rate(34, 40, wilson(34, 40)),
        replace(difference, value=-0.05, low=-0.17, high=0.06, adjusted_p=0.8),
    )
    cell = CellDiff(
        cell=CELL,
        pairs=120,
        clusters=120,
        draws=118,
        rate_a=Rate(100, 120, wilson(100, 120)),
        rate_b=Rate(98, 120, wilson(98, 120)),
        difference=difference,
        regressions=regressions,
        fixes=fixes,
        regression_count=3,
        fix_count=1,
        changed_outputs=7,
        metrics=(MetricDiff("exact", 120, 0.833, 0.817, difference),),
        tags=(tag,),
        latency=RatioDiff(1.21, 1.12, 1.31, 120, 210.0, 254.0),
        cost=RatioDiff(1.05, 1.01, 1.09, 120, 0.001, 0.00105),
        sensitivity=Sensitivity(0.071, 238, 0.05, 0.04),
        only_b=1,
        cases_only_b=("gift-card",),
        flaky_regressions=1,
    )
    return DiffReport(side("main (4f2a91c)"), side("the files here"), (cell,), (change,))


def judged(case_id: str, **values: object) -> JudgedCase:
    """A case that fails and passed in the baseline, but for what is given."""
    fields: dict[str, object] = {
        "name": CaseName("triage", case_id),
        "cell": CELL,
        "expected": "billing",
        "output": "shipping",
        "baseline_output": "billing",
        "reason": 'exact: The answer is "shipping", not "billing".',
        "passed": 0,
        "evidence": 4,
        "baseline_passed": 4,
        "baseline_evidence": 4,
        "tags": ("smoke",),
    }
    return JudgedCase(**(fields | values))  # type: ignore[arg-type]


def gate_report(verdict: Verdict = Verdict.FAIL) -> GateReport:
    """A gate with three rules, one of which gives the verdict."""
    rules = (
        RuleVerdict(
            RuleName.MAX_NEW_FAILURES,
            verdict,
            "2 cases that passed in the baseline fail now: 0 are allowed.",
            "A version without any change would fail this in at most 5 % of gates.",
            "See `llmctl diff main` for what changed.",
            cases=(
                judged("card-declined", must_pass=True),
                judged("refund-letter", output=NEW_LETTER, baseline_output=LETTER, expected=None),
            ),
        ),
        RuleVerdict(
            RuleName.MIN_PASS_RATE,
            Verdict.PASS,
            "83.3 % passed: at least 80 % are asked for.",
            limit=0.8,
            observed=0.833,
        ),
        RuleVerdict(
            RuleName.MARGIN,
            Verdict.INCONCLUSIVE,
            "A drop of 5 points can neither be shown nor excluded.",
            advice="About 240 cases would decide.",
            tag="smoke",
        ),
    )
    cell = CellVerdict(CELL, rules, 120, 120, 100, wilson(100, 120), 120, 102)
    return GateReport(
        (cell,),
        "the files here",
        "main (4f2a91c)",
        "0k3jd92ma1x7z",
        spending=Spending(64, 176, 40, 0.0123),
        warnings=("The judge has no calibration.",),
    )
