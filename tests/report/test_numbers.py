"""How numbers read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmctl.report import numbers
from llmctl.report.model import Amount
from llmctl.stats.intervals import Interval
from tests.report.samples import failed, report_of, result, timed_out


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (9, 10, "90.0 %"),
        (10, 10, "100 %"),
        (9_999, 10_000, "99.9 %"),  # 99.99 rounds to 100.0, and one failed
        (0, 10, "0.0 %"),
        (1, 100_000, "0.1 %"),
        (2, 3, "66.7 %"),
    ],
)
def test_percent(part: int, whole: int, text: str) -> None:
    assert numbers.percent(part, whole) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(0.699, 0.972, "[69, 98]"), (0.9, 1.0, "[90, 100]"), (0.901, 0.9032, "[90.1, 90.4]"), (0.0, 0.3, "[0, 30]")],
)
def test_intervals_are_rounded_outward(low: float, high: float, text: str) -> None:
    assert numbers.interval_text(Interval(low, high)) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (None, "-"),
        (0, "0 ms"),
        (0.04, "0.0 ms"),
        (3.21, "3.2 ms"),
        (210.4, "210 ms"),
        (999.6, "1.00 s"),
        (1_420, "1.42 s"),
        (9_999, "10.0 s"),
        (99_990, "100 s"),
        (142_000, "142 s"),
    ],
)
def test_latency(milliseconds: float | None, text: str) -> None:
    assert numbers.latency(milliseconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (-1, "0.0 s"), (4.21, "4.2 s"), (59.97, "1 min 0 s"), (192, "3 min 12 s"), (3_900, "1 h 5 min")],
)
def test_duration(seconds: float | None, text: str) -> None:
    assert numbers.duration(seconds) == text


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (0, "$0.00"),
        (0.0000012, "$0.0000012"),
        (0.0021, "$0.0021"),
        (0.011, "$0.011"),
        (0.5, "$0.50"),
        (1.239, "$1.24"),
        (12_345.6, "$12,345.60"),
    ],
)
def test_money(usd: float, text: str) -> None:
    assert numbers.money(usd) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [(Amount(0.5, 0), "$0.50"), (Amount(0.5, 2), ">= $0.50"), (Amount(0.0, 2), "unknown"), (Amount(), "$0.00")],
)
def test_a_sum_with_unknown_parts_is_a_lower_bound(amount: Amount, text: str) -> None:
    assert numbers.money_amount(amount) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (987, "987"), (1_000, "1.0k"), (12_345, "12.3k"), (999_950, "1.0M"), (4_500_000, "4.5M"), (2e9, "2.0G")],
)
def test_short_count(number: float, text: str) -> None:
    assert numbers.short_count(number) == text


def test_tokens() -> None:
    assert numbers.token_amount(Amount(12_345)) == "12,345"
    assert numbers.token_amount(Amount(12_345, 1), short=True) == ">= 12.3k"
    assert numbers.token_amount(Amount(0, 1)) == "unknown"


def test_rate_and_coverage() -> None:
    full = report_of([result("a"), failed("b")]).total
    assert numbers.rate(full) == "50.0 % [9, 91]"
    assert numbers.rate_sentence(full) == "50.0 % (95 % interval 9 to 91)"
    assert numbers.coverage(full) == "100 %"
    nothing = report_of([timed_out("a")]).total
    assert numbers.rate(nothing) == "-"
    assert numbers.rate_sentence(nothing) == "no pass rate"
    assert numbers.coverage(nothing) == "0.0 %"


@given(st.integers(0, 10**7), st.integers(1, 10**7))
def test_percent_says_100_and_0_only_where_it_is_so(part: int, whole: int) -> None:
    part = min(part, whole)
    text = numbers.percent(part, whole)
    assert text.startswith("100") == (part == whole)
    assert (text == "0.0 %") == (part == 0)
