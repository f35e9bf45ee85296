from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmctl.runs.ids import new_run_id, run_time

TIMES = st.floats(0, 30_000_000_000)


def test_an_id_is_its_milliseconds_and_four_random_digits() -> None:
    class Zeros(random.Random):
        def getrandbits(self, k: int, /) -> int:
            return (1 << k) - 1

    assert new_run_id(0.0, Zeros()) == "000000000zzzz"
    assert new_run_id(1.024, Zeros()) == "000000100zzzz"


@given(TIMES, TIMES)
def test_ids_sort_as_their_times_do(one: float, other: float) -> None:
    first, second = new_run_id(one), new_run_id(other)
    assert len(first) == 13
    if int(one * 1000) != int(other * 1000):
        assert (first < second) == (one < other)


@given(TIMES)
def test_the_time_can_be_read_back(now: float) -> None:
    assert run_time(new_run_id(now)) == int(now * 1000) / 1000


@pytest.mark.parametrize("text", ["", "abc", "0000000000000000", "00000000i0000", "000000000ZZZZ"])
def test_other_texts_have_no_time(text: str) -> None:
    assert run_time(text) is None


def test_ids_of_one_millisecond_differ() -> None:
    assert len({new_run_id(1.0, random.Random(seed)) for seed in range(100)}) == 100


def test_a_time_before_1970_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        new_run_id(-1.0)
