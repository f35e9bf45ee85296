"""From the evidence of all cells to their verdicts: every rule of every cell; tests share alpha."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from llmctl.compare.gate.evidence import CellEvidence
from llmctl.compare.gate.judges import CALIBRATE
from llmctl.compare.gate.pairs import Pairs
from llmctl.compare.gate.progress import AskedAgain, StagedCell
from llmctl.compare.gate.rules.cost import max_cost_per_1000_usd
from llmctl.compare.gate.rules.coverage import coverage
from llmctl.compare.gate.rules.flake import max_flake_rate
from llmctl.compare.gate.rules.latency import max_latency_p95_ms
from llmctl.compare.gate.rules.margin import FixedMargin, margin, margin_test
from llmctl.compare.gate.rules.max_new_failures import max_new_failures
from llmctl.compare.gate.rules.min_pass_rate import min_pass_rate
from llmctl.compare.gate.rules.must_pass import must_pass
from llmctl.compare.gate.rules.scope import Scope, not_evaluated
from llmctl.compare.verdict import CellVerdict, RuleName, RuleVerdict, Verdict
from llmctl.errors import UsageError
from llmctl.project.models import GateRules, GateSettings
from llmctl.stats.intervals import ClusterSums, Interval, clustered_wilson
from llmctl.stats.multiplicity import holm

__all__ = ["CellInput", "judge_cells", "no_rule_error", "rules_for"]

_WITHOUT_VERDICTS = {RuleName.MAX_LATENCY_P95, RuleName.MAX_COST}
"""Rules that no evaluator has a part in."""


@dataclass(frozen=True)
class CellInput:
    """All that is known of a cell when the gate has run."""

    candidate: CellEvidence
    rules: GateRules
    baseline: CellEvidence | None = None
    staged: StagedCell | None = None
    """How far it went, where it was run stage by stage; its `unneeded` cases are left out of the evidence here."""
    unjudged: tuple[str, ...] = ()
    """Of `untrusted_judges`."""
    no_baseline: str = "There is no baseline."
    """Why, where there is none: a sentence."""
    no_baseline_advice: str = Scope.no_baseline_advice


@dataclass(frozen=True)
class _Part:
    """The rules of a cell, or of a tag in it."""

    scope: Scope
    rules: GateRules
    margin: FixedMargin | None = None
    adjusted_p: float | None = None


@dataclass
class _Family:
    """The tests of fixed size in a gate: alpha is theirs together."""

    margins: list[float] = field(default_factory=list)
    rates: int = 0

    @property
    def size(self) -> int:
        return len(self.margins) + self.rates

    def adjusted(self) -> list[float]:
        """P-values of the margins, to be compared with alpha: Holm among them, Bonferroni for the rates."""
        share = self.size / max(1, len(self.margins))
        return [min(1.0, p_value * share) for p_value in holm(self.margins)]


def rules_for(own: GateRules | None, settings: GateSettings) -> GateRules | None:
    """The rules of a bank: its own, else those of `[gate]`. None: there are none, beside its `must_pass` cases."""
    return own if own is not None else settings.rules


def no_rule_error(banks: Sequence[str]) -> UsageError:
    """Nothing to judge by."""
    named = f"the bank {banks[0]}" if len(banks) == 1 else f"the banks {', '.join(banks)}"
    return UsageError(
        f"There is no rule to judge {named} by.",
        hint="Add rules to the bank:\n  gate:\n    min_pass_rate: 0.9\n    max_new_failures: 0\n"
        "or to llmctl.toml, for all banks:\n  [gate]\n  margin = 0.05\nor mark cases with `must_pass: true`.",
    )


def judge_cells(
    cells: Sequence[CellInput], settings: GateSettings, again: AskedAgain | None = None
) -> tuple[CellVerdict, ...]:
    """The verdicts, in the given order.

    Can be asked at any time: a rule that answers not yet asked for could still change is `open` (and INCONCLUSIVE).

    Raises:
        UsageError: no cell has a rule.
    """
    for cell in cells:
        if cell.staged is not None:
            cell.candidate.leave_out(cell.staged.unneeded)
    with_rules = [one for one in cells if one.rules != GateRules() or one.candidate.must_pass.any()]
    if not with_rules:
        raise no_rule_error(list(dict.fromkeys(one.candidate.cell.bank for one in cells)))
    parts = _tested([list(_parts(cell, settings, again, with_rules)) for cell in with_rules])
    return tuple(_cell(cell, judged) for cell, judged in zip(with_rules, parts, strict=True))


def _parts(
    cell: CellInput, settings: GateSettings, again: AskedAgain | None, cells: Sequence[CellInput]
) -> Iterator[_Part]:
    """The whole cell, then its tags."""
    pairs = Pairs(cell.candidate, cell.baseline) if cell.baseline is not None else None
    scope = Scope(
        cell.candidate,
        pairs,
        no_baseline=cell.no_baseline,
        no_baseline_advice=cell.no_baseline_advice,
        alpha=settings.alpha,
        max_missing=settings.max_missing,
        staged=cell.staged,
        again=again,
        unjudged=cell.unjudged,
        asked_cases=sum(len(one.candidate.cases) for one in cells if _asks_again(one.rules)),
    )
    yield _Part(scope, cell.rules)
    for tag, rules in cell.rules.tags.items():
        part = cell.candidate.only(lambda case, tag=tag: tag in case.tags)  # type: ignore[misc]
        if not part.cases and cell.rules is settings.rules:
            continue  # rules of `[gate]` are for all banks, and not each has every tag
        yield _Part(
            replace(scope, candidate=part, pairs=Pairs(part, cell.baseline) if cell.baseline else None, tag=tag), rules
        )


def _asks_again(rules: GateRules) -> bool:
    return rules.max_new_failures is not None or any(one.max_new_failures is not None for one in rules.tags.values())


def _tested(cells: Sequence[Sequence[_Part]]) -> list[list[_Part]]:
    """The parts with the tests of fixed size made, and their p-values adjusted for all of them together."""
    family = _Family()
    made: list[list[_Part]] = []
    for parts in cells:
        made.append([])
        for part in parts:
            limit = part.rules.margin
            test = margin_test(part.scope, limit) if limit is not None else None
            if test is not None:
                family.margins.append(test.drop_p)
            rate = part.rules.min_pass_rate
            family.rates += rate is not None and rate.confidence is not None
            made[-1].append(replace(part, margin=test))
    adjusted = iter(family.adjusted())
    return [
        [
            replace(
                part,
                scope=replace(part.scope, family=max(1, family.size)),
                adjusted_p=next(adjusted) if part.margin is not None else None,
            )
            for part in parts
        ]
        for parts in made
    ]


def _cell(cell: CellInput, parts: Sequence[_Part]) -> CellVerdict:
    now, before = cell.candidate, cell.baseline
    return CellVerdict(
        cell=now.cell,
        rules=tuple(verdict for part in parts for verdict in _verdicts(part)),
        planned=int(now.planned.sum()) + now.unplaced,
        evidence=int(now.evidence.sum()),
        passed=int(now.passed.sum()),
        interval=_interval(now),
        baseline_evidence=int(before.evidence.sum()) if before is not None else None,
        baseline_passed=int(before.passed.sum()) if before is not None else None,
        asked=int(now.asked.sum()) + now.unplaced,
    )


def _verdicts(part: _Part) -> Iterator[RuleVerdict]:
    """Coverage is said where something is missing; for a tag only where nothing may pass for it."""
    scope = part.scope
    if not scope.candidate.cases:
        yield from _of_no_case(part)
        return
    covered = coverage(scope, scope.max_missing)
    complete = covered.verdict is Verdict.PASS and not covered.observed
    if not complete and (scope.tag is None or covered.verdict is not Verdict.PASS):
        yield covered
    for verdict in _ruled(part):
        yield _guarded(verdict, scope, covered)


def _of_no_case(part: _Part) -> Iterator[RuleVerdict]:
    scope = part.scope
    what = "The bank has no case" if scope.tag is None else f"No case has the tag {scope.tag}"
    rules = [verdict.rule for verdict in _ruled(part)] or [RuleName.COVERAGE]
    for rule in rules:
        yield not_evaluated(rule, scope, f"{what}: nothing can be judged.", "Add cases, or take the rule out.")


def _ruled(part: _Part) -> Iterator[RuleVerdict]:
    """Each rule that is written, in the order in which they are documented."""
    scope, rules = part.scope, part.rules
    marked = must_pass(scope) if scope.tag is None else None
    if marked is not None:
        yield marked
    if rules.min_pass_rate is not None:
        yield min_pass_rate(scope, rules.min_pass_rate)
    if rules.max_new_failures is not None:
        yield max_new_failures(scope, rules.max_new_failures)
    if rules.margin is not None:
        yield margin(scope, rules.margin, part.margin, part.adjusted_p)
    if rules.max_flake_rate is not None:
        yield max_flake_rate(scope, rules.max_flake_rate)
    if rules.max_latency_p95_ms is not None:
        yield max_latency_p95_ms(scope, rules.max_latency_p95_ms)
    if rules.max_cost_per_1000_usd is not None:
        yield max_cost_per_1000_usd(scope, rules.max_cost_per_1000_usd)


def _guarded(verdict: RuleVerdict, scope: Scope, covered: RuleVerdict) -> RuleVerdict:
    """Nothing passes without enough evidence, and no rule on verdicts stands on a judge that nobody has checked."""
    if scope.unjudged and verdict.rule not in _WITHOUT_VERDICTS:
        return not_evaluated(verdict.rule, scope, " ".join(scope.unjudged), CALIBRATE, verdict.limit)
    if covered.verdict is Verdict.PASS or verdict.verdict in (Verdict.FAIL, Verdict.NOT_EVALUATED):
        return verdict
    return replace(
        verdict,
        verdict=Verdict.NOT_EVALUATED,
        sentence=covered.sentence,
        advice=covered.advice,
        guarantee="",
        open=False,
    )


def _interval(now: CellEvidence) -> Interval | None:
    """Of the pass rate, 95 %, aware of repeats and groups."""
    import numpy as np

    size = now.cluster_count
    passed = np.bincount(now.clusters, now.passed, size).astype(np.int64)
    judged = np.bincount(now.clusters, now.evidence, size).astype(np.int64)
    clusters = zip(passed[judged > 0].tolist(), judged[judged > 0].tolist(), strict=True)
    return clustered_wilson(ClusterSums.of(clusters)) if judged.any() else None
