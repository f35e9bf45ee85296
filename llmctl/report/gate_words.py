"""Words and numbers of a gate's verdict that every rendering shares."""

from __future__ import annotations

from collections import Counter

from llmctl.compare.verdict import GateReport, RuleName, RuleVerdict, Verdict
from llmctl.errors import ExitCode
from llmctl.report.model import Amount
from llmctl.report.numbers import NONE, count, money, money_amount

__all__ = ["exit_sentence", "headline", "limit_text", "observed_text", "rule_text", "sides_text", "spending_text"]

_STOPPED = {
    ExitCode.USAGE: "the command or a file is wrong, and nothing was sent",
    ExitCode.STOPPED: "stopped by a budget or a policy; what was done is kept",
    ExitCode.INTERRUPTED: "interrupted; what was done is kept",
    ExitCode.TERMINATED: "terminated; what was done is kept",
    ExitCode.UNFINISHED: "the run could not finish; what was done is kept",
}
_MEANINGS = {
    Verdict.PASS: "every rule holds",
    Verdict.FAIL: "a rule is broken",
    Verdict.INCONCLUSIVE: "the evidence is sound but too little",
    Verdict.NOT_EVALUATED: "there is no evidence that could be judged",
}


def headline(report: GateReport) -> str:
    """`FAIL: 2 of 7 rules`: the verdict first, then what it rests on."""
    if not report.cells:
        return f"{report.verdict}: nothing could be judged"
    rules = [rule for cell in report.cells for rule in cell.rules if rule.rule is not RuleName.COVERAGE]
    counts = Counter(rule.verdict for rule in rules)
    cells = f"{count(len(report.cells))} {'cell' if len(report.cells) == 1 else 'cells'}"
    if report.verdict is Verdict.PASS:
        held = "the one rule holds" if len(rules) == 1 else f"all {count(len(rules))} rules hold"
        return f"{report.verdict}: {held}, {cells}"
    said = ", ".join(
        f"{count(counts[verdict])} {verdict}"
        for verdict in (Verdict.FAIL, Verdict.NOT_EVALUATED, Verdict.INCONCLUSIVE, Verdict.PASS)
        if counts[verdict]
    )
    return f"{report.verdict}: of {count(len(rules))} {'rule' if len(rules) == 1 else 'rules'} {said}; {cells}"


def sides_text(report: GateReport) -> str:
    """What was judged, and against what."""
    baseline = f"baseline: {report.baseline}" if report.baseline else "no baseline"
    return f"candidate: {report.candidate}; {baseline}"


def rule_text(rule: RuleVerdict) -> str:
    """`margin`, or `margin of tag smoke`."""
    return rule.rule.value if rule.tag is None else f"{rule.rule.value} of tag {rule.tag}"


def limit_text(rule: RuleVerdict) -> str:
    """What the rule allows: `>= 90 %`, `<= 5 points`."""
    if rule.limit is None:
        return NONE
    sign = ">=" if rule.rule is RuleName.MIN_PASS_RATE else "<="
    return f"{sign} {_value(rule.rule, rule.limit)}"


def observed_text(rule: RuleVerdict) -> str:
    """What was found; `-` where nothing was."""
    return NONE if rule.observed is None else _value(rule.rule, rule.observed)


def _value(rule: RuleName, value: float) -> str:
    match rule:
        case RuleName.MARGIN:
            return f"{_plain(100 * value)} points"
        case RuleName.MAX_LATENCY_P95:
            return f"{value:,.0f} ms" if value >= 10 else f"{value:.1f} ms"
        case RuleName.MAX_COST:
            return money(value)
        case RuleName.MUST_PASS | RuleName.MAX_NEW_FAILURES:
            return count(round(value))
        case _:
            return f"{_plain(100 * value)} %"


def _plain(value: float) -> str:
    """One decimal where it says something; never rounded to 0."""
    if value and abs(value) < 0.05:
        return f"{value:.1g}"
    return f"{value:.1f}".removesuffix(".0")


def spending_text(report: GateReport) -> str:
    """What judging cost: `120 calls sent, 300 calls saved by stopping early; cost $0.12.`."""
    spent = report.spending
    parts = [f"{count(spent.sent) if spent.sent else 'No'} {'call' if spent.sent in (0, 1) else 'calls'} sent"]
    if spent.stored:
        parts.append(f"{count(spent.stored)} {'answer was' if spent.stored == 1 else 'answers were'} there already")
    if spent.saved:
        parts.append(f"{count(spent.saved)} {'call' if spent.saved == 1 else 'calls'} saved by stopping early")
    cost = Amount() if spent.cost_usd == 0 else Amount(spent.cost_usd or 0.0, int(spent.cost_usd is None))
    return f"{', '.join(parts)}; cost {money_amount(cost)}."


def exit_sentence(report: GateReport) -> str:
    """What the exit code says: `Exit 1: a rule is broken.`."""
    code, verdict = report.exit_code, report.verdict
    if report.stopped is not None and verdict is not Verdict.FAIL:
        return f"Exit {int(code)}: {_STOPPED.get(report.stopped, 'the run did not end')}."
    if verdict is Verdict.INCONCLUSIVE and report.tolerate_inconclusive:
        return f'Exit 0: {verdict} only warns here (inconclusive = "warn" in [gate]): {_MEANINGS[verdict]}.'
    return f"Exit {int(code)}: {_MEANINGS[verdict]}."
