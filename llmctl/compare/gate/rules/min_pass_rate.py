"""`min_pass_rate`: the share of answers that pass, of this bank exactly or, with a confidence, of cases like these."""

from __future__ import annotations

from collections.abc import Callable

from llmctl.compare.gate.evidence import CellEvidence
from llmctl.compare.gate.rules.bounded import Bounds
from llmctl.compare.gate.rules.coverage import missing_sentence
from llmctl.compare.gate.rules.scope import Scope, counted, failing, judged_cases, not_evaluated, per_cent
from llmctl.compare.verdict import RuleName, RuleVerdict, Verdict
from llmctl.project.models import RateRule
from llmctl.stats.binomial import clopper_pearson
from llmctl.stats.intervals import ClusterSums, Interval, clustered_wilson

__all__ = ["bounds_of_rate", "cases_to_settle", "min_pass_rate"]

_RULE = RuleName.MIN_PASS_RATE
_FACT = "A fact about this bank: no chance is involved, and it says nothing of other cases."
_WAYS_OUT = {
    Verdict.NOT_EVALUATED: "Run `llmctl gate` again: only what is missing is sent.",
    Verdict.INCONCLUSIVE: "The gate stopped before this was decided: `--no-early-stop` sends every case.",
}
_MOST_CASES = 1_000_000


def min_pass_rate(scope: Scope, limit: RateRule) -> RuleVerdict:
    """In either form."""
    if not len(scope.candidate.cases):
        return not_evaluated(_RULE, scope, "There is no case to take a rate of.", limit=limit.rate)
    return _observed(scope, limit.rate) if limit.confidence is None else _of_cases_like_these(scope, limit)


def _observed(scope: Scope, rate: float) -> RuleVerdict:
    now = scope.candidate
    bounds = _bounds(now)
    verdict = bounds.at_least(rate)
    passed, total = bounds.sure, bounds.total
    sentence = f"{passed:,} of {counted(total, 'answer')} {'passes' if passed == 1 else 'pass'}: {_rate(passed, total)}"
    if bounds.missing or bounds.unasked:
        sentence = f"{passed:,} of the {int(now.evidence.sum()):,} answers judged pass; {_left(bounds)}"
    return RuleVerdict(
        _RULE,
        verdict,
        f"{sentence}; at least {per_cent(rate)} must.",
        _FACT,
        _WAYS_OUT.get(verdict, ""),
        scope.tag,
        rate,
        passed / judged if (judged := int(now.evidence.sum())) else None,
        cases=judged_cases(scope, failing(scope)) if verdict is Verdict.FAIL else (),
        open=verdict is Verdict.INCONCLUSIVE,
    )


def _bounds(now: CellEvidence) -> Bounds:
    unasked = int(now.unasked.sum())
    total = int(now.planned.sum()) + now.unplaced
    judged = int(now.evidence.sum())
    return Bounds(max(total, judged), int(now.passed.sum()), max(0, total - judged - unasked), unasked)


def _left(bounds: Bounds) -> str:
    kinds = [
        counted(bounds.missing, "is missing", "are missing") if bounds.missing else "",
        f"{counted(bounds.unasked, 'was', 'were')} not sent" if bounds.unasked else "",
    ]
    said = " and ".join(kind for kind in kinds if kind)
    return f"{said}, so of all {bounds.total:,} between {per_cent(bounds.least)} and {per_cent(bounds.most)} pass"


def _rate(passed: int, total: int) -> str:
    return per_cent(passed / total) if total else "no rate"


def _of_cases_like_these(scope: Scope, limit: RateRule) -> RuleVerdict:
    now, rate, confidence = scope.candidate, limit.rate, limit.confidence or 0.0
    passed, judged, share = int(now.passed.sum()), int(now.evidence.sum()), scope.alpha / scope.family
    low, high = bounds_of_rate(now, confidence), bounds_of_rate(now, 1 - share)
    if low is None or high is None:
        return not_evaluated(_RULE, scope, "No answer is evidence: there is no rate.", limit=rate)
    verdict = _decided(scope, rate, share, low.low >= rate, high.high < rate)
    return RuleVerdict(
        _RULE,
        verdict,
        _sentence(verdict, passed, judged, limit, Interval(low.low, high.high)),
        _guarantee(scope, limit, share),
        _advice(verdict, now, limit, share),
        scope.tag,
        rate,
        passed / judged,
        Interval(low.low, high.high),
        cases=judged_cases(scope, failing(scope)) if verdict is Verdict.FAIL else (),
        open=verdict is Verdict.INCONCLUSIVE and bool(now.unasked.any()),
    )


