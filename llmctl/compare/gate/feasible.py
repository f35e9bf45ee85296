"""Rules that can never pass with the cases at hand: found by `validate`, before anybody waits for a gate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from llmctl.compare.gate.judging import rules_for
from llmctl.compare.gate.rules.scope import counted, per_cent
from llmctl.errors import Problem, Severity
from llmctl.project.models import Bank, Config, GateRules, RateRule
from llmctl.runs.calibration import load_calibration, staleness
from llmctl.runs.case_counts import CaseCount, CaseCounter
from llmctl.runs.records import JudgeEvent
from llmctl.stats.binomial import clopper_pearson
from llmctl.stats.confirmation import draws_needed
from llmctl.stats.decision import Outcome
from llmctl.stats.intervals import wilson
from llmctl.stats.power import cases_to_pass
from llmctl.stats.sequential import SequentialTest

__all__ = ["gate_problems", "least_cases_for_margin", "least_cases_for_rate"]

_MANY_DRAWS = 10
_MOST_CASES = 10_000_000


def gate_problems(config: Config, counters: Mapping[str, CaseCounter], judges: Iterable[JudgeEvent]) -> list[Problem]:
    """A warning for each rule that cannot pass, at its line; a rule of `[gate]` is said once for each such bank."""
    judges = list(judges)
    problems: list[Problem] = []
    for counter in counters.values():
        rules = rules_for(counter.bank.gate, config.gate)
        if rules is not None:
            problems += _problems(config, counter, rules)
            problems += _uncalibrated(config, counter.bank, rules, judges)
    return problems


def _problems(config: Config, counter: CaseCounter, rules: GateRules) -> Iterator[Problem]:
    name = counter.bank.name
    yield from _part_problems(_Part(f"the bank {name}", counter.total, rules, config))
    for tag, inner in rules.tags.items():
        count = counter.tags.get(tag)
        if count is not None:
            yield from _part_problems(_Part(f"the tag {tag} of the bank {name}", count, inner, config))
        elif counter.bank.gate is not None:  # rules of `[gate]` are for many banks: not each has every tag
            message = f"No case of the bank {name} has the tag {tag}: its rules are never met."
            place = next(iter(inner.places.values()), None)
            yield Problem(message, place, "Give cases the tag, or take its rules out.", severity=Severity.WARNING)


@dataclass(frozen=True, slots=True)
class _Part:
    """A bank or a tag, with its rules."""

    what: str
    count: CaseCount
    rules: GateRules
    config: Config

    @property
    def size(self) -> str:
        """How many cases count."""
        noun = "case" if self.count.clusters == self.count.cases else "independent group"
        return counted(self.count.clusters, noun)

    def problem(self, key: str, message: str, hint: str) -> Problem:
        """At the rule's line."""
        return Problem(message, self.rules.places.get(key), hint, severity=Severity.WARNING)


def _part_problems(part: _Part) -> Iterator[Problem]:
    for check in (_margin, _rate, _new_failures, _flake):
        problem = check(part)
        if problem is not None:
            yield problem


def _margin(part: _Part) -> Problem | None:
    margin, alpha, clusters = part.rules.margin, part.config.gate.alpha, part.count.clusters
    if margin is None:
        return None
    least = least_cases_for_margin(margin, alpha)
    if clusters < least:
        return part.problem(
            "margin",
            f"`margin: {margin:g}` can pass no change on {part.what}: {part.size}, and it takes at least {least:,}, "
            "even where nothing gets worse.",
            "Add cases, or use `max_new_failures`, which needs no number of cases.",
        )
    if clusters < 2 * least and not _passes_early(clusters, margin, alpha):
        return part.problem(
            "margin",
            f"`margin: {margin:g}` can pass no change on {part.what} while the gate looks at its results early: "
            f"{part.size} are too few for that, even where nothing gets worse.",
            "Add cases, or run `llmctl gate --no-early-stop`.",
        )
    return None


def least_cases_for_margin(margin: float, alpha: float) -> int:
    """The fewest independent cases on which a margin can pass at a fixed size: all pairs agree, by Tango's score."""
    return cases_to_pass(margin, 0.0, alpha=alpha, power=0.5).cases


