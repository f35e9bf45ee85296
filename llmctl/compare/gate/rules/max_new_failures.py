"""`max_new_failures`: cases that passed every time in the baseline and fail every time now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from llmctl.compare.gate.rules.coverage import missing_sentence
from llmctl.compare.gate.rules.scope import Scope, counted, failing_first, judged_cases, not_evaluated, per_cent
from llmctl.compare.verdict import RuleName, RuleVerdict, Verdict
from llmctl.stats.confirmation import CaseDraws, CaseStatus, Confirmation, detection_probability, false_alarm_bound

if TYPE_CHECKING:
    from llmctl.compare.gate.pairs import Pairs

__all__ = ["max_new_failures"]

_RULE = RuleName.MAX_NEW_FAILURES
_AGAIN = "Run `llmctl gate` again: only what is missing is sent."


def max_new_failures(scope: Scope, limit: int) -> RuleVerdict:
    """A flipped case counts once k draws a side confirm it; where none can be asked again, only no flip is a PASS."""
    pairs = scope.pairs
    if pairs is None:
        return not_evaluated(_RULE, scope, scope.no_baseline, scope.no_baseline_advice, limit)
    flipped = np.flatnonzero(pairs.flipped).tolist()
    statuses = _statuses(scope, flipped)
    confirmed = [number for number in flipped if statuses.get(number) is CaseStatus.CONFIRMED]
    undecided = [number for number in flipped if statuses.get(number) in (None, CaseStatus.OPEN)]
    if len(confirmed) > limit:
        return _failed(scope, limit, confirmed, len(flipped), len(undecided))
    if len(confirmed) + len(undecided) > limit:
        return _not_asked_again(scope, limit, undecided)
    if not scope.covered or not scope.paired:
        return not_evaluated(_RULE, scope, _uncovered(scope, pairs), _stale_advice(pairs), limit)
    if unasked := _still_to_ask(scope, pairs):
        sentence = (
            f"{counted(unasked, 'case')} that passed in the baseline {'was' if unasked == 1 else 'were'} not sent."
        )
        return RuleVerdict(_RULE, Verdict.INCONCLUSIVE, sentence, tag=scope.tag, limit=limit, open=True)
    return _passed(scope, limit, confirmed, flipped, pairs)


def _statuses(scope: Scope, flipped: list[int]) -> Mapping[int, CaseStatus]:
    """What asking again said of each flipped case; one that it says nothing of is left out."""
    if scope.again is None:
        return {}
    rule, now = Confirmation(scope.again.needed), scope.candidate
    found: dict[int, CaseStatus] = {}
    for number in flipped:
        draws: CaseDraws | None = scope.again.draws.get((now.cell, now.cases[number].case_id))
        if draws is not None:
            found[number] = rule.status(draws)
    return found


def _failed(scope: Scope, limit: int, confirmed: list[int], flipped: int, undecided: int) -> RuleVerdict:
    spared = f"; {undecided:,} of them were not asked to the end, since this decides it" if undecided else ""
    return RuleVerdict(
        _RULE,
        Verdict.FAIL,
        f"{counted(len(confirmed), 'new failure')}, {limit:,} allowed: each passed {_times(scope)} in the baseline and "
        f"failed {_times(scope)} now ({counted(flipped, 'case')} had flipped{spared}).",
        _guarantee(scope),
        "Look at the cases below, or take the new answers for right: `llmctl baseline save`.",
        scope.tag,
        limit,
        len(confirmed),
        cases=judged_cases(scope, failing_first(scope, confirmed)),
    )


def _passed(scope: Scope, limit: int, confirmed: list[int], flipped: list[int], pairs: Pairs) -> RuleVerdict:
    if not flipped:
        sentence = f"No case of {pairs.count:,} that passed in the baseline fails now."
    elif not confirmed and scope.again is not None:
        verb = "is" if len(flipped) == 1 else "are"
        sentence = f"{counted(len(flipped), 'case')} flipped, and {verb} flaky: asked again, none failed every time."
    else:
        sentence = f"{counted(len(confirmed) or len(flipped), 'new failure')}, {limit:,} allowed."
    guarantee = _guarantee(scope) if scope.again is not None else ""
    return RuleVerdict(_RULE, Verdict.PASS, sentence, guarantee, tag=scope.tag, limit=limit, observed=len(confirmed))


def _not_asked_again(scope: Scope, limit: int, undecided: list[int]) -> RuleVerdict:
    reason = None if scope.again is None else scope.again.unable.get(scope.candidate.cell)
    if reason is None:
        reason = (
            "Flipped cases were not asked again." if scope.again is None else "Asking again did not come to an end."
        )
    size = counted(len(undecided), "case")
    sentence = f"{size} flipped, {limit:,} allowed, and chance could explain {'it' if len(undecided) == 1 else 'them'}."
    return RuleVerdict(
        _RULE,
        Verdict.NOT_EVALUATED,
        f"{sentence} {reason}",
        advice="Let the gate ask again: without --run, with a baseline whose prompt is in git.",
        tag=scope.tag,
        limit=limit,
        cases=judged_cases(scope, failing_first(scope, undecided)),
    )


def _still_to_ask(scope: Scope, pairs: Pairs) -> int:
    """Cases that were not sent and could be new failures: they passed every time in the baseline."""
    now = scope.candidate
    passed = (pairs.evidence_before > 0) & (pairs.passed_before == pairs.evidence_before)
    return int(np.count_nonzero(passed & (now.unasked > 0) & (now.passed == 0)))


def _uncovered(scope: Scope, pairs: Pairs) -> str:
    if not scope.covered:
        return f"{missing_sentence(scope.candidate)}."
    return (
        f"{pairs.count:,} of {counted(int(np.count_nonzero(scope.candidate.asked > 0)), 'case')} have a pair in the "
        f"baseline{stale_words(pairs)}."
    )


def stale_words(pairs: Pairs) -> str:
    """`; 3 cases are new and 2 changed since it was made`; empty where the baseline is of these cases."""
    parts = [
        f"{pairs.absent:,} {'is' if pairs.absent == 1 else 'are'} new" if pairs.absent else "",
        f"{pairs.changed:,} changed since it was made" if pairs.changed else "",
    ]
    said = " and ".join(part for part in parts if part)
    return f"; {said}" if said else ""


def _stale_advice(pairs: Pairs) -> str:
    return "Save the baseline again: `llmctl baseline save`." if pairs.absent or pairs.changed else _AGAIN


def _times(scope: Scope) -> str:
    draws = scope.again.needed if scope.again else 1
    return "once" if draws == 1 else f"{draws:,} times"


def _guarantee(scope: Scope) -> str:
    if scope.again is None:
        return ""
    draws = scope.again.needed
    bound = false_alarm_bound(max(1, scope.asked_cases), draws)
    found = detection_probability(draws, candidate_pass=0.1)
    return (
        f"A version without any change would fail this in at most {per_cent(bound)} of gates, however flaky its "
        f"cases. A case that never passes any more is always found, one that still passes 1 time in 10 "
        f"in {per_cent(found)}."
    )