def _decided(scope: Scope, rate: float, share: float, above: bool, below: bool) -> Verdict:
    """A FAIL stands only if it still would were all that is missing to pass; a PASS only on the whole sample."""
    now = scope.candidate
    if now.unasked.any():  # how many were asked depends on how they fared: the bounds are not those of a fixed sample
        return Verdict.INCONCLUSIVE
    if below and not scope.covered:
        best = clopper_pearson(
            int(now.passed.sum()) + now.total_missing, int(now.evidence.sum()) + now.total_missing, 1 - 2 * share
        )
        below = best is not None and best.high < rate
    if below:
        return Verdict.FAIL
    if not scope.covered:
        return Verdict.NOT_EVALUATED
    return Verdict.PASS if above else Verdict.INCONCLUSIVE


def bounds_of_rate(now: CellEvidence, confidence: float) -> Interval | None:
    """Both bounds of the true pass rate, each alone at this confidence; None without evidence.

    Clopper and Pearson's where every answer is a case of its own, else Wilson's at the effective number of results.
    """
    judged = int(now.evidence.sum())
    if not now.clustered:
        return clopper_pearson(int(now.passed.sum()), judged, _two_sided(confidence))
    if not judged:
        return None
    import numpy as np

    size = now.cluster_count
    passed = np.bincount(now.clusters, now.passed, size).astype(np.int64)
    evidence = np.bincount(now.clusters, now.evidence, size).astype(np.int64)
    sums = ClusterSums.of(zip(passed[evidence > 0].tolist(), evidence[evidence > 0].tolist(), strict=True))
    return clustered_wilson(sums, _two_sided(confidence))


def _two_sided(confidence: float) -> float:
    """The confidence of an interval whose bounds each hold at `confidence`; below one half there is no such thing."""
    return max(2 * confidence - 1, 1e-9)


def _sentence(verdict: Verdict, passed: int, judged: int, limit: RateRule, bounds: Interval) -> str:
    observed = f"{passed:,} of {counted(judged, 'answer')} pass"
    wanted, sure = per_cent(limit.rate), per_cent(limit.confidence or 0.0)
    match verdict:
        case Verdict.PASS:
            return f"{observed}: of cases like these at least {per_cent(_down(bounds.low))} pass ({sure} sure)."
        case Verdict.FAIL:
            return f"{observed}: of cases like these at most {per_cent(_up(bounds.high))} pass; {wanted} must."
        case _:
            span = f"between {per_cent(_down(bounds.low))} and {per_cent(_up(bounds.high))}"
            return f"{observed}: of cases like these {span} pass; {wanted} must ({sure} sure)."


def _down(share: float) -> float:
    """Rounded outward to a tenth of a per cent, so that the sentence never says more than the bound."""
    import math

    return math.floor(share * 1000 + 1e-9) / 1000


def _up(share: float) -> float:
    import math

    return math.ceil(share * 1000 - 1e-9) / 1000


def _guarantee(scope: Scope, limit: RateRule, share: float) -> str:
    wanted, wrong = per_cent(limit.rate), per_cent(1 - (limit.confidence or 0.0))
    exact = "" if not scope.candidate.clustered else " (approximately: answers come in clusters)"
    shared = f"; {per_cent(scope.alpha)} are shared by {scope.family} tests" if scope.family > 1 else ""
    return (
        f"If fewer than {wanted} of such cases pass, this passes in at most {wrong} of gates; if {wanted} or "
        f"more do, it fails in at most {per_cent(share)}{shared}{exact}."
    )


def _advice(verdict: Verdict, now: CellEvidence, limit: RateRule, share: float) -> str:
    if verdict is Verdict.NOT_EVALUATED:
        return f"{missing_sentence(now)}. Run `llmctl gate` again: only what is missing is sent."
    if verdict is not Verdict.INCONCLUSIVE:
        return ""
    if now.unasked.any():
        return "This rule needs the whole bank: the gate stopped before, as another rule had failed."
    needed = cases_to_settle(int(now.passed.sum()) / int(now.evidence.sum()), limit, share)
    if needed is None:
        return "The pass rate is so close to the limit that no affordable number of cases decides."
    return f"About {needed:,} such answers would decide at this pass rate."


def cases_to_settle(observed: float, limit: RateRule, alpha: float) -> int | None:
    """How many independent answers decide if the observed pass rate goes on; None above a million."""
    confidence = limit.confidence or 0.0

    def decided(size: int) -> bool:
        passed = round(observed * size)
        low = clopper_pearson(passed, size, _two_sided(confidence))
        high = clopper_pearson(passed, size, _two_sided(1 - alpha))
        return (low is not None and low.low >= limit.rate) or (high is not None and high.high < limit.rate)

    return _first(decided)


def _first(holds: Callable[[int], bool]) -> int | None:
    """The first size that holds, of a property that stays once it holds (but for rounding)."""
    size = 1
    while not holds(size):
        size *= 2
        if size > _MOST_CASES:
            return None
    low = size // 2
    while size - low > 1:
        middle = (low + size) // 2
        low, size = (low, middle) if holds(middle) else (middle, size)
    return size