def _passes_early(clusters: int, margin: float, alpha: float) -> bool:
    """Whether the sequential test passes where all pairs agree."""
    test, fed = SequentialTest(clusters, margin, alpha), 0
    for upto in test.schedule:
        decision = test.look([0] * (upto - fed), [1] * (upto - fed))
        fed = upto
        if decision.stopped:
            return decision.outcome is Outcome.PASS
    return False


def _rate(part: _Part) -> Problem | None:
    rule, count = part.rules.min_pass_rate, part.count
    if rule is None or rule.confidence is None:
        return None
    least = least_cases_for_rate(rule, clustered=part.config.eval.repeat > 1 or count.clusters < count.cases)
    shown = f"`min_pass_rate: {{rate: {rule.rate:g}, confidence: {rule.confidence:g}}}`"
    hint = "write the rate alone: then it is of this bank exactly."
    if least is None:
        message = f"{shown} can never pass on {part.what}: no number of cases shows that {per_cent(rule.rate)} pass."
        return part.problem("min_pass_rate", message, f"Lower the rate, or {hint}")
    if count.clusters < least:
        message = f"{shown} can never pass on {part.what}: {part.size}, and it takes at least {least:,}, all passing."
        return part.problem("min_pass_rate", message, f"Add cases, or {hint}")
    return None


def least_cases_for_rate(rule: RateRule, *, clustered: bool = False) -> int | None:
    """The fewest independent cases on which a rate with a confidence can pass: all of them do. None: no number."""
    confidence = max(2 * (rule.confidence or 0.0) - 1, 1e-9)
    interval = wilson if clustered else clopper_pearson

    def passes(size: int) -> bool:
        bounds = interval(size, size, confidence)
        return bounds is not None and bounds.low >= rule.rate

    size = 1
    while not passes(size):
        size *= 2
        if size > _MOST_CASES:
            return None
    low = size // 2
    while size - low > 1:
        middle = (low + size) // 2
        low, size = (low, middle) if passes(middle) else (middle, size)
    return size


def _new_failures(part: _Part) -> Problem | None:
    limit, cases = part.rules.max_new_failures, part.count.cases
    if limit is None or not cases:
        return None
    if limit >= cases:
        message = f"`max_new_failures: {limit}` can never fail on {part.what}, which has {counted(cases, 'case')}."
        return part.problem("max_new_failures", message, "Allow fewer.")
    draws = draws_needed(cases, part.config.gate.alpha)
    if draws <= _MANY_DRAWS:
        return None
    message = f"`max_new_failures` on {part.what} asks each flipped case {draws} times on both sides: it has {cases:,}."
    return part.problem("max_new_failures", message, "Write the rule for the cases that matter: under `tags:`.")


def _flake(part: _Part) -> Problem | None:
    if part.rules.max_flake_rate is None or part.config.eval.repeat > 1:
        return None
    message = f"`max_flake_rate` can never pass on {part.what}: each case is asked once, so no flakiness shows."
    return part.problem("max_flake_rate", message, "Ask for more answers a case: `repeat = 3` under [eval].")


def _uncalibrated(config: Config, bank: Bank, rules: GateRules, judges: Iterable[JudgeEvent]) -> Iterator[Problem]:
    """Judges that decide, and that nobody compared with people as they are now."""
    deciding = {spec.metric_name for spec in bank.evaluators if spec.weight > 0}
    places = [place for one in (rules, *rules.tags.values()) for place in one.places.values()]
    for judge in judges:
        if judge.bank != bank.name or judge.metric not in deciding:
            continue
        calibration = load_calibration(config, bank.name, judge.metric)
        if calibration is not None and staleness(judge, calibration) is None:
            continue
        state = (
            "was never compared with people" if calibration is None else "was changed since it was compared with people"
        )
        yield Problem(
            f"The gate of the bank {bank.name} cannot pass: its judge {judge.metric} {state}.",
            places[0] if places else None,
            "Run `llmctl judge calibrate`, and put the file that it writes into git.",
            severity=Severity.WARNING,
        )
