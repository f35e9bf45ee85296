"""From a run to the comparison: rates on the same cases, the Pareto front, and which lead is more than chance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from llmctl.compare.diff.opened import opened
from llmctl.compare.diff.statistics import clusters_of, difference_of, rate_of
from llmctl.compare.diff_report import Difference
from llmctl.compare.side import Side
from llmctl.compare.targets.read import BankTargets, Measured, read_banks
from llmctl.compare.targets.report import BankComparison, Claim, ComparedTarget, TargetComparison
from llmctl.errors import UsageError
from llmctl.runs.selection import Selection
from llmctl.stats.checks import Floats, Integers
from llmctl.stats.multiplicity import holm

__all__ = ["compare_targets", "pareto_front"]


def compare_targets(side: Side, store: Path, selection: Selection, alpha: float) -> TargetComparison:
    """All targets of a run, bank by bank. Nothing is sent.

    Raises:
        UsageError: nothing is selected.
        StoreError: a database cannot be read.
    """
    with opened(side, side, store) as tables:
        found = tuple(_compared(bank, alpha) for bank in read_banks(tables, side, selection))
    if not found:
        raise UsageError(
            f"No results of {side.title} are selected.", hint="Take -b, -p or -m away, or name others of what was run."
        )
    return TargetComparison(side.title, side.run_id, alpha, found, tuple(_notes(found)))


def _compared(bank: BankTargets, alpha: float) -> BankComparison:
    targets = sorted(
        ((one, _target(one, bank.groups)) for one in bank.targets),
        key=lambda pair: (-_mean(pair[0].rates), _or_last(pair[1].cost_per_1000_usd), _or_last(pair[1].latency_p50_ms)),
    )
    front = pareto_front([target for _, target in targets])
    shown = tuple(replace(target, on_front=on) for (_, target), on in zip(targets, front, strict=True))
    shared = int(bank.targets[0].rates.size) if bank.targets else 0
    return BankComparison(
        bank.bank,
        bank.cases,
        shared,
        clusters_of(shared, bank.groups),
        max((one.most_answers for one in bank.targets), default=0),
        shown,
        tuple(_claims([one for one, _ in targets], bank.groups, alpha)) if shared else (),
        math.comb(len(targets), 2),
        bank.without_evidence,
    )


def _target(one: Measured, groups: Integers | None) -> ComparedTarget:
    return ComparedTarget(
        one.name,
        one.planned,
        one.evidence,
        rate_of(one.rates, one.answers, groups),
        one.cost_per_1000_usd,
        one.latency_p50_ms,
        one.latency_p95_ms,
    )


def _claims(ranked: Sequence[Measured], groups: Integers | None, alpha: float) -> Iterator[Claim]:
    """The best against each of the others.

    Which one is the best was seen in these very cases: a test of it against the others alone would find a difference
    between equal targets far too often. So all pairs are tested, and their p-values adjusted together (Holm).
    """
    pairs = list(combinations(range(len(ranked)), 2))
    leads = {pair: _lead(ranked[pair[0]].rates, ranked[pair[1]].rates, groups) for pair in pairs}
    adjusted = dict(zip(pairs, holm([_p(leads[pair]) for pair in pairs]), strict=True))
    for other in range(1, len(ranked)):
        lead = replace(leads[0, other], adjusted_p=adjusted[0, other])
        shown = adjusted[0, other] <= alpha and lead.value > 0
        yield Claim(ranked[0].name, ranked[other].name, lead, shown)


def _lead(better: Floats, other: Floats, groups: Integers | None) -> Difference:
    found = difference_of(other, better, groups)
    if found is None:
        raise ValueError("targets without shared cases have no lead")
    return found


def _p(difference: Difference) -> float:
    return 1.0 if difference.p_value is None else difference.p_value


def pareto_front(targets: Sequence[ComparedTarget]) -> list[bool]:
    """For each target whether no other is at least as good in quality, cost and median latency, and better in one.

    What is not known of a target compares with nothing: it keeps others from being better in every respect.
    """
    return [not any(_dominates(other, one) for other in targets if other is not one) for one in targets]


def _dominates(one: ComparedTarget, other: ComparedTarget) -> bool:
    better = False
    for mine, yours in (
        (-one.rate.passed, -other.rate.passed),
        (one.cost_per_1000_usd, other.cost_per_1000_usd),
        (one.latency_p50_ms, other.latency_p50_ms),
    ):
        if mine is None and yours is None:
            continue
        if mine is None or yours is None or mine > yours:
            return False
        better = better or mine < yours
    return better


def _notes(banks: Sequence[BankComparison]) -> Iterator[str]:
    if any(len(bank.targets) > 2 for bank in banks):
        yield (
            "The best was picked by these cases: expect it to do a little worse on others. p-values are corrected for "
            "all pairs of targets (Holm); intervals are each for itself."
        )
    if any(target.cost_per_1000_usd is None for bank in banks for target in bank.targets):
        yield "Where the cost of an answer is not known, a target's cost is unknown, and compares with nothing."


def _mean(rates: Floats) -> float:
    return float(rates.mean()) if rates.size else 0.0


def _or_last(value: float | None) -> float:
    return math.inf if value is None else value
