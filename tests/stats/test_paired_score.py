"""The score statistic against Tango's formula, a numerical search for the likeliest law, and its own bounds."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llmctl.stats.paired_score import PairedSums, largest_drop, score_z, smallest_drop
from llmctl.stats.tango import largest_drop as tango_largest_drop
from llmctl.stats.tango import tango_z

_CLUSTERS = st.lists(
    st.integers(1, 9).flatmap(lambda size: st.tuples(st.integers(-size, size), st.just(size))), min_size=1, max_size=25
)


def _answers(losses: int, gains: int, pairs: int) -> PairedSums:
    return PairedSums.of([-1] * losses + [1] * gains + [0] * (pairs - losses - gains), [1] * pairs)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 200), st.floats(-0.6, 0.6))
def test_for_single_answers_it_is_tangos(losses: int, gains: int, same: int, drop: float) -> None:
    assume(abs(drop) > 1e-6)
    found = score_z(_answers(losses, gains, losses + gains + same), drop)
    assert -found == pytest.approx(tango_z(losses, gains, losses + gains + same, drop), rel=1e-7, abs=1e-7)


@pytest.mark.parametrize(("losses", "gains", "pairs"), [(1, 7, 21), (12, 3, 200), (0, 0, 60)])
def test_the_bound_is_tangos(losses: int, gains: int, pairs: int) -> None:
    z = 1.6448536269514722
    assert largest_drop(_answers(losses, gains, pairs), z) == pytest.approx(
        tango_largest_drop(losses, gains, pairs), abs=1e-6
    )


def test_a_law_of_more_values_is_the_likeliest() -> None:
    from scipy.optimize import minimize

    differences, drop, size = [-3] * 2 + [-1] * 6 + [0] * 50 + [2] * 3, 0.1, 3
    sums = PairedSums.of(differences, [size] * len(differences))
    values = np.array(sums.differences) + drop * size
    counts = np.array(sums.counts)
    found = minimize(
        lambda law: -counts @ np.log(law),
        counts / counts.sum(),
        bounds=[(1e-9, 1)] * len(values),
        constraints=[
            {"type": "eq", "fun": lambda law: law.sum() - 1},
            {"type": "eq", "fun": lambda law: law @ values},
        ],
        options={"ftol": 1e-14, "maxiter": 500},
    )
    expected = counts @ values / math.sqrt(counts.sum() * (found.x @ values**2))
    assert score_z(sums, drop) == pytest.approx(expected, rel=1e-4)


@given(_CLUSTERS)
def test_it_grows_with_the_drop_and_changes_its_sign_at_what_was_seen(clusters: list[tuple[int, int]]) -> None:
    sums = PairedSums.of(*zip(*clusters, strict=True))
    drops = np.linspace(-0.98, 0.98, 60)
    found = [score_z(sums, drop) for drop in drops]
    assert all(low <= high + 1e-7 for low, high in pairwise(found))
    assert sums.drop is not None
    assert all((z > 0) == (drop > sums.drop) for drop, z in zip(drops, found, strict=True) if abs(z) > 1e-9)


@given(_CLUSTERS, st.floats(0.5, 4))
def test_bounds_hold_what_was_seen_and_mirror(clusters: list[tuple[int, int]], z: float) -> None:
    sums = PairedSums.of(*zip(*clusters, strict=True))
    low, high = smallest_drop(sums, z), largest_drop(sums, z)
    assert sums.drop is not None
    assert -1 <= low <= sums.drop + 1e-9
    assert sums.drop <= high + 1e-9
    assert high <= 1
    assert smallest_drop(sums.mirrored, z) == pytest.approx(-high, abs=1e-7)
    if high < 0.999:
        assert score_z(sums, high) == pytest.approx(z, abs=1e-5)


def test_clusters_that_fail_as_one_count_once() -> None:
    alone = PairedSums.of([-1] * 4 + [1] * 2 + [0] * 94, [1] * 100)
    together = PairedSums.of([-5] * 4 + [5] * 2 + [0] * 94, [5] * 100)
    assert score_z(together, 0.05) == pytest.approx(score_z(alone, 0.05), abs=1e-9)


def test_nothing_that_differs_does_not_exclude_every_drop() -> None:
    # A t statistic has no variance here, and would pass after two clusters.
    assert score_z(PairedSums.of([0] * 20, [3] * 20), 0.05) == pytest.approx(math.sqrt(20 * 0.05 / 0.95))


def test_clusters_without_evidence_are_left_out() -> None:
    assert PairedSums.of([0, -1, 0], [0, 2, 0]) == PairedSums((-1,), (2,), (1,))
    nothing = PairedSums.of([0], [0])
    assert (nothing.drop, nothing.draws, score_z(nothing, 0.05)) == (None, 0, 0.0)
    assert (smallest_drop(nothing, 1.6), largest_drop(nothing, 1.6)) == (-1.0, 1.0)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="no larger"):
        PairedSums.of([2], [1])
    with pytest.raises(ValueError, match="whole"):
        PairedSums.of([float("nan")], [1])
    with pytest.raises(ValueError, match="drop lies"):
        score_z(_answers(1, 1, 3), 1.0)
