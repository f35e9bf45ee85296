"""`max_flake_rate`: the share of cases that pass and fail on equal calls."""

from __future__ import annotations

import numpy as np

from llmctl.compare.gate.rules.bounded import Bounds
from llmctl.compare.gate.rules.coverage import missing_sentence
from llmctl.compare.gate.rules.scope import Scope, counted, judged_cases, not_evaluated, per_cent
from llmctl.compare.verdict import RuleName, RuleVerdict, Verdict

__all__ = ["max_flake_rate"]

_RULE = RuleName.MAX_FLAKE_RATE
_FACT = "A fact about these answers; with more answers a case, more cases show that they are flaky."


def max_flake_rate(scope: Scope, limit: float) -> RuleVerdict:
    """Over the cases that were asked at least twice; a case with a missing answer may be flaky or not."""
    now = scope.candidate
    repeated = (now.asked > 1) | (now.evidence > 1)
    total = int(np.count_nonzero(repeated))
    if not total:
        return not_evaluated(
            _RULE, scope, "Every case was asked once: nothing shows whether it is flaky.", scope.repeat_advice, limit
        )
    flaky = repeated & (now.passed > 0) & (now.passed < now.evidence)
    could = repeated & ~flaky & (now.missing > 0)
    bounds = Bounds(total, int(np.count_nonzero(flaky)), int(np.count_nonzero(could)))
    verdict = bounds.at_most(limit)
    answers = int(now.asked[repeated].max())
    sentence = (
        f"{bounds.sure:,} of {counted(total, 'case')} {'is' if bounds.sure == 1 else 'are'} flaky in {answers:,} "
        f"answers each: {per_cent(bounds.least)}; at most {per_cent(limit)} may."
    )
    if verdict is Verdict.NOT_EVALUATED:
        sentence = f"{sentence} {missing_sentence(now)}."
    return RuleVerdict(
        _RULE,
        verdict,
        sentence,
        _FACT,
        "Run `llmctl gate` again: only what is missing is sent." if verdict is Verdict.NOT_EVALUATED else "",
        scope.tag,
        limit,
        bounds.least,
        cases=judged_cases(scope, np.flatnonzero(flaky).tolist()) if verdict is Verdict.FAIL else (),
    )
