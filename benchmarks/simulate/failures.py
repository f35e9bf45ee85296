"""Rounds of `max_new_failures`: how often it fails a change that broke nothing, and how often it finds what broke."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.simulate.results import FailuresRow, Rate
from llmctl.stats.confirmation import (
    CaseDraws,
    CaseStatus,
    Confirmation,
    NewFailures,
    chance_of_failing,
    detection_probability,
    draws_needed,
    false_alarm_bound,
)

__all__ = ["Broken", "failures_row"]

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Broken:
    """What a change did."""

    cases: int = 0
    fails: float = 1.0
    """The share of a broken case's answers that fail now; it always passed before."""
    flaky: float = 0.5
    """The probability with which every other case passes, before and now."""


def failures_row(size: tuple[int, int], broken: Broken, alpha: float, rounds: int, random: Generator) -> FailuresRow:
    """Many gates with `max_new_failures: 0`.

    Args:
        size: cases of a cell, and cells.
        broken: the truth.
        alpha: of the whole gate.
        rounds: gates.
        random: the source of all draws.
    """
    cases, cells = size
    rule = Confirmation(draws_needed(cases, alpha, cells))
    others = cases * cells - broken.cases
    confirmed, asked = _confirmed(rule, np.full(rounds, others), (broken.flaky, broken.flaky), random)
    found, more = _confirmed(rule, np.full(rounds, broken.cases), (1.0, 1 - broken.fails), random)
    failed = sum(NewFailures(int(count), 0, 0, rule.allowed).failed for count in confirmed + found)
    chance = detection_probability(rule.draws, candidate_pass=1 - broken.fails)
    return FailuresRow(
        cases=cases,
        cells=cells,
        draws=rule.draws,
        broken=broken.cases,
        fails=broken.fails,
        flaky=broken.flaky,
        failed=Rate(failed, rounds),
        expected=chance_of_failing([chance] * broken.cases)
        if broken.cases
        else false_alarm_bound(cases, rule.draws, cells),
        asked=float((asked + more).mean()),
        alpha=alpha,
    )


def _confirmed(
    rule: Confirmation, cases: Counts, passing: tuple[float, float], random: Generator
) -> tuple[Counts, Counts]:
    """Of so many alike cases in each round, those confirmed, and the calls that it took to ask again.

    Cases in one state are drawn together: the number that goes on without a contradiction is binomial.
    """
    before, now = passing
    state = CaseDraws(baseline_passed=1, candidate_failed=1)
    left, asked = random.binomial(cases, before * (1 - now)), np.zeros_like(cases)
    while rule.status(state) is CaseStatus.OPEN:
        ask = rule.ask(state)
        asked = asked + left * (ask.baseline + ask.candidate)
        left = random.binomial(left, before**ask.baseline * (1 - now) ** ask.candidate)
        state = CaseDraws(state.baseline_passed + ask.baseline, 0, 0, state.candidate_failed + ask.candidate)
    return left, asked
