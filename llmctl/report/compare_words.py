"""What a comparison of targets says in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from llmctl.compare.diff_report import Difference
from llmctl.compare.targets.report import BankComparison, Claim, ComparedTarget
from llmctl.report.diff_words import bounds, p_text
from llmctl.report.numbers import NONE, UNKNOWN, count, money, percent
from llmctl.safe_text import one_line

__all__ = ["claim_sentence", "cost_text", "coverage_text", "headline", "shared_sentence", "target_name"]


def target_name(target: object) -> str:
    """`triage · small`, safe and on one line."""
    return one_line(str(target), 60)


def headline(bank: BankComparison) -> str:
    """What is best, and whether that is more than chance."""
    if not bank.targets:
        return "No target has evidence: nothing can be compared."
    best = target_name(bank.targets[0].name)
    if not bank.shared:
        return "No case has evidence of every target: nothing can be compared."
    if len(bank.targets) == 1:
        return f"{best} is the only target: there is nothing to compare it with."
    equal = [claim for claim in bank.claims if claim.lead.value <= 0]
    close = [claim for claim in bank.claims if not claim.shown and claim.lead.value > 0]
    if not equal and not close:
        others = "the other" if len(bank.claims) == 1 else f"each of the {count(len(bank.claims))} others"
        return f"{best} is better than {others}: more than chance."
    first = f"{best} has the highest pass rate here" + (f", and so has {_others(equal)}" if equal else "")
    return f"{first}; its lead over {_others(close)} could be chance." if close else f"{first}."


def _others(claims: Sequence[Claim]) -> str:
    return ", ".join(target_name(claim.other) for claim in claims[:4]) + (" ..." if len(claims) > 4 else "")


def claim_sentence(claim: Claim) -> str:
    """`A is better than B by 8.0 points [+2.1, +13.9]: p 0.006.`, or that the lead could be chance."""
    better, other = target_name(claim.better), target_name(claim.other)
    size = lead_text(claim.lead)
    p_value = f"p {p_text(claim.lead.adjusted_p)}"
    if claim.shown:
        return f"{better} is better than {other} by {size}: {p_value}."
    if claim.lead.value <= 0:
        return f"{better} and {other} pass equally often, {size}: {p_value}."
    return f"The lead of {better} over {other}, {size}, could be chance: {p_value}."


def lead_text(lead: Difference) -> str:
    """`8.0 points [+2.1, +13.9]`."""
    size = abs(100 * lead.value)
    return f"{size:.1f} points {bounds(lead.low, lead.high)}".rstrip()


def shared_sentence(bank: BankComparison) -> str:
    """On which cases the targets are compared."""
    if not bank.targets:
        return ""
    cases = f"{count(bank.shared)} of {count(bank.cases)} cases" if bank.shared < bank.cases else _cases(bank.cases)
    groups = f" in {count(bank.clusters)} independent groups" if bank.clusters != bank.shared else ""
    repeats = f", up to {count(bank.repeats)} answers each" if bank.repeats > 1 else ""
    why = ": those that every target has evidence on" if bank.shared < bank.cases else ", the same for every target"
    left = ""
    if bank.without_evidence:
        names = ", ".join(target_name(name) for name in bank.without_evidence[:5])
        left = f" Without any evidence, and left out: {names}."
    return f"{cases}{groups}{repeats}{why}.{left}"


def _cases(number: int) -> str:
    return f"{count(number)} {'case' if number == 1 else 'cases'}"


def cost_text(target: ComparedTarget) -> str:
    """Of 1,000 cases."""
    return UNKNOWN if target.cost_per_1000_usd is None else money(target.cost_per_1000_usd)


def coverage_text(target: ComparedTarget) -> str:
    """`95.0 %`."""
    return percent(target.evidence, target.planned) if target.planned else NONE
