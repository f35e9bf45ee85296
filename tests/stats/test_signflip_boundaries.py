"""The exact boundary against every pattern of signs that there is."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmctl.stats.signflip_boundaries import SignFlipBoundary, signflip_tail
from llmctl.stats.spending import SpendingFunction, pocock_type, power_family

_LOOKS = st.lists(st.lists(st.integers(0, 4), max_size=4), min_size=1, max_size=3)


@given(_LOOKS, st.sampled_from([0.05, 0.2, 0.5]), st.sampled_from([power_family(1.5), pocock_type]))
def test_signs_cross_exactly_as_often_as_is_spent(
    magnitudes: list[list[int]], alpha: float, spend: SpendingFunction
) -> None:
    boundary = SignFlipBoundary(alpha, spend)
    looks = [boundary.look(batch, (place + 1) / len(magnitudes)) for place, batch in enumerate(magnitudes)]
    flat = [value for batch in magnitudes for value in batch]
    ends = np.cumsum([len(batch) for batch in magnitudes])
    crossed = [0] * len(looks)
    for signs in product((-1, 1), repeat=len(flat)):
        sums = [sum(value * sign for value, sign in zip(flat[:end], signs, strict=False)) for end in ends]
        for place, (total, look) in enumerate(zip(sums, looks, strict=True)):
            if look.critical is not None and total >= look.critical:
                crossed[place] += 1
                break
    for place, look in enumerate(looks):
        assert look.spent == pytest.approx(sum(crossed[: place + 1]) / 2 ** len(flat), abs=1e-12)
        assert look.spent <= look.allowed + 1e-15 <= alpha + 2e-15


@given(st.lists(st.integers(0, 5), max_size=8), st.integers(-20, 20))
def test_the_tail_counts_the_patterns(magnitudes: list[int], total: int) -> None:
    sums = [
        sum(value * sign for value, sign in zip(magnitudes, signs, strict=True))
        for signs in product((-1, 1), repeat=len(magnitudes))
    ]
    assert signflip_tail(magnitudes, total) == pytest.approx(sum(value >= total for value in sums) / len(sums))


def test_a_single_look_at_answers_is_mcnemars_exact_test() -> None:
    from scipy.stats import binom

    for pairs in (5, 6, 40, 700):
        look = SignFlipBoundary(0.05).look(np.ones(pairs), 1.0)
        losses = int(binom.isf(0.05, pairs, 0.5)) + 1
        assert look.critical == 2 * losses - pairs
        assert look.spent == pytest.approx(binom.sf(losses - 1, pairs, 0.5), rel=1e-9)


def test_no_evidence_can_reject_so_early() -> None:
    assert SignFlipBoundary(0.05).look([1, 1, 1], 1.0).critical is None


def test_one_chance_in_32_is_enough_for_5_percent() -> None:
    assert SignFlipBoundary(1 / 32).look([1] * 5, 1.0).critical == 5


def test_large_banks_take_no_time() -> None:
    boundary = SignFlipBoundary(0.05)
    for look in range(100):
        found = boundary.look([1] * 200 + [3] * 20, (look + 1) / 100)
    assert found.critical is not None
    assert 0.045 < found.spent <= 0.05


def test_differences_are_whole_numbers() -> None:
    with pytest.raises(ValueError, match="whole"):
        SignFlipBoundary(0.05).look([0.5], 1.0)
    with pytest.raises(ValueError, match="alpha"):
        SignFlipBoundary(1.0)
