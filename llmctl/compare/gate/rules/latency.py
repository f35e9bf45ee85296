"""`max_latency_p95_ms`: 95 % of the answers come at least this fast."""

from __future__ import annotations

import numpy as np

from llmctl.compare.gate.rules.bounded import Bounds
from llmctl.compare.gate.rules.scope import Scope, counted, judged_cases, not_evaluated
from llmctl.compare.verdict import RuleName, RuleVerdict, Verdict
from llmctl.stats.percentiles import p95

__all__ = ["max_latency_p95_ms"]

_RULE = RuleName.MAX_LATENCY_P95
_FACT = "A fact about these answers, each timed when it was made; times of another hour or machine differ."


def max_latency_p95_ms(scope: Scope, limit: float) -> RuleVerdict:
    """By nearest rank, as everywhere: at most one in twenty is slower. An answer without a time may be slow or fast."""
    now = scope.candidate
    times = np.asarray(now.latency_ms)
    known = times[~np.isnan(times)]
    total = len(times) + now.total_missing
    if not len(known):
        return not_evaluated(
            _RULE, scope, "No answer's time is known.", "Cached answers keep the time of their call.", limit
        )
    slow, unknown = int(np.count_nonzero(known > limit)), total - len(known)
    # p95 <= limit exactly where the answers above the limit are at most those beyond the 95 % rank.
    allowed = (total - _rank(total)) / total
    verdict = Bounds(total, slow, unknown).at_most(allowed)
    found = p95(known.tolist())
    sentence = f"95 % of {counted(len(known), 'answer')} came within {_ms(found)}; the limit is {_ms(limit)}."
    if verdict is Verdict.NOT_EVALUATED or (unknown and verdict is Verdict.FAIL):
        sentence += f" Of {counted(unknown, 'more', 'more')} the time is not known."
    return RuleVerdict(
        _RULE,
        verdict,
        sentence,
        _FACT,
        "Run `llmctl gate` again: only what is missing is sent." if verdict is Verdict.NOT_EVALUATED else "",
        scope.tag,
        limit,
        found,
        cases=judged_cases(scope, _slowest(now.answer_case, times, limit)) if verdict is Verdict.FAIL else (),
    )


def _rank(total: int) -> int:
    """The rank of the p95 among so many, from 1: `stats.percentiles.percentile` counts alike."""
    return -(-19 * total // 20)


def _slowest(cases: object, times: object, limit: float) -> list[int]:
    """The cases with answers above the limit, the slowest first."""
    where, slow = np.asarray(cases, np.int64), np.asarray(times, np.float64)
    order = np.argsort(-np.nan_to_num(slow, nan=-1.0), kind="stable")
    return list(dict.fromkeys(where[order][slow[order] > limit].tolist()))


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} ms" if value >= 10 else f"{value:.1f} ms"
