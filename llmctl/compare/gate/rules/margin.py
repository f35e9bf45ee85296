"""`margin`: no drop larger than this on cases like these. Two one-sided tests, each with its own error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from llmctl.compare.gate.rules.coverage import missing_sentence
from llmctl.compare.gate.rules.margin_words import (
    cases_to_decide,
    fixed_guarantee,
    fixed_sentence,
    sequential_guarantee,
    sequential_sentence,
)
from llmctl.compare.gate.rules.max_new_failures import stale_words
from llmctl.compare.gate.rules.scope import Scope, counted, failing_first, judged_cases, not_evaluated
from llmctl.compare.verdict import JudgedCase, RuleName, RuleVerdict, Verdict
from llmctl.stats.alternative import Alternative
from llmctl.stats.clustered import estimate_mean
from llmctl.stats.decision import Decision, Outcome
from llmctl.stats.distributions import normal_cdf, normal_quantile
from llmctl.stats.intervals import Interval
from llmctl.stats.paired import mcnemar
from llmctl.stats.paired_score import largest_drop, score_z, smallest_drop
from llmctl.stats.permutation import sign_flip

if TYPE_CHECKING:
    from llmctl.compare.gate.pairs import Pairs

__all__ = ["FixedMargin", "margin", "margin_test"]

_RULE = RuleName.MARGIN
_AGAIN = "Run `llmctl gate` again: only what is missing is sent."
_STOPPED = "The gate stopped before this rule was decided, as another one was."
_SAVE = "Save the baseline again: `llmctl baseline save`."


@dataclass(frozen=True, slots=True)
class FixedMargin:
    """Both tests at a fixed size."""

    drop_p: float
    """Against "nothing changed": small where there is a drop."""
    margin_p: float
    """Against "the drop is the margin or more": small where it is smaller."""
    drop: float
    """As observed; negative for a gain."""
    at_least: float
    at_most: float
    """Bounds of the true drop, each alone at 1 - alpha."""
    pairs: int
    clusters: int


def margin_test(scope: Scope, limit: float) -> FixedMargin | None:
    """The tests of a cell that was run as a whole; None where there is nothing to test, or nothing left to.

    A drop is shown by McNemar's mid-p where every pair is a case with one answer a side, else by flipping the signs of
    the clusters' differences, or, where a side has more answers than the other and no sign is a fair coin, by the
    clustered t test. The margin is excluded by Tango's score, and what it becomes for repeats and clusters.
    """
    pairs = scope.pairs
    if pairs is None or not pairs.count or pairs.identical or _decision(scope) or scope.candidate.unasked.any():
        return None
    sums, z = pairs.sums, normal_quantile(1 - scope.alpha)
    return FixedMargin(
        drop_p=_drop_p(pairs),
        margin_p=normal_cdf(-score_z(sums, limit)),
        drop=sums.drop or 0.0,
        at_least=smallest_drop(sums, z),
        at_most=largest_drop(sums, z),
        pairs=pairs.count,
        clusters=sums.clusters,
    )


def margin(scope: Scope, limit: float, test: FixedMargin | None, adjusted_p: float | None) -> RuleVerdict:
    """The verdict; `test` of `margin_test`, and its `drop_p` adjusted for all tests of the gate."""
    pairs = scope.pairs
    if pairs is None:
        return not_evaluated(_RULE, scope, scope.no_baseline, scope.no_baseline_advice, limit)
    if not pairs.count:
        advice = _SAVE if pairs.absent or pairs.changed else _AGAIN
        return not_evaluated(_RULE, scope, f"No case has a pair in the baseline{stale_words(pairs)}.", advice, limit)
    if pairs.identical:
        sentence = f"Nothing changed: all {counted(pairs.count, 'case')} have the same calls and the same scores."
        return RuleVerdict(
            _RULE,
            Verdict.PASS,
            sentence,
            "Exact: both sides are the same answers.",
            tag=scope.tag,
            limit=limit,
            observed=0.0,
        )
    decision = _decision(scope)
    if decision is not None:
        return _sequential(scope, pairs, decision, limit)
    if test is None or adjusted_p is None:
        size = int(np.count_nonzero(scope.candidate.unasked))
        sentence = f"{counted(size, 'case')} {'was' if size == 1 else 'were'} not sent: the gate was decided before."
        return RuleVerdict(_RULE, Verdict.INCONCLUSIVE, sentence, tag=scope.tag, limit=limit, open=True)
    return _fixed(scope, pairs, test, adjusted_p, limit)


def _decision(scope: Scope) -> Decision | None:
    """What the sequential test of the whole cell said; it says nothing of a tag."""
    return scope.staged.margin if scope.staged is not None and scope.tag is None else None


def _drop_p(pairs: Pairs) -> float:
    if not pairs.clustered:
        return mcnemar(pairs.losses, pairs.gains, Alternative.LESS).mid_p
    paired, clusters = pairs.paired, pairs.candidate.clusters[pairs.paired]
    differences = pairs.difference[paired]
    if (pairs.evidence_before[paired] != pairs.candidate.evidence[paired]).any():
        mean = estimate_mean(differences, clusters)
        p_value = mean.p_value(Alternative.LESS) if mean is not None else None
    else:
        flipped = sign_flip(differences, clusters, Alternative.LESS)
        p_value = flipped.p_value if flipped is not None else None
    return 1.0 if p_value is None else p_value


def _fixed(scope: Scope, pairs: Pairs, test: FixedMargin, adjusted_p: float, limit: float) -> RuleVerdict:
    shown, excluded = adjusted_p <= scope.alpha, test.margin_p <= scope.alpha
    if shown and not _enough(scope):
        shown = _stays_a_drop(scope, pairs, scope.alpha / scope.family)
        excluded = False
    verdict = _verdict(scope, shown=shown, excluded=excluded)
    return RuleVerdict(
        _RULE,
        verdict,
        _uncovered(scope, pairs) if verdict is Verdict.NOT_EVALUATED else fixed_sentence(verdict, test, scope, shown),
        fixed_guarantee(scope, limit),
        _advice(scope, pairs, verdict, limit),
        scope.tag,
        limit,
        test.drop,
        Interval(test.at_least, test.at_most),
        test.drop_p,
        _lost(scope, pairs) if shown else (),
    )


def _sequential(scope: Scope, pairs: Pairs, decision: Decision, limit: float) -> RuleVerdict:
    excluded = decision.outcome is Outcome.PASS
    shown = decision.outcome is Outcome.FAIL or (excluded and decision.drop_shown)
    if shown and not _enough(scope):
        shown, excluded = _stays_a_drop(scope, pairs, decision.fail_spent or decision.fail_alpha), False
    verdict = _verdict(scope, shown=shown, excluded=excluded)
    still_open = decision.outcome is Outcome.CONTINUE and bool(scope.candidate.unasked.any())
    bounds = decision.bounds
    return RuleVerdict(
        _RULE,
        verdict,
        _uncovered(scope, pairs) if verdict is Verdict.NOT_EVALUATED else sequential_sentence(verdict, decision, scope),
        sequential_guarantee(scope, decision),
        _STOPPED if still_open else _advice(scope, pairs, verdict, limit),
        scope.tag,
        limit,
        decision.drop,
        Interval(bounds.at_least, bounds.at_most) if bounds else None,
        cases=_lost(scope, pairs) if shown else (),
        open=still_open and verdict is Verdict.INCONCLUSIVE,
    )


def _verdict(scope: Scope, *, shown: bool, excluded: bool) -> Verdict:
    """A drop that is shown and smaller than the margin is within what the rule allows."""
    if shown:
        return Verdict.PASS if excluded else Verdict.FAIL
    if not _enough(scope):
        return Verdict.NOT_EVALUATED
    return Verdict.PASS if excluded else Verdict.INCONCLUSIVE


def _enough(scope: Scope) -> bool:
    return scope.covered and scope.paired


def _stays_a_drop(scope: Scope, pairs: Pairs, alpha: float) -> bool:
    """Whether the drop would be shown even if every case without a pair were a gain."""
    best = pairs.difference + np.where(pairs.unpaired, 1.0, 0.0)
    partly = pairs.paired & (scope.candidate.missing > 0)
    lost = scope.candidate.missing / np.maximum(scope.candidate.asked, 1)
    test = sign_flip(best + np.where(partly, lost, 0.0), pairs.candidate.clusters, Alternative.LESS)
    return test is not None and test.p_value <= alpha and not scope.candidate.unplaced


def _uncovered(scope: Scope, pairs: Pairs) -> str:
    if not scope.covered:
        return f"{missing_sentence(scope.candidate)}."
    asked = int(np.count_nonzero(scope.candidate.asked > 0))
    return f"{pairs.count:,} of {counted(asked, 'case')} have a pair in the baseline{stale_words(pairs)}."


def _advice(scope: Scope, pairs: Pairs, verdict: Verdict, limit: float) -> str:
    if verdict is Verdict.NOT_EVALUATED:
        return _SAVE if scope.covered and (pairs.absent or pairs.changed) else _AGAIN
    return cases_to_decide(pairs, limit, scope.alpha) if verdict is Verdict.INCONCLUSIVE else ""


def _lost(scope: Scope, pairs: Pairs) -> tuple[JudgedCase, ...]:
    """The cases that pass less often than before, the largest losses first."""
    lost = np.flatnonzero(pairs.difference < 0)
    return judged_cases(scope, failing_first(scope, lost.tolist()))
