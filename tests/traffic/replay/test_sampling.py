"""Places for strata, and random numbers by id."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmctl.traffic.replay.sampling import allotted, sampled


@pytest.mark.parametrize(
    ("sizes", "size", "expected"),
    [
        ([90, 9, 1], 20, [17, 2, 1]),
        ([90, 9, 1], 100, [90, 9, 1]),
        ([90, 9, 1], 3, [1, 1, 1]),
        ([90, 9, 1], 2, [2, 0, 0]),
        ([1, 1, 1, 97], 50, [1, 1, 1, 47]),
        ([10], 4, [4]),
        ([5, 5], 6, [3, 3]),
    ],
)
def test_places(sizes: list[int], size: int, expected: list[int]) -> None:
    assert allotted(sizes, list(range(len(sizes))), size) == expected


@given(st.lists(st.integers(1, 50), min_size=1, max_size=12), st.data())
def test_laws_of_places(sizes: list[int], data: st.DataObject) -> None:
    size = data.draw(st.integers(1, sum(sizes)))
    shares = allotted(sizes, list(range(len(sizes))), size)
    assert sum(shares) == size
    assert all(share <= its for share, its in zip(shares, sizes, strict=True))
    if size >= len(sizes):
        assert min(shares) >= 1
    for one, its in zip(shares, sizes, strict=True):
        for other, others in zip(shares, sizes, strict=True):
            assert its <= others or one >= other, "a larger stratum never gets less"


def test_every_call_is_as_likely() -> None:
    everything = np.arange(1_000)
    strata = np.zeros(1_000, dtype=np.int32)
    drawn = np.zeros(1_000)
    for seed in range(200):
        drawn[sampled(everything, strata, everything.astype(np.uint64), 100, seed)] += 1
    # 20 draws of each are expected, with a standard deviation of 4.2.
    assert drawn.sum() == 20_000
    assert drawn.min() > 2
    assert drawn.max() < 42
    assert abs(drawn.std() - 4.24) < 0.5
