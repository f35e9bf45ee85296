"""From the rules of a bank to the watches of a cell: which of them may stop it, and in which order its cases go."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmctl.compare.gate.evidence import CellEvidence
from llmctl.compare.gate.margin_watch import MarginTest, MarginWatch
from llmctl.compare.gate.order import Cluster, clusters_in_order
from llmctl.compare.gate.pairs import Pairs
from llmctl.compare.gate.planned import CandidateCell
from llmctl.compare.gate.staging import CellStages
from llmctl.compare.gate.watches import FixedWatch, MustPassWatch, RateWatch, Watch
from llmctl.project.models import GateRules

__all__ = ["WatchSettings", "staged_cell"]

_LEAST_STEP = 25
_STEPS = 20
"""A bank without looks is sent in at most about this many stages: between two of them slots are idle."""


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """How a candidate is run stage by stage."""

    alpha: float
    """Of a false PASS of a cell's `margin`."""
    fail_alpha: float
    """Of a false FAIL of one test: alpha over the tests that could fail the gate."""
    max_missing: float
    concurrency: int
    seed: int = 0
    bank_mode: bool = False
    """Whether `margin` asks about this bank (bets without replacement) instead of cases like these."""
    completes: bool = True
    """Whether stored answers are taken in to the end; not where they would be judged for money."""


@dataclass(frozen=True, slots=True)
class _Order:
    clusters: Sequence[Cluster]
    seed: str


def staged_cell(
    planned: CandidateCell, rules: GateRules, baseline: CellEvidence | None, settings: WatchSettings
) -> CellStages:
    """A cell that stops as soon as its rules are decided. `baseline`: None where there is none for it."""
    # Another prompt gets another order, so that no few cases are what every change is judged by.
    seed = f"{settings.seed}:{planned.cell}:{planned.digest}"
    clusters = clusters_in_order(planned.cases, seed, stratified=not settings.bank_mode)
    pairs = Pairs(CellEvidence(planned.cell, planned.cases), baseline) if baseline is not None else None
    watches = list(_watches(planned, rules, pairs, settings, _Order(clusters, seed)))
    return CellStages(planned, baseline, clusters, watches, _step(planned, watches, settings), seed, settings.completes)


def _step(planned: CandidateCell, watches: Sequence[Watch], settings: WatchSettings) -> int:
    """Cases of a stage; all of them at once where no stage in between could end the cell."""
    cases = len(planned.cases)
    if not any(isinstance(watch, RateWatch) for watch in watches):
        return max(cases, 1)
    return max(_LEAST_STEP, math.ceil(settings.concurrency / _calls_of_case(planned)), math.ceil(cases / _STEPS))


def _calls_of_case(planned: CandidateCell) -> int:
    return max((len(units) for units in planned.units), default=1)


def _watches(
    planned: CandidateCell,
    rules: GateRules,
    pairs: Pairs | None,
    settings: WatchSettings,
    order: _Order,
) -> Iterator[Watch]:
    everything = list(range(len(planned.cases)))
    if must_pass := [position for position in everything if planned.cases[position].must_pass]:
        yield MustPassWatch(must_pass)
    found = list(_rule_watches(rules, pairs, everything))
    if rules.margin is not None and pairs is not None:
        if _complete(pairs, settings.max_missing):
            found.append(
                MarginWatch(_test(planned, rules.margin, order.clusters, settings), order.clusters, order.seed)
            )
        else:
            found.append(FixedWatch(everything))
    yield from found or [FixedWatch(everything)]
    for tag, tagged in rules.tags.items():
        positions = [position for position in everything if tag in planned.cases[position].tags]
        yield from _rule_watches(tagged, pairs, positions)
        if tagged.margin is not None and pairs is not None:
            yield FixedWatch(positions)


def _rule_watches(rules: GateRules, pairs: Pairs | None, positions: Sequence[int]) -> Iterator[Watch]:
    """Of the rules that mean the same for a cell and for the cases with a tag.

    Flakiness, latency and cost hold nothing up: they are judged on the answers that the others needed. Whether a flip
    is a new failure is asked afterwards; a case that failed in the baseline cannot be one.
    """
    rate = rules.min_pass_rate
    if rate is not None and positions:
        yield RateWatch(rate.rate, positions) if rate.confidence is None else FixedWatch(positions)
    if rules.max_new_failures is not None and pairs is not None:
        passed = (pairs.evidence_before > 0) & (pairs.passed_before == pairs.evidence_before)
        yield FixedWatch([position for position in positions if passed[position]])


def _complete(pairs: Pairs, max_missing: float) -> bool:
    """Whether enough of the cell's cases have a pair to come."""
    return int((pairs.evidence_before > 0).sum()) >= (1 - max_missing) * len(pairs.candidate.cases)


def _test(planned: CandidateCell, margin: float, clusters: Sequence[Cluster], settings: WatchSettings) -> MarginTest:
    from llmctl.stats.betting import BankTest
    from llmctl.stats.sequential import SequentialTest, looks

    calls = [sum(len(planned.units[position]) for position in cluster) for cluster in clusters]
    batch = min(len(clusters), math.ceil(settings.concurrency / max(1.0, sum(calls) / len(calls))))
    schedule = looks(len(clusters), batch=batch)
    if settings.bank_mode:
        return BankTest(calls, margin, settings.alpha, fail_alpha=settings.fail_alpha, schedule=schedule)
    return SequentialTest(len(clusters), margin, settings.alpha, fail_alpha=settings.fail_alpha, schedule=schedule)
