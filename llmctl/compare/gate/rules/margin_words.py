"""What the verdict on a `margin` says: how large the drop can be, how often it is wrong, and what would decide."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from llmctl.compare.gate.rules.scope import Scope, counted, per_cent, points
from llmctl.compare.verdict import Verdict
from llmctl.stats.power import cases_for_drop, cases_to_pass

if TYPE_CHECKING:
    from llmctl.compare.gate.pairs import Pairs
    from llmctl.compare.gate.rules.margin import FixedMargin
    from llmctl.stats.decision import Decision

__all__ = ["cases_to_decide", "fixed_guarantee", "fixed_sentence", "sequential_guarantee", "sequential_sentence"]


def fixed_sentence(verdict: Verdict, test: FixedMargin, scope: Scope, shown: bool) -> str:
    """Of a cell that was run as a whole."""
    sure = per_cent(1 - scope.alpha)
    size = _size(test.pairs, test.clusters)
    return f"{_bounds(verdict, test.at_least, test.at_most, sure, shown)}: {_observed(test.drop)} over {size}."


def sequential_sentence(verdict: Verdict, decision: Decision, scope: Scope) -> str:
    """Of a cell that was looked at while it ran."""
    noun = "case" if scope.candidate.cluster_count == len(scope.candidate.cases) else "independent group"
    size = f"{decision.clusters:,} of {counted(decision.planned, noun)}"
    observed = _observed(decision.drop)
    if decision.bounds is None:
        return f"{observed[0].upper()}{observed[1:]} over {size}: not decided yet."
    low, high = decision.bounds.at_least, decision.bounds.at_most
    sure = per_cent(1 - decision.alpha)
    if _of_this_bank(decision):
        sure += ", of this bank"
    return f"{_bounds(verdict, low, high, sure, decision.drop_shown)}: {observed} over {size}."


def _bounds(verdict: Verdict, at_least: float, at_most: float, sure: str, shown: bool) -> str:
    largest = f"no drop larger than {points(_up(max(at_most, 0.0)))} ({sure})"
    if verdict is Verdict.PASS:
        return f"A confirmed small drop: {largest}" if shown else largest[0].upper() + largest[1:]
    if verdict is Verdict.FAIL:
        least = f"at least {points(_down(at_least))}" if at_least >= 0.001 else "of unknown size"
        return f"A drop is shown, {least}, at most {points(_up(at_most))} ({sure} each)"
    span = f"a gain of {points(_up(-at_least))}" if at_least < 0 else f"a drop of {points(_down(at_least))}"
    return f"Not decided: from {span} to a drop of {points(_up(max(at_most, 0.0)))} all is plausible"


def _observed(drop: float | None) -> str:
    if drop is None:
        return "nothing was observed"
    if abs(drop) < 0.5e-3:
        return (
            "no drop was observed"
            if drop == 0
            else f"a {'drop' if drop > 0 else 'gain'} of under 0.1 points was observed"
        )
    return f"a {'drop' if drop > 0 else 'gain'} of {points(abs(drop))} was observed"


def _size(pairs: int, clusters: int) -> str:
    size = counted(pairs, "paired case")
    return size if clusters == pairs else f"{size} in {counted(clusters, 'independent group')}"


def _up(share: float) -> float:
    """Rounded outward to a tenth of a point."""
    return math.ceil(share * 1000 - 1e-6) / 1000


def _down(share: float) -> float:
    return math.floor(share * 1000 + 1e-6) / 1000


def fixed_guarantee(scope: Scope, limit: float) -> str:
    """The error rates at a fixed size."""
    shared = f" ({scope.family} tests share them, by Holm)" if scope.family > 1 else ""
    alpha = per_cent(scope.alpha)
    return (
        f"A version without any change would fail this in at most {alpha} of gates{shared}; one that drops by "
        f"{points(limit)} or more would pass in about {alpha} at most."
    )


def sequential_guarantee(scope: Scope, decision: Decision) -> str:
    """The error rates with looks on the way."""
    shared = f" (its share of {per_cent(scope.alpha)})" if decision.fail_alpha < scope.alpha * (1 - 1e-9) else ""
    if _of_this_bank(decision):
        return (
            f"Of this bank only: if all of it drops by {points(decision.margin)} at most, this fails in at most "
            f"{per_cent(decision.fail_alpha)} of gates{shared}; if by more, it passes in at most "
            f"{per_cent(decision.alpha)}."
        )
    return (
        f"A version without any change would fail this in at most {per_cent(decision.fail_alpha)} of gates{shared}; "
        f"one that drops by {points(decision.margin)} or more would pass in about {per_cent(decision.alpha)} at most. "
        f"Both hold with {counted(decision.looks, 'look')} on the way."
    )


def _of_this_bank(decision: Decision) -> bool:
    """Whether bets on a finite bank made it: they have a boundary, and spend nothing."""
    return decision.fail_boundary is not None and decision.fail_spent == 0


def cases_to_decide(pairs: Pairs, limit: float, alpha: float) -> str:
    """How many cases would, from the discordance that was observed; `llmctl power` says more."""
    sums, discordance = pairs.sums, min(1.0, pairs.discordance)
    noun = "case" if sums.clusters == pairs.count else "independent group"
    unchanged = cases_to_pass(limit, discordance, alpha=alpha).cases
    parts = []
    if unchanged > sums.clusters:
        parts.append(f"about {counted(unchanged, noun)} would pass a version that is no worse")
    drop = sums.drop or 0.0
    if 0 < drop <= discordance:
        needed = cases_for_drop((discordance + drop) / 2, (discordance - drop) / 2, alpha=alpha)
        if needed is not None and needed.cases > sums.clusters:
            parts.append(f"about {counted(needed.cases, noun)} would show a drop as large as the one observed")
    if not parts:
        return "The drop is close to the margin: more cases, or a wider margin. `llmctl power` shows what it takes."
    said = "; ".join(parts)
    return f"{said[0].upper()}{said[1:]} (4 times in 5, at the {per_cent(discordance)} of pairs that differ here)."
