"""Asking flipped cases again: the states of a case, the bound on false alarms, and what is found."""

from __future__ import annotations

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmctl.stats.confirmation import (
    Ask,
    CaseDraws,
    CaseStatus,
    Confirmation,
    chance_of_failing,
    detection_probability,
    draws_needed,
    false_alarm_bound,
)


@pytest.mark.parametrize(
    ("cases", "cells", "draws"), [(40, 1, 5), (80, 1, 6), (300, 1, 7), (40, 3, 6), (80, 3, 7), (300, 3, 8), (1, 1, 3)]
)
def test_so_many_draws_are_needed(cases: int, cells: int, draws: int) -> None:
    assert draws_needed(cases, 0.05, cells) == draws
    assert false_alarm_bound(cases, draws, cells) <= 0.05 < false_alarm_bound(cases, draws - 1, cells)


@given(st.integers(1, 10**7), st.floats(1e-6, 0.99), st.integers(1, 50))
def test_they_are_the_fewest(cases: int, alpha: float, cells: int) -> None:
    draws = draws_needed(cases, alpha, cells)
    assert false_alarm_bound(cases, draws, cells) <= alpha
    assert draws == 1 or false_alarm_bound(cases, draws - 1, cells) > alpha


def test_powers_of_four_are_not_asked_once_too_often() -> None:
    assert [draws_needed(4**k, 0.25) for k in range(8)] == [k + 1 for k in range(8)]


@pytest.mark.parametrize(
    ("case", "status", "ask"),
    [
        (CaseDraws(1, 0, 0, 1), CaseStatus.OPEN, Ask(1, 1)),
        (CaseDraws(2, 0, 0, 2), CaseStatus.OPEN, Ask(2, 2)),
        (CaseDraws(4, 0, 0, 4), CaseStatus.OPEN, Ask(1, 1)),
        (CaseDraws(5, 0, 0, 5), CaseStatus.CONFIRMED, Ask(0, 0)),
        (CaseDraws(9, 0, 0, 1), CaseStatus.OPEN, Ask(0, 1)),
        (CaseDraws(0, 0, 0, 1), CaseStatus.OPEN, Ask(1, 1)),
        (CaseDraws(4, 1, 0, 9), CaseStatus.CLEARED, Ask(0, 0)),
        (CaseDraws(9, 0, 1, 9), CaseStatus.CLEARED, Ask(0, 0)),
    ],
)
def test_the_states_of_a_case(case: CaseDraws, status: CaseStatus, ask: Ask) -> None:
    rule = Confirmation(5)
    assert (rule.status(case), rule.ask(case)) == (status, ask)
    assert bool(ask) == (status is CaseStatus.OPEN)


def test_a_flip_takes_a_draw_on_both_sides_and_no_contradiction() -> None:
    assert CaseDraws(3, 0, 0, 1).flipped
    assert not CaseDraws(3, 1, 0, 1).flipped
    assert not CaseDraws(3, 0, 1, 1).flipped
    assert not CaseDraws(3, 0, 0, 0).flipped
    assert not CaseDraws(0, 0, 0, 3).flipped


@given(st.integers(1, 9), st.floats(0, 1), st.floats(0, 1), st.integers(1, 4), st.integers(1, 4))
def test_asking_confirms_with_the_probability_of_the_formula(
    draws: int, before: float, now: float, stored_before: int, stored_now: int
) -> None:
    rule = Confirmation(draws)
    state, chance, asked = (
        CaseDraws(stored_before, 0, 0, stored_now),
        before**stored_before * (1 - now) ** stored_now,
        0,
    )
    while rule.status(state) is CaseStatus.OPEN:
        ask = rule.ask(state)
        assert ask
        chance *= before**ask.baseline * (1 - now) ** ask.candidate
        state = CaseDraws(state.baseline_passed + ask.baseline, 0, 0, state.candidate_failed + ask.candidate)
        asked += ask.baseline + ask.candidate
    assert state.baseline_passed == max(draws, stored_before)
    assert state.candidate_failed == max(draws, stored_now)
    assert asked <= 2 * draws - 2 + (stored_before > draws) + (stored_now > draws)
    # Stored draws beyond k can only make it rarer.
    assert chance <= detection_probability(draws, baseline_pass=before, candidate_pass=now) + 1e-12
    if now >= before:
        assert chance <= 4.0**-draws + 1e-12


def test_a_verdict_is_certain_as_soon_as_the_open_cases_cannot_change_it() -> None:
    confirmed, cleared, still = CaseDraws(3, 0, 0, 3), CaseDraws(3, 0, 1, 3), CaseDraws(1, 0, 0, 1)
    none, one = Confirmation(3), Confirmation(3, allowed=1)
    assert none.standing([]).passed
    assert not none.standing([still]).decided
    assert none.standing([still, cleared, confirmed]).failed
    assert one.standing([still]).passed  # no draw is needed at all
    assert not one.standing([still, confirmed]).decided
    assert one.standing([cleared, confirmed]).passed
    assert one.standing([confirmed, confirmed]).failed


@given(st.integers(0, 12), st.floats(0, 1), st.integers(0, 12))
def test_the_chance_to_fail_is_the_tail_of_a_binomial(broken: int, chance: float, allowed: int) -> None:
    tail = sum(comb(broken, k) * chance**k * (1 - chance) ** (broken - k) for k in range(allowed + 1, broken + 1))
    assert chance_of_failing([chance] * broken, allowed) == pytest.approx(tail, abs=1e-12)


def test_different_chances() -> None:
    assert chance_of_failing([0.5, 0.2]) == pytest.approx(0.6)
    assert chance_of_failing([0.5, 0.2], 1) == pytest.approx(0.1)


def test_what_is_found() -> None:
    assert detection_probability(6) == 1
    assert detection_probability(6, candidate_pass=0.1) == pytest.approx(0.531441)
    assert detection_probability(6, baseline_pass=0.9, candidate_pass=0.1) == pytest.approx(0.81**6)
    with pytest.raises(ValueError, match="probability"):
        detection_probability(6, candidate_pass=1.1)


@pytest.mark.parametrize(("cases", "alpha", "cells"), [(0, 0.05, 1), (1, 0.0, 1), (1, 1.0, 1), (1, 0.05, 0)])
def test_what_is_no_rule_is_refused(cases: int, alpha: float, cells: int) -> None:
    with pytest.raises(ValueError, match=r"alpha lies|no alarm"):
        draws_needed(cases, alpha, cells)


def test_a_rule_takes_a_draw() -> None:
    with pytest.raises(ValueError, match="no rule"):
        Confirmation(0)
