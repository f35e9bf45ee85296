"""`max_missing`: how much of what was asked is evidence. Below it nothing is ever PASS."""

from __future__ import annotations

from llmctl.compare.gate.evidence import EVALUATOR_ERROR, STALE_JUDGE, CellEvidence
from llmctl.compare.gate.rules.scope import Scope, counted, judged_cases, not_evaluated, per_cent
from llmctl.compare.verdict import RuleName, RuleVerdict, Verdict

__all__ = ["coverage", "missing_sentence"]

_RULE = RuleName.COVERAGE
_RESUME = "Run `llmctl gate` again: what is there already is not sent a second time."
_SCORE_AGAIN = "Mend the evaluator, then run `llmctl gate` again: no answer is sent a second time."


def coverage(scope: Scope, max_missing: float) -> RuleVerdict:
    """Of the candidate; what is missing in the baseline is said by the rules that need one.

    An evaluator that broke is NOT EVALUATED however few answers it is about: it may break on just those that are wrong.
    """
    now = scope.candidate
    wanted, observed = int(now.asked.sum()) + now.unplaced, now.coverage
    if not now.cases or observed is None:
        return not_evaluated(_RULE, scope, "No case was asked: there is nothing to judge.", limit=max_missing)
    if now.broken:
        places = list(dict.fromkeys(now.broken))
        sentence = f"An evaluator broke on {counted(len(now.broken), 'answer')} of {wanted:,}: they have no verdict."
        verdict = not_evaluated(_RULE, scope, sentence, _SCORE_AGAIN, max_missing)
        return _with_cases(verdict, scope, places)
    missing = now.total_missing
    if scope.covered:
        sentence = f"{wanted - missing:,} of {wanted:,} answers are evidence."
        return RuleVerdict(_RULE, Verdict.PASS, sentence, tag=scope.tag, limit=max_missing, observed=missing / wanted)
    sentence = f"{missing_sentence(now)}: more than {per_cent(max_missing)}, so nothing passes."
    verdict = not_evaluated(_RULE, scope, sentence, _advice(now), max_missing)
    return RuleVerdict(
        verdict.rule, verdict.verdict, verdict.sentence, "", verdict.advice, scope.tag, max_missing, missing / wanted
    )


def missing_sentence(now: CellEvidence) -> str:
    """`12 of 200 answers are missing (timeout 10, not made 2)`."""
    wanted, missing = int(now.asked.sum()) + now.unplaced, now.total_missing
    kinds = dict(sorted(now.problems.items()))
    if (unmade := missing - sum(kinds.values())) > 0:
        kinds["not made"] = unmade
    said = ", ".join(f"{kind} {number:,}" for kind, number in kinds.items())
    verb = "is" if missing == 1 else "are"
    return f"{missing:,} of {counted(wanted, 'answer')} {verb} missing" + (f" ({said})" if said else "")


def _advice(now: CellEvidence) -> str:
    if now.problems[STALE_JUDGE]:
        return "Let the judge judge again: `llmctl rescore RUN --judge`, or `llmctl gate` without --run."
    return _SCORE_AGAIN if now.problems[EVALUATOR_ERROR] else _RESUME


def _with_cases(verdict: RuleVerdict, scope: Scope, places: list[int]) -> RuleVerdict:
    from dataclasses import replace

    return replace(verdict, cases=judged_cases(scope, places))
