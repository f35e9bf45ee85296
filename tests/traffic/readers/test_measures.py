"""Durations and times of foreign logs: units, magnitudes, and what is left unknown rather than guessed."""

from __future__ import annotations

import pytest

from llmctl.traffic.readers.measures import duration_ms
from llmctl.traffic.readers.values import count, epoch_s


@pytest.mark.parametrize(
    ("value", "factor", "expected"),
    [
        (812, 1.0, 812.0),
        ("1.5", 1e3, 1500.0),
        ("812 ms", None, 812.0),
        ("1.5s", 1.0, 1500.0),
        (0.812, None, 812.0),
        (1410, None, 1410.0),
        (95, None, None),
        (75.5, None, None),
        (3, None, None),
        (-1, 1.0, None),
        ("soon", 1.0, None),
        (True, 1.0, None),
        (float("nan"), 1.0, None),
    ],
)
def test_a_duration(value: object, factor: float | None, expected: float | None) -> None:
    assert duration_ms(value, factor) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-20T09:00:01.120Z", 1795165201.12),
        ("2026-11-20 09:00:01.120456789+01:00", 1795161601.120456),
        ("2026-11-20", 1795132800.0),
        (1795400001, 1795400001.0),
        ("1795400001.5", 1795400001.5),
        (1795400001123, 1795400001.123),
        (1795400001123456, 1795400001.123456),
        ("1795400001123456789", 1795400001.1234567),
        (812, None),
        ("now", None),
        (None, None),
        ({}, None),
    ],
)
def test_a_time(value: object, expected: float | None) -> None:
    assert epoch_s(value) == (pytest.approx(expected) if expected is not None else None)


@pytest.mark.parametrize(
    ("value", "expected"), [(58, 58), ("58", 58), (58.0, 58), (0, 0), (-1, None), (1.5, None), (True, None), ("", None)]
)
def test_a_count(value: object, expected: int | None) -> None:
    assert count(value) == expected
