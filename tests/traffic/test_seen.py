"""Ids that were met already."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llmctl.traffic.seen import Seen


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(2, 9).map(lambda n: n << 40)))
def test_as_a_set(numbers: list[int]) -> None:
    seen, known = Seen(), set[int]()
    for number in numbers:
        assert (number or 1) in known if number in seen else (number or 1) not in known
        assert seen.add(number) == ((number or 1) not in known)
        known.add(number or 1)
    assert len(seen) == len(known)


def test_it_grows() -> None:
    numbers = [number * 0x9E3779B97F4A7C15 % 2**64 for number in range(1, 20_000)]
    seen = Seen(numbers)
    assert len(seen) == len(numbers)
    assert all(number in seen for number in numbers)
    assert not any(number ^ 5 in seen for number in numbers)
