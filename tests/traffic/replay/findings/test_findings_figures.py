"""Rates, noise, ratios and tables of a replay: against the formulas of `stats`, and against sums by hand."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from llmctl.outcome import Outcome
from llmctl.stats.intervals import ClusterSums, clustered_wilson, wilson
from llmctl.stats.tango import tango_interval
from llmctl.traffic.replay.findings import measure
from llmctl.traffic.replay.findings.figures import Calls, difference_of, share_of
from llmctl.traffic.replay.findings.report import PartOf
from llmctl.traffic.replay.records import Lane, Mode, ReplayedCall
from tests.traffic.replay.findings.made import REQUEST, answer, replayed


def some(changed: int, rerun: int, of: int, **fields: object) -> list[ReplayedCall]:
    """Calls of which the first ones change, and others when they are asked again."""
    return [
        replayed(
            answer("a"),
            answer("b" if number < changed else "a"),
            answer("c" if number >= of - rerun else "a"),
            number=number,
            **fields,  # type: ignore[arg-type]
        )
        for number in range(of)
    ]


def test_a_rate_has_wilsons_interval() -> None:
    change = measure(some(3, 1, 10), REQUEST).candidates[0].comparison(Lane.OBSERVED, Lane.CANDIDATE)
    assert change is not None
    assert (change.calls, change.differs.calls, change.differs.rate) == (10, 3, 0.3)
    assert change.differs.interval == wilson(3, 10)
    assert change.method == "Wilson"


def test_the_noise_is_paired() -> None:
    found = measure(some(30, 20, 100), REQUEST).candidates[0]
    assert found.noise is not None
    difference = found.noise.difference
    wanted = tango_interval(20, 30, 100)
    assert wanted is not None
    assert difference.value == pytest.approx(0.1)
    assert difference.low == pytest.approx(wanted.low)
    assert difference.high == pytest.approx(wanted.high)
    assert [one.differs.calls for one in found.comparisons] == [30, 20, 50]


def test_without_a_rerun_there_is_no_noise() -> None:
    found = measure([replace(one, baseline=None) for one in some(1, 0, 4)], REQUEST).candidates[0]
    assert found.noise is None
    assert len(found.comparisons) == 1


def test_a_call_counts_for_all_that_it_stands_for() -> None:
    calls = [replayed(answer("a"), answer("b"), number=1, weight=9), replayed(answer("a"), answer("a"), number=2)]
    change = measure(calls, REQUEST).candidates[0].comparisons[0]
    assert (change.calls, change.weight, change.differs.calls, change.differs.weight) == (2, 10, 1, 9)
    assert change.differs.rate == 0.9
    assert change.differs.interval == clustered_wilson(ClusterSums.of([(9, 9), (0, 1)]))
    assert change.method != "Wilson"


def test_conversations_widen_the_interval() -> None:
    alone = some(20, 0, 40)
    talks = [
        replace(one, chosen=replace(one.chosen, call=replace(one.chosen.call, session_id=f"s{number // 10}")))
        for number, one in enumerate(alone)
    ]
    plain, grouped = (measure(calls, REQUEST).candidates[0] for calls in (alone, talks))
    widths = []
    for found in (plain, grouped):
        interval = found.comparisons[0].differs.interval
        assert interval is not None
        widths.append(interval.high - interval.low)
    assert grouped.comparisons[0].clusters == 4
    assert widths[1] > 1.5 * widths[0]
    assert grouped.noise is not None
    assert plain.noise is not None
    assert grouped.noise.difference.p_value is None
    assert plain.noise.difference.p_value is not None


def test_repeats_of_a_call_are_no_new_evidence() -> None:
    calls = [one for one in some(2, 0, 4) for _ in range(5)]
    change = measure(calls, REQUEST).candidates[0].comparisons[0]
    assert (change.calls, change.clusters) == (20, 4)
    assert change.differs.interval == clustered_wilson(ClusterSums.of([(5, 5), (5, 5), (0, 5), (0, 5)]))


def test_the_interval_covers_with_weights_and_conversations() -> None:
    generator = np.random.default_rng(1)
    held = 0
    rounds = 300
    for _ in range(rounds):
        groups = np.repeat(np.arange(60), 3)
        talk = generator.random(60) < 0.3
        found = np.where(generator.random(180) < 0.5, talk[groups], generator.random(180) < 0.3)
        share = share_of(found, Calls(generator.integers(1, 4, 180), groups))
        assert share.interval is not None
        held += share.interval.low <= 0.3 <= share.interval.high
    assert held / rounds > 0.92


def test_a_difference_of_clusters_is_exact_for_calls_of_their_own() -> None:
    generator = np.random.default_rng(2)
    before, after = generator.random(200) < 0.4, generator.random(200) < 0.5
    plain = difference_of(before, after, Calls(np.ones(200, np.int64), np.arange(200)))
    doubled = difference_of(before, after, Calls(np.full(200, 2), np.arange(200)))
    assert plain is not None
    assert doubled is not None
    assert plain.low == pytest.approx(doubled.low, abs=1e-9)
    assert (plain.p_value is None, doubled.p_value is None) == (False, True)


def test_latency_and_cost_are_ratios_of_pairs() -> None:
    calls = [
        replayed(
            answer("a", latency_ms=100 + number, cost_usd=0.001, output_tokens=10),
            answer("a", latency_ms=2 * (100 + number), cost_usd=None, output_tokens=5),
            number=number,
        )
        for number in range(20)
    ]
    [ratios] = measure(calls, REQUEST).candidates[0].ratios
    assert ratios.latency is not None
    assert ratios.latency.value == pytest.approx(2)
    assert ratios.latency.pairs == 20
    assert ratios.cost is None
    assert ratios.output_tokens is not None
    assert ratios.output_tokens.value == 0.5


def test_sums_are_over_calls_that_every_lane_answered() -> None:
    calls = [
        replayed(answer("a", input_tokens=10, output_tokens=2, cost_usd=1.0), answer("a", output_tokens=4), weight=3),
        replayed(answer("a", input_tokens=99, output_tokens=99), answer(None, Outcome.TIMEOUT), number=2),
    ]
    observed, candidate = measure(calls, REQUEST).candidates[0].lanes
    assert (observed.input_tokens, observed.output_tokens, observed.cost_usd) == (30, 6, 3.0)
    assert (observed.answers, candidate.answers, candidate.missing) == (2, 1, 1)
    assert (candidate.output_tokens, candidate.tokens_unknown, candidate.cost_unknown) == (12, 1, 1)


def test_verdicts_are_paired() -> None:
    calls = [
        replayed(answer("a", passed=True), answer("b", passed=number > 2), answer("a", passed=True), number=number)
        for number in range(10)
    ]
    calls.append(replayed(answer("a", passed=None), answer("b", passed=True), number=99))
    found = measure(calls, REQUEST).candidates[0]
    assert [(one.before, one.calls, one.regressions, one.fixes) for one in found.passes] == [
        (Lane.OBSERVED, 10, 3, 0),
        (Lane.BASELINE, 10, 3, 0),
    ]
    assert found.passes[0].difference.value == pytest.approx(-0.3)
    rates = {lane.lane: lane.passed.rate for lane in found.lanes if lane.passed}
    assert rates[Lane.CANDIDATE] == pytest.approx(8 / 11)


def test_tables_by_prompt_model_and_tag() -> None:
    calls = [
        replayed(answer("a"), answer("b"), number=1, prompt_name="x", model="m", tags=("eu", "vip", "eu")),
        replayed(answer("a"), answer("a"), number=2, prompt_name="y", model="m", tags=("eu",), weight=4),
        replayed(answer("a"), answer("a"), number=3, model="m"),
    ]
    parts = measure(calls, REQUEST).candidates[0].parts
    rows = {(part.of, part.value): (part.calls, part.weight, part.differs.calls) for part in parts}
    assert rows == {
        (PartOf.PROMPT, "x"): (1, 1, 1),
        (PartOf.PROMPT, "y"): (1, 4, 0),
        (PartOf.PROMPT, None): (1, 1, 0),
        (PartOf.MODEL, "m"): (3, 6, 1),
        (PartOf.TAG, "eu"): (2, 5, 1),
        (PartOf.TAG, "vip"): (1, 1, 1),
    }
    assert [part.value for part in parts if part.of is PartOf.PROMPT] == ["y", None, "x"]


def test_a_tag_for_each_call_is_bounded() -> None:
    calls = (replayed(answer("a"), answer("a"), number=number, tags=(f"user-{number}",)) for number in range(2_500))
    report = measure(calls, REQUEST)
    assert len(report.candidates[0].parts) == 100
    assert report.candidates[0].parts_left_out == 1_900
    assert any("2,000" in note for note in report.notes)


def test_nothing_replayed_says_nothing() -> None:
    found = measure([], REQUEST).candidates[0]
    assert (found.calls, found.comparisons, found.noise, found.worst) == (0, (), None, ())


def test_logged_answers_that_fail_are_the_worst_of_a_mode_that_asks_nothing() -> None:
    calls = [replayed(answer(f"a{number}", passed=number > 1, reason="no"), None, number=number) for number in range(5)]
    found = measure(calls, replace(REQUEST, mode=Mode.OUTPUT_ONLY)).candidates[0]
    assert found.comparisons == ()
    assert (found.worst_count, [case.observed for case in found.worst]) == (2, ["a0", "a1"])
    assert found.lanes[0].passed is not None
    assert found.lanes[0].passed.rate == 0.6


def test_a_provider_that_failed_is_said_apart() -> None:
    report = measure([replayed(answer(), answer(None, Outcome.TIMEOUT))], REQUEST)
    assert any("timeout 1" in note for note in report.notes)
    [comparison] = report.candidates[0].comparisons
    assert (comparison.calls, comparison.not_compared) == (0, 1)


def test_the_order_of_the_calls_changes_nothing() -> None:
    calls = list(_mixed(200))
    turned = calls.copy()
    random.Random(3).shuffle(turned)
    one, other = (measure(order, replace(REQUEST, worst=7)).candidates[0] for order in (calls, turned))
    assert one.worst == other.worst
    assert one.comparisons == other.comparisons
    assert one.noise == other.noise


def _mixed(size: int) -> Iterator[ReplayedCall]:
    chance = random.Random(4)
    for number in range(size):
        texts = [" ".join(chance.choices("abcdef", k=6)) if chance.random() < 0.4 else "a b c" for _ in range(3)]
        yield replayed(*map(answer, texts), number=number, weight=chance.choice([1, 1, 3]))
