"""`max_cost_per_1000_usd`: what a thousand answers cost. A price that is not known is never 0."""

from __future__ import annotations

import math

import numpy as np

from llmctl.compare.gate.rules.scope import Scope, counted, not_evaluated
from llmctl.compare.verdict import RuleName, RuleVerdict, Verdict

__all__ = ["max_cost_per_1000_usd"]

_RULE = RuleName.MAX_COST
_FACT = "A fact about these answers, at the prices of the day on which each was made."
_PRICE = "Give the model a price: `price = {input = 0.15, output = 0.60}` under [models.NAME] (USD per million tokens)."


def max_cost_per_1000_usd(scope: Scope, limit: float) -> RuleVerdict:
    """Of the answers with evidence. FAIL also where the known part alone is above the limit."""
    now = scope.candidate
    costs = np.asarray(now.cost_usd)
    known = costs[~np.isnan(costs)]
    if not len(costs):
        return not_evaluated(_RULE, scope, "There is no answer whose cost could be known.", limit=limit)
    unknown = len(costs) - len(known)
    spent = math.fsum(known.tolist())
    least = 1000 * spent / (len(costs) + now.total_missing)
    mean = 1000 * spent / len(costs)
    if least > limit * (1 + 1e-12):
        verdict, found = Verdict.FAIL, least if unknown else mean
    elif unknown:
        sentence = f"The cost of {unknown:,} of {counted(len(costs), 'answer')} is not known."
        return not_evaluated(_RULE, scope, sentence, _PRICE, limit)
    elif mean > limit * (1 + 1e-12):  # only what is missing, counted as free, could bring it below
        sentence = f"A thousand answers cost {_usd(mean)}, unless the missing {now.total_missing:,} "
        sentence += "is cheaper." if now.total_missing == 1 else "are cheaper."
        return not_evaluated(_RULE, scope, sentence, "Run `llmctl gate` again: only what is missing is sent.", limit)
    else:
        verdict, found = Verdict.PASS, mean
    said = "at least " if unknown else ""
    sentence = f"A thousand answers cost {said}{_usd(found)} (from {len(costs):,}); the limit is {_usd(limit)}."
    return RuleVerdict(_RULE, verdict, sentence, _FACT, tag=scope.tag, limit=limit, observed=found)


def _usd(value: float) -> str:
    """With two decimals, or two digits that are not 0."""
    if value == 0 or value >= 1:
        return f"${value:,.2f}"
    return f"${value:.{max(2, 1 - math.floor(math.log10(value)))}f}"
