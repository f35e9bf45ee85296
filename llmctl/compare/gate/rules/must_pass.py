"""`must_pass`: every answer to a case that is marked so passes."""

from __future__ import annotations

import numpy as np

from llmctl.compare.gate.rules.scope import Scope, counted, failing_first, judged_cases, not_evaluated
from llmctl.compare.verdict import RuleName, RuleVerdict, Verdict

__all__ = ["must_pass"]

_RULE = RuleName.MUST_PASS
_FACT = "A fact about these answers. A case whose answers vary can pass today and fail tomorrow."


def must_pass(scope: Scope) -> RuleVerdict | None:
    """None where no case is marked. A failed answer is FAIL at once; a missing one is never a pass."""
    now = scope.candidate
    (marked,) = np.nonzero(now.must_pass)
    if not len(marked):
        return None
    (failed,) = np.nonzero(now.must_pass & (now.passed < now.evidence))
    size = counted(len(marked), "case")
    if len(failed):
        sentence = f"{len(failed):,} of {size} that must pass {'fails' if len(failed) == 1 else 'fail'}."
        cases = judged_cases(scope, failing_first(scope, failed.tolist()))
        return RuleVerdict(
            _RULE, Verdict.FAIL, sentence, _FACT, tag=scope.tag, limit=0, observed=len(failed), cases=cases
        )
    (missing,) = np.nonzero(now.must_pass & (now.missing > 0))
    if len(missing) or now.unplaced:
        sentence = (
            f"{max(1, len(missing)):,} of {size} that must pass {'has' if len(missing) < 2 else 'have'} no verdict."
        )
        return not_evaluated(_RULE, scope, sentence, "Run `llmctl gate` again: only what is missing is sent.", 0)
    (unasked,) = np.nonzero(now.must_pass & (now.unasked > 0))
    if len(unasked):
        sentence = f"{len(unasked):,} of {size} that must pass were not sent, as the gate had failed already."
        return RuleVerdict(_RULE, Verdict.INCONCLUSIVE, sentence, tag=scope.tag, limit=0, open=True)
    said = "The one case that must pass passes." if len(marked) == 1 else f"All {size} that must pass do."
    return RuleVerdict(_RULE, Verdict.PASS, said, _FACT, tag=scope.tag, limit=0, observed=0)
